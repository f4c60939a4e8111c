//! The rows of one load: how many there were, and those it refused.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use be_exec::sink::BadRows;
use be_formats::{BadRowLog, Rejected};
use common_base::{Result, fs::{FileSystem, SharedFs}, ids::QueryId};

/// Removes logs made before a time; how many. The name of a log says when it was made; one that does not say is older.
pub fn remove_old(fs: &dyn FileSystem, dir: &Path, before_ms: i64) -> Result<usize> {
    if !fs.exists(dir)? {
        return Ok(0);
    }
    let mut removed = 0;
    for entry in fs.list(dir)?.into_iter().filter(|e| !e.is_dir && e.name.starts_with("error_log_")) {
        let made = entry.name.split('_').nth(4).and_then(|ms| i64::from_str_radix(ms, 16).ok());
        if made.is_none_or(|ms| ms < before_ms) {
            fs.remove(&dir.join(&entry.name))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Removes files of refused rows and the directories (database, label, transaction) that become empty. The name of a file ends with
/// the time it was made.
pub fn remove_old_rejected(fs: &dyn FileSystem, dir: &Path, before_ms: i64) -> Result<usize> {
    if !fs.exists(dir)? {
        return Ok(0);
    }
    let mut removed = 0;
    for entry in fs.list(dir)? {
        let path = dir.join(&entry.name);
        if entry.is_dir {
            removed += remove_old_rejected(fs, &path, before_ms)?;
            if fs.list(&path)?.is_empty() {
                fs.remove_dir_all(&path)?;
            }
        } else if entry.name.rsplit('_').next().and_then(|ms| i64::from_str_radix(ms, 16).ok()).is_none_or(|ms| ms < before_ms) {
            fs.remove(&path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The error log of one load, and its counts.
pub struct ErrorLog {
    log: BadRowLog,
    seen: AtomicU64,
}

impl ErrorLog {
    /// A log that makes its file with the first bad row.
    pub fn new(fs: SharedFs, dir: &Path, id: QueryId, now_ms: i64) -> Self {
        Self::with_rejected(fs, dir, id, now_ms, None)
    }

    /// The same that also keeps refused rows in files of their own.
    pub fn with_rejected(fs: SharedFs, dir: &Path, id: QueryId, now_ms: i64, rejected: Option<Rejected>) -> Self {
        let name = format!("error_log_{:x}_{:x}_{now_ms:x}", (id.0 >> 64) as u64, id.0 as u64);
        Self { log: BadRowLog::new(fs, dir, name).with_rejected(rejected), seen: AtomicU64::new(0) }
    }

    /// Where refused rows are kept, once there is one.
    pub fn rejected_file(&self) -> Option<&Path> {
        self.log.rejected_file()
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

#[cfg(test)]
mod tests {
    use super::*;
    use common_base::fs::MemFs;

    #[test]
    fn old_logs_go_and_new_ones_stay() {
        let fs: SharedFs = MemFs::shared();
        let dir = Path::new("/logs");
        assert_eq!(remove_old(&*fs, dir, 0).unwrap(), 0, "no load had bad rows yet");
        fs.mkdir_all(dir).unwrap();
        fs.write_atomic(&dir.join("error_log_1_2"), b"x").unwrap();
        fs.write_atomic(&dir.join("unrelated"), b"x").unwrap();
        for now_ms in [1_000, 2_000] {
            ErrorLog::new(fs.clone(), dir, QueryId(now_ms as u128), now_ms).keep("bad", b"row");
        }
        assert_eq!(remove_old(&*fs, dir, 1_500).unwrap(), 2);
        let left: Vec<_> = fs.list(dir).unwrap().into_iter().map(|e| e.name).collect();
        assert_eq!(left, ["error_log_0_7d0_7d0", "unrelated"]);
    }
}
