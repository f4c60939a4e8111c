//! Rows a load refused: all are counted, the first ones are written to a file that the load's error URL serves.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use common_base::{Result, fs::{SharedFs, WritableFile}};
use parking_lot::Mutex;

/// Rows written per load.
const ROWS_KEPT: u64 = 50;
/// Bytes of a row that are written.
const ROW_BYTES_KEPT: usize = 1 << 20;

/// Counts bad rows and writes the first of them.
#[derive(Debug)]
pub struct BadRowLog {
    fs: SharedFs,
    path: PathBuf,
    name: String,
    filtered: AtomicU64,
    unselected: AtomicU64,
    has_file: AtomicBool,
    rejected: Option<Rejected>,
    state: Mutex<State>,
}

/// Where refused rows go for whoever wants to repair and load them again.
#[derive(Debug)]
pub struct Rejected {
    pub path: PathBuf,
    /// How many at most; `None` = all.
    pub rows_max: Option<u64>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<Box<dyn WritableFile>>,
    rejected: Option<Box<dyn WritableFile>>,
    first: String,
}

impl BadRowLog {
    /// A log that creates `dir/name` with its first row.
    pub fn new(fs: SharedFs, dir: &Path, name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            fs,
            path: dir.join(&name),
            name,
            filtered: AtomicU64::new(0),
            unselected: AtomicU64::new(0),
            has_file: AtomicBool::new(false),
            rejected: None,
            state: Mutex::default(),
        }
    }

    /// The same that also keeps refused rows: row, reason and kind of source, separated by tabs.
    #[must_use]
    pub fn with_rejected(mut self, rejected: Option<Rejected>) -> Self {
        self.rejected = rejected;
        self
    }

    /// Where refused rows are, once there is one.
    pub fn rejected_file(&self) -> Option<&Path> {
        self.rejected.as_ref().filter(|_| self.state.lock().rejected.is_some()).map(|r| r.path.as_path())
    }

    /// Takes a row that does not fit. A disk that refuses the sample does not fail the load.
    pub fn report(&self, reason: &str, row: &str) {
        let before = self.filtered.fetch_add(1, Ordering::Relaxed);
        let rejected = self.rejected.as_ref().filter(|r| r.rows_max.is_none_or(|max| before < max));
        if before >= ROWS_KEPT && rejected.is_none() {
            return;
        }
        let mut state = self.state.lock();
        if let Some(rejected) = rejected {
            let line = format!("{row}\t{reason}\tSTREAM_LOAD\n");
            let _ = append(&self.fs, &rejected.path, &mut state.rejected, line.as_bytes());
        }
        if before >= ROWS_KEPT {
            return;
        }
        if state.first.is_empty() {
            reason.clone_into(&mut state.first);
        }
        let mut end = row.len().min(ROW_BYTES_KEPT);
        while !row.is_char_boundary(end) {
            end -= 1;
        }
        let line = format!("Error: {reason}. Row: {}\n", &row[..end]);
        if append(&self.fs, &self.path, &mut state.file, line.as_bytes()).is_ok() {
            self.has_file.store(true, Ordering::Relaxed);
        }
    }

    /// Rows the load's condition left out.
    pub fn add_unselected(&self, rows: u64) {
        self.unselected.fetch_add(rows, Ordering::Relaxed);
    }

    /// Rows refused.
    pub fn filtered(&self) -> u64 {
        self.filtered.load(Ordering::Relaxed)
    }

    /// Rows left out by the condition.
    pub fn unselected(&self) -> u64 {
        self.unselected.load(Ordering::Relaxed)
    }

    /// Why the first row was refused; empty when none was.
    pub fn first_error(&self) -> String {
        self.state.lock().first.clone()
    }

    /// Name of the file, once there is one.
    pub fn file(&self) -> Option<&str> {
        self.has_file.load(Ordering::Relaxed).then_some(&*self.name)
    }
}

/// Adds a line to a file that is made with the first one.
fn append(fs: &SharedFs, path: &Path, file: &mut Option<Box<dyn WritableFile>>, line: &[u8]) -> Result<()> {
    let file = match file {
        Some(file) => file,
        None => {
            fs.mkdir_all(common_base::fs::parent_of(path))?;
            file.insert(fs.create(path)?)
        }
    };
    file.append(line)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use common_base::fs::{FileSystem, MemFs};

    use super::*;

    #[test]
    fn the_first_rows_are_kept_and_all_are_counted() {
        let fs = MemFs::new();
        let log = BadRowLog::new(Arc::new(fs.clone()), Path::new("/s/error_log"), "error_log_1");
        assert_eq!(log.file(), None);
        for i in 0..60 {
            log.report("no", &format!("row{i}"));
        }
        assert_eq!((log.filtered(), log.file(), log.first_error().as_str()), (60, Some("error_log_1"), "no"));
        let text = String::from_utf8(fs.read(Path::new("/s/error_log/error_log_1")).unwrap()).unwrap();
        assert_eq!(text.lines().count(), 50);
        assert_eq!(text.lines().next(), Some("Error: no. Row: row0"));
    }
}
