//! A projection over a projection is one; a projection that only passes columns on is none.

use common_base::Result;
use common_expr::{
    expr::{ColumnId, Expr},
    walk::{size, substitute},
};
use fe_plan::{LogicalNode, LogicalOp};

use crate::{context::Context, exprs::Substitution};

/// Expressions do not grow beyond this by merging.
const MAX_SIZE: usize = 500;

/// Merges bottom-up.
pub fn run(node: LogicalNode, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let LogicalNode { op, children } = node;
    let mut children: Vec<LogicalNode> = children.into_iter().map(|c| run(c, ctx)).collect::<Result<_>>()?;
    let LogicalOp::Project { mut exprs } = op else { return Ok(LogicalNode { op, children }) };
    if let Some(LogicalNode { op: LogicalOp::Project { exprs: inner }, .. }) = children.first()
        && let Some(merged) = merge(&exprs, inner)
    {
        exprs = merged;
        children = children.pop().map(|c| c.children).unwrap_or_default();
    }
    let passes = exprs.iter().all(|(id, e)| e.as_column() == Some(*id));
    match children.pop() {
        Some(child) if passes && !matches!(child.op, LogicalOp::Values(_)) => Ok(child),
        child => Ok(LogicalNode { op: LogicalOp::Project { exprs }, children: child.into_iter().collect() }),
    }
}

fn merge(outer: &[(ColumnId, Expr)], inner: &[(ColumnId, Expr)]) -> Option<Vec<(ColumnId, Expr)>> {
    // A volatile value used twice must stay one value.
    if inner.iter().any(|(_, e)| !e.is_deterministic()) {
        return None;
    }
    let by: Substitution = inner.iter().filter(|(id, e)| e.as_column() != Some(*id)).map(|(id, e)| (*id, e.clone())).collect();
    if by.is_empty() {
        return Some(outer.to_vec());
    }
    let merged: Vec<(ColumnId, Expr)> = outer.iter().map(|(id, e)| (*id, substitute(e.clone(), &by))).collect();
    let before: usize = outer.iter().chain(inner).map(|(_, e)| size(e)).sum();
    let after: usize = merged.iter().map(|(_, e)| size(e)).sum();
    (after <= MAX_SIZE.max(2 * before)).then_some(merged)
}
