//! UPDATE, and DELETE on primary-key tables: loads of keys with the changed columns, or of keys to delete.

use common_base::{Result, err, ids::QueryId};
use common_expr::expr::Expr;
use common_types::{LogicalType, Scalar};
use fe_analyzer::statement::{AnalyzedDelete, DeleteForm, analyze_update};
use fe_catalog::model::LoadSource;
use fe_parser::ast::Update;
use fe_plan::{LogicalNode, LogicalOp};

use super::{
    insert::{Rows, write_rows},
    table::analyze,
};
use crate::{
    load::primary::{OP, Shape},
    result::StatementResult,
    session::Session,
};

/// Runs UPDATE.
pub async fn update(session: &mut Session, statement: &Update, parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let rows = update_rows(session, statement, parameters, id)?;
    write_rows(session, rows, id).await
}

/// What an UPDATE writes: rows that go while it runs do not come back.
pub fn update_rows(session: &Session, statement: &Update, parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<Rows> {
    let analyzed = analyze(session, parameters, |ctx| analyze_update(ctx, statement))?;
    let shape = Shape { written: analyzed.output.iter().map(|(uid, _)| *uid).collect(), update_only: true, ..Shape::default() };
    Ok(Rows {
        table: analyzed.table,
        partitions: None,
        label: format!("update_{id}"),
        source: LoadSource::Insert,
        overwrite: false,
        plan: analyzed.plan,
        output: analyzed.output,
        columns: analyzed.columns,
        numbered: analyzed.auto_increment,
        shape: Some(shape),
        timeout: None,
        delete_condition: String::new(),
        reads: analyzed.tables,
    })
}

/// Runs a DELETE that names its rows by their keys.
pub async fn delete(session: &mut Session, analyzed: AnalyzedDelete, condition: String, id: QueryId) -> Result<StatementResult> {
    let rows = delete_rows(analyzed, condition, id)?;
    write_rows(session, rows, id).await
}

/// What such a DELETE writes.
pub fn delete_rows(analyzed: AnalyzedDelete, condition: String, id: QueryId) -> Result<Rows> {
    let AnalyzedDelete { table, partitions, form, mut columns, tables: reads, .. } = analyzed;
    let DeleteForm::Keys { plan, mut output } = form else { return Err(err!(Internal, "a DELETE by predicate writes no keys")) };
    let written = output.iter().map(|(uid, _)| *uid).collect();
    let op = columns.computed("__op", LogicalType::TinyInt, false);
    let mut exprs: Vec<_> = output.iter().map(|(_, id)| (*id, columns.reference(*id))).collect();
    exprs.push((op, Expr::literal(Scalar::TinyInt(1))));
    output.push((OP, op));
    Ok(Rows {
        table,
        partitions,
        label: format!("delete_{id}"),
        source: LoadSource::Delete,
        overwrite: false,
        plan: LogicalNode::unary(LogicalOp::Project { exprs }, plan),
        output,
        columns,
        numbered: None,
        shape: Some(Shape { written, op: true, ..Shape::default() }),
        timeout: None,
        delete_condition: condition,
        reads,
    })
}
