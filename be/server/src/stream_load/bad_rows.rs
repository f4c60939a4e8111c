//! The rows of one load: how many there were, and those it refused.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use be_exec::sink::BadRows;
use be_formats::BadRowLog;
use common_base::{fs::SharedFs, ids::QueryId};

/// The error log of one load, and its counts.
pub struct ErrorLog {
    log: BadRowLog,
    seen: AtomicU64,
}

impl ErrorLog {
    /// A log that makes its file with the first bad row.
    pub fn new(fs: SharedFs, dir: &Path, id: QueryId) -> Self {
        let name = format!("error_log_{:x}_{:x}", (id.0 >> 64) as u64, id.0 as u64);
        Self { log: BadRowLog::new(fs, dir, name), seen: AtomicU64::new(0) }
    }

    /// The file's name, once there is one.
    pub fn file(&self) -> Option<&str> {
        self.log.file()
    }

    /// Why the first row was refused.
    pub fn first_error(&self) -> String {
        self.log.first_error()
    }

    /// Bad rows of any kind.
    pub fn count_all(&self) -> u64 {
        self.log.filtered()
    }

    /// Rows a WHERE left out.
    pub fn unselected(&self) -> u64 {
        self.log.unselected()
    }

    /// Rows of the file.
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    /// More rows of the file.
    pub fn add_seen(&self, rows: u64) {
        self.seen.fetch_add(rows, Ordering::AcqRel);
    }

    /// Counts a bad row and keeps the first ones.
    pub fn keep(&self, reason: &str, row: &[u8]) {
        self.log.report(reason, &String::from_utf8_lossy(row));
    }
}

impl BadRows for ErrorLog {
    fn report(&self, reason: &str, row: &str) {
        self.log.report(reason, row);
    }

    fn count(&self) -> u64 {
        self.log.filtered()
    }

    fn add_unselected(&self, rows: u64) {
        self.log.add_unselected(rows);
    }
}
