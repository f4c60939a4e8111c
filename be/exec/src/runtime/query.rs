//! One query on this node: all its fragment instances, the stream of result chunks, the final report.

use std::{
    sync::{Arc, atomic::{AtomicUsize, Ordering}},
    task::{Context, Poll},
};

use common_base::{Error, Result, err, ids::QueryId, mem::MemTracker};
use common_expr::scalar_fn::EvalContext;
use common_types::Chunk;
use hashbrown::HashSet;
use parking_lot::Mutex;
use proto_messages::{
    chunk::{LoadCounters, TabletCommit},
    fragment::{self as pb, ExecuteRequest, sink::Kind as SinkKind},
    plan::{PlanNode, plan_node::Op},
    profile::{FragmentProfile, QueryProfile},
};

use super::{
    ExecEnv, QueryContext,
    cancel::CancelToken,
    filter_hub::FilterHub,
    fragment::FragmentRun,
    pool::QueryClock,
    top_n_bound::TopNBounds,
};
use crate::{exchange::ExchangeKey, sink::BadRows, util::channel::Channel};

/// Bytes of result chunks that may wait for the client.
const RESULT_BUFFER_BYTES: usize = 16 << 20;

/// Query id of a message.
pub fn query_id(id: &pb::QueryId) -> QueryId {
    QueryId((u128::from(id.high) << 64) | u128::from(id.low))
}

/// Query id as a message.
pub fn query_id_to_proto(id: QueryId) -> pb::QueryId {
    pb::QueryId { high: (id.0 >> 64) as u64, low: id.0 as u64 }
}

/// Totals a load's sinks add to.
#[derive(Default)]
pub struct LoadTotals {
    inner: Mutex<(Vec<TabletCommit>, LoadCounters)>,
}

impl LoadTotals {
    /// Adds what one writer wrote.
    pub fn add(&self, tablets: Vec<TabletCommit>, counters: &LoadCounters) {
        let mut inner = self.inner.lock();
        inner.0.extend(tablets);
        let mine = &mut inner.1;
        mine.total_rows += counters.total_rows;
        mine.loaded_rows += counters.loaded_rows;
        mine.filtered_rows += counters.filtered_rows;
        mine.unselected_rows += counters.unselected_rows;
        mine.bytes += counters.bytes;
        mine.files += counters.files;
        if mine.first_error.is_empty() {
            mine.first_error.clone_from(&counters.first_error);
        }
    }

    /// The sums.
    pub fn take(&self) -> (Vec<TabletCommit>, LoadCounters) {
        std::mem::take(&mut *self.inner.lock())
    }
}

/// A running query; dropping it cancels what still runs.
pub struct QueryRun {
    /// The query's shared facts.
    pub context: Arc<QueryContext>,
    results: Arc<Channel<Chunk>>,
    runs: Vec<Arc<FragmentRun>>,
    clock: Arc<QueryClock>,
    load: Arc<LoadTotals>,
}

/// Extras a server passes along with a request.
#[derive(Default)]
pub struct QueryExtras {
    pub bad_rows: Option<Arc<dyn BadRows>>,
    pub seed: u64,
    /// Who sends remote runtime filters.
    pub filter_sender: Option<Arc<dyn super::filter_hub::FilterSender>>,
}

