//! Turns every Apply into joins: nothing is executed per row.
//!
//! Below a filter, `EXISTS`/`IN` that stand alone as conjuncts become semi, anti and null-aware anti joins. Elsewhere (under OR, in
//! a select list) the subquery's answer becomes a column: an outer join with its distinct keys tells whether there was a match.
//!
//! [`pull`] takes the correlated conditions out of the subquery; where they cannot be, [`domain`] computes the subquery for every
//! combination of outer values.

mod domain;
mod pull;
mod scalar;
mod semi;
mod value;

use common_base::{ErrorCode, Result, bail};
use common_expr::expr::{ColumnId, Expr, ExprKind};
use fe_plan::{LogicalNode, LogicalOp, logical::ApplyKind};

use self::pull::{Pulled, pull};
use crate::{column_set::ColumnSet, context::Context, tree};

/// One Apply without its outer side.
struct Subquery {
    kind: ApplyKind,
    output: ColumnId,
    plan: LogicalNode,
}

/// Removes every Apply from the tree.
pub fn run(node: LogicalNode, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    if !has_apply(&node) {
        return Ok(node);
    }
    match node.op {
        LogicalOp::Filter { conjuncts } => {
            let child = only(node.children)?;
            let (base, applies) = peel(child, ctx)?;
            filter(base, applies, conjuncts, ctx)
        }
        LogicalOp::Apply { .. } => {
            let (mut base, applies) = peel(node, ctx)?;
            for apply in applies {
                base = as_value(base, apply, false, ctx)?;
            }
            Ok(base)
        }
        op => {
            let children = node.children.into_iter().map(|c| run(c, ctx)).collect::<Result<_>>()?;
            Ok(LogicalNode { op, children })
        }
    }
}

fn has_apply(node: &LogicalNode) -> bool {
    matches!(node.op, LogicalOp::Apply { .. }) || node.children.iter().any(has_apply)
}

fn only(children: Vec<LogicalNode>) -> Result<LogicalNode> {
    match children.into_iter().next() {
        Some(child) => Ok(child),
        None => bail!(Internal, "an operator lacks its input"),
    }
}

/// Takes a chain of Apply apart, innermost first; its inputs come back without Apply.
fn peel(mut node: LogicalNode, ctx: &mut Context<'_>) -> Result<(LogicalNode, Vec<Subquery>)> {
    let mut applies = Vec::new();
    while let LogicalOp::Apply { kind, output, .. } = node.op {
        let (Some(plan), Some(outer)) = (node.children.pop(), node.children.pop()) else { bail!(Internal, "an Apply has two inputs") };
        applies.push(Subquery { kind, output, plan: run(plan, ctx)? });
        node = outer;
    }
    applies.reverse();
    Ok((run(node, ctx)?, applies))
}

fn filter(mut base: LogicalNode, applies: Vec<Subquery>, mut conjuncts: Vec<Expr>, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    for mut apply in applies {
        let alone = conjuncts.iter().position(|c| is_test(c, apply.output).is_some());
        let uses = conjuncts.iter().filter(|c| c.columns().contains(&apply.output)).count();
        match alone {
            Some(at) if uses == 1 && !matches!(apply.kind, ApplyKind::Scalar { .. }) => {
                let positive = is_test(&conjuncts.remove(at), apply.output).unwrap_or(true);
                if !positive {
                    match &mut apply.kind {
                        ApplyKind::Exists { negated } | ApplyKind::In { negated, .. } => *negated = !*negated,
                        ApplyKind::Scalar { .. } => {}
                    }
                }
                base = semi::join(base, apply, ctx)?;
            }
            _ => {
                let null_is_false = conjuncts.iter().all(|c| only_positive(c, apply.output));
                base = as_value(base, apply, null_is_false, ctx)?;
            }
        }
    }
    Ok(tree::filter(base, conjuncts))
}

/// Whether the conjunct is the column (true) or its negation (false).
fn is_test(conjunct: &Expr, column: ColumnId) -> Option<bool> {
    match &conjunct.kind {
        ExprKind::Column(id) if *id == column => Some(true),
        ExprKind::Not(e) => is_test(e, column).map(|positive| !positive),
        _ => None,
    }
}

/// Whether the column stands only under AND and OR, where NULL and FALSE have the same effect.
fn only_positive(expr: &Expr, column: ColumnId) -> bool {
    match &expr.kind {
        ExprKind::Column(_) => true,
        ExprKind::And(items) | ExprKind::Or(items) => items.iter().all(|e| only_positive(e, column)),
        _ => !expr.columns().contains(&column),
    }
}

/// The subquery's answer as a column of the outer rows.
fn as_value(base: LogicalNode, apply: Subquery, null_is_false: bool, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    match apply.kind {
        ApplyKind::Scalar { column } => scalar::join(base, apply.plan, column, apply.output, ctx),
        ApplyKind::Exists { negated } => value::exists(base, apply.plan, negated, apply.output, ctx),
        ApplyKind::In { left, columns, negated } => {
            value::membership(base, apply.plan, value::Membership { left, columns, negated, null_is_false }, apply.output, ctx)
        }
    }
}

/// The subquery without outer columns, in a form that `fits` the reader.
fn free(base: &LogicalNode, plan: LogicalNode, outer: &ColumnSet, ctx: &mut Context<'_>, fits: impl Fn(&Pulled) -> bool) -> Result<Pulled> {
    match pull(plan.clone(), outer, ctx) {
        Ok(pulled) if fits(&pulled) => Ok(pulled),
        Err(e) if e.code() != ErrorCode::NotSupported => Err(e),
        _ => domain::attach(base, plan, ctx),
    }
}

/// Rows and order of the subquery's output do not matter: what only shapes them is dropped. `None`: it has a row for sure.
fn existence_core(mut plan: LogicalNode) -> Option<LogicalNode> {
    loop {
        match plan.op {
            LogicalOp::Project { .. } | LogicalOp::Sort { .. } => plan = plan.children.into_iter().next()?,
            LogicalOp::Limit { limit, offset: 0 } if limit != Some(0) => plan = plan.children.into_iter().next()?,
            LogicalOp::Aggregate { ref group_by, ref calls } => {
                if group_by.is_empty() && !calls.is_empty() {
                    return None;
                }
                plan = plan.children.into_iter().next()?;
            }
            _ => return Some(plan),
        }
    }
}
