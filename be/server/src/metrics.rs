//! What the backend counts and measures, under the names that dashboards know.

use std::sync::{Arc, Weak};

use common_base::{metrics::{Counter, Gauge, Histogram, Registry, Sample, SampleKind}};

use crate::app::Parts;

/// Counters that handlers raise.
pub struct Metrics {
    pub registry: Registry,
    pub fragment_requests: Counter,
    pub load_rows: Counter,
    pub load_bytes: Counter,
    pub loads_running: Gauge,
    pub load_duration_ms: Histogram,
    pub txn_begin: Counter,
    pub txn_commit: Counter,
    pub txn_rollback: Counter,
    pub merge_commit_requests: Counter,
    pub merge_commit_success: Counter,
    pub merge_commit_failed: Counter,
    pub merge_commit_batches: Counter,
    pub publish_total: Counter,
    pub publish_failed: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new("starrocks_be_");
        let txn = |kind| registry.counter("txn_request", "Requests about load transactions", &[("type", kind)]);
        Self {
            fragment_requests: registry.counter("fragment_requests_total", "Queries that frontends sent here", &[]),
            load_rows: registry.counter("load_rows", "Rows that loads wrote", &[]),
            load_bytes: registry.counter("load_bytes", "Bytes of load bodies", &[]),
            loads_running: registry.gauge("streaming_load_current_processing", "Stream loads that run now", &[]),
            load_duration_ms: registry.histogram("streaming_load_duration_ms", "Duration of stream loads", &[]),
            txn_begin: txn("begin"),
            txn_commit: txn("commit"),
            txn_rollback: txn("rollback"),
            merge_commit_requests: registry.counter("merge_commit_request_total", "Loads that asked to be merged with others", &[]),
            merge_commit_success: registry.counter("merge_commit_success_total", "Loads that were merged and accepted", &[]),
            merge_commit_failed: registry.counter("merge_commit_fail_total", "Loads that asked to be merged and failed", &[]),
            merge_commit_batches: registry.counter("merge_commit_txn_total", "Transactions of merged loads", &[]),
            publish_total: registry.counter("publish_task_request_total", "Publications of transactions", &[]),
            publish_failed: registry.counter("publish_task_failed_total", "Publications that failed for a tablet", &[]),
            registry,
        }
    }
}

/// Values that are read when somebody asks.
pub fn watch(parts: &Arc<Parts>) {
    let weak: Weak<Parts> = Arc::downgrade(parts);
    parts.metrics.registry.collector(move |out| {
        if let Some(parts) = weak.upgrade() {
            collect(&parts, out);
        }
    });
}

fn collect(parts: &Parts, out: &mut Vec<Sample>) {
    let mut gauge = |name: &str, help: &str, labels: &[(&str, &str)], value: f64| out.push(Sample::new(name, help, SampleKind::Gauge, labels, value));
    let (process, rows) = ((parts.process)(), parts.memory.rows());
    let consumed = |label: &str| rows.iter().filter(|r| r.label == label).map(|r| r.consumed as f64).sum::<f64>();
    let queries: f64 = rows.iter().filter(|r| r.label.starts_with("query ")).map(|r| r.consumed as f64).sum();
    gauge("process_mem_bytes", "Memory of the process", &[], process.resident.map_or(parts.memory.consumed() as f64, |b| b as f64));
    gauge("query_mem_bytes", "Memory of queries", &[], queries);
    gauge("load_mem_bytes", "Memory of loads", &[], consumed("load"));
    gauge("storage_page_cache_mem_bytes", "Decoded pages in memory", &[], consumed("page_cache"));
    gauge("plan_fragment_count", "Queries that run now", &[], parts.queries.lock().len() as f64);
    gauge("transaction_stream_load_num", "Loads in two phases that are open here", &[], parts.transactions.count() as f64);
    gauge("process_fd_num_used", "Open files of the process", &[], process.open_files as f64);
    gauge("process_thread_num", "Threads of the process", &[], process.threads as f64);
    gauge("tablet_num", "Tablets here", &[], parts.storage.tablets().len() as f64);
    let compactions = parts.storage.compaction_state();
    gauge("tablet_cumulative_max_compaction_score", "Score of the tablet that needs compaction most", &[], compactions.max_score);
    gauge("running_base_compaction_task_num", "Compactions from the first version on that run now", &[], compactions.running_base as f64);
    gauge("running_cumulative_compaction_task_num", "Other compactions that run now", &[], compactions.running_cumulative as f64);
    let scrub = parts.storage.scrub_report();
    gauge("scrub_cycles", "Complete verifications of all files since the start", &[], scrub.cycles as f64);
    gauge("scrub_verified_bytes", "Bytes verified since the start", &[], scrub.bytes as f64);
    gauge("scrub_damaged_files", "Files found damaged by verification since the start", &[], scrub.damaged_files as f64);
    gauge("bad_tablets", "Tablets that cannot be used now", &[], parts.storage.tablets().all().iter().filter(|t| t.bad().is_some()).count() as f64);
    gauge("damaged_tablets", "Tablets found damaged since the start", &[], parts.storage.damages() as f64);
    for disk in crate::report::disks(&parts.storage) {
        let path = [("path", disk.path.as_str())];
        gauge("disks_total_capacity", "Size of the disk", &path, disk.total_bytes as f64);
        gauge("disks_avail_capacity", "Bytes free on the disk", &path, disk.available_bytes as f64);
        gauge("disks_data_used_capacity", "Bytes of tablets on the disk", &path, disk.used_bytes as f64);
        gauge("disks_flood_stage", "1 when the disk is too full for loads", &path, f64::from(u8::from(disk.full)));
        gauge("disks_state", "1 when the disk works", &path, f64::from(u8::from(!disk.broken)));
    }
}
