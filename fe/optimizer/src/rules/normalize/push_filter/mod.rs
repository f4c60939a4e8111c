//! Moves conditions down to where the rows come from, through every operator that lets them pass.
//!
//! `push(node, conditions)` gives a node that yields exactly the rows of `node` for which every condition is TRUE. Conditions are
//! folded on the way; what cannot go further stays as a Filter right there. Volatile conditions stay where they were written.

mod join;

use common_base::{Result, bail};
use common_expr::{
    expr::{ColumnId, Expr},
    fold::fold_conjuncts,
    walk::substitute,
};
use fe_plan::{LogicalNode, LogicalOp, logical::SetOpKind};

use super::{or_predicates::factor, unwrap_casts::unwrap};
use crate::{
    column_set::ColumnSet,
    context::Context,
    exprs::{Substitution, covered, is_never},
    tree,
};

/// Pushes every filter of the tree.
pub fn run(node: LogicalNode, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    push(node, Vec::new(), ctx)
}

/// Splits, folds and factors conditions.
pub(super) fn prepare(conditions: Vec<Expr>, ctx: &Context<'_>) -> Vec<Expr> {
    if conditions.is_empty() {
        return conditions;
    }
    let mut out: Vec<Expr> = Vec::with_capacity(conditions.len());
    let conditions = fold_conjuncts(conditions, ctx.eval).into_iter().map(|e| unwrap(e, ctx.registry)).collect();
    for e in factor(conditions) {
        // A condition may have been given twice, or be derived again.
        if !e.is_deterministic() || !out.contains(&e) {
            out.push(e);
        }
    }
    out
}

pub(super) fn push(node: LogicalNode, conditions: Vec<Expr>, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let conditions = prepare(conditions, ctx);
    push_prepared(node, conditions, ctx)
}

fn push_prepared(node: LogicalNode, conditions: Vec<Expr>, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    if conditions.iter().any(is_never) {
        return Ok(tree::empty(node.output()));
    }
    let LogicalNode { op, mut children } = node;
    match op {
        LogicalOp::Filter { conjuncts } => {
            let mut all = conditions;
            all.extend(conjuncts);
            push(one(children)?, all, ctx)
        }
        LogicalOp::Project { exprs } => project(exprs, one(children)?, conditions, ctx),
        LogicalOp::Scan(mut scan) => {
            let (pushed, stay): (Vec<_>, Vec<_>) = conditions.into_iter().partition(Expr::is_deterministic);
            for e in pushed {
                crate::exprs::push_unique(&mut scan.predicates, e);
            }
            Ok(tree::filter(LogicalNode::leaf(LogicalOp::Scan(scan)), stay))
        }
        LogicalOp::Values(_) | LogicalOp::CteConsume { .. } => Ok(tree::filter(LogicalNode { op, children }, conditions)),
        LogicalOp::Aggregate { group_by, calls } => {
            let keys = ColumnSet::of(group_by.iter().copied());
            // Without keys there is a row even when nothing comes in.
            let (down, stay) = split(conditions, |e| !group_by.is_empty() && covered(e, &keys));
            let child = push(one(children)?, down, ctx)?;
            Ok(tree::filter(LogicalNode::unary(LogicalOp::Aggregate { group_by, calls }, child), stay))
        }
        LogicalOp::Join { kind, on, hint } => {
            let right = children.pop();
            let left = children.pop();
            let (Some(left), Some(right)) = (left, right) else { bail!(Internal, "a join has two inputs") };
            join::push_join(join::Join { kind, on, hint, left, right }, conditions, ctx)
        }
        LogicalOp::Sort { .. } => {
            let child = push(one(children)?, conditions, ctx)?;
            Ok(LogicalNode::unary(op, child))
        }
        LogicalOp::Window { partition_by, order_by, calls } => {
            let keys = ColumnSet::of(partition_by.iter().copied());
            let (down, stay) = split(conditions, |e| covered(e, &keys) && !e.columns().is_empty());
            let child = push(one(children)?, down, ctx)?;
            Ok(tree::filter(LogicalNode::unary(LogicalOp::Window { partition_by, order_by, calls }, child), stay))
        }
        LogicalOp::Repeat { columns, sets, grouping_id, functions } => {
            // A copy that every set keeps is its source; copies that are nulled somewhere hold conditions back.
            let through: Substitution = columns
                .iter()
                .filter(|(out, _)| sets.iter().all(|s| s.contains(out)))
                .map(|(out, from)| (*out, ctx.column(*from)))
                .collect();
            let child = one(children)?;
            let mut below = tree::output_set(&child);
            below.extend(through.keys().copied());
            let (down, stay) = split(conditions, |e| covered(e, &below));
            let down = down.into_iter().map(|e| substitute(e, &through)).collect();
            let child = push(child, down, ctx)?;
            Ok(tree::filter(LogicalNode::unary(LogicalOp::Repeat { columns, sets, grouping_id, functions }, child), stay))
        }
        LogicalOp::SetOp { kind, all, output, inputs } => set_operation(kind, all, output, inputs, children, conditions, ctx),
        LogicalOp::TableFunction { function, args, output, outer } => {
            let child = one(children)?;
            let below = tree::output_set(&child);
            let (down, stay) = split(conditions, |e| covered(e, &below));
            let child = push(child, down, ctx)?;
            Ok(tree::filter(LogicalNode::unary(LogicalOp::TableFunction { function, args, output, outer }, child), stay))
        }
        LogicalOp::CteAnchor { cte, name } => {
            let body = children.pop();
            let producer = children.pop();
            let (Some(producer), Some(body)) = (producer, body) else { bail!(Internal, "a CTE anchor has two inputs") };
            let producer = push(producer, Vec::new(), ctx)?;
            let body = push_prepared(body, conditions, ctx)?;
            Ok(LogicalNode::binary(LogicalOp::CteAnchor { cte, name }, producer, body))
        }
        // Rows are counted here: a condition above must not change which are.
        LogicalOp::Limit { .. } | LogicalOp::AssertOneRow { .. } => {
            let child = push(one(children)?, Vec::new(), ctx)?;
            Ok(tree::filter(LogicalNode::unary(op, child), conditions))
        }
        LogicalOp::Apply { .. } => bail!(NotSupported, "Not support the subquery!"),
    }
}

