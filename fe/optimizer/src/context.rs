//! What planning one query needs: statistics, functions, the cluster, knobs, and the columns made so far.

use std::{collections::BTreeMap, sync::Arc};

use common_base::{Result, ids::{NodeId, TabletId}};
use common_expr::{
    aggregate_fn::AggregateOverload,
    expr::{ColumnId, Expr},
    registry::FunctionRegistry,
    scalar_fn::EvalContext,
};
use common_types::LogicalType;
use fe_plan::{ColumnFactory, stats::StatisticsProvider};

use crate::stats::ColumnEstimate;

/// A backend that can take fragments.
#[derive(Clone, Debug, PartialEq)]
pub struct BackendView {
    pub id: NodeId,
    pub host: String,
    pub be_port: u16,
    pub brpc_port: u16,
}

/// The alive part of the cluster.
#[derive(Clone, Debug, Default)]
pub struct ClusterView {
    pub backends: Vec<BackendView>,
    /// Replicas that are not read, whatever the catalog says of them.
    pub avoid: std::collections::BTreeSet<(NodeId, TabletId)>,
    /// What is known to be wrong with bad replicas.
    pub damages: Arc<BTreeMap<(NodeId, TabletId), String>>,
    /// Drivers per pipeline; 0 = cores of the backend.
    pub parallelism: u32,
}

/// Session variables that steer planning.
#[derive(Clone, Debug)]
pub struct Options {
    /// `new_planner_agg_stage`: 0 = by cost, 1 = one phase, 2 and more = two.
    pub agg_stage: u32,
    pub disable_join_reorder: bool,
    pub broadcast_row_limit: f64,
    /// Relations up to which join orders are searched exhaustively.
    pub max_reorder_dp: usize,
    /// Relations beyond which the written order stays.
    pub max_reorder: usize,
    /// Consumers' cost factor above which a CTE is computed once; negative = always once, 0 = always inlined.
    pub cte_reuse_rate: f64,
    pub runtime_filters: bool,
    /// Build sides beyond this many rows make no filter.
    pub runtime_filter_max_rows: f64,
    /// Joins may rely on colocate groups.
    pub colocate_join: bool,
    /// `cbo_prune_json_subfield`: scans may read values of JSON documents instead of the documents.
    pub json_paths: bool,
    /// `enable_sync_materialized_view_rewrite`: scans may read rollups and synchronous materialized views.
    pub rollups: bool,
    /// Not `disable_generated_column_rewrite`: generated columns are read instead of what they are made of.
    pub generated_columns: bool,
    /// Plan as if buckets of equal numbers were on no common backend.
    pub ignore_buckets: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            agg_stage: 0,
            disable_join_reorder: false,
            broadcast_row_limit: 15_000_000.0,
            max_reorder_dp: 10,
            max_reorder: 50,
            cte_reuse_rate: 1.15,
            runtime_filters: true,
            runtime_filter_max_rows: 67_108_864.0,
            colocate_join: true,
            json_paths: true,
            rollups: true,
            generated_columns: true,
            ignore_buckets: false,
        }
    }
}

impl Options {
    /// Reads the session variables that are set; `get` gives a variable's text.
    pub fn from_variables(get: &dyn Fn(&str) -> Option<String>) -> Self {
        let number = |name: &str, default: f64| get(name).and_then(|v| v.trim().parse().ok()).unwrap_or(default);
        let flag = |name: &str, default: bool| {
            get(name).map_or(default, |v| matches!(v.trim().to_ascii_lowercase().as_str(), "1" | "true" | "on"))
        };
        let default = Self::default();
        Self {
            agg_stage: number("new_planner_agg_stage", 0.0) as u32,
            disable_join_reorder: flag("disable_join_reorder", false),
            broadcast_row_limit: number("broadcast_row_limit", default.broadcast_row_limit),
            max_reorder_dp: (number("cbo_max_reorder_node_use_dp", 10.0) as usize).clamp(2, 12),
            max_reorder: number("cbo_max_reorder_node", 50.0) as usize,
            cte_reuse_rate: if flag("cbo_cte_reuse", true) { number("cbo_cte_reuse_rate", default.cte_reuse_rate) } else { 0.0 },
            runtime_filters: flag("enable_global_runtime_filter", true),
            runtime_filter_max_rows: number("global_runtime_filter_build_max_size", default.runtime_filter_max_rows),
            colocate_join: !flag("disable_colocate_join", false),
            json_paths: flag("cbo_prune_json_subfield", true),
            rollups: flag("enable_sync_materialized_view_rewrite", true),
            generated_columns: !flag("disable_generated_column_rewrite", false),
            ignore_buckets: false,
        }
    }
}

/// The state of one optimization.
pub struct Context<'a> {
    pub columns: ColumnFactory,
    pub provider: &'a dyn StatisticsProvider,
    pub registry: &'a FunctionRegistry,
    pub cluster: &'a ClusterView,
    pub options: &'a Options,
    pub eval: &'a EvalContext,
    /// By column id; filled where the column is made, narrowed by filters on it.
    pub estimates: Vec<Option<ColumnEstimate>>,
    /// Rows of each CTE's producer, once planned.
    pub cte_rows: Vec<(u32, f64)>,
}

impl<'a> Context<'a> {
    /// Whether one backend (or none) runs everything, so that no rows have to move.
    pub fn single_node(&self) -> bool {
        self.cluster.backends.len() <= 1
    }

    /// Number of backends, at least one.
    pub fn nodes(&self) -> f64 {
        self.cluster.backends.len().max(1) as f64
    }

    /// A reference to a column.
    pub fn column(&self, id: ColumnId) -> Expr {
        self.columns.reference(id)
    }

    /// A reference to a column an outer join may have filled with NULL.
    pub fn nullable_column(&mut self, id: ColumnId) -> Expr {
        self.columns.make_nullable(id);
        self.columns.reference(id)
    }

    /// A call of a scalar function over arguments of any fitting type.
    pub fn call(&self, name: &str, args: Vec<Expr>) -> Result<Expr> {
        let types: Vec<LogicalType> = args.iter().map(|a| a.ty.clone()).collect();
        let overload = self.registry.scalar(name, &types)?;
        let args = args.into_iter().zip(&overload.args).map(|(a, ty)| a.cast_to(ty)).collect();
        Ok(Expr::call(overload, args))
    }

    /// An aggregate overload.
    pub fn aggregate(&self, name: &str, args: &[LogicalType]) -> Result<Arc<AggregateOverload>> {
        self.registry.aggregate(name, args)
    }

    /// A new column for an expression.
    pub fn new_column(&mut self, name: &str, ty: LogicalType, nullable: bool) -> ColumnId {
        self.columns.computed(name, ty, nullable)
    }

    /// What is believed of a column's values.
    pub fn estimate(&self, id: ColumnId) -> Option<&ColumnEstimate> {
        self.estimates.get(id as usize).and_then(Option::as_ref)
    }

    /// Replaces what is believed of a column's values.
    pub fn set_estimate(&mut self, id: ColumnId, estimate: ColumnEstimate) {
        let i = id as usize;
        if self.estimates.len() <= i {
            self.estimates.resize(self.columns.len().max(i + 1), None);
        }
        self.estimates[i] = Some(estimate);
    }
}
