//! Aggregations: at once where the groups are together already, in two phases with the states exchanged, or after an exchange of
//! the rows.

use std::rc::Rc;

use common_base::Result;
use common_expr::expr::ColumnId;
use fe_plan::{PhysicalOp, logical::AggregateCall, physical::AggregatePhase, props::Distribution};

use super::{Alt, Plans, Require, cheapest, enforce, hash_of, share, size};
use crate::{
    column_set::ColumnSet,
    context::Context,
    cost,
    stats::derive,
};

type Calls = Vec<(ColumnId, AggregateCall)>;

/// The alternatives of an aggregation; with `limit`, any that many groups will do.
pub(super) fn plan(ctx: &mut Context<'_>, input: Plans, group_by: Vec<ColumnId>, calls: Calls, limit: Option<u64>) -> Result<Plans> {
    let groups = derive::groups(ctx, &group_by, input.rows);
    for (id, call) in &calls {
        derive::aggregate_result(ctx, *id, &call.function.result, groups);
    }
    let mut columns = ColumnSet::of(group_by.iter().copied());
    columns.extend(calls.iter().map(|(id, _)| *id));
    let spec = Spec { group_by, calls, limit, groups };
    let mut out = Plans { alts: Vec::new(), rows: groups, columns };
    let in_size = size(ctx, input.rows, &input.columns);
    let whole_cost = cost::aggregate(in_size, groups, spec.calls.len());
    // Together already.
    for alt in &input.alts {
        if ctx.single_node() || (alt.dist != Distribution::Replicated && alt.dist.collocates(&spec.group_by)) {
            let cost = alt.cost + whole_cost * share(ctx, &alt.dist);
            out.add(spec.node(AggregatePhase::Complete, alt.clone(), alt.dist.clone(), groups, cost));
        }
    }
    if ctx.single_node() {
        return Ok(out);
    }
    let exchanged = if spec.group_by.is_empty() {
        Require::Single
    } else {
        Require::Hash(spec.group_by.iter().map(|c| ctx.column(*c)).collect())
    };
    let splittable = spec.calls.iter().all(|(_, c)| c.order_by.is_empty() && !c.distinct);
    if splittable && ctx.options.agg_stage != 1 {
        let base = cheapest(&input.alts);
        if !matches!(base.dist, Distribution::Single) {
            let alt = spec.two_phase(ctx, base, &exchanged, in_size, &out.columns);
            out.add(alt);
        }
    }
    if out.alts.is_empty() || ctx.options.agg_stage <= 1 || !splittable {
        let moved = enforce(ctx, &input, &exchanged);
        let cost = moved.cost + whole_cost * share(ctx, &moved.dist);
        let dist = moved.dist.clone();
        out.add(spec.node(AggregatePhase::Complete, moved, dist, groups, cost));
    }
    Ok(out)
}

struct Spec {
    group_by: Vec<ColumnId>,
    calls: Calls,
    limit: Option<u64>,
    groups: f64,
}

impl Spec {
    fn node(&self, phase: AggregatePhase, child: Rc<Alt>, dist: Distribution, rows: f64, cost: f64) -> Alt {
        let op = PhysicalOp::Aggregate {
            phase,
            group_by: self.group_by.clone(),
            calls: self.calls.clone(),
            streaming: phase == AggregatePhase::Partial,
            limit: self.limit,
        };
        Alt { op, children: vec![child], dist, rows, cost }
    }

    fn two_phase(&self, ctx: &Context<'_>, base: &Rc<Alt>, exchanged: &Require, in_size: cost::Size, columns: &ColumnSet) -> Alt {
        // Every instance may see every group.
        let partial_rows = (self.groups * ctx.nodes()).min(in_size.rows).max(1.0);
        let local = share(ctx, &base.dist);
        let cost = base.cost + cost::aggregate(in_size, self.groups, self.calls.len()) * local;
        let partial = self.node(AggregatePhase::Partial, base.clone(), base.dist.clone(), partial_rows, cost);
        let partial = Plans { rows: partial_rows, columns: columns.clone(), alts: vec![Rc::new(partial)] };
        let (dist, require) = match exchanged {
            Require::Hash(exprs) => (hash_of(exprs), exchanged.clone()),
            _ => (Distribution::Single, Require::Single),
        };
        let moved = enforce(ctx, &partial, &require);
        let states = cost::Size { rows: partial_rows, width: in_size.width };
        let cost = moved.cost + cost::aggregate(states, self.groups, self.calls.len()) * share(ctx, &dist);
        self.node(AggregatePhase::Final, moved, dist, self.groups, cost)
    }
}
