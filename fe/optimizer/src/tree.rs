//! Walks over logical trees: expressions of a node, renaming of columns, free columns.

use std::collections::HashMap;

use common_expr::expr::{ColumnId, Expr};
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{AggregateCall, ApplyKind, SortKey, WindowCall},
};

use crate::{column_set::ColumnSet, context::Context, exprs::touches};

/// Calls `f` on every expression of one operator.
pub fn visit_exprs<'a>(op: &'a LogicalOp, f: &mut impl FnMut(&'a Expr)) {
    match op {
        LogicalOp::Scan(s) => s.predicates.iter().for_each(f),
        LogicalOp::Values(v) => v.rows.iter().flatten().for_each(f),
        LogicalOp::Filter { conjuncts } => conjuncts.iter().for_each(f),
        LogicalOp::Project { exprs } => exprs.iter().for_each(|(_, e)| f(e)),
        LogicalOp::Aggregate { calls, .. } => calls.iter().for_each(|(_, c)| visit_aggregate(c, f)),
        LogicalOp::Join { on, .. } => on.iter().for_each(f),
        LogicalOp::Apply { kind: ApplyKind::In { left, .. }, .. } => left.iter().for_each(f),
        LogicalOp::Sort { keys } => keys.iter().for_each(|k| f(&k.expr)),
        LogicalOp::Window { order_by, calls, .. } => {
            order_by.iter().for_each(|k| f(&k.expr));
            calls.iter().flat_map(|(_, c)| &c.args).for_each(f);
        }
        LogicalOp::TableFunction { args, .. } => args.iter().for_each(f),
        _ => {}
    }
}

/// Calls `f` on every expression of an aggregate call.
pub fn visit_aggregate<'a>(call: &'a AggregateCall, f: &mut impl FnMut(&'a Expr)) {
    call.args.iter().for_each(&mut *f);
    call.order_by.iter().for_each(|k| f(&k.expr));
    if let Some(filter) = &call.filter {
        f(filter);
    }
}

/// Replaces every expression of one operator.
pub fn map_exprs(op: LogicalOp, f: &mut impl FnMut(Expr) -> Expr) -> LogicalOp {
    let list = |exprs: Vec<Expr>, f: &mut dyn FnMut(Expr) -> Expr| exprs.into_iter().map(f).collect::<Vec<_>>();
    match op {
        LogicalOp::Scan(mut s) => {
            s.predicates = list(s.predicates, f);
            LogicalOp::Scan(s)
        }
        LogicalOp::Values(mut v) => {
            v.rows = v.rows.into_iter().map(|row| list(row, f)).collect();
            LogicalOp::Values(v)
        }
        LogicalOp::Filter { conjuncts } => LogicalOp::Filter { conjuncts: list(conjuncts, f) },
        LogicalOp::Project { exprs } => LogicalOp::Project { exprs: exprs.into_iter().map(|(id, e)| (id, f(e))).collect() },
        LogicalOp::Aggregate { group_by, calls } => {
            let calls = calls.into_iter().map(|(id, c)| (id, map_aggregate(c, f))).collect();
            LogicalOp::Aggregate { group_by, calls }
        }
        LogicalOp::Join { kind, on, hint } => LogicalOp::Join { kind, on: list(on, f), hint },
        LogicalOp::Apply { kind: ApplyKind::In { left, columns, negated }, output, correlated } => {
            LogicalOp::Apply { kind: ApplyKind::In { left: list(left, f), columns, negated }, output, correlated }
        }
        LogicalOp::Sort { keys } => LogicalOp::Sort { keys: map_keys(keys, f) },
        LogicalOp::Window { partition_by, order_by, calls } => LogicalOp::Window {
            partition_by,
            order_by: map_keys(order_by, f),
            calls: calls.into_iter().map(|(id, c)| (id, WindowCall { args: list(c.args, f), ..c })).collect(),
        },
        LogicalOp::TableFunction { function, args, output, outer } => {
            LogicalOp::TableFunction { function, args: list(args, f), output, outer }
        }
        other => other,
    }
}

/// Replaces every expression of an aggregate call.
pub fn map_aggregate(call: AggregateCall, f: &mut impl FnMut(Expr) -> Expr) -> AggregateCall {
    AggregateCall {
        function: call.function,
        args: call.args.into_iter().map(&mut *f).collect(),
        distinct: call.distinct,
        order_by: map_keys(call.order_by, f),
        filter: call.filter.map(f),
    }
}

fn map_keys(keys: Vec<SortKey>, f: &mut impl FnMut(Expr) -> Expr) -> Vec<SortKey> {
    keys.into_iter().map(|k| SortKey { expr: f(k.expr), ..k }).collect()
}

/// Whether anything in the tree uses a column of the set.
pub fn refers(node: &LogicalNode, set: &ColumnSet) -> bool {
    let mut hit = false;
    visit_exprs(&node.op, &mut |e| hit |= touches(e, set));
    hit || node.children.iter().any(|c| refers(c, set))
}

/// Whether any operator of the tree is such.
pub fn any(node: &LogicalNode, test: &impl Fn(&LogicalOp) -> bool) -> bool {
    test(&node.op) || node.children.iter().any(|c| any(c, test))
}

/// The set of columns a node yields.
pub fn output_set(node: &LogicalNode) -> ColumnSet {
    ColumnSet::of(node.output())
}

