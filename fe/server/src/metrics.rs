//! What the frontend counts and measures, under the names that dashboards know (docs/metrics.md lists them).
//!
//! What connections raise is a row of [`Statements`]; what is read from the catalog and the process is a row of [`TABLE`].

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use common_base::{
    Error, ErrorCode, SharedClock,
    machine::ProcessFacts,
    metrics::{Rates, Registry, Row, Values},
    runtime::Shutdown,
};
use fe_catalog::{CatalogSnapshot, CatalogState, model::{AlterKind, LoadSource, TxnState}};
use fe_engine::Engine;

/// Statements that take longer are slow.
const SLOW_QUERY: Duration = Duration::from_secs(5);

common_base::metrics! {
    /// What connections raise.
    pub struct Statements {
        requests: Counter = "request_total" {} "Commands of clients";
        queries: Counter = "query_total" {} "Statements";
        succeeded: Counter = "query_success" {} "Statements that were answered";
        failed: Counter = "query_err" {} "Statements that ended with an error";
        timed_out: Counter = "query_timeout" {} "Statements whose time was up";
        not_understood: Counter = "query_analysis_err" {} "Statements with an error of the user's";
        internal: Counter = "query_internal_err" {} "Statements with an error of the system's";
        slow: Counter = "slow_query" {} "Statements of more than five seconds";
        latency_ms: Histogram = "query_latency_ms" {} "Duration of statements";
    }
}

/// The metrics of this process.
pub struct Metrics {
    pub registry: Registry,
    pub statements: Statements,
    rates: Rates,
}

impl Default for Metrics {
    fn default() -> Self {
        let (registry, statements) = (Registry::new("starrocks_fe_"), Statements::default());
        statements.register(&registry);
        Self { registry, statements, rates: Rates::default() }
    }
}

impl Metrics {
    /// A command with statements has ended.
    pub fn query_ended(&self, took: Duration, failure: Option<&Error>) {
        let count = &self.statements;
        count.queries.inc();
        count.latency_ms.observe_ms(took);
        if took > SLOW_QUERY {
            count.slow.inc();
        }
        let Some(e) = failure else { return count.succeeded.inc() };
        count.failed.inc();
        match e.code() {
            ErrorCode::Timeout => count.timed_out.inc(),
            ErrorCode::Internal | ErrorCode::IoError | ErrorCode::Corruption | ErrorCode::NetworkError | ErrorCode::Unavailable | ErrorCode::MemoryLimit => {
                count.internal.inc();
            }
            _ => count.not_understood.inc(),
        }
    }
}

