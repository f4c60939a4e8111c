//! Loads of some columns, deletes and conditions into the further indexes of a primary-key table: what a schema change is building.
//! An index gets those of its columns that can be computed from the columns that come.

use std::collections::HashMap;

use common_base::{Result, bail, err};
use common_expr::{eval::eval_constant, expr::{ColumnId, Expr}, registry::FunctionRegistry, scalar_fn::EvalContext, walk::substitute};
use common_types::{LogicalType, Scalar, wire};
use fe_catalog::model::Table;
use proto_messages::{expr::KeptValue, fragment::IndexSchema, tablet::{MissingColumn, PrimaryLoad}};

/// What is known of the load: positions of the table's columns among those that come, and what the load says of the base index.
pub struct Narrowed<'a> {
    pub table: &'a Table,
    /// Old position of each column that comes.
    pub comes: &'a [usize],
    pub load: &'a PrimaryLoad,
}

impl Narrowed<'_> {
    fn position(&self, column: ColumnId) -> Option<u32> {
        self.comes.iter().position(|c| *c == column as usize).map(|at| at as u32)
    }

    /// Restricts an index to what comes; the answer is what rows of new keys get in its other columns.
    pub fn narrow(&self, index: &mut IndexSchema, functions: &FunctionRegistry) -> Result<Vec<MissingColumn>> {
        let exprs = common_expr::wire::list_from_proto(&index.exprs, functions)?;
        let partial = !self.load.missing.is_empty();
        let (mut kept, mut missing) = (Vec::with_capacity(exprs.len()), Vec::new());
        for (i, expr) in exprs.iter().enumerate() {
            let columns = expr.columns();
            let here = columns.iter().filter(|c| self.position(**c).is_some()).count();
            if here == columns.len() && (here > 0 || !partial) {
                kept.push(i);
            } else if here > 0 {
                bail!(User, "Table[{}]'s state(SCHEMA_CHANGE) is not NORMAL: a column that is being added needs columns the load leaves out", self.table.name);
            } else {
                missing.push(self.missing(index.column_uids[i], expr)?);
            }
        }
        if self.load.merge_column != 0 && !kept.iter().any(|i| index.column_uids[*i] == self.load.merge_column) {
            bail!(User, "Table[{}]'s state(SCHEMA_CHANGE) is not NORMAL: the column of the merge condition is being changed", self.table.name);
        }
        let moved = |i: &usize| exprs[*i].clone().map_columns(&mut |c| self.position(c).unwrap_or(c));
        let mut narrowed: Vec<Expr> = kept.iter().map(moved).collect();
        if self.load.has_op {
            narrowed.push(Expr::column(self.comes.len() as u32, LogicalType::TinyInt, true));
        }
        let moved = |k: &KeptValue| {
            let to = kept.iter().position(|i| *i == k.to as usize)? as u32;
            Some(KeptValue { from: self.position(k.from)?, to, name: k.name.clone() })
        };
        index.kept = index.kept.iter().filter_map(moved).collect();
        index.exprs = common_expr::wire::list_to_proto(&narrowed)?;
        index.column_uids = kept.iter().map(|i| index.column_uids[*i]).collect();
        Ok(missing)
    }

    /// The value of a column all of whose columns are missing.
    fn missing(&self, uid: u64, expr: &Expr) -> Result<MissingColumn> {
        let (mut values, mut required) = (HashMap::new(), false);
        for at in expr.columns() {
            let column = self.table.columns.get(at as usize).ok_or_else(|| err!(Internal, "an index names a column that is gone"))?;
            let said = self.load.missing.iter().find(|m| m.uid == column.uid.0);
            required |= said.is_some_and(|m| m.required);
            let value = said.and_then(|m| m.value.as_ref()).map(wire::scalar_from_proto).transpose()?.unwrap_or(Scalar::Null);
            values.insert(at, Expr::literal(value).cast_to(&column.ty));
        }
        let value = eval_constant(&EvalContext::default(), &substitute(expr.clone(), &values))?;
        Ok(MissingColumn { uid, required, value: Some(wire::scalar_to_proto(&value, &expr.ty)) })
    }
}
