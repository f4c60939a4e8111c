//! Walks over logical plans: every expression in place, column renaming, CTE bookkeeping.

use std::collections::HashMap;

use common_expr::expr::{ColumnId, Expr};
use fe_plan::{LogicalNode, LogicalOp, logical::ApplyKind};

/// Calls `f` on every expression of the tree in place.
pub(crate) fn for_each_expr(node: &mut LogicalNode, f: &mut dyn FnMut(&mut Expr)) {
    match &mut node.op {
        LogicalOp::Scan(s) => s.predicates.iter_mut().for_each(&mut *f),
        LogicalOp::Values(v) => v.rows.iter_mut().flatten().for_each(&mut *f),
        LogicalOp::Filter { conjuncts } => conjuncts.iter_mut().for_each(&mut *f),
        LogicalOp::Project { exprs } => exprs.iter_mut().for_each(|(_, e)| f(e)),
        LogicalOp::Aggregate { calls, .. } => {
            for (_, call) in calls {
                call.args.iter_mut().for_each(&mut *f);
                call.order_by.iter_mut().for_each(|k| f(&mut k.expr));
                call.filter.iter_mut().for_each(&mut *f);
            }
        }
        LogicalOp::Join { on, .. } => on.iter_mut().for_each(&mut *f),
        LogicalOp::Apply { kind: ApplyKind::In { left, .. }, .. } => left.iter_mut().for_each(&mut *f),
        LogicalOp::Sort { keys } => keys.iter_mut().for_each(|k| f(&mut k.expr)),
        LogicalOp::Window { order_by, calls, .. } => {
            order_by.iter_mut().for_each(|k| f(&mut k.expr));
            calls.iter_mut().for_each(|(_, call)| call.args.iter_mut().for_each(&mut *f));
        }
        LogicalOp::TableFunction { args, .. } => args.iter_mut().for_each(&mut *f),
        LogicalOp::Apply { .. }
        | LogicalOp::Limit { .. }
        | LogicalOp::Repeat { .. }
        | LogicalOp::SetOp { .. }
        | LogicalOp::AssertOneRow { .. }
        | LogicalOp::CteAnchor { .. }
        | LogicalOp::CteConsume { .. } => {}
    }
    for child in &mut node.children {
        for_each_expr(child, f);
    }
}

/// Replaces references to outer columns in a subquery's plan: expressions and the correlation lists of nested subqueries.
pub(crate) fn rename_outer(node: &mut LogicalNode, by: &HashMap<ColumnId, ColumnId>) {
    for_each_expr(node, &mut |e| {
        let taken = std::mem::replace(e, Expr::boolean(true));
        *e = taken.map_columns(&mut |id| by.get(&id).copied().unwrap_or(id));
    });
    rename_lists(node, by);
}

fn rename_lists(node: &mut LogicalNode, by: &HashMap<ColumnId, ColumnId>) {
    if let LogicalOp::Apply { correlated, .. } = &mut node.op {
        for id in correlated {
            *id = by.get(id).copied().unwrap_or(*id);
        }
    }
    for child in &mut node.children {
        rename_lists(child, by);
    }
}

/// How often a CTE is read below a node.
pub(crate) fn count_consumers(node: &LogicalNode, id: u32) -> usize {
    let here = usize::from(matches!(node.op, LogicalOp::CteConsume { cte, .. } if cte == id));
    here + node.children.iter().map(|c| count_consumers(c, id)).sum::<usize>()
}

/// Puts the producer's plan in the place of a CTE's only reader.
pub(crate) fn inline_cte(
    node: &mut LogicalNode,
    id: u32,
    producer: &mut Option<LogicalNode>,
    info: &fe_plan::ColumnFactory,
) {
    if let LogicalOp::CteConsume { cte, columns, .. } = &node.op {
        if *cte == id {
            if let Some(plan) = producer.take() {
                let exprs = columns.iter().map(|(own, made)| (*own, info.reference(*made))).collect();
                *node = LogicalNode::unary(LogicalOp::Project { exprs }, plan);
            }
            return;
        }
    }
    for child in &mut node.children {
        inline_cte(child, id, producer, info);
    }
}
