//! What the backend counts and measures, under the names that dashboards know (docs/metrics.md lists them).
//!
//! What handlers raise is a row of [`Counts`]; what is read from the process and its parts is a row of [`TABLE`].

use std::{
    ops::Deref,
    sync::{Arc, Weak},
    time::Duration,
};

use be_storage::{compaction::CompactionState, metrics::TabletFigures, scrub::ScrubReport};
use common_base::{
    machine::ProcessFacts,
    mem::MemRow,
    metrics::{Rates, Register, Registry, Row, Values},
};
use proto_services::fe_service::DiskReport;

use crate::app::Parts;

common_base::metrics! {
    /// What handlers raise.
    pub struct Counts {
        fragment_requests: Counter = "fragment_requests_total" {} "Queries that frontends sent here";
        fragment_us: Counter = "fragment_request_duration_us" {} "Time those queries took";
        stream_load_rows: Counter = "stream_load" {"type" = "load_rows"} "Rows and bytes of stream loads that ended well";
        stream_load_bytes: Counter = "stream_load" {"type" = "receive_bytes"} "Rows and bytes of stream loads that ended well";
        loads_running: Gauge = "streaming_load_current_processing" {} "Stream loads that run now";
        load_duration_ms: Histogram = "streaming_load_duration_ms" {} "Duration of stream loads";
        txn_begin: Counter = "txn_request" {"type" = "begin"} "Requests about load transactions";
        txn_exec: Counter = "txn_request" {"type" = "exec"} "Requests about load transactions";
        txn_commit: Counter = "txn_request" {"type" = "commit"} "Requests about load transactions";
        txn_rollback: Counter = "txn_request" {"type" = "rollback"} "Requests about load transactions";
        merge_commit_requests: Counter = "merge_commit_request_total" {} "Loads that asked to be merged with others";
        merge_commit_success: Counter = "merge_commit_success_total" {} "Loads that were merged and accepted";
        merge_commit_failed: Counter = "merge_commit_fail_total" {} "Loads that asked to be merged and failed";
        merge_commit_batches: Counter = "merge_commit_txn_total" {} "Transactions of merged loads";
        publish_total: Counter = "publish_task_request_total" {} "Publications of transactions";
        publish_failed: Counter = "publish_task_failed_total" {} "Publications that failed for a tablet";
        reports: Counter = "report_all_tablets_requests_total" {} "Reports of tablets and disks to the leading frontend";
        reports_failed: Counter = "report_all_tablets_requests_failed" {} "Reports that did not arrive";
        create_tablet: Outcomes = "engine_requests_total" {"type" = "create_tablet"} "Work the storage engine was given";
        drop_tablet: Outcomes = "engine_requests_total" {"type" = "drop_tablet"} "Work the storage engine was given";
        publish: Outcomes = "engine_requests_total" {"type" = "publish"} "Work the storage engine was given";
        delete: Outcomes = "engine_requests_total" {"type" = "delete"} "Work the storage engine was given";
        schema_change: Outcomes = "engine_requests_total" {"type" = "schema_change"} "Work the storage engine was given";
        clone_tablet: Outcomes = "engine_requests_total" {"type" = "clone"} "Work the storage engine was given";
    }
}

/// The metrics of this process.
pub struct Metrics {
    pub registry: Registry,
    counts: Counts,
    rates: Rates,
}

impl Default for Metrics {
    fn default() -> Self {
        let (registry, counts) = (Registry::new("starrocks_be_"), Counts::default());
        counts.register(&registry);
        // One report tells of disks as well, and a body's bytes have two names.
        counts.reports.register(&registry, "report_disk_requests_total", "Reports of tablets and disks to the leading frontend", &[]);
        counts.reports_failed.register(&registry, "report_disk_requests_failed", "Reports that did not arrive", &[]);
        counts.stream_load_bytes.register(&registry, "streaming_load_bytes", "Bytes of bodies of stream loads that ended well", &[]);
        Self { registry, counts, rates: Rates::default() }
    }
}

impl Deref for Metrics {
    type Target = Counts;

    fn deref(&self) -> &Counts {
        &self.counts
    }
}

