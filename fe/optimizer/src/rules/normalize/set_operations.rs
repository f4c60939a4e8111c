//! INTERSECT and EXCEPT become null-safe semi and anti joins over distinct inputs; UNION DISTINCT an aggregation over UNION ALL;
//! nested UNION ALLs one.

use common_base::{Result, bail};
use common_expr::expr::ColumnId;
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{JoinHint, JoinKind, SetOpKind},
};

use crate::{context::Context, tree};

/// Rewrites every set operation of the tree.
pub fn run(node: LogicalNode, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let LogicalNode { op, children } = node;
    let children: Vec<LogicalNode> = children.into_iter().map(|c| run(c, ctx)).collect::<Result<_>>()?;
    let LogicalOp::SetOp { kind, all, output, inputs } = op else { return Ok(LogicalNode { op, children }) };
    match kind {
        SetOpKind::Union => Ok(union(all, output, inputs, children)),
        SetOpKind::Intersect | SetOpKind::Except if all => bail!(NotSupported, "INTERSECT ALL and EXCEPT ALL are not supported"),
        SetOpKind::Intersect | SetOpKind::Except => joins(kind, output, inputs, children, ctx),
    }
}

fn union(all: bool, output: Vec<ColumnId>, inputs: Vec<Vec<ColumnId>>, children: Vec<LogicalNode>) -> LogicalNode {
    let mut flat_inputs = Vec::with_capacity(inputs.len());
    let mut flat_children = Vec::with_capacity(children.len());
    for (input, child) in inputs.into_iter().zip(children) {
        // Below a UNION DISTINCT an inner DISTINCT makes no difference, but it is kept: it shrinks what is exchanged.
        match child.op {
            LogicalOp::SetOp { kind: SetOpKind::Union, all: true, output: inner, inputs: inner_inputs } => {
                let places: Vec<Option<usize>> = input.iter().map(|c| inner.iter().position(|o| o == c)).collect();
                for (ids, grandchild) in inner_inputs.into_iter().zip(child.children) {
                    flat_inputs.push(places.iter().flatten().map(|p| ids[*p]).collect());
                    flat_children.push(grandchild);
                }
            }
            op => {
                flat_inputs.push(input);
                flat_children.push(LogicalNode { op, children: child.children });
            }
        }
    }
    let node = LogicalNode {
        op: LogicalOp::SetOp { kind: SetOpKind::Union, all: true, output: output.clone(), inputs: flat_inputs },
        children: flat_children,
    };
    if all { node } else { LogicalNode::unary(LogicalOp::Aggregate { group_by: output, calls: Vec::new() }, node) }
}

fn joins(
    kind: SetOpKind,
    output: Vec<ColumnId>,
    inputs: Vec<Vec<ColumnId>>,
    children: Vec<LogicalNode>,
    ctx: &mut Context<'_>,
) -> Result<LogicalNode> {
    let join_kind = if kind == SetOpKind::Intersect { JoinKind::LeftSemi } else { JoinKind::LeftAnti };
    let mut sides = inputs.into_iter().zip(children);
    let Some((first_ids, first)) = sides.next() else { bail!(Internal, "a set operation has inputs") };
    // The result's own columns, so that the first input may use one column twice.
    let exprs = output.iter().zip(&first_ids).map(|(out, id)| (*out, ctx.column(*id))).collect();
    let first = LogicalNode::unary(LogicalOp::Project { exprs }, first);
    let mut node = LogicalNode::unary(LogicalOp::Aggregate { group_by: output.clone(), calls: Vec::new() }, first);
    for (ids, child) in sides {
        let mut on = Vec::with_capacity(output.len());
        for (left, right) in output.iter().zip(&ids) {
            let (l, r) = (ctx.column(*left), ctx.column(*right));
            let name = if l.nullable || r.nullable { "null_safe_eq" } else { "eq" };
            on.push(ctx.call(name, vec![l, r])?);
        }
        node = LogicalNode::binary(LogicalOp::Join { kind: join_kind, on, hint: JoinHint::None }, node, child);
    }
    debug_assert!(output.iter().all(|c| tree::output_set(&node).contains(*c)));
    Ok(node)
}
