//! The winner as an owned tree: outputs settled, nodes numbered.
//!
//! Every node yields exactly what is needed above it, as far as its operator can leave columns out (scans, joins, projections,
//! table functions); others pass on what comes in.

use std::rc::Rc;

use common_expr::expr::{ColumnId, Expr};
use fe_plan::{
    PhysicalNode, PhysicalOp,
    logical::{JoinKind, SortKey},
    physical::{Estimate, ExchangePartitioning},
};

use super::Alt;
use crate::{column_set::ColumnSet, context::Context, tree};

/// Builds the tree. The root yields `output`, in order.
pub(super) fn extract(ctx: &Context<'_>, root: Rc<Alt>, output: &[ColumnId]) -> PhysicalNode {
    let mut node = own(root);
    let mut extractor = Extractor { cte_columns: Vec::new() };
    extractor.settle(&mut node, &ColumnSet::of(output.iter().copied()));
    if node.output != output {
        node = project_to(ctx, node, output);
    }
    let mut next = 0;
    number(&mut node, &mut next);
    node
}

/// A projection to exactly these columns.
fn project_to(ctx: &Context<'_>, node: PhysicalNode, output: &[ColumnId]) -> PhysicalNode {
    // The columns may be wanted once more above an anchor: its body is what is projected.
    if let PhysicalOp::CteAnchor { cte } = node.op {
        let mut children = node.children;
        let body = children.pop().map(|b| if b.output == output { b } else { project_to(ctx, b, output) });
        let (estimate, distribution) = (node.estimate, node.distribution);
        children.extend(body);
        return PhysicalNode { id: 0, op: PhysicalOp::CteAnchor { cte }, children, output: output.to_vec(), estimate, distribution };
    }
    // Below a gathering exchange fewer columns travel; order matters only at the root.
    let exprs = output.iter().map(|id| (*id, ctx.column(*id))).collect();
    let (estimate, distribution) = (node.estimate, node.distribution.clone());
    PhysicalNode { id: 0, op: PhysicalOp::Project { exprs }, children: vec![node], output: output.to_vec(), estimate, distribution }
}

fn own(alt: Rc<Alt>) -> PhysicalNode {
    let (op, children, dist, rows, cost) = match Rc::try_unwrap(alt) {
        Ok(a) => (a.op, a.children, a.dist, a.rows, a.cost),
        Err(shared) => (shared.op.clone(), shared.children.clone(), shared.dist.clone(), shared.rows, shared.cost),
    };
    PhysicalNode {
        id: 0,
        op,
        children: children.into_iter().map(own).collect(),
        output: Vec::new(),
        estimate: Estimate { rows, cost },
        distribution: dist,
    }
}

fn number(node: &mut PhysicalNode, next: &mut u32) {
    node.children.iter_mut().for_each(|c| number(c, next));
    node.id = *next;
    *next += 1;
}

struct Extractor {
    cte_columns: Vec<(u32, ColumnSet)>,
}