/// Remembers totals, so that rates can be told. Runs until shutdown.
pub async fn run(parts: Arc<Parts>) {
    loop {
        let now = parts.clock.monotonic();
        for (name, total) in totals(&parts, &(parts.process)()) {
            parts.metrics.rates.note(&name, now, total);
        }
        if !parts.shutdown.sleep(Rates::INTERVAL).await {
            return;
        }
    }
}

const SCAN_BYTES: &str = "scan bytes";
const SCAN_ROWS: &str = "scan rows";
/// What the names of totals of devices begin with.
const IO_MS: &str = "io ms of ";
const RECEIVED: &str = "received by ";
const SENT: &str = "sent by ";

/// Totals whose growth per second is shown.
fn totals(parts: &Parts, process: &ProcessFacts) -> Vec<(String, f64)> {
    let storage = parts.storage.metrics();
    let mut out = vec![(SCAN_BYTES.to_owned(), storage.scan_bytes.get() as f64), (SCAN_ROWS.to_owned(), storage.scan_rows.get() as f64)];
    out.extend(process.disks.iter().map(|d| (format!("{IO_MS}{}", d.device), d.io_ms as f64)));
    for n in &process.networks {
        out.push((format!("{RECEIVED}{}", n.device), n.received_bytes as f64));
        out.push((format!("{SENT}{}", n.device), n.sent_bytes as f64));
    }
    out
}

/// Adds what other parts count, and what is read when somebody asks.
pub fn watch(parts: &Arc<Parts>) {
    parts.storage.metrics().register(&parts.metrics.registry);
    let weak: Weak<Parts> = Arc::downgrade(parts);
    parts.metrics.registry.table(TABLE, move || weak.upgrade().map(View::new));
}

/// What the rows read.
struct View {
    process: ProcessFacts,
    memory: Vec<MemRow>,
    compactions: CompactionState,
    scrub: ScrubReport,
    tablets: TabletFigures,
    disks: Vec<DiskReport>,
    totals: Vec<(String, f64)>,
    now: Duration,
    parts: Arc<Parts>,
}

impl View {
    fn new(parts: Arc<Parts>) -> Self {
        let process = (parts.process)();
        Self {
            totals: totals(&parts, &process),
            process,
            memory: parts.memory.rows(),
            compactions: parts.storage.compaction_state(),
            scrub: parts.storage.scrub_report(),
            tablets: parts.storage.tablet_figures(),
            disks: crate::report::disks(&parts.storage),
            now: parts.clock.monotonic(),
            parts,
        }
    }

    /// Bytes of the tracker of that name, what is below it included.
    fn held(&self, label: &str) -> f64 {
        self.memory.iter().filter(|r| r.label == label).map(|r| r.consumed as f64).sum()
    }

    /// The highest growth per second of the totals whose names begin so.
    fn fastest(&self, prefix: &str) -> f64 {
        let of = self.totals.iter().filter(|(name, _)| name.starts_with(prefix));
        of.map(|(name, total)| self.parts.metrics.rates.per_second(name, self.now, *total)).fold(0.0, f64::max)
    }

