//! Sorts and TopN: locally on every instance, then merged where the rows meet.

use std::rc::Rc;

use fe_plan::{PhysicalOp, logical::SortKey, props::Distribution};

use super::{Alt, Plans, cheapest, merge_exchange, share, size};
use crate::{context::Context, cost};

/// ORDER BY, with LIMIT and OFFSET if given.
pub(super) fn plan(ctx: &Context<'_>, input: Plans, keys: Vec<SortKey>, limit: Option<u64>, offset: u64) -> Plans {
    let child = cheapest(&input.alts).clone();
    let single = ctx.single_node() || child.dist == Distribution::Single;
    let needed = limit.map(|n| n.saturating_add(offset));
    let in_size = size(ctx, input.rows, &input.columns);
    let local_share = share(ctx, &child.dist);
    let work = match needed {
        Some(n) => cost::top_n(in_size, (n as f64).min(input.rows)),
        None => cost::sort(in_size),
    } * local_share;
    let cost = child.cost + work;
    let rows = (input.rows - offset as f64).max(0.0).min(limit.map_or(f64::INFINITY, |n| n as f64));
    let sort = |limit, offset| PhysicalOp::Sort { keys: keys.clone(), limit, offset, partition_by: Vec::new(), rank: None };
    if single {
        let alt = Alt { op: sort(limit, offset), children: vec![child], dist: Distribution::Single, rows, cost };
        return Plans::one(alt, input.columns);
    }
    let local_rows = needed.map_or(input.rows, |n| (n as f64 * ctx.nodes()).min(input.rows));
    let dist = child.dist.clone();
    let local = Rc::new(Alt { op: sort(needed, 0), children: vec![child], dist, rows: local_rows, cost });
    let merged = merge_exchange(ctx, local, keys.clone(), limit, offset, &input.columns);
    Plans::one(merged, input.columns)
}
