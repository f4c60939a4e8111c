//! UPDATE: primary-key tables only. The plan makes the key columns and the changed ones.

use std::sync::Arc;

use common_base::{Result, bail, ids::ColumnUid};
use common_expr::expr::ColumnId;
use fe_catalog::model::{KeysModel, Table};
use fe_parser::ast::{Update, encoding};
use fe_plan::{ColumnFactory, LogicalNode, LogicalOp};

use super::{insert::column_index, stored_only};
use crate::{
    AnalyzeContext, TableUse,
    bind::{with_applies, with_filter},
    binder::{Binder, Clause},
    error, names,
    scope::Scope,
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
        let column_mode = ctx
            .session
            .variable(None, "partial_update_mode")
            .is_some_and(|(v, _)| v.to_string().eq_ignore_ascii_case("column"));
        if update.selection.is_none() && !column_mode {
            bail!(Analysis, "must specify where clause to prevent full table update");
        }
        let producers = match &update.with {
            Some(with) => binder.bind_with(with)?,
            None => Vec::new(),
        };
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
            columns: binder.columns,
            tables: binder.tables,
        })
    })
}

type Updated = (LogicalNode, Vec<(ColumnUid, ColumnId)>, Vec<ColumnUid>);

impl Binder<'_> {
    fn bind_update(&mut self, update: &Update, table: &Table) -> Result<Updated> {
        let target = self.bind_target(&update.table, None)?;
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
        for (column, id) in table.columns.iter().zip(&key_ids).filter(|(c, _)| c.key) {
            exprs.push((*id, self.columns.reference(*id)));
            output.push((column.uid, *id));
        }
        for assignment in &update.assignments {
            let at = column_index(table, &assignment.column.value)?;
            let column = &table.columns[at];
            if column.key {
                bail!(Analysis, "primary key column cannot be updated: {}", column.name);
            }
            if column.generated.is_some() {
                bail!(Analysis, "generated column '{}' can not be specified", column.name);
            }
            if changed.contains(&column.uid) {
                bail!(DuplicateColumn, "Column '{}' specified twice", column.name);
            }
            let value = if encoding::is_default(&assignment.value) {
                self.required_default(column)?
            } else {
                let bound = self.in_clause(Clause::Where, |b| b.bind_expr(&assignment.value))?;
                self.implicit_cast(bound, &column.ty)?
            };
            let id = self.columns.computed(column.name.clone(), column.ty.clone(), value.nullable);
            exprs.push((id, value));
            output.push((column.uid, id));
            changed.push(column.uid);
        }
        let applies = std::mem::take(&mut self.frame().applies);
        plan = with_applies(plan, applies);
        Ok((LogicalNode::unary(LogicalOp::Project { exprs }, plan), output, changed))
    }
}
