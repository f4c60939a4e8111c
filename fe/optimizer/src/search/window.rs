//! Windows: rows of a partition meet, then the operator sorts and computes.

use std::rc::Rc;

use common_expr::expr::ColumnId;
use fe_plan::{
    PhysicalOp,
    logical::{SortKey, WindowCall},
    props::Distribution,
};

use super::{Alt, Plans, Require, enforce, share, size};
use crate::{context::Context, cost, stats::ColumnEstimate};

/// One window operator over an input.
pub(super) fn plan(
    ctx: &mut Context<'_>,
    input: Plans,
    partition_by: Vec<ColumnId>,
    order_by: Vec<SortKey>,
    calls: Vec<(ColumnId, WindowCall)>,
) -> Plans {
    let rows = input.rows;
    for (id, call) in &calls {
        let estimate = ColumnEstimate::unknown(rows, call.function.result());
        ctx.set_estimate(*id, estimate);
    }
    let fitting = input
        .alts
        .iter()
        .filter(|a| !matches!(a.dist, Distribution::Replicated) && a.dist.collocates(&partition_by))
        .min_by(|a, b| a.cost.total_cmp(&b.cost))
        .cloned();
    let require = if partition_by.is_empty() {
        Require::Single
    } else {
        Require::Hash(partition_by.iter().map(|c| ctx.column(*c)).collect())
    };
    let moved = enforce(ctx, &input, &require);
    let child: Rc<Alt> = match fitting {
        Some(alt) if alt.cost <= moved.cost => alt,
        _ => moved,
    };
    let in_size = size(ctx, rows, &input.columns);
    let input_sorted = same_window(&child.op, &partition_by, &order_by);
    let sorting = if input_sorted { 0.0 } else { cost::sort(in_size) };
    let cost = child.cost + (sorting + cost::compute(rows, calls.len() * 2)) * share(ctx, &child.dist);
    let dist = child.dist.clone();
    let mut columns = input.columns;
    columns.extend(calls.iter().map(|(id, _)| *id));
    let op = PhysicalOp::Window { partition_by, order_by, calls, input_sorted };
    Plans::one(Alt { op, children: vec![child], dist, rows, cost }, columns)
}

/// Whether the input is a window over the same partitions whose order starts with this one: its rows come out in that order.
fn same_window(op: &PhysicalOp, partition_by: &[ColumnId], order_by: &[SortKey]) -> bool {
    match op {
        PhysicalOp::Window { partition_by: p, order_by: o, .. } => p == partition_by && o.starts_with(order_by),
        _ => false,
    }
}
