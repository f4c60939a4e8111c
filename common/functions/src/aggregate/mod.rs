//! Table of the aggregate functions, and the pieces their accumulators share.

mod any_value;
mod array_agg;
mod avg;
mod bitmap;
mod bool_or;
mod count;
mod def;
mod distinct;
mod funnel;
mod group_concat;
mod hll;
mod int_sums;
mod mann_whitney;
mod max_by;
mod min_max;
mod percentile;
mod rows;
mod seen;
mod state;
mod sum;
mod sum_map;
#[cfg(test)]
mod tests;
mod top_k;
mod variance;

use common_expr::{aggregate_fn::AggregateFunction, registry::FunctionRegistry};

/// Adds every aggregate function.
pub fn register(r: &mut FunctionRegistry) {
    let one = [
        sum::function(),
        avg::function(),
        any_value::function(),
        group_concat::function(),
        top_k::function(),
        sum_map::function(),
        mann_whitney::function(),
    ];
    let groups = [
        count::functions(),
        min_max::functions(),
        max_by::functions(),
        bool_or::functions(),
        variance::functions(),
        distinct::functions(),
        hll::functions(),
        bitmap::functions(),
        percentile::functions(),
        array_agg::functions(),
        funnel::functions(),
    ];
    let all: Vec<AggregateFunction> = one.into_iter().chain(groups.into_iter().flatten()).collect();
    state::register(r, &all);
    all.into_iter().for_each(|f| r.add_aggregate(f));
}
