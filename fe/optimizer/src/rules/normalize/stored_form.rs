//! The form in which a query's expressions are compared with stored ones: over ordinals of the table's columns, folded, without what
//! says nothing of the value (nullability, declared lengths of text), generated columns in place of what they are made of.
//!
//! Only stored expressions that are the same in every session come here (the analyzer leaves others out), so an equal form of a
//! query's expression has the same value.

use std::collections::HashMap;

use common_expr::{
    expr::{ColumnId, Expr},
    fold::fold,
    scalar_fn::EvalContext,
    walk::replace_subtrees,
};
use common_types::{LogicalType, STRING_DDL_LENGTH};
use fe_catalog::model::Column;
use fe_plan::logical::LogicalScan;

/// Ids of a plan that are no columns of the scan (parameters of lambdas) go above all ordinals.
const FOREIGN: ColumnId = 1 << 30;

/// The plan's own id of what is no column of the scan.
pub(super) fn foreign(id: ColumnId) -> Option<ColumnId> {
    (id & FOREIGN != 0).then_some(id & !FOREIGN)
}

/// Brings expressions over one scan into the form.
pub(super) struct Forms {
    ordinals: HashMap<ColumnId, ColumnId>,
    /// What generated columns are made of, and their references.
    generated: Vec<(Expr, Expr)>,
    /// What they are made of as it was written.
    made_of: HashMap<ColumnId, Expr>,
}

impl Forms {
    /// For a scan.
    pub fn of(scan: &LogicalScan, eval: &EvalContext) -> Self {
        let ordinal = |uid| scan.table.columns.iter().position(|c| c.uid == uid);
        let ordinals = scan.columns.iter().filter_map(|(id, uid)| Some((*id, ordinal(*uid)? as ColumnId))).collect();
        let reference = |at: u32, c: &Column| comparable(Expr::column(at, c.ty.clone(), c.nullable), eval);
        let made_of = generated_of(scan).map(|(at, _, e)| (at, e.clone())).collect();
        let generated = generated_of(scan).map(|(at, c, e)| (comparable(e.clone(), eval), reference(at, c))).collect();
        Self { ordinals, generated, made_of }
    }

    /// A query's expression over ordinals.
    pub fn over_ordinals(&self, expr: &Expr) -> Expr {
        expr.clone().map_columns(&mut |id| self.ordinals.get(&id).copied().unwrap_or(FOREIGN | id))
    }

    /// What a generated column, given by its ordinal, is made of.
    pub fn made_of(&self, ordinal: ColumnId) -> Option<&Expr> {
        self.made_of.get(&ordinal)
    }

    /// The form of a query's expression.
    pub fn of_query(&self, expr: &Expr, eval: &EvalContext) -> Expr {
        self.of_stored(self.over_ordinals(expr), eval)
    }

    /// The form of an expression that is over ordinals already.
    pub fn of_stored(&self, expr: Expr, eval: &EvalContext) -> Expr {
        replace_subtrees(&comparable(expr, eval), &self.generated)
    }
}

/// Folded, without what says nothing of the value.
pub(super) fn comparable(expr: Expr, eval: &EvalContext) -> Expr {
    fold(expr, eval).transform(&mut |e| {
        let ty = if e.ty.is_string() { LogicalType::varchar() } else { e.ty };
        Expr { ty, nullable: false, ..e }
    })
}

/// The generated columns of a scan that stand for their expressions: ordinal, column, expression over ordinals.
pub(super) fn generated_of(scan: &LogicalScan) -> impl Iterator<Item = (u32, &Column, &Expr)> {
    let usable = move |(at, expr): &(u32, Expr)| -> bool {
        let Some(column) = scan.table.columns.get(*at as usize) else { return false };
        let holds_all = match (&column.ty, &expr.ty) {
            (LogicalType::Varchar(most), LogicalType::Varchar(some)) => {
                most.is_none_or(|most| most >= STRING_DDL_LENGTH || some.is_some_and(|some| some <= most))
            }
            // CHAR is padded and cut.
            (a, b) => a == b && !a.is_string(),
        };
        holds_all && !expr.columns().is_empty() && expr.as_column().is_none()
    };
    scan.stored.generated.iter().filter(move |g| usable(g)).filter_map(move |(at, e)| Some((*at, scan.table.columns.get(*at as usize)?, e)))
}
