//! Statements that are not a bare query: legality and normalisation. Execution is elsewhere.

mod alter_columns;
mod alter_rollup;
mod automatic_partition;
mod columns;
mod create_table;
mod create_view;
mod delete;
mod index_columns;
mod insert;
mod load;
mod lost;
mod partition;
mod properties;
mod qualify;
mod rollup;
mod secondary_index;
mod struct_fields;
mod update;

pub(crate) use qualify::{StarColumns, StarPlace, place as star_place};

pub use alter_columns::{ColumnsChange, analyze_alter_columns, changes_columns, names_column, rename_in_text, rollup_of};
pub use alter_rollup::{RollupChange, analyze_alter_rollup};
pub use automatic_partition::{automatic_partitions, bind_over_columns, bind_partition_exprs};
pub use columns::analyze_column;
pub use create_table::{AnalyzedCtas, CreateTableSpec, DdlDefaults, PartitionSpec, analyze_create_table, analyze_ctas};
pub use create_view::{CreateViewSpec, analyze_alter_view, analyze_create_view};
pub use delete::{AnalyzedDelete, DeleteForm, analyze_delete};
pub use index_columns::{IndexRows, RowsAre, bind_index_rows, bind_stored_exprs};
pub use insert::{AnalyzedInsert, analyze_insert};
pub use load::{AnalyzedLoad, LoadField, LoadRequest, analyze_load, field_of};
pub use lost::lost_mark;
pub use partition::{analyze_add_partition, batch_names, check_replacement, partitions_intersect, partition_values};
pub use properties::{check_flat_json, compression};
pub use rollup::{IndexDraft, analyze_rollup, analyze_sync_view};
pub use secondary_index::{adjust_properties, check_bloom_filter_columns, index_clause};
pub use update::{AnalyzedUpdate, analyze_update};

use std::collections::HashMap;

use common_base::{Result, bail, err, ids::ColumnUid};
use common_expr::expr::Expr;
use common_types::Scalar;
use fe_catalog::model::{Column, DefaultValue};
use fe_parser::ParseOptions;

use crate::{
    AnalyzeContext,
    binder::{Binder, Clause},
    scope::{Field, Scope},
};

/// What rows of new keys get in the columns a partial update leaves out, where that is one value for all.
pub fn fill_values(ctx: &AnalyzeContext<'_>, table: &fe_catalog::model::Table, written: &[ColumnUid]) -> Result<Vec<(ColumnUid, Scalar)>> {
    let mut binder = Binder::new(ctx);
    let mut out = Vec::new();
    for column in table.columns.iter().filter(|c| !written.contains(&c.uid) && c.generated.is_none()) {
        let value = binder.default_of(column)?.map(|e| binder.fold(e));
        if let Some(value) = value.as_ref().and_then(Expr::as_literal) {
            out.push((column.uid, value.clone()));
        }
    }
    // Generated columns that are left out read only columns that are.
    let (mut fields, mut values) = (Vec::new(), HashMap::new());
    for column in table.columns.iter().filter(|c| c.generated.is_none()) {
        let id = binder.columns.computed(column.name.clone(), column.ty.clone(), true);
        fields.push(Field { relation: None, name: column.name.clone(), id, source: None });
        let value = out.iter().find(|(uid, _)| *uid == column.uid).map_or(Scalar::Null, |(_, v)| v.clone());
        values.insert(id, Expr::literal(value).cast_to(&column.ty));
    }
    for column in table.columns.iter().filter(|c| !written.contains(&c.uid)) {
        let Some(text) = &column.generated else { continue };
        let value = binder.generated(column, text, Scope { fields: fields.clone(), relations: Vec::new() })?;
        let value = binder.fold(common_expr::walk::substitute(value, &values));
        if let Some(value) = value.as_literal() {
            out.push((column.uid, value.clone()));
        }
    }
    Ok(out)
}

impl Binder<'_> {
    /// What a column gets when a statement leaves it out; None when it must not be left out.
    pub(crate) fn default_of(&mut self, column: &Column) -> Result<Option<Expr>> {
        let value = match &column.default {
            DefaultValue::None if column.auto_increment || column.nullable => Expr::null(column.ty.clone()),
            DefaultValue::None => return Ok(None),
            DefaultValue::Literal(value) => self.fold(Expr::literal(value.clone()).cast_to(&column.ty)),
            DefaultValue::CurrentTimestamp(precision) => {
                let args =
                    if *precision == 0 { Vec::new() } else { vec![Expr::literal(Scalar::Int(i32::from(*precision)))] };
                self.call("now", args)?
            }
            DefaultValue::Expression(text) => {
                let syntax = fe_parser::parse_expr(text, &ParseOptions::default())?;
                self.with_frame(Scope::default(), Clause::Values, |b| b.bind_expr(&syntax))?.0
            }
        };
        self.implicit_cast(value, &column.ty).map(Some)
    }

    /// Whether rows get defaults that differ from each other.
    pub(crate) fn default_varies(&mut self, column: &Column) -> Result<bool> {
        if !matches!(column.default, DefaultValue::Expression(_)) {
            return Ok(false);
        }
        let value = self.default_of(column)?;
        Ok(value.is_some_and(|v| self.fold(v).as_literal().is_none()))
    }

    /// The default, or the error the reference gives.
    pub(crate) fn required_default(&mut self, column: &Column) -> Result<Expr> {
        match self.default_of(column)? {
            Some(value) => Ok(value),
            None => Err(err!(NoDefaultForColumn, "Column has no default value, column={}", column.name)),
        }
    }

    /// Generated columns' expressions over the table's other columns, which `scope` names.
    pub(crate) fn generated(&mut self, column: &Column, text: &str, scope: Scope) -> Result<Expr> {
        let syntax = fe_parser::parse_expr(text, &ParseOptions::default())?;
        let (bound, _) = self.with_frame(scope, Clause::Values, |b| b.bind_expr(&syntax))?;
        self.implicit_cast(bound, &column.ty)
    }
}

/// Writing to anything but a stored table is refused.
pub(crate) fn stored_only<'t>(
    table: &'t fe_catalog::model::Table,
    what: &str,
) -> Result<&'t std::sync::Arc<fe_catalog::model::OlapTable>> {
    match table.as_olap() {
        Some(olap) => Ok(olap),
        None => bail!(User, "{what} is not supported on '{}': it is not a native table", table.name),
    }
}

#[cfg(test)]
pub(crate) mod tests;
