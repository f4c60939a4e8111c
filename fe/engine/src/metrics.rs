//! What the engine counts of transactions, loads and its standing work.

use fe_catalog::model::{LoadSource, Transaction};

common_base::metrics! {
    /// Raised by loads, the publisher, repair and reports.
    pub struct EngineMetrics {
        txn_begun: Counter = "txn_begin" {} "Load transactions that began";
        txn_rejected: Counter = "txn_reject" {} "Load transactions that were not let begin";
        txn_succeeded: Counter = "txn_success" {} "Load transactions that became visible";
        txn_failed: Counter = "txn_failed" {} "Load transactions that were aborted";
        txn_total_ms: Histogram = "txn_total_latency_ms" {} "Time from the begin of a load transaction until it is visible";
        txn_write_ms: Histogram = "txn_write_latency_ms" {} "Time from the begin of a load transaction to its commit";
        txn_publish_ms: Histogram = "txn_publish_latency_ms" {} "Time from the commit of a load transaction until it is visible";
        loads_begun: Counter = "load_add" {} "Loads that began";
        loads_finished: Counter = "load_finished" {} "Loads whose rows became visible";
        replicas_scheduled: Gauge = "scheduled_tablet_num" {} "Replicas that repair is bringing up to date";
        reports_in_hand: Gauge = "report_queue_size" {} "Reports of backends that are being taken in";
    }
}

impl EngineMetrics {
    /// A transaction has begun.
    pub(crate) fn txn_began(&self, source: LoadSource) {
        self.txn_begun.inc();
        if source != LoadSource::Delete {
            self.loads_begun.inc();
        }
    }

    /// A committed transaction has become visible.
    pub(crate) fn txn_visible(&self, txn: &Transaction, now_ms: i64) {
        let span = |from: i64, to: i64| u64::try_from(to - from).unwrap_or(0);
        self.txn_succeeded.inc();
        self.txn_total_ms.observe(span(txn.begin_ms, now_ms));
        self.txn_write_ms.observe(span(txn.begin_ms, txn.commit_ms));
        self.txn_publish_ms.observe(span(txn.commit_ms, now_ms));
        if txn.source != LoadSource::Delete {
            self.loads_finished.inc();
        }
    }
}
