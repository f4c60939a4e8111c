//! What the storage engine counts as it works, and figures of its tablets for those who ask.

use common_base::metrics::{Counter, Outcomes};

use crate::compaction::CompactionType;
use crate::engine::StorageEngine;

common_base::metrics! {
    /// Raised by loads, flushes, publications, compactions and scans.
    pub struct StorageMetrics {
        load_rows: Counter = "load_rows" {} "Rows of loads that were published here";
        load_bytes: Counter = "load_bytes" {} "Stored bytes of loads that were published here";
        memtable_flushes: Counter = "memtable_flush_total" {} "Memtables written to disk";
        memtable_flush_us: Counter = "memtable_flush_duration_us" {} "Time memtables took to be written";
        memtable_flush_bytes: Counter = "memtable_flush_memory_bytes_total" {} "Bytes of memtables written, in memory";
        scan_rows: Counter = "query_scan_rows" {} "Rows that scans looked at";
        scan_bytes: Counter = "query_scan_bytes" {} "Stored bytes that scans looked at, cached or not";
        base_compactions: Outcomes = "engine_requests_total" {"type" = "base_compaction"} "Work the storage engine was given";
        base_compaction_bytes: Counter = "compaction_bytes_total" {"type" = "base"} "Stored bytes that compactions merged";
        base_compaction_deltas: Counter = "compaction_deltas_total" {"type" = "base"} "Rowsets that compactions merged";
        cumulative_compactions: Outcomes = "engine_requests_total" {"type" = "cumulative_compaction"} "Work the storage engine was given";
        cumulative_compaction_bytes: Counter = "compaction_bytes_total" {"type" = "cumulative"} "Stored bytes that compactions merged";
        cumulative_compaction_deltas: Counter = "compaction_deltas_total" {"type" = "cumulative"} "Rowsets that compactions merged";
        update_compactions: Outcomes = "engine_requests_total" {"type" = "update_compaction"} "Work the storage engine was given";
        update_compaction_bytes: Counter = "compaction_bytes_total" {"type" = "update"} "Stored bytes that compactions merged";
        update_compaction_deltas: Counter = "compaction_deltas_total" {"type" = "update"} "Rowsets that compactions merged";
        rowsets: Gauge = "rowset_count_generated_and_in_use" {} "Rowsets in memory, those that only readers still hold included";
    }
}

impl StorageMetrics {
    /// What compactions of a type count: outcomes, bytes, rowsets.
    pub(crate) fn compactions(&self, of: CompactionType) -> (&Outcomes, &Counter, &Counter) {
        match of {
            CompactionType::Base => (&self.base_compactions, &self.base_compaction_bytes, &self.base_compaction_deltas),
            CompactionType::Cumulative => (&self.cumulative_compactions, &self.cumulative_compaction_bytes, &self.cumulative_compaction_deltas),
            CompactionType::Update => (&self.update_compactions, &self.update_compaction_bytes, &self.update_compaction_deltas),
        }
    }
}

/// Figures of all tablets together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TabletFigures {
    /// Rowsets of the tablet that has most.
    pub max_rowsets: usize,
    /// Primary indexes in memory.
    pub primary_indexes: usize,
    pub del_vectors: usize,
    pub del_vector_bytes: usize,
}

impl StorageEngine {
    /// What the engine counts.
    pub fn metrics(&self) -> &StorageMetrics {
        &self.shared().metrics
    }

    /// Figures of the tablets now.
    pub fn tablet_figures(&self) -> TabletFigures {
        let mut figures = TabletFigures::default();
        for tablet in self.tablets().all() {
            let versions = tablet.versions();
            figures.max_rowsets = figures.max_rowsets.max(versions.current().len());
            let Some(primary) = tablet.primary() else { continue };
            // Whoever holds it is working with the index.
            figures.primary_indexes += usize::from(primary.try_lock().is_none_or(|state| state.last_used().is_some()));
            for rowset in versions.current() {
                for segment in 0..rowset.segment_count() {
                    let bytes = rowset.deletes(segment).memory_size();
                    figures.del_vectors += usize::from(bytes > 0);
                    figures.del_vector_bytes += bytes;
                }
            }
        }
        figures
    }
}
