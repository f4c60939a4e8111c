//! Outer joins whose NULL rows a condition above throws away are weaker joins.

use common_expr::expr::Expr;
use fe_plan::logical::JoinKind;

use crate::{column_set::ColumnSet, exprs::rejects_null};

/// The join that remains when `conditions` hold for every row above it.
pub fn weaken(kind: JoinKind, conditions: &[Expr], left: &ColumnSet, right: &ColumnSet) -> JoinKind {
    let rejects = |side: &ColumnSet| conditions.iter().any(|c| rejects_null(c, side));
    match kind {
        JoinKind::LeftOuter if rejects(right) => JoinKind::Inner,
        JoinKind::RightOuter if rejects(left) => JoinKind::Inner,
        JoinKind::FullOuter => match (rejects(left), rejects(right)) {
            (true, true) => JoinKind::Inner,
            // Rows without a left partner have NULLs on the left: gone, what stays keeps the left side.
            (true, false) => JoinKind::LeftOuter,
            (false, true) => JoinKind::RightOuter,
            (false, false) => JoinKind::FullOuter,
        },
        other => other,
    }
}