/// A copy in which every column the tree makes has a new id; `map` tells which.
pub fn copy(node: &LogicalNode, ctx: &mut Context<'_>, map: &mut HashMap<ColumnId, ColumnId>) -> LogicalNode {
    // Children first: a node's own expressions use what they make.
    let children = node.children.iter().map(|c| copy(c, ctx, map)).collect();
    let mut fresh = |id: ColumnId, map: &mut HashMap<ColumnId, ColumnId>| -> ColumnId {
        if let Some(new) = map.get(&id) {
            return *new;
        }
        let info = ctx.columns.info(id).clone();
        let new = ctx.columns.add(info);
        map.insert(id, new);
        new
    };
    let op = match node.op.clone() {
        LogicalOp::Scan(mut s) => {
            s.columns.iter_mut().for_each(|(id, _)| *id = fresh(*id, map));
            LogicalOp::Scan(s)
        }
        LogicalOp::Values(mut v) => {
            v.columns.iter_mut().for_each(|id| *id = fresh(*id, map));
            LogicalOp::Values(v)
        }
        // A column that only passes through was renamed below already and keeps that name.
        LogicalOp::Project { exprs } => {
            LogicalOp::Project { exprs: exprs.into_iter().map(|(id, e)| (fresh(id, map), e)).collect() }
        }
        LogicalOp::Aggregate { group_by, calls } => LogicalOp::Aggregate {
            group_by: group_by.into_iter().map(|id| *map.get(&id).unwrap_or(&id)).collect(),
            calls: calls.into_iter().map(|(id, c)| (fresh(id, map), c)).collect(),
        },
        LogicalOp::Apply { kind, output, correlated } => {
            let at = |id: ColumnId, map: &HashMap<ColumnId, ColumnId>| *map.get(&id).unwrap_or(&id);
            let kind = match kind {
                ApplyKind::Scalar { column } => ApplyKind::Scalar { column: at(column, map) },
                ApplyKind::In { left, columns, negated } => {
                    ApplyKind::In { left, columns: columns.into_iter().map(|c| at(c, map)).collect(), negated }
                }
                exists => exists,
            };
            let correlated = correlated.into_iter().map(|c| at(c, map)).collect();
            LogicalOp::Apply { kind, output: fresh(output, map), correlated }
        }
        LogicalOp::Window { partition_by, order_by, calls } => LogicalOp::Window {
            partition_by: partition_by.into_iter().map(|id| *map.get(&id).unwrap_or(&id)).collect(),
            order_by,
            calls: calls.into_iter().map(|(id, c)| (fresh(id, map), c)).collect(),
        },
        LogicalOp::Repeat { columns, sets, grouping_id, functions } => {
            let columns = columns.into_iter().map(|(out, from)| (fresh(out, map), *map.get(&from).unwrap_or(&from))).collect();
            let sets = sets.into_iter().map(|set| set.into_iter().map(|id| *map.get(&id).unwrap_or(&id)).collect()).collect();
            let grouping_id = fresh(grouping_id, map);
            let functions = functions.into_iter().map(|(id, v)| (fresh(id, map), v)).collect();
            LogicalOp::Repeat { columns, sets, grouping_id, functions }
        }
        LogicalOp::SetOp { kind, all, output, inputs } => LogicalOp::SetOp {
            kind,
            all,
            output: output.into_iter().map(|id| fresh(id, map)).collect(),
            inputs: inputs.into_iter().map(|ids| ids.into_iter().map(|id| *map.get(&id).unwrap_or(&id)).collect()).collect(),
        },
        LogicalOp::TableFunction { function, args, output, outer } => {
            LogicalOp::TableFunction { function, args, output: output.into_iter().map(|id| fresh(id, map)).collect(), outer }
        }
        LogicalOp::CteConsume { cte, name, columns } => {
            LogicalOp::CteConsume { cte, name, columns: columns.into_iter().map(|(own, from)| (fresh(own, map), from)).collect() }
        }
        other => other,
    };
    let op = map_exprs(op, &mut |e| e.map_columns(&mut |id| *map.get(&id).unwrap_or(&id)));
    LogicalNode { op, children }
}

/// No rows of these columns.
pub fn empty(columns: Vec<ColumnId>) -> LogicalNode {
    LogicalNode::leaf(LogicalOp::Values(fe_plan::logical::LogicalValues { columns, rows: Vec::new(), chunks: Default::default() }))
}

/// Whether the node certainly yields no rows.
pub fn is_empty(node: &LogicalNode) -> bool {
    matches!(&node.op, LogicalOp::Values(v) if v.rows.is_empty() && v.chunks.iter().all(|c| c.rows() == 0))
}

/// A filter, unless there is nothing to test.
pub fn filter(node: LogicalNode, conjuncts: Vec<Expr>) -> LogicalNode {
    if conjuncts.is_empty() { node } else { LogicalNode::unary(LogicalOp::Filter { conjuncts }, node) }
}

/// A projection that adds columns to all of the node's own.
pub fn extend(node: LogicalNode, ctx: &Context<'_>, added: Vec<(ColumnId, Expr)>) -> LogicalNode {
    if added.is_empty() {
        return node;
    }
    let mut exprs: Vec<(ColumnId, Expr)> = node.output().into_iter().map(|id| (id, ctx.column(id))).collect();
    exprs.extend(added);
    LogicalNode::unary(LogicalOp::Project { exprs }, node)
}
