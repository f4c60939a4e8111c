//! Logical plan → best physical plan → fragments as messages.
//!
//! Flow: `rules::normalize` brings the plan to normal form; `search` derives alternatives bottom-up (join order by dynamic
//! programming, distributions enforced by exchanges) and takes the cheapest; `scan_hints` and `runtime_filter` annotate it;
//! `fragment` cuts it at exchanges, writes messages and assigns instances to backends. Nothing here does I/O.

pub mod column_set;
pub mod context;
mod cost;
#[cfg(test)]
mod e2e;
mod exprs;
pub mod fragment;
mod join_order;
mod prune;
mod rules;
mod runtime_filter;
mod preaggregation;
mod scan_hints;
mod search;
mod stats;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;
mod tree;

use common_base::Result;
use common_expr::{expr::ColumnId, registry::FunctionRegistry, scalar_fn::EvalContext};
use fe_plan::{ColumnFactory, LogicalNode, PhysicalNode, stats::StatisticsProvider};

pub use context::{BackendView, ClusterView, Options};
pub use fragment::{FragmentedPlan, RootSink, assign, build_fragments};
pub use stats::ColumnEstimate;

/// What planning starts from.
pub struct OptimizeInput<'a> {
    pub plan: LogicalNode,
    /// Columns of the result, in order.
    pub output: Vec<ColumnId>,
    pub columns: ColumnFactory,
    pub stats: &'a dyn StatisticsProvider,
    pub registry: &'a FunctionRegistry,
    pub cluster: &'a ClusterView,
    pub options: &'a Options,
    pub eval: &'a EvalContext,
    /// Rows go to a table: they need not meet on one instance.
    pub spread_output: bool,
}

/// A physical plan.
#[derive(Debug)]
pub struct Optimized {
    pub physical: PhysicalNode,
    pub output: Vec<ColumnId>,
    pub columns: ColumnFactory,
    /// What is believed of each column, by id (EXPLAIN COSTS).
    pub estimates: Vec<Option<ColumnEstimate>>,
}

/// The best plan found.
pub fn optimize(input: OptimizeInput<'_>) -> Result<Optimized> {
    let OptimizeInput { plan, output, columns, stats, registry, cluster, options, eval, spread_output } = input;
    let mut ctx = context::Context {
        columns,
        provider: stats,
        registry,
        cluster,
        options,
        eval,
        estimates: Vec::new(),
        cte_rows: Vec::new(),
    };
    let plan = rules::normalize::normalize(plan, &output, &mut ctx)?;
    let require = if spread_output { search::Require::Any } else { search::Require::Single };
    let mut physical = search::best(&mut ctx, plan, &output, &require)?;
    scan_hints::plan(&mut physical);
    preaggregation::plan(&mut physical);
    runtime_filter::plan(&ctx, &mut physical);
    Ok(Optimized { physical, output, columns: ctx.columns, estimates: ctx.estimates })
}

/// The best plan in fragments that can be placed. Buckets of equal numbers are meant to share a backend; where they do not (a backend
/// was dead when a partition was made, replicas are moving), rows are sent about instead.
pub fn plan_fragments(input: OptimizeInput<'_>, sink: RootSink) -> Result<FragmentedPlan> {
    let reads = input.cluster.backends.len() > 1 && tree::any(&input.plan, &|op| matches!(op, fe_plan::LogicalOp::Scan(_)));
    let spare = reads.then(|| (input.plan.clone(), input.output.clone(), input.columns.clone()));
    let OptimizeInput { stats, registry, cluster, options, eval, spread_output, .. } = input;
    let fragments = build_fragments(optimize(input)?, sink.clone())?;
    match spare {
        Some((plan, output, columns)) if !fragment::buckets_meet(&fragments, cluster) => {
            let options = Options { ignore_buckets: true, ..options.clone() };
            let again = OptimizeInput { plan, output, columns, stats, registry, cluster, options: &options, eval, spread_output };
            build_fragments(optimize(again)?, sink)
        }
        _ => Ok(fragments),
    }
}

/// The normal form alone, for EXPLAIN LOGICAL and tests.
pub fn normalize(input: OptimizeInput<'_>) -> Result<(LogicalNode, ColumnFactory)> {
    let OptimizeInput { plan, output, columns, stats, registry, cluster, options, eval, .. } = input;
    let mut ctx =
        context::Context { columns, provider: stats, registry, cluster, options, eval, estimates: Vec::new(), cte_rows: Vec::new() };
    let plan = rules::normalize::normalize(plan, &output, &mut ctx)?;
    Ok((plan, ctx.columns))
}
