//! DELETE: simple predicates on duplicate-key tables, a load of keys on primary-key tables.

use std::sync::Arc;

use common_base::{
    Result, bail,
    ids::{ColumnUid, PartitionId},
};
use common_expr::expr::{ColumnId, Expr, ExprKind};
use common_types::Scalar;
use fe_catalog::model::{KeysModel, Table};
use fe_parser::ast::Delete;
use fe_plan::{ColumnFactory, LogicalNode, LogicalOp};

use super::{insert::partition_ids, stored_only};
use crate::{
    AnalyzeContext, TableUse,
    bind::{with_applies, with_filter},
    binder::{Binder, Clause},
    error, names,
    scope::Scope,
};

/// Values an IN list of a delete predicate may have.
const MAX_IN_VALUES: usize = 10_000;

/// How the rows to delete are told.
#[derive(Clone, Debug)]
pub enum DeleteForm {
    /// Conjuncts `column op literal`, `column IN (literals)`, `column IS [NOT] NULL`; columns by plan id.
    Predicates { conjuncts: Vec<Expr>, columns: Vec<(ColumnId, ColumnUid)> },
    /// The keys of the rows, in key order.
    Keys { plan: LogicalNode, output: Vec<(ColumnUid, ColumnId)> },
}

/// An analyzed DELETE.
#[derive(Clone, Debug)]
pub struct AnalyzedDelete {
    pub db_name: String,
    pub table: Arc<Table>,
    pub partitions: Option<Vec<PartitionId>>,
    pub form: DeleteForm,
    pub columns: ColumnFactory,
    pub tables: Vec<TableUse>,
}

/// Analyzes DELETE.
pub fn analyze_delete(ctx: &AnalyzeContext<'_>, delete: &Delete) -> Result<AnalyzedDelete> {
    error::wrap(|| {
        let mut binder = Binder::new(ctx);
        let parts = names::table_name(&delete.table)?;
        let (db, table) = binder.find_table(parts.db, &parts.table)?;
        let olap = Arc::clone(stored_only(&table, "DELETE")?);
        let partitions = delete.partitions.as_ref().map(|p| partition_ids(&olap, &table, p)).transpose()?;
        if delete.selection.is_none() {
            bail!(Analysis, "Delete must specify where clause to prevent full table delete");
        }
        let producers = match &delete.with {
            Some(with) => binder.bind_with(with)?,
            None => Vec::new(),
        };
        let (mut form, _) =
            binder.with_frame(Scope::default(), Clause::Select, |b| b.bind_delete(delete, &table, olap.keys))?;
        if let DeleteForm::Keys { plan, .. } = &mut form {
            let placed = std::mem::replace(plan, LogicalNode::leaf(LogicalOp::AssertOneRow { text: String::new() }));
            *plan = binder.place_ctes(placed, producers);
            binder.fold_plan(plan);
        }
        Ok(AnalyzedDelete {
            db_name: db.name.clone(),
            table,
            partitions,
            form,
            columns: binder.columns,
            tables: binder.tables,
        })
    })
}

impl Binder<'_> {
    fn bind_delete(&mut self, delete: &Delete, table: &Table, keys: KeysModel) -> Result<DeleteForm> {
        let primary = keys == KeysModel::Primary;
        // A delete predicate goes to the partitions of its own accord; keys are read from them.
        let partitions: &[_] = match &delete.partitions {
            Some(named) if primary => &named.names,
            _ => &[],
        };
        let target = self.bind_target(&delete.table, delete.alias.as_ref(), partitions)?;
        let ids: Vec<ColumnId> = target.scope.fields.iter().map(|f| f.id).collect();
        let mut relation = target;
        if !delete.using.is_empty() {
            if !primary {
                bail!(Analysis, "Delete from non-primary key table does not support USING");
            }
            let using = self.bind_from(&delete.using)?;
            relation = crate::bind::cross_join(relation, using)?;
        }
        self.frame().scope = relation.scope;
        let Some(selection) = &delete.selection else { bail!(Internal, "checked by the caller") };
        let condition = self.in_clause(Clause::Where, |b| {
            let condition = b.bind_expr(selection)?;
            b.to_boolean(condition)
        })?;
        let applies = std::mem::take(&mut self.frame().applies);
        if primary {
            let plan = with_filter(with_applies(relation.plan, applies), condition.into_conjuncts());
            let mut exprs = Vec::new();
            let mut output = Vec::new();
            for (column, id) in table.columns.iter().zip(&ids).filter(|(c, _)| c.key) {
                exprs.push((*id, self.columns.reference(*id)));
                output.push((column.uid, *id));
            }
            return Ok(DeleteForm::Keys { plan: LogicalNode::unary(LogicalOp::Project { exprs }, plan), output });
        }
        if !applies.is_empty() {
            bail!(
                Analysis,
                "Where clause only supports compound predicate, binary predicate, is_null predicate and in predicate"
            );
        }
        let mut conjuncts: Vec<Expr> = Vec::new();
        for written in condition.into_conjuncts() {
            let folded = self.fold(written.clone());
            // What is always true (IS NOT NULL of such a column) stays a condition on its column.
            let always = matches!(folded.as_literal(), Some(Scalar::Boolean(true)));
            conjuncts.extend(if always { vec![written] } else { folded.into_conjuncts() });
        }
        let columns: Vec<(ColumnId, ColumnUid)> =
            ids.iter().copied().zip(table.columns.iter().map(|c| c.uid)).collect();
        for e in conjuncts.iter().filter(|e| e.as_literal().is_none()) {
            let id = delete_predicate(e)?;
            let Some(column) = columns.iter().find(|(c, _)| *c == id).and_then(|(_, uid)| table.column_by_uid(*uid))
            else {
                bail!(Internal, "a delete predicate's column belongs to the table")
            };
            if matches!(keys, KeysModel::Aggregate | KeysModel::Unique) && !column.key {
                bail!(Analysis, "delete condition on value column: {}", column.name);
            }
            if column.ty.is_float() {
                bail!(Analysis, "Column[{}] type is float or double.", column.name);
            }
        }
        Ok(DeleteForm::Predicates { conjuncts, columns })
    }
}

/// The column of a condition a delete predicate can be.
fn delete_predicate(e: &Expr) -> Result<ColumnId> {
    let refused = || {
        common_base::err!(
            Analysis,
            "Where clause only supports compound predicate, binary predicate, is_null predicate and in predicate"
        )
    };
    match &e.kind {
        ExprKind::Call { function, args } if matches!(function.name(), "eq" | "ne" | "lt" | "le" | "gt" | "ge") => {
            match (args[0].as_column(), args[1].as_literal(), args[0].as_literal(), args[1].as_column()) {
                (Some(id), Some(_), ..) | (.., Some(_), Some(id)) => Ok(id),
                (Some(_), None, ..) => bail!(Analysis, "Right expr of binary predicate should be value"),
                _ => bail!(Analysis, "Left expr of binary predicate should be column name"),
            }
        }
        ExprKind::IsNull { input, .. } => input.as_column().ok_or_else(refused),
        ExprKind::InList { input, list, .. } => {
            if list.len() > MAX_IN_VALUES {
                bail!(Analysis, "Element num of predicate should not be more than {MAX_IN_VALUES}");
            }
            if list.iter().any(|v| v.as_literal().is_none()) {
                bail!(Analysis, "Child of in predicate should be value");
            }
            input.as_column().ok_or_else(refused)
        }
        _ => Err(refused()),
    }
}
