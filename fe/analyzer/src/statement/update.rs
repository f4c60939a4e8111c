//! UPDATE: primary-key tables only. The plan makes the key columns and the changed ones.

use std::sync::Arc;

use common_base::{Result, bail, ids::ColumnUid};
use common_expr::expr::{ColumnId, Expr};
use common_types::{LogicalType, Scalar};
use fe_catalog::model::{KeysModel, OlapTable, Table};
use fe_parser::ast::{Update, encoding, sql};
use fe_plan::{ColumnFactory, LogicalNode, LogicalOp};

use super::{insert::column_index, stored_only};
use crate::{
    AnalyzeContext, TableUse,
    bind::{with_applies, with_filter},
    binder::{Binder, Clause},
    error, names,
    scope::{Field, Scope},
};

/// An analyzed UPDATE: executed as a load of these columns.
#[derive(Clone, Debug)]
pub struct AnalyzedUpdate {
    pub db_name: String,
    pub table: Arc<Table>,
    pub plan: LogicalNode,
    /// Key columns, then changed columns.
    pub output: Vec<(ColumnUid, ColumnId)>,
    pub changed: Vec<ColumnUid>,
    /// The AUTO_INCREMENT column, to get new numbers.
    pub auto_increment: Option<ColumnUid>,
    pub columns: ColumnFactory,
    pub tables: Vec<TableUse>,
}

/// Analyzes UPDATE.
pub fn analyze_update(ctx: &AnalyzeContext<'_>, update: &Update) -> Result<AnalyzedUpdate> {
    error::wrap(|| {
        let mut binder = Binder::new(ctx);
        let parts = names::table_name(&update.table)?;
        let (db, table) = binder.find_table(parts.db, &parts.table)?;
        let olap = stored_only(&table, "UPDATE")?;
        if olap.keys != KeysModel::Primary {
            bail!(Analysis, "only support updating primary key table");
        }
        let mode = ctx.session.variable(None, "partial_update_mode").map(|(v, _)| v.to_string().to_ascii_lowercase());
        let mode = mode.as_deref().map(|m| m.trim_matches('\''));
        // Without WHERE every row changes, which is what the column mode is for.
        if update.selection.is_none() && mode == Some("row") {
            bail!(Analysis, "must specify where clause to prevent full table update");
        }
        if mode == Some("column") {
            column_mode(&table, olap, update)?;
        }
        let producers = match &update.with {
            Some(with) => binder.bind_with(with)?,
            None => Vec::new(),
        };
        let auto_increment = numbered(&table, update)?;
        let ((mut plan, output, changed), _) =
            binder.with_frame(Scope::default(), Clause::Select, |b| b.bind_update(update, &table))?;
        plan = binder.place_ctes(plan, producers);
        binder.fold_plan(&mut plan);
        Ok(AnalyzedUpdate {
            db_name: db.name.clone(),
            table,
            plan,
            output,
            changed,
            auto_increment,
            columns: binder.columns,
            tables: binder.tables,
        })
    })
}

type Updated = (LogicalNode, Vec<(ColumnUid, ColumnId)>, Vec<ColumnUid>);