/// Totals whose growth per second is shown.
type Total = (&'static str, fn(&Statements) -> u64);
const QUERIES: Total = ("queries", |s| s.queries.get());
const REQUESTS: Total = ("requests", |s| s.requests.get());
const FAILURES: Total = ("failures", |s| s.failed.get());

/// Remembers totals, so that rates can be told. Runs until shutdown.
pub async fn run(metrics: Arc<Metrics>, clock: SharedClock, shutdown: Shutdown) {
    loop {
        for (name, total) in [QUERIES, REQUESTS, FAILURES] {
            metrics.rates.note(name, clock.monotonic(), total(&metrics.statements) as f64);
        }
        if !shutdown.sleep(Rates::INTERVAL).await {
            return;
        }
    }
}

/// Adds what other parts count, and what is read when somebody asks.
pub fn watch(metrics: &Arc<Metrics>, engine: &Arc<Engine>, process: fn() -> ProcessFacts, memory: u64) {
    engine.counts.register(&metrics.registry);
    engine.meta.metrics().register(&metrics.registry);
    let (engine, own): (Weak<Engine>, Weak<Metrics>) = (Arc::downgrade(engine), Arc::downgrade(metrics));
    metrics.registry.table(TABLE, move || {
        let (engine, metrics) = (engine.upgrade()?, own.upgrade()?);
        Some(View { catalog: engine.meta.snapshot(), leads: engine.meta.is_leader(), process: process(), memory, engine, metrics })
    });
}

/// What the rows read.
struct View {
    engine: Arc<Engine>,
    metrics: Arc<Metrics>,
    catalog: CatalogSnapshot,
    leads: bool,
    process: ProcessFacts,
    /// Bytes the process may use.
    memory: u64,
}

const TABLE: &[Row<View>] = &[
    Row::gauges("node_info", "Processes of the cluster", nodes),
    Row::gauge("is_leader", "1 when this frontend leads", |v| f64::from(u8::from(v.leads))),
    Row::gauge("qps", "Statements per second", |v| v.per_second(QUERIES)),
    Row::gauge("rps", "Commands of clients per second", |v| v.per_second(REQUESTS)),
    Row::gauge("query_err_rate", "Statements per second that ended with an error", |v| v.per_second(FAILURES)),
    Row::gauges("query_latency", "Duration of statements in milliseconds", query_latency),
    Row::gauge("unfinished_query", "Statements that run now", |v| v.engine.sessions.busy() as f64),
    Row::gauges("connection_total", "Connections of clients", connections),
    Row::gauge("txn_running", "Load transactions that have begun and not ended", |v| {
        v.catalog.txns.values().filter(|t| matches!(t.state, TxnState::Prepare | TxnState::Prepared)).count() as f64
    }),
    Row::gauges("job", "Loads and changes of tables that are remembered", jobs),
    Row::gauge("max_journal_id", "Last change of the catalog that this frontend has applied", |v| v.engine.meta.applied_index() as f64),
    Row::gauge("meta_log_count", "Changes of the catalog since its newest image", |v| v.engine.meta.entries_since_image() as f64),
    Row::gauges("tablet_num", "Replicas of tablets on a backend", tablets),
    Row::gauges("tablet_max_compaction_score", "Score of the backend's tablet that needs compaction most", |v, out| {
        compaction_scores(v).into_iter().for_each(|(name, score)| out.add(&[("backend", &name)], score));
    }),
    Row::gauge("max_tablet_compaction_score", "Score of the tablet that needs compaction most", |v| {
        compaction_scores(v).into_iter().map(|(_, score)| score).fold(0.0, f64::max)
    }),
    Row::gauges("db_size_bytes", "Bytes of a database by the last statistics, one replica counted", |v, out| {
        let mut sizes: BTreeMap<&str, u64> = v.catalog.databases.values().map(|d| (d.name.as_str(), 0)).collect();
        table_sizes(&v.catalog).for_each(|(db, _, bytes)| *sizes.entry(db).or_default() += bytes);
        sizes.into_iter().for_each(|(db, bytes)| out.add(&[("db_name", db)], bytes as f64));
    }),
    Row::gauges("table_size_bytes", "Bytes of a table by the last statistics, one replica counted", |v, out| {
        table_sizes(&v.catalog).for_each(|(db, table, bytes)| out.add(&[("db_name", db), ("tbl_name", table)], bytes as f64));
    }),
    Row::gauges("memory_usage", "Bytes in use: of the whole process, and of fragments that run here", |v, out| {
        out.add(&[("module", "process")], v.process.resident.unwrap_or(0) as f64);
        out.add(&[("module", "local_queries")], v.engine.local.memory.consumed() as f64);
    }),
    Row::gauges("jvm_heap_size_bytes", "Bytes of the process in memory, and what it may use at most; the name is the one dashboards know", |v, out| {
        out.add(&[("type", "used")], v.process.resident.unwrap_or(0) as f64);
        out.add(&[("type", "max")], v.memory as f64);
    }),
    Row::gauges("jvm_thread", "Threads of the process; the name is the one dashboards know", |v, out| out.add(&[("type", "count")], v.process.threads as f64)),
    Row::gauge("process_fd_num_used", "Open files of the process", |v| v.process.open_files as f64),
];

impl View {
    fn per_second(&self, (name, total): Total) -> f64 {
        self.metrics.rates.per_second(name, self.engine.clock.monotonic(), total(&self.metrics.statements) as f64)
    }
}

fn nodes(v: &View, out: &mut Values) {
    let frontends = v.catalog.frontends.keys().filter(|id| v.engine.frontends.get(&v.engine, **id).alive).count();
    let backends = v.engine.nodes.alive(&v.catalog).len();
    for (kind, total, alive) in [("fe_node_num", v.catalog.frontends.len(), frontends), ("be_node_num", v.catalog.backends.len(), backends)] {
        for (state, count) in [("total", total), ("alive", alive), ("dead", total.saturating_sub(alive))] {
            out.add(&[("type", kind), ("state", state)], count as f64);
        }
    }
}

fn query_latency(v: &View, out: &mut Values) {
    let latency = &v.metrics.statements.latency_ms;
    out.add(&[("type", "mean")], latency.sum() as f64 / latency.count().max(1) as f64);
    let quantiles = [("50_quantile", 0.5), ("75_quantile", 0.75), ("90_quantile", 0.9), ("95_quantile", 0.95), ("99_quantile", 0.99), ("999_quantile", 0.999)];
    for (name, q) in quantiles {
        out.add(&[("type", name)], latency.quantile(q) as f64);
    }
}

fn connections(v: &View, out: &mut Values) {
    let mut of_user: BTreeMap<String, usize> = BTreeMap::new();
    for session in v.engine.sessions.all() {
        *of_user.entry(session.user.clone()).or_default() += 1;
    }
    of_user.iter().for_each(|(user, count)| out.add(&[("user", user)], *count as f64));
}

fn jobs(v: &View, out: &mut Values) {
    let mut count: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    for txn in v.catalog.txns.values() {
        let kind = match txn.source {
            LoadSource::StreamLoad => "STREAM",
            LoadSource::Insert => "INSERT",
            LoadSource::Delete => "DELETE",
        };
        let state = match txn.state {
            TxnState::Prepare | TxnState::Prepared => "LOADING",
            TxnState::Committed => "COMMITTED",
            TxnState::Visible => "FINISHED",
            TxnState::Aborted { .. } => "CANCELLED",
        };
        *count.entry(("load", kind, state)).or_default() += 1;
    }
    for job in v.catalog.alter_jobs.values() {
        let kind = match job.kind {
            AlterKind::Column => "SCHEMA_CHANGE",
            AlterKind::Rollup => "ROLLUP",
            AlterKind::Optimize => "OPTIMIZE",
        };
        *count.entry(("alter", kind, job.state_name())).or_default() += 1;
    }
    count.into_iter().for_each(|((job, kind, state), count)| out.add(&[("job", job), ("type", kind), ("state", state)], count as f64));
}

/// Only the leader hears of backends: elsewhere what comes from them is 0.
fn tablets(v: &View, out: &mut Values) {
    let mut replicas: BTreeMap<u64, usize> = BTreeMap::new();
    if v.leads {
        let partitions = v.catalog.tables.values().filter_map(|t| t.as_olap()).flat_map(|t| t.partitions.values());
        for replica in partitions.flat_map(|p| &p.indexes).flat_map(|i| &i.tablets).flat_map(|t| &t.replicas) {
            *replicas.entry(replica.node.0).or_default() += 1;
        }
    }
    for backend in v.catalog.backends.values() {
        let count = replicas.get(&backend.id.0).copied().unwrap_or(0);
        out.add(&[("backend", &format!("{}:{}", backend.host, backend.heartbeat_port))], count as f64);
    }
}

fn compaction_scores(v: &View) -> Vec<(String, f64)> {
    let score = |b: &fe_catalog::model::Backend| v.engine.nodes.get(b.id).reply.and_then(|r| r.compactions).map_or(0.0, |c| c.max_score);
    v.catalog.backends.values().map(|b| (format!("{}:{}", b.host, b.heartbeat_port), if v.leads { score(b) } else { 0.0 })).collect()
}

/// (database, table, bytes)
fn table_sizes(catalog: &CatalogState) -> impl Iterator<Item = (&str, &str, u64)> {
    catalog.tables.values().filter(|t| t.as_olap().is_some()).filter_map(|t| {
        let db = catalog.databases.get(&t.db_id)?;
        Some((db.name.as_str(), t.name.as_str(), catalog.statistics_of(t.id).map_or(0, |s| s.bytes())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_counted_by_how_they_ended() {
        let metrics = Metrics::default();
        metrics.query_ended(Duration::from_millis(2), None);
        metrics.query_ended(Duration::from_secs(6), Some(&common_base::err!(Timeout, "time is up")));
        metrics.query_ended(Duration::from_millis(1), Some(&common_base::err!(Syntax, "what")));
        let text = metrics.registry.render();
        for line in ["query_total 3", "query_success 1", "query_err 2", "query_timeout 1", "query_analysis_err 1", "slow_query 1", "query_latency_ms_count 3"] {
            assert!(text.contains(&format!("starrocks_fe_{line}\n")), "{line} in\n{text}");
        }
    }
}
