//! Removes what nobody reads: scan columns, projected expressions, aggregate and window calls, copies, CTE columns.

use std::collections::HashMap;

use common_base::Result;
use common_expr::expr::ColumnId;
use fe_plan::{LogicalNode, LogicalOp, logical::JoinKind};

use crate::{column_set::ColumnSet, context::Context, tree};

/// Keeps what the root's output needs.
pub fn run(node: LogicalNode, output: &[ColumnId], _: &mut Context<'_>) -> Result<LogicalNode> {
    let mut pruner = Pruner { cte_columns: HashMap::new() };
    Ok(pruner.prune(node, ColumnSet::of(output.iter().copied())))
}

struct Pruner {
    /// Producer columns that readers use.
    cte_columns: HashMap<u32, ColumnSet>,
}

impl Pruner {
    fn child(&mut self, children: Vec<LogicalNode>, needed: ColumnSet) -> Vec<LogicalNode> {
        children.into_iter().map(|c| self.prune(c, needed.clone())).collect()
    }

    fn prune(&mut self, node: LogicalNode, mut needed: ColumnSet) -> LogicalNode {
        let LogicalNode { mut op, mut children } = node;
        match &mut op {
            LogicalOp::Scan(scan) => {
                needed.add_exprs(&scan.predicates);
                scan.columns.retain(|(id, _)| needed.contains(*id));
            }
            LogicalOp::Values(_) => {}
            LogicalOp::Project { exprs } => {
                exprs.retain(|(id, _)| needed.contains(*id));
                let mut below = ColumnSet::default();
                below.add_exprs(exprs.iter().map(|(_, e)| e));
                children = self.child(children, below);
            }
            LogicalOp::Aggregate { group_by, calls } => {
                // Without keys the calls make the one row: some must stay.
                let keep_first = group_by.is_empty() && !calls.iter().any(|(id, _)| needed.contains(*id));
                let mut first = keep_first;
                calls.retain(|(id, _)| needed.contains(*id) || std::mem::take(&mut first));
                let mut below = ColumnSet::of(group_by.iter().copied());
                for (_, call) in calls.iter() {
                    tree::visit_aggregate(call, &mut |e| below.add_expr(e));
                }
                children = self.child(children, below);
            }
            LogicalOp::Join { kind, on, .. } => {
                let mut left = needed.clone();
                let mut right = needed;
                match kind {
                    JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::NullAwareLeftAnti => right = ColumnSet::default(),
                    JoinKind::RightSemi | JoinKind::RightAnti => left = ColumnSet::default(),
                    _ => {}
                }
                left.add_exprs(on.iter());
                right.add_exprs(on.iter());
                let mut sides = children.into_iter();
                children = Vec::with_capacity(2);
                children.extend(sides.next().map(|l| self.prune(l, left)));
                children.extend(sides.next().map(|r| self.prune(r, right)));
            }
            LogicalOp::Window { partition_by, order_by, calls } => {
                calls.retain(|(id, _)| needed.contains(*id));
                if calls.is_empty()
                    && let Some(child) = children.pop()
                {
                    return self.prune(child, needed);
                }
                needed.extend(partition_by.iter().copied());
                needed.add_exprs(order_by.iter().map(|k| &k.expr));
                needed.add_exprs(calls.iter().flat_map(|(_, c)| &c.args));
                children = self.child(children, needed);
            }
            LogicalOp::Repeat { columns, sets, functions, .. } => {
                columns.retain(|(out, _)| needed.contains(*out));
                sets.iter_mut().for_each(|s| s.retain(|id| needed.contains(*id)));
                functions.retain(|(id, _)| needed.contains(*id));
                needed.extend(columns.iter().map(|(_, from)| *from));
                children = self.child(children, needed);
            }
            LogicalOp::SetOp { output, inputs, .. } => {
                let mut keep: Vec<usize> = (0..output.len()).filter(|i| needed.contains(output[*i])).collect();
                if keep.is_empty() && !output.is_empty() {
                    keep.push(0);
                }
                *output = keep.iter().map(|i| output[*i]).collect();
                inputs.iter_mut().for_each(|ids| *ids = keep.iter().map(|i| ids[*i]).collect());
                children = children
                    .into_iter()
                    .zip(inputs.iter())
                    .map(|(child, ids)| self.prune(child, ColumnSet::of(ids.iter().copied())))
                    .collect();
            }
            LogicalOp::CteAnchor { cte, .. } => {
                let body = children.pop().map(|b| self.prune(b, needed));
                let read = self.cte_columns.remove(cte).unwrap_or_default();
                let producer = children.pop().map(|p| self.prune(p, read));
                children.extend(producer);
                children.extend(body);
            }
            LogicalOp::CteConsume { cte, columns, .. } => {
                let first = columns.first().copied();
                columns.retain(|(own, _)| needed.contains(*own));
                if columns.is_empty() {
                    columns.extend(first);
                }
                self.cte_columns.entry(*cte).or_default().extend(columns.iter().map(|(_, from)| *from));
            }
            LogicalOp::Filter { .. } | LogicalOp::Sort { .. } | LogicalOp::TableFunction { .. } | LogicalOp::Apply { .. } => {
                tree::visit_exprs(&op, &mut |e| needed.add_expr(e));
                children = self.child(children, needed);
            }
            LogicalOp::Limit { .. } | LogicalOp::AssertOneRow { .. } => children = self.child(children, needed),
        }
        LogicalNode { op, children }
    }
}
