//! What the catalog's log and images count.

common_base::metrics! {
    /// Raised by the log, the state machine and the handle.
    pub struct MetaMetrics {
        log_written: Counter = "edit_log_write" {} "Changes of the catalog written to the log";
        log_read: Counter = "edit_log_read" {} "Changes of the catalog read from the log";
        log_bytes: Counter = "edit_log_size_bytes" {} "Bytes of changes written to the log";
        propose_ms: Histogram = "editlog_write_latency_ms" {} "Time until a change of the catalog is on a majority and applied";
        write_ms: Histogram = "journal_write_latency_ms" {} "Time to write and sync a batch of changes";
        write_batch: Histogram = "journal_write_batch" {} "Changes written at once";
        write_bytes: Histogram = "journal_write_bytes" {} "Bytes written at once";
        image_written: Counter = "image_write" {} "Images of the catalog written";
        image_pushed: Counter = "image_push" {} "Images of the catalog sent to another frontend";
    }
}
