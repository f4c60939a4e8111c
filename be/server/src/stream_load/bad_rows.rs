//! Rows a load refused: counted, the first ones kept in a file a user can fetch.

use std::{
    io::Write,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use be_exec::sink::BadRows;
use common_base::ids::QueryId;
use parking_lot::Mutex;

/// Rows kept with their reasons.
const ROWS_KEPT: u64 = 50;
/// Bytes of a row that are kept.
const ROW_BYTES: usize = 4096;

/// The error log of one load.
pub struct ErrorLog {
    dir: PathBuf,
    id: QueryId,
    bad: AtomicU64,
    unselected: AtomicU64,
    seen: AtomicU64,
    file: Mutex<Option<std::fs::File>>,
}

impl ErrorLog {
    /// A log that makes its file with the first bad row.
    pub fn new(dir: PathBuf, id: QueryId) -> Self {
        Self { dir, id, bad: AtomicU64::new(0), unselected: AtomicU64::new(0), seen: AtomicU64::new(0), file: Mutex::new(None) }
    }

    /// The file's name.
    pub fn name(&self) -> String {
        format!("error_log_{:x}_{:x}", (self.id.0 >> 64) as u64, self.id.0 as u64)
    }

    /// Bad rows of any kind.
    pub fn count_all(&self) -> u64 {
        self.bad.load(Ordering::Acquire)
    }

    /// Rows a WHERE left out.
    pub fn unselected(&self) -> u64 {
        self.unselected.load(Ordering::Acquire)
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
        if self.bad.fetch_add(1, Ordering::AcqRel) >= ROWS_KEPT {
            return;
        }
        let mut file = self.file.lock();
        if file.is_none() {
            *file = std::fs::create_dir_all(&self.dir).and_then(|()| std::fs::File::create(self.dir.join(self.name()))).ok();
        }
        if let Some(file) = file.as_mut() {
            let row = &row[..row.len().min(ROW_BYTES)];
            // A log that cannot be written must not fail the load.
            let _ = writeln!(file, "Error: {reason}. Row: {}", String::from_utf8_lossy(row));
        }
    }
}

impl BadRows for ErrorLog {
    fn report(&self, reason: &str, row: &str) {
        self.keep(reason, row.as_bytes());
    }

    fn count(&self) -> u64 {
        self.count_all()
    }

    fn add_unselected(&self, rows: u64) {
        self.unselected.fetch_add(rows, Ordering::AcqRel);
    }
}