impl Binder<'_> {
    fn bind_update(&mut self, update: &Update, table: &Table) -> Result<Updated> {
        let target = self.bind_target(&update.table, None, &[])?;
        let key_ids: Vec<ColumnId> = target.scope.fields.iter().map(|f| f.id).collect();
        let mut relation = target;
        if !update.from.is_empty() {
            let from = self.bind_from(&update.from)?;
            relation = crate::bind::cross_join(relation, from)?;
        }
        self.frame().scope = relation.scope;
        let mut plan = relation.plan;
        if let Some(selection) = &update.selection {
            let condition = self.in_clause(Clause::Where, |b| {
                let condition = b.bind_expr(selection)?;
                b.to_boolean(condition)
            })?;
            let applies = std::mem::take(&mut self.frame().applies);
            plan = with_filter(with_applies(plan, applies), condition.into_conjuncts());
        }
        let mut exprs = Vec::new();
        let mut output = Vec::new();
        let mut changed = Vec::new();
        let generates = table.columns.iter().any(|c| c.generated.is_some());
        for (column, id) in table.columns.iter().zip(&key_ids) {
            if column.key {
                output.push((column.uid, *id));
            }
            // Generated columns may read any column.
            if column.key || (generates && column.generated.is_none()) {
                exprs.push((*id, self.columns.reference(*id)));
            }
        }
        for (i, assignment) in update.assignments.iter().enumerate() {
            let again = |a: &&fe_parser::ast::Assignment| a.column.value.eq_ignore_ascii_case(&assignment.column.value);
            if update.assignments[i + 1..].iter().find(again).is_some() {
                // The last assignment of a column counts.
                continue;
            }
            let at = column_index(table, &assignment.column.value)?;
            let column = &table.columns[at];
            if column.key {
                bail!(Analysis, "primary key column cannot be updated: {}", column.name);
            }
            if column.generated.is_some() {
                bail!(Analysis, "generated column '{}' can not be specified", column.name);
            }
            let value = if encoding::is_default(&assignment.value) {
                self.required_default(column)?
            } else {
                let bound = self.in_clause(Clause::Where, |b| b.bind_expr(&assignment.value))?;
                check_number(&bound, &column.ty)?;
                self.implicit_cast(bound, &column.ty)?
            };
            let id = self.columns.computed(column.name.clone(), column.ty.clone(), value.nullable);
            exprs.push((id, value));
            output.push((column.uid, id));
            changed.push(column.uid);
        }
        let applies = std::mem::take(&mut self.frame().applies);
        plan = LogicalNode::unary(LogicalOp::Project { exprs }, with_applies(plan, applies));
        let mut computed = Vec::new();
        for column in table.columns.iter() {
            let Some(text) = &column.generated else { continue };
            let fields = table.columns.iter().zip(&key_ids).filter(|(c, _)| c.generated.is_none()).map(|(c, old)| {
                let id = output.iter().find(|(uid, _)| *uid == c.uid).map_or(*old, |(_, new)| *new);
                Field { relation: None, name: c.name.clone(), id, source: None }
            });
            let scope = Scope { fields: fields.collect(), relations: Vec::new() };
            let value = self.generated(column, text, scope)?;
            let id = self.columns.computed(column.name.clone(), column.ty.clone(), value.nullable);
            computed.push((column.uid, id, value));
        }
        for (uid, id, _) in &computed {
            output.push((*uid, *id));
            changed.push(*uid);
        }
        let plan = self.project_more(plan, computed.into_iter().map(|(_, id, value)| (id, value)).collect());
        Ok((plan, output, changed))
    }
}

/// The AUTO_INCREMENT column when it is set to DEFAULT; NULL it cannot be.
fn numbered(table: &Table, update: &Update) -> Result<Option<ColumnUid>> {
    let Some(column) = table.columns.iter().find(|c| c.auto_increment) else { return Ok(None) };
    let Some(assigned) = update.assignments.iter().rev().find(|a| a.column.value.eq_ignore_ascii_case(&column.name)) else { return Ok(None) };
    if matches!(&assigned.value, sql::Expr::Value(v) if v.value == sql::Value::Null) {
        bail!(Analysis, "AUTO_INCREMENT column: {} must not be NULL", column.name);
    }
    Ok(encoding::is_default(&assigned.value).then_some(column.uid))
}

/// What the column mode does not do.
fn column_mode(table: &Table, olap: &OlapTable, update: &Update) -> Result<()> {
    let changes = |name: &str| update.assignments.iter().any(|a| a.column.value.eq_ignore_ascii_case(name));
    let sorted = olap.sort_key.iter().filter_map(|uid| table.column_by_uid(*uid)).any(|c| changes(&c.name));
    if sorted {
        bail!(Analysis, "column mode partial update on table with sort key cannot update sort key column");
    }
    for column in table.columns.iter() {
        let Some(text) = &column.generated else { continue };
        let syntax = fe_parser::parse_expr(text, &fe_parser::ParseOptions::default())?;
        let mut missing = false;
        super::qualify::walk(&syntax, &mut |e| {
            if let fe_parser::ast::sql::Expr::Identifier(i) = e {
                let given = table.column(&i.value).is_none_or(|c| c.key || changes(&c.name));
                missing |= !given;
            }
        });
        if missing {
            bail!(Analysis, "All ref Column must be sepecfied in partial update mode.");
        }
    }
    Ok(())
}

/// Text that is no number is refused where a number is assigned.
fn check_number(value: &Expr, ty: &LogicalType) -> Result<()> {
    let text = value.as_literal().and_then(Scalar::as_str);
    match text {
        Some(text) if (ty.is_integer() || ty.is_float()) && text.trim().parse::<f64>().is_err() => bail!(Analysis, "Invalid number format: {text}"),
        _ => Ok(()),
    }
}