fn one(mut children: Vec<LogicalNode>) -> Result<LogicalNode> {
    match children.pop() {
        Some(child) if children.is_empty() => Ok(child),
        _ => bail!(Internal, "the operator has one input"),
    }
}

/// Deterministic conditions that satisfy the test, and the rest.
fn split(conditions: Vec<Expr>, test: impl Fn(&Expr) -> bool) -> (Vec<Expr>, Vec<Expr>) {
    conditions.into_iter().partition(|e| e.is_deterministic() && test(e))
}

fn project(exprs: Vec<(ColumnId, Expr)>, child: LogicalNode, conditions: Vec<Expr>, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    if conditions.is_empty() {
        let child = push(child, conditions, ctx)?;
        return Ok(LogicalNode::unary(LogicalOp::Project { exprs }, child));
    }
    let volatile = ColumnSet::of(exprs.iter().filter(|(_, e)| !e.is_deterministic()).map(|(id, _)| *id));
    let (down, stay) = split(conditions, |e| !crate::exprs::touches(e, &volatile));
    let by: Substitution = exprs.iter().filter(|(id, e)| e.as_column() != Some(*id)).map(|(id, e)| (*id, e.clone())).collect();
    let down = down.into_iter().map(|e| substitute(e, &by)).collect();
    let child = push(child, down, ctx)?;
    Ok(tree::filter(LogicalNode::unary(LogicalOp::Project { exprs }, child), stay))
}

fn set_operation(
    kind: SetOpKind,
    all: bool,
    output: Vec<ColumnId>,
    inputs: Vec<Vec<ColumnId>>,
    children: Vec<LogicalNode>,
    conditions: Vec<Expr>,
    ctx: &mut Context<'_>,
) -> Result<LogicalNode> {
    let (down, stay) = split(conditions, |_| true);
    let mut pushed = Vec::with_capacity(children.len());
    let mut kept_inputs = Vec::with_capacity(children.len());
    for (child, ids) in children.into_iter().zip(inputs) {
        let by: Substitution = output.iter().zip(&ids).map(|(out, id)| (*out, ctx.column(*id))).collect();
        let down = down.iter().map(|e| substitute(e.clone(), &by)).collect();
        let child = push(child, down, ctx)?;
        if !tree::is_empty(&child) {
            pushed.push(child);
            kept_inputs.push(ids);
        }
    }
    if pushed.is_empty() {
        return Ok(tree::empty(output));
    }
    let node = LogicalNode { op: LogicalOp::SetOp { kind, all, output, inputs: kept_inputs }, children: pushed };
    Ok(tree::filter(node, stay))
}
