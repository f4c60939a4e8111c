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
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<Box<dyn WritableFile>>,
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
            state: Mutex::default(),
        }
    }

    /// Takes a row that does not fit. A disk that refuses the sample does not fail the load.
    pub fn report(&self, reason: &str, row: &str) {
        let before = self.filtered.fetch_add(1, Ordering::Relaxed);
        if before >= ROWS_KEPT {
            return;
        }
        let mut state = self.state.lock();
        if state.first.is_empty() {
            reason.clone_into(&mut state.first);
        }
        let mut end = row.len().min(ROW_BYTES_KEPT);
        while !row.is_char_boundary(end) {
            end -= 1;
        }
        let line = format!("Error: {reason}. Row: {}\n", &row[..end]);
        let _ = self.append(&mut state, line.as_bytes());
    }

    fn append(&self, state: &mut State, line: &[u8]) -> Result<()> {
        let file = match &mut state.file {
            Some(file) => file,
            None => {
                self.fs.mkdir_all(common_base::fs::parent_of(&self.path))?;
                self.has_file.store(true, Ordering::Relaxed);
                state.file.insert(self.fs.create(&self.path)?)
            }
        };
        file.append(line)
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
