//! What the frontend counts and measures, under the names that dashboards know.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use common_base::{
    Error, ErrorCode,
    metrics::{Counter, Histogram, Registry, Sample, SampleKind},
};
use fe_catalog::model::{LoadSource, TxnState};
use fe_engine::Engine;

/// Statements that take longer are slow.
const SLOW_QUERY: Duration = Duration::from_secs(5);

/// Counters that connections raise.
pub struct Metrics {
    pub registry: Registry,
    /// Commands of the MySQL protocol.
    pub requests: Counter,
    queries: Counter,
    succeeded: Counter,
    failed: Counter,
    timed_out: Counter,
    not_understood: Counter,
    internal: Counter,
    slow: Counter,
    latency_ms: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new("starrocks_fe_");
        let counter = |name, help| registry.counter(name, help, &[]);
        Self {
            requests: counter("request_total", "Commands of clients"),
            queries: counter("query_total", "Statements"),
            succeeded: counter("query_success", "Statements that were answered"),
            failed: counter("query_err", "Statements that ended with an error"),
            timed_out: counter("query_timeout", "Statements whose time was up"),
            not_understood: counter("query_analysis_err", "Statements with an error of the user's"),
            internal: counter("query_internal_err", "Statements with an error of the system's"),
            slow: counter("slow_query", "Statements of more than five seconds"),
            latency_ms: registry.histogram("query_latency_ms", "Duration of statements", &[]),
            registry,
        }
    }
}

impl Metrics {
    /// A command with statements has ended.
    pub fn query_ended(&self, took: Duration, failure: Option<&Error>) {
        self.queries.inc();
        self.latency_ms.observe_ms(took);
        if took > SLOW_QUERY {
            self.slow.inc();
        }
        let Some(e) = failure else { return self.succeeded.inc() };
        self.failed.inc();
        match e.code() {
            ErrorCode::Timeout => self.timed_out.inc(),
            ErrorCode::Internal | ErrorCode::IoError | ErrorCode::Corruption | ErrorCode::NetworkError | ErrorCode::Unavailable | ErrorCode::MemoryLimit => {
                self.internal.inc();
            }
            _ => self.not_understood.inc(),
        }
    }
}

/// Values that are read when somebody asks.
pub fn watch(metrics: &Metrics, engine: &Arc<Engine>) {
    let weak: Weak<Engine> = Arc::downgrade(engine);
    metrics.registry.collector(move |out| {
        if let Some(engine) = weak.upgrade() {
            collect(&engine, out);
        }
    });
}

fn collect(engine: &Engine, out: &mut Vec<Sample>) {
    let catalog = engine.meta.snapshot();
    let mut gauge = |name: &str, help: &str, labels: &[(&str, &str)], value: usize| {
        out.push(Sample::new(name, help, SampleKind::Gauge, labels, value as f64));
    };
    let alive = engine.nodes.alive(&catalog).len();
    let nodes = [
        ("fe_node_num", "total", catalog.frontends.len()),
        ("be_node_num", "total", catalog.backends.len()),
        ("be_node_num", "alive", alive),
        ("be_node_num", "dead", catalog.backends.len() - alive.min(catalog.backends.len())),
    ];
    for (kind, state, count) in nodes {
        gauge("node_info", "Processes of the cluster", &[("type", kind), ("state", state)], count);
    }
    gauge("max_journal_id", "Last change of the catalog that this frontend has applied", &[], engine.meta.applied_index() as usize);
    gauge("is_leader", "1 when this frontend leads", &[], usize::from(engine.meta.is_leader()));

    let mut connections: BTreeMap<String, usize> = BTreeMap::new();
    for session in engine.sessions.all() {
        *connections.entry(session.user.clone()).or_default() += 1;
    }
    for (user, count) in &connections {
        gauge("connection_total", "Connections of clients", &[("user", user)], *count);
    }

    let mut tablets: BTreeMap<u64, usize> = catalog.backends.keys().map(|id| (id.0, 0)).collect();
    let partitions = catalog.tables.values().filter_map(|t| t.as_olap()).flat_map(|t| t.partitions.values());
    for tablet in partitions.flat_map(|p| &p.indexes).flat_map(|i| &i.tablets) {
        for replica in &tablet.replicas {
            *tablets.entry(replica.node.0).or_default() += 1;
        }
    }
    for (node, count) in &tablets {
        let name = catalog.backends.values().find(|b| b.id.0 == *node).map_or_else(|| node.to_string(), |b| format!("{}:{}", b.host, b.heartbeat_port));
        gauge("tablet_num", "Replicas of tablets on a backend", &[("backend", &name)], *count);
    }

    let mut loads: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for txn in catalog.txns.values() {
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
        *loads.entry((kind, state)).or_default() += 1;
    }
    let running = loads.iter().filter(|((_, state), _)| *state == "LOADING").map(|(_, n)| n).sum();
    gauge("txn_running", "Load transactions that have begun and not ended", &[], running);
    for ((kind, state), count) in &loads {
        gauge("job", "Loads that are remembered", &[("job", "load"), ("type", kind), ("state", state)], *count);
    }
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
