//! What every operator of a query can reach: the process's services and the query's own facts.

use std::sync::Arc;

use common_base::{Result, clock::Clock, ids::QueryId, mem::MemTracker};
use common_expr::{registry::FunctionRegistry, scalar_fn::EvalContext};
use common_types::Chunk;
use proto_messages::fragment::QueryOptions;

use super::{cancel::CancelToken, filter_hub::FilterHub, pool::Spawner, query::LoadTotals, top_n_bound::TopNBounds};
use crate::{
    exchange::{ExchangeRegistry, ExchangeTransport},
    scan::ScanProvider,
    sink::{BadRows, FileSourceProvider, TableSinkProvider},
    util::channel::Channel,
};

/// Services of the process. A process that cannot do something (an FE has no tablets) passes a provider that refuses.
pub struct ExecEnv {
    pub registry: Arc<FunctionRegistry>,
    pub scans: Arc<dyn ScanProvider>,
    pub transport: Arc<dyn ExchangeTransport>,
    pub exchanges: Arc<ExchangeRegistry>,
    pub tables: Arc<dyn TableSinkProvider>,
    pub files: Arc<dyn FileSourceProvider>,
    pub spawner: Arc<dyn Spawner>,
    pub clock: Arc<dyn Clock>,
    pub memory: Arc<MemTracker>,
    /// Drivers per pipeline when the query does not say.
    pub default_parallelism: usize,
    /// Memory one query may use here when it does not say; 0 = only the process limit.
    pub default_query_memory: u64,
}

/// One query on this node.
pub struct QueryContext {
    pub id: QueryId,
    pub env: Arc<ExecEnv>,
    pub options: QueryOptions,
    pub eval: Arc<EvalContext>,
    pub memory: Arc<MemTracker>,
    pub cancel: Arc<CancelToken>,
    pub filters: FilterHub,
    pub top_n: TopNBounds,
    pub parallelism: usize,
    /// Where result sinks deliver.
    pub results: Arc<Channel<Chunk>>,
    /// Where table sinks add what they wrote.
    pub load: Arc<LoadTotals>,
    /// Whose clock wakes drivers that wait for a time.
    pub timer: Option<tokio::runtime::Handle>,
    /// Set for loads.
    pub bad_rows: Option<Arc<dyn BadRows>>,
}

impl QueryContext {
    /// Fails when the query was cancelled or ran out of time.
    pub fn check(&self) -> Result<()> {
        self.cancel.check()
    }
}