impl Extractor {
    fn settle(&mut self, node: &mut PhysicalNode, needed: &ColumnSet) {
        let mut below = needed.clone();
        let keys = |keys: &[SortKey], set: &mut ColumnSet| keys.iter().for_each(|k| set.add_expr(&k.expr));
        match &mut node.op {
            PhysicalOp::Scan(s) => {
                node.output = s.columns.iter().map(|(id, _)| *id).filter(|id| needed.contains(*id)).collect();
                return;
            }
            PhysicalOp::Values(v) => {
                node.output = v.columns.clone();
                return;
            }
            PhysicalOp::CteConsume { cte, columns } => {
                columns.retain(|(own, _)| needed.contains(*own));
                let read: Vec<ColumnId> = columns.iter().map(|(_, from)| *from).collect();
                match self.cte_columns.iter_mut().find(|(c, _)| c == cte) {
                    Some((_, set)) => set.extend(read),
                    None => self.cte_columns.push((*cte, ColumnSet::of(read))),
                }
                node.output = columns.iter().map(|(own, _)| *own).collect();
                return;
            }
            PhysicalOp::CteAnchor { cte } => {
                let cte = *cte;
                if let [producer, body] = node.children.as_mut_slice() {
                    self.settle(body, needed);
                    let read = self.cte_columns.iter().find(|(c, _)| *c == cte).map(|(_, s)| s.clone()).unwrap_or_default();
                    self.settle(producer, &read);
                    node.output = body.output.clone();
                }
                return;
            }
            PhysicalOp::Filter { conjuncts, .. } => below.add_exprs(conjuncts.iter()),
            PhysicalOp::Project { exprs } => {
                exprs.retain(|(id, _)| needed.contains(*id));
                below = ColumnSet::default();
                below.add_exprs(exprs.iter().map(|(_, e)| e));
            }
            PhysicalOp::Aggregate { phase, group_by, calls, .. } => {
                below = ColumnSet::of(group_by.iter().copied());
                let merges = matches!(phase, fe_plan::physical::AggregatePhase::Final | fe_plan::physical::AggregatePhase::Merge);
                for (id, call) in calls.iter() {
                    if merges {
                        below.insert(*id);
                    } else {
                        tree::visit_aggregate(call, &mut |e| below.add_expr(e));
                    }
                }
            }
            PhysicalOp::HashJoin { keys, other, .. } => {
                below.add_exprs(keys.iter().flat_map(|k| [&k.left, &k.right]));
                below.add_exprs(other.iter());
            }
            PhysicalOp::NestedLoopJoin { conjuncts, .. } => below.add_exprs(conjuncts.iter()),
            PhysicalOp::Sort { keys: k, partition_by, .. } => {
                keys(k, &mut below);
                below.extend(partition_by.iter().copied());
            }
            PhysicalOp::Window { partition_by, order_by, calls, .. } => {
                keys(order_by, &mut below);
                below.extend(partition_by.iter().copied());
                below.add_exprs(calls.iter().flat_map(|(_, c)| &c.args));
            }
            PhysicalOp::Repeat { columns, .. } => below.extend(columns.iter().copied()),
            PhysicalOp::Union { .. } => {
                for child in &mut node.children {
                    // Positions are settled already: each input is a projection to the union's order.
                    let all = match &child.op {
                        PhysicalOp::Project { exprs } => ColumnSet::of(exprs.iter().map(|(id, _)| *id)),
                        _ => ColumnSet::default(),
                    };
                    self.settle(child, &all);
                }
                if let PhysicalOp::Union { inputs } = &node.op {
                    node.output = inputs.first().cloned().unwrap_or_default();
                }
                return;
            }
            PhysicalOp::TableFunction { args, .. } => below.add_exprs(args.iter() as std::slice::Iter<'_, Expr>),
            PhysicalOp::Exchange { partitioning, merge, .. } => {
                if let ExchangePartitioning::Hash(exprs) | ExchangePartitioning::Bucket(exprs) = partitioning {
                    below.add_exprs(exprs.iter());
                }
                keys(merge, &mut below);
            }
            PhysicalOp::Limit { .. } | PhysicalOp::AssertRows { .. } => {}
        }
        for child in &mut node.children {
            self.settle(child, &below);
        }
        node.output = output(node, needed);
    }
}

fn output(node: &PhysicalNode, needed: &ColumnSet) -> Vec<ColumnId> {
    let child = |i: usize| node.children[i].output.iter().copied();
    match &node.op {
        PhysicalOp::Project { exprs } => exprs.iter().map(|(id, _)| *id).collect(),
        PhysicalOp::Aggregate { group_by, calls, .. } => group_by.iter().copied().chain(calls.iter().map(|(id, _)| *id)).collect(),
        PhysicalOp::HashJoin { kind, .. } | PhysicalOp::NestedLoopJoin { kind, .. } => {
            let keep = |c: &ColumnId| needed.contains(*c);
            match kind {
                JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::NullAwareLeftAnti => child(0).filter(keep).collect(),
                JoinKind::RightSemi | JoinKind::RightAnti => child(1).filter(keep).collect(),
                _ => child(0).chain(child(1)).filter(keep).collect(),
            }
        }
        PhysicalOp::Window { calls, .. } => child(0).chain(calls.iter().map(|(id, _)| *id)).collect(),
        PhysicalOp::Repeat { grouping_id, functions, .. } => {
            child(0).chain([*grouping_id]).chain(functions.iter().map(|(id, _)| *id)).collect()
        }
        PhysicalOp::TableFunction { results, .. } => {
            child(0).filter(|c| needed.contains(*c)).chain(results.iter().map(|(id, _)| *id)).collect()
        }
        _ => child(0).collect(),
    }
}