    fn each_disk(&self, out: &mut Values, value: impl Fn(&DiskReport) -> f64) {
        self.disks.iter().for_each(|d| out.add(&[("path", &d.path)], value(d)));
    }
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

const TABLE: &[Row<View>] = &[
    // Memory
    Row::gauge("process_mem_bytes", "Memory of the process", |v| v.process.resident.map_or(v.parts.memory.consumed() as f64, |b| b as f64)),
    Row::gauge("query_mem_bytes", "Memory of queries", |v| v.memory.iter().filter(|r| r.label.starts_with("query ")).map(|r| r.consumed as f64).sum()),
    Row::gauge("load_mem_bytes", "Memory of loads and of rows that changes of tables write", |v| v.held("load")),
    Row::gauge("metadata_mem_bytes", "Memory of what describes rowsets", |v| v.held("metadata")),
    Row::gauge("compaction_mem_bytes", "Memory of compactions", |v| v.held("compaction")),
    Row::gauge("schema_change_mem_bytes", "Memory of rows that changes of tables write", |v| v.held("schema_change")),
    Row::gauge("update_mem_bytes", "Memory of primary indexes and delete vectors", |v| v.held("primary_index") + v.tablets.del_vector_bytes as f64),
    Row::gauge("storage_page_cache_mem_bytes", "Decoded pages in memory", |v| v.held("page_cache")),
    Row::counter("page_cache_lookup_count", "Pages that were asked for", |v| {
        let (hits, misses) = v.parts.storage.page_cache().hits_and_misses();
        (hits + misses) as f64
    }),
    Row::counter("page_cache_hit_count", "Pages that were in memory when they were asked for", |v| v.parts.storage.page_cache().hits_and_misses().0 as f64),
    // Process and machine
    Row::gauge("process_fd_num_used", "Open files of the process", |v| v.process.open_files as f64),
    Row::gauges("process_fd_num_limit_soft", "Files the process may open", |v, out| v.process.open_files_max.iter().for_each(|(soft, _)| out.add(&[], *soft as f64))),
    Row::gauges("process_fd_num_limit_hard", "Files the process may be allowed to open", |v, out| v.process.open_files_max.iter().for_each(|(_, hard)| out.add(&[], *hard as f64))),
    Row::gauge("process_thread_num", "Threads of the process", |v| v.process.threads as f64),
    Row::counters("cpu", "Time of the machine's CPUs, in ticks", |v, out| v.process.cpu.iter().for_each(|(mode, ticks)| out.add(&[("mode", mode), ("device", "cpu")], *ticks as f64))),
    Row::counters("disk_reads_completed", "Reads of a disk of the machine", |v, out| v.process.disks.iter().for_each(|d| out.add(&[("device", &d.device)], d.reads as f64))),
    Row::counters("disk_bytes_read", "Bytes read from a disk of the machine", |v, out| v.process.disks.iter().for_each(|d| out.add(&[("device", &d.device)], d.bytes_read as f64))),
    Row::counters("disk_read_time_ms", "Time reads of a disk of the machine took", |v, out| v.process.disks.iter().for_each(|d| out.add(&[("device", &d.device)], d.read_ms as f64))),
    Row::counters("disk_writes_completed", "Writes to a disk of the machine", |v, out| v.process.disks.iter().for_each(|d| out.add(&[("device", &d.device)], d.writes as f64))),
    Row::counters("disk_bytes_written", "Bytes written to a disk of the machine", |v, out| v.process.disks.iter().for_each(|d| out.add(&[("device", &d.device)], d.bytes_written as f64))),
    Row::counters("disk_write_time_ms", "Time writes to a disk of the machine took", |v, out| v.process.disks.iter().for_each(|d| out.add(&[("device", &d.device)], d.write_ms as f64))),
    Row::counters("disk_io_time_ms", "Time a disk of the machine was busy", |v, out| v.process.disks.iter().for_each(|d| out.add(&[("device", &d.device)], d.io_ms as f64))),
    // Milliseconds per second are tenths of a percent.
    Row::gauge("max_disk_io_util_percent", "Share of time that the busiest disk of the machine is busy", |v| v.fastest(IO_MS) / 10.0),
    Row::counters("network_receive_bytes", "Bytes received by a network interface", |v, out| v.process.networks.iter().for_each(|n| out.add(&[("device", &n.device)], n.received_bytes as f64))),
    Row::counters("network_receive_packets", "Packets received by a network interface", |v, out| v.process.networks.iter().for_each(|n| out.add(&[("device", &n.device)], n.received_packets as f64))),
    Row::counters("network_send_bytes", "Bytes sent by a network interface", |v, out| v.process.networks.iter().for_each(|n| out.add(&[("device", &n.device)], n.sent_bytes as f64))),
    Row::counters("network_send_packets", "Packets sent by a network interface", |v, out| v.process.networks.iter().for_each(|n| out.add(&[("device", &n.device)], n.sent_packets as f64))),
    Row::gauge("max_network_receive_bytes_rate", "Bytes per second that the busiest network interface receives", |v| v.fastest(RECEIVED)),
    Row::gauge("max_network_send_bytes_rate", "Bytes per second that the busiest network interface sends", |v| v.fastest(SENT)),
    // Disks of tablets
    Row::gauges("disks_total_capacity", "Size of the disk", |v, out| v.each_disk(out, |d| d.total_bytes as f64)),
    Row::gauges("disks_avail_capacity", "Bytes free on the disk", |v, out| v.each_disk(out, |d| d.available_bytes as f64)),
    Row::gauges("disks_data_used_capacity", "Bytes of tablets on the disk", |v, out| v.each_disk(out, |d| d.used_bytes as f64)),
    Row::gauges("disks_flood_stage", "1 when the disk is too full for loads", |v, out| v.each_disk(out, |d| flag(d.full))),
    Row::gauges("disks_state", "1 when the disk works", |v, out| v.each_disk(out, |d| flag(!d.broken))),
    // Queries
    Row::gauge("plan_fragment_count", "Queries that run now", |v| v.parts.queries.lock().len() as f64),
    Row::gauge("query_scan_bytes_per_second", "Stored bytes that scans look at per second, cached or not", |v| v.fastest(SCAN_BYTES)),
    Row::gauge("query_scan_rows_per_second", "Rows that scans look at per second", |v| v.fastest(SCAN_ROWS)),
    Row::gauge("brpc_endpoint_stub_count", "Addresses of other processes that there is a channel to", |v| v.parts.pool.channel_count() as f64),
    // Loads
    Row::gauge("transaction_stream_load_num", "Loads in two phases that are open here", |v| v.parts.transactions.count() as f64),
    Row::gauge("load_channel_count", "Loads that are writing to tablets here", |v| v.parts.writers.open_counts().0 as f64),
    Row::gauge("tablet_writer_count", "Tablets that loads are writing to", |v| v.parts.writers.open_counts().1 as f64),
    // Tablets
    Row::gauge("tablet_num", "Tablets here", |v| v.parts.storage.tablets().len() as f64),
    Row::gauge("max_tablet_rowset_num", "Rowsets of the tablet that has most", |v| v.tablets.max_rowsets as f64),
    Row::gauge("tablet_base_max_compaction_score", "Score of the tablet that needs compaction from the first version on most", |v| v.compactions.base.max_score),
    Row::gauge("tablet_cumulative_max_compaction_score", "Score of the tablet that needs another compaction most", |v| v.compactions.cumulative.max_score),
    Row::gauge("tablet_update_max_compaction_score", "Score of the tablet with a primary key that needs compaction most", |v| v.compactions.update.max_score),
    Row::gauge("running_base_compaction_task_num", "Compactions from the first version on that run now", |v| v.compactions.base.running as f64),
    Row::gauge("running_cumulative_compaction_task_num", "Other compactions that run now", |v| v.compactions.cumulative.running as f64),
    Row::gauge("running_update_compaction_task_num", "Compactions of tablets with a primary key that run now", |v| v.compactions.update.running as f64),
    Row::gauge("wait_base_compaction_task_num", "Tablets that wait for a compaction from the first version on", |v| v.compactions.base.waiting as f64),
    Row::gauge("wait_cumulative_compaction_task_num", "Tablets that wait for another compaction", |v| v.compactions.cumulative.waiting as f64),
    Row::gauge("wait_update_compaction_task_num", "Tablets with a primary key that wait for a compaction", |v| v.compactions.update.waiting as f64),
    Row::gauge("update_primary_index_num", "Primary indexes in memory", |v| v.tablets.primary_indexes as f64),
    Row::gauge("update_primary_index_bytes_total", "Memory of primary indexes", |v| v.held("primary_index")),
    Row::gauge("update_del_vector_num", "Delete vectors in memory", |v| v.tablets.del_vectors as f64),
    Row::gauge("update_del_vector_bytes_total", "Memory of delete vectors", |v| v.tablets.del_vector_bytes as f64),
    Row::gauge("scrub_cycles", "Complete verifications of all files since the start", |v| v.scrub.cycles as f64),
    Row::gauge("scrub_verified_bytes", "Bytes verified since the start", |v| v.scrub.bytes as f64),
    Row::gauge("scrub_damaged_files", "Files found damaged by verification since the start", |v| v.scrub.damaged_files as f64),
    Row::gauge("bad_tablets", "Tablets that cannot be used now", |v| v.parts.storage.tablets().all().iter().filter(|t| t.bad().is_some()).count() as f64),
    Row::gauge("damaged_tablets", "Tablets found damaged since the start", |v| v.parts.storage.damages() as f64),
];
