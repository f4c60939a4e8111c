//! Runtime filters: which joins build them and which scans test them.
//!
//! A join that throws away probe rows without a partner lets its build side describe the keys that have one. The description
//! travels down the probe side to the scan that the key comes from, through operators that neither change the key nor depend on
//! rows without a partner. Ids are unique in the plan, one per key and kind of target.

use common_expr::{
    expr::{ColumnId, Expr},
    walk::substitute,
};
use fe_plan::{
    PhysicalNode, PhysicalOp,
    logical::JoinKind,
    physical::{JoinDistribution, RuntimeFilterBuild, RuntimeFilterProbe},
};

use crate::{
    column_set::ColumnSet,
    context::Context,
    exprs::{Substitution, covered},
    stats::filter::ndv_of,
};

/// Build sides below this make a filter when nothing is known of the keys: it costs little.
const SMALL_BUILD: f64 = 100_000.0;
/// A filter expected to keep more than this share of the keys is not worth testing.
const USELESS_SHARE: f64 = 0.9;

/// Plans every filter of the tree.
pub fn plan(ctx: &Context<'_>, root: &mut PhysicalNode) {
    if ctx.options.runtime_filters {
        Planner { ctx, next: 0 }.visit(root);
    }
}

struct Planner<'c, 'a> {
    ctx: &'c Context<'a>,
    next: u32,
}

/// Filters placed for one key.
#[derive(Default)]
struct Placed {
    local: Option<u32>,
    remote: Option<u32>,
}

impl Planner<'_, '_> {
    fn visit(&mut self, node: &mut PhysicalNode) {
        if let PhysicalOp::HashJoin { kind, keys, distribution, .. } = &node.op
            && matches!(kind, JoinKind::Inner | JoinKind::AsofInner | JoinKind::LeftSemi | JoinKind::RightOuter | JoinKind::RightSemi | JoinKind::RightAnti)
        {
            let (keys, distribution) = (keys.clone(), *distribution);
            let mut builds = Vec::new();
            if let [probe_side, build_side] = node.children.as_mut_slice() {
                for (i, key) in keys.iter().enumerate() {
                    if key.null_safe || key.right.ty.is_nested() || !self.worthwhile(&key.left, &key.right, probe_side, build_side) {
                        continue;
                    }
                    let mut placed = Placed::default();
                    self.push(probe_side, &key.left, false, &mut placed);
                    // Instances of a broadcast join all hold the whole build side.
                    let broadcast_build = matches!(distribution, JoinDistribution::Broadcast | JoinDistribution::Local);
                    for (id, remote) in [(placed.local, false), (placed.remote, true)] {
                        if let Some(id) = id {
                            builds.push(RuntimeFilterBuild { id, key: i, expr: key.right.clone(), remote, broadcast_build });
                        }
                    }
                }
            }
            if let PhysicalOp::HashJoin { runtime_filters, .. } = &mut node.op {
                *runtime_filters = builds;
            }
        }
        node.children.iter_mut().for_each(|c| self.visit(c));
    }

    fn worthwhile(&self, probe: &Expr, build: &Expr, probe_side: &PhysicalNode, build_side: &PhysicalNode) -> bool {
        let rows = build_side.estimate.rows;
        let known = |e: &Expr| e.as_column().and_then(|c| self.ctx.estimate(c)).is_some_and(|e| e.known);
        if rows <= SMALL_BUILD && !(known(probe) && known(build)) {
            return true;
        }
        if rows > self.ctx.options.runtime_filter_max_rows {
            return false;
        }
        let domain = crate::stats::join::domain_of(self.ctx, probe, probe_side.estimate.rows);
        ndv_of(self.ctx, build, rows) < domain * USELESS_SHARE
    }

    fn push(&mut self, node: &mut PhysicalNode, probe: &Expr, remote: bool, placed: &mut Placed) {
        let columns = ColumnSet::of_expr(probe);
        if columns.is_empty() {
            return;
        }
        let within = |ids: &[ColumnId]| covered(probe, &ColumnSet::of(ids.iter().copied()));
        match &mut node.op {
            PhysicalOp::Scan(scan) => {
                if columns.iter().all(|c| scan.columns.iter().any(|(id, _)| *id == c)) {
                    let slot = if remote { &mut placed.remote } else { &mut placed.local };
                    let id = *slot.get_or_insert_with(|| {
                        self.next += 1;
                        self.next - 1
                    });
                    scan.runtime_filters.push(RuntimeFilterProbe { id, expr: probe.clone() });
                }
            }
            PhysicalOp::Filter { .. } => self.push(&mut node.children[0], probe, remote, placed),
            PhysicalOp::Sort { limit: None, .. } => self.push(&mut node.children[0], probe, remote, placed),
            PhysicalOp::Project { exprs } => {
                let by: Substitution = exprs.iter().map(|(id, e)| (*id, e.clone())).collect();
                let below = substitute(probe.clone(), &by);
                if below.is_deterministic() {
                    self.push(&mut node.children[0], &below, remote, placed);
                }
            }
            PhysicalOp::Aggregate { group_by, limit: None, .. } if within(group_by) => {
                self.push(&mut node.children[0], probe, remote, placed);
            }
            PhysicalOp::Window { partition_by, .. } if within(partition_by) => self.push(&mut node.children[0], probe, remote, placed),
            PhysicalOp::HashJoin { kind, .. } | PhysicalOp::NestedLoopJoin { kind, .. } => {
                let kind = *kind;
                let [left, right] = node.children.as_mut_slice() else { return };
                let keeps_left = matches!(
                    kind,
                    JoinKind::Inner | JoinKind::Cross | JoinKind::LeftOuter | JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::NullAwareLeftAnti
                );
                let keeps_right =
                    matches!(kind, JoinKind::Inner | JoinKind::Cross | JoinKind::RightOuter | JoinKind::RightSemi | JoinKind::RightAnti);
                if keeps_left && columns.iter().all(|c| left.output.contains(&c)) {
                    self.push(left, probe, remote, placed);
                } else if keeps_right && columns.iter().all(|c| right.output.contains(&c)) {
                    self.push(right, probe, remote, placed);
                }
            }
            PhysicalOp::Exchange { limit: None, offset: 0, .. } => self.push(&mut node.children[0], probe, true, placed),
            PhysicalOp::Union { inputs } => {
                let output = inputs.first().cloned().unwrap_or_default();
                for child in &mut node.children {
                    let by: Substitution =
                        output.iter().zip(&child.output).map(|(out, id)| (*out, self.ctx.column(*id))).collect();
                    let below = substitute(probe.clone(), &by);
                    self.push(child, &below, remote, placed);
                }
            }
            PhysicalOp::CteAnchor { .. } => {
                if let Some(body) = node.children.get_mut(1) {
                    self.push(body, probe, remote, placed);
                }
            }
            _ => {}
        }
    }
}
