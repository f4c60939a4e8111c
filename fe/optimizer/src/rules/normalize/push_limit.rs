//! Limits go down: below projections (so that LIMIT meets its ORDER BY), into UNION ALL and the kept side of outer joins.

use common_base::Result;
use common_expr::{
    expr::{ColumnId, Expr, ExprKind},
    walk::substitute,
};
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{JoinKind, SetOpKind, SortKey},
};

use crate::{context::Context, exprs::{Substitution, covered}, tree};

/// Pushes every limit of the tree.
pub fn run(node: LogicalNode, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let node = match node.op {
        LogicalOp::Limit { limit, offset } => {
            let mut children = node.children;
            match children.pop() {
                Some(child) => push(child, limit, offset, ctx),
                None => LogicalNode { op: LogicalOp::Limit { limit, offset }, children },
            }
        }
        op => LogicalNode { op, children: node.children },
    };
    let LogicalNode { op, children } = node;
    // A limit that stayed where it is must not be pushed again.
    let children = match &op {
        LogicalOp::Limit { .. } => children
            .into_iter()
            .map(|LogicalNode { op, children }| {
                if matches!(op, LogicalOp::Limit { .. }) {
                    return Ok(LogicalNode { op, children });
                }
                Ok(LogicalNode { op, children: children.into_iter().map(|c| run(c, ctx)).collect::<Result<_>>()? })
            })
            .collect::<Result<Vec<_>>>()?,
        _ => children.into_iter().map(|c| run(c, ctx)).collect::<Result<Vec<_>>>()?,
    };
    Ok(LogicalNode { op, children })
}

fn limited(node: LogicalNode, limit: Option<u64>, offset: u64) -> LogicalNode {
    LogicalNode::unary(LogicalOp::Limit { limit, offset }, node)
}

fn push(node: LogicalNode, limit: Option<u64>, offset: u64, ctx: &mut Context<'_>) -> LogicalNode {
    if limit == Some(0) {
        return tree::empty(node.output());
    }
    let rows = limit.map(|n| n.saturating_add(offset));
    let LogicalNode { op, mut children } = node;
    match op {
        LogicalOp::Project { exprs } => match children.pop() {
            Some(child) => LogicalNode::unary(LogicalOp::Project { exprs }, push(child, limit, offset, ctx)),
            None => limited(LogicalNode { op: LogicalOp::Project { exprs }, children }, limit, offset),
        },
        LogicalOp::Limit { limit: inner, offset: skipped } => {
            // Rows [skipped, skipped + inner) of which [offset, offset + limit).
            let left = inner.map(|n| n.saturating_sub(offset));
            let both = match (left, limit) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            match children.pop() {
                Some(child) => push(child, both, skipped.saturating_add(offset), ctx),
                None => limited(LogicalNode { op: LogicalOp::Limit { limit: inner, offset: skipped }, children }, limit, offset),
            }
        }
        LogicalOp::SetOp { kind: SetOpKind::Union, all: true, output, inputs } if rows.is_some() => {
            let children = children.into_iter().map(|c| push(c, rows, 0, ctx)).collect();
            limited(LogicalNode { op: LogicalOp::SetOp { kind: SetOpKind::Union, all: true, output, inputs }, children }, limit, offset)
        }
        LogicalOp::Join { kind: JoinKind::LeftOuter, on, hint } if rows.is_some() && children.len() == 2 => {
            let right = children.pop();
            let left = children.pop().map(|l| push(l, rows, 0, ctx));
            let children = left.into_iter().chain(right).collect();
            limited(LogicalNode { op: LogicalOp::Join { kind: JoinKind::LeftOuter, on, hint }, children }, limit, offset)
        }
        LogicalOp::Sort { keys } => match (rows, children.pop()) {
            // What is computed for the result only is computed for its few rows.
            (Some(_), Some(LogicalNode { op: LogicalOp::Project { exprs }, children: mut below })) if below.len() == 1 => {
                match (below_project(&keys, &exprs), below.pop()) {
                    (Some(keys), Some(input)) => {
                        let sorted = push(LogicalNode::unary(LogicalOp::Sort { keys }, input), limit, offset, ctx);
                        LogicalNode::unary(LogicalOp::Project { exprs }, sorted)
                    }
                    (_, input) => {
                        let project = LogicalNode { op: LogicalOp::Project { exprs }, children: input.into_iter().collect() };
                        limited(LogicalNode::unary(LogicalOp::Sort { keys }, project), limit, offset)
                    }
                }
            }
            (Some(n), Some(child)) => {
                let child = push_top_n(child, &keys, n, ctx);
                limited(LogicalNode::unary(LogicalOp::Sort { keys }, child), limit, offset)
            }
            (_, child) => limited(LogicalNode { op: LogicalOp::Sort { keys }, children: child.into_iter().collect() }, limit, offset),
        },
        op => limited(LogicalNode { op, children }, limit, offset),
    }
}

/// Sort keys restated below a projection, if they are plain columns there.
fn below_project(keys: &[SortKey], exprs: &[(ColumnId, Expr)]) -> Option<Vec<SortKey>> {
    let by: Substitution = exprs.iter().map(|(id, e)| (*id, e.clone())).collect();
    let below: Vec<SortKey> = keys.iter().map(|k| SortKey { expr: substitute(k.expr.clone(), &by), ..k.clone() }).collect();
    let volatile = exprs.iter().any(|(_, e)| !e.is_deterministic());
    (!volatile && below.iter().all(|k| matches!(k.expr.kind, ExprKind::Column(_)))).then_some(below)
}

/// The first `rows` rows by the keys can only come from the first `rows` rows of each input of a union, or of the kept side of an
/// outer join.
fn push_top_n(node: LogicalNode, keys: &[SortKey], rows: u64, ctx: &Context<'_>) -> LogicalNode {
    let top = |child: LogicalNode, keys: Vec<SortKey>| limited(LogicalNode::unary(LogicalOp::Sort { keys }, child), Some(rows), 0);
    let LogicalNode { op, mut children } = node;
    match op {
        LogicalOp::SetOp { kind: SetOpKind::Union, all: true, output, inputs } => {
            let children = children
                .into_iter()
                .zip(&inputs)
                .map(|(child, ids)| {
                    let by: Substitution = output.iter().zip(ids).map(|(out, id)| (*out, ctx.column(*id))).collect();
                    let own = keys.iter().map(|k| SortKey { expr: substitute(k.expr.clone(), &by), ..k.clone() }).collect();
                    top(child, own)
                })
                .collect();
            LogicalNode { op: LogicalOp::SetOp { kind: SetOpKind::Union, all: true, output, inputs }, children }
        }
        LogicalOp::Join { kind: JoinKind::LeftOuter, on, hint }
            if children.len() == 2 && keys.iter().all(|k| covered(&k.expr, &tree::output_set(&children[0]))) =>
        {
            let right = children.pop();
            let left = children.pop().map(|l| top(l, keys.to_vec()));
            let children = left.into_iter().chain(right).collect();
            LogicalNode { op: LogicalOp::Join { kind: JoinKind::LeftOuter, on, hint }, children }
        }
        // Keys that are plain columns below can be compared before the projection.
        LogicalOp::Project { exprs } => {
            match (below_project(keys, &exprs), children.pop()) {
                (Some(below), Some(child)) => {
                    LogicalNode::unary(LogicalOp::Project { exprs }, push_top_n(child, &below, rows, ctx))
                }
                (_, child) => LogicalNode { op: LogicalOp::Project { exprs }, children: child.into_iter().collect() },
            }
        }
        op => LogicalNode { op, children },
    }
}