impl QueryRun {
    /// Builds and starts every instance of the request.
    pub fn start(env: Arc<ExecEnv>, request: &ExecuteRequest, extras: QueryExtras) -> Result<Self> {
        let id = query_id(request.query_id.as_ref().ok_or_else(|| err!(InvalidArgument, "execute request without a query id"))?);
        let options = request.options.clone().unwrap_or_default();
        let limit = if options.memory_limit > 0 { options.memory_limit } else { env.default_query_memory };
        let memory = MemTracker::child(&env.memory, format!("query {id}"), if limit > 0 { limit as i64 } else { -1 });
        let eval = Arc::new(EvalContext {
            now_us: options.now_us,
            time_zone: options.time_zone.clone(),
            sql_mode: options.sql_mode,
            user: options.user.clone(),
            database: options.database.clone(),
            connection_id: options.connection_id,
            seed: extras.seed,
            variables: options.variables.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            ..EvalContext::default()
        });
        let parallelism = if options.parallelism > 0 { options.parallelism as usize } else { env.default_parallelism };
        let results = Channel::new(RESULT_BUFFER_BYTES, 1);
        let load = Arc::new(LoadTotals::default());
        let context = Arc::new(QueryContext {
            id,
            options,
            eval,
            memory,
            cancel: Arc::new(CancelToken::default()),
            filters: FilterHub::default(),
            top_n: TopNBounds::default(),
            parallelism: parallelism.max(1),
            timer: tokio::runtime::Handle::try_current().ok(),
            bad_rows: extras.bad_rows,
            results: results.clone(),
            load: load.clone(),
            env: env.clone(),
        });
        if let Some(sender) = extras.filter_sender {
            context.filters.set_sender(sender);
        }
        let clock = Arc::new(QueryClock::default());
        let mut query = Self { context: context.clone(), results: results.clone(), runs: Vec::new(), clock: clock.clone(), load };

        // Exchanges first, so that no sender can come before its receiver on this node.
        for instance in &request.instances {
            let merging = instance.plan.as_ref().map(merging_exchanges).unwrap_or_default();
            for senders in &instance.senders {
                let key = ExchangeKey { query: id, exchange_id: senders.exchange_id, instance: instance.instance };
                env.exchanges.register(key, senders.count as usize, merging.contains(&senders.exchange_id), &context.memory);
            }
        }
        let left = Arc::new(AtomicUsize::new(request.instances.len().max(1)));
        for instance in &request.instances {
            let (left, results, shared) = (left.clone(), results.clone(), context.clone());
            let on_done = Box::new(move |result: Result<()>| {
                if let Err(e) = result {
                    shared.cancel.cancel(e.clone());
                    results.fail(e);
                }
                if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                    shared.env.exchanges.forget(shared.id);
                    results.close();
                }
            });
            let run = FragmentRun::build(context.clone(), clock.clone(), instance, on_done);
            match run {
                Ok(run) => query.runs.push(run),
                Err(e) => {
                    context.cancel.cancel(e.clone());
                    env.exchanges.forget(id);
                    return Err(e);
                }
            }
        }
        if request.instances.is_empty() {
            results.close();
        }
        for run in &query.runs {
            run.start();
        }
        Ok(query)
    }

    /// The next result chunk; `None` when every instance has ended well.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        self.results.poll_next(cx, Chunk::memory_size)
    }

    /// The next result chunk, as a future.
    pub async fn next(&self) -> Result<Option<Chunk>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Stops everything with a reason.
    pub fn cancel(&self, reason: Error) {
        self.results.fail(reason.clone());
        self.context.cancel.cancel(reason);
    }

    /// What the load's sinks wrote.
    pub fn load_totals(&self) -> (Vec<TabletCommit>, LoadCounters) {
        self.load.take()
    }

    /// Counters so far.
    pub fn profile(&self) -> QueryProfile {
        let fragments: Vec<FragmentProfile> = self
            .runs
            .iter()
            .map(|run| FragmentProfile {
                fragment_id: run.fragment_id,
                instance: run.instance,
                host: String::new(),
                operators: run.profiles.iter().map(|p| p.to_proto()).collect(),
            })
            .collect();
        let sum = |name: &str| {
            fragments.iter().flat_map(|f| &f.operators).flat_map(|o| &o.counters).filter(|c| c.name == name).map(|c| c.value).sum()
        };
        QueryProfile {
            cpu_ns: self.clock.used().as_nanos() as i64,
            peak_memory: self.context.memory.peak() as i64,
            scan_rows: sum("RawRowsRead"),
            scan_bytes: sum("BytesRead"),
            fragments,
        }
    }
}

impl Drop for QueryRun {
    fn drop(&mut self) {
        self.results.abandon();
        self.context.cancel.cancel(err!(Cancelled, "the query's client has gone"));
    }
}

fn merging_exchanges(plan: &PlanNode) -> HashSet<u32> {
    let mut found = HashSet::new();
    let mut stack = vec![plan];
    while let Some(node) = stack.pop() {
        if let Some(Op::Exchange(exchange)) = &node.op {
            if !exchange.merge_keys.is_empty() {
                found.insert(exchange.exchange_id);
            }
        }
        stack.extend(&node.children);
    }
    found
}

/// Whether an instance's rows go back to the FE.
pub fn is_result(instance: &pb::FragmentInstance) -> bool {
    matches!(instance.sink.as_ref().and_then(|s| s.kind.as_ref()), Some(SinkKind::Result(_)))
}
