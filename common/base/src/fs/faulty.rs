//! A file system that fails on purpose: rules say which operation on which path fails, when, how often and how.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{DirEntry, DiskSpace, FileSystem, ReadableFile, SharedFs, WritableFile};
use crate::{Result, err};

/// The operations a rule can hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsOp {
    Create,
    OpenRead,
    Append,
    Sync,
    Read,
    Rename,
    Remove,
    Mkdir,
    List,
    SyncDir,
    Link,
}

/// What happens instead of success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The device answers with an error.
    Io,
    /// The disk is full.
    NoSpace,
    /// An append writes half of its bytes, then fails.
    ShortWrite,
    /// A read succeeds with one bit of its first byte changed.
    BitFlip,
    /// A sync answers success without syncing.
    LostSync,
}

/// When a fault strikes.
#[derive(Clone, Debug)]
pub struct FaultRule {
    /// The operation it hits.
    pub op: FsOp,
    /// A part of the path it hits; empty hits all.
    pub path_contains: String,
    /// Matching operations that pass before it strikes.
    pub after: u64,
    /// How often it strikes.
    pub times: u64,
    /// How it strikes.
    pub fault: Fault,
}

impl FaultRule {
    /// A rule that strikes at every such operation on every path.
    pub fn new(op: FsOp, fault: Fault) -> Self {
        Self { op, path_contains: String::new(), after: 0, times: u64::MAX, fault }
    }

    /// Only paths that contain the text.
    #[must_use]
    pub fn on(mut self, path_contains: &str) -> Self {
        self.path_contains = path_contains.to_owned();
        self
    }

    /// Lets `count` matching operations pass first.
    #[must_use]
    pub fn after(mut self, count: u64) -> Self {
        self.after = count;
        self
    }

    /// Strikes at most `count` times.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = count;
        self
    }
}

/// A file system with rules; clones share them.
#[derive(Clone, Debug)]
pub struct FaultyFs {
    inner: SharedFs,
    rules: Arc<Rules>,
}

#[derive(Debug, Default)]
struct Rules(Mutex<Vec<FaultRule>>);

impl Rules {
    fn strike(&self, op: FsOp, path: &Path) -> Option<Fault> {
        let text = path.to_string_lossy();
        for rule in self.0.lock().iter_mut().filter(|r| r.op == op && text.contains(&r.path_contains)) {
            if rule.after > 0 {
                rule.after -= 1;
            } else if rule.times > 0 {
                rule.times -= 1;
                return Some(rule.fault);
            }
        }
        None
    }

    fn check(&self, op: FsOp, path: &Path) -> Result<()> {
        self.strike(op, path).map_or(Ok(()), |fault| Err(failure(op, path, fault)))
    }
}

fn failure(op: FsOp, path: &Path, fault: Fault) -> crate::Error {
    match fault {
        Fault::NoSpace => err!(DiskFull, "injected: no space left on device ({op:?} {})", path.display()),
        _ => err!(IoError, "injected: {fault:?} ({op:?} {})", path.display()),
    }
}

impl FaultyFs {
    /// Wraps a file system, without rules yet.
    pub fn new(inner: SharedFs) -> Self {
        Self { inner, rules: Arc::default() }
    }

    /// Adds a rule; the first one that matches strikes.
    pub fn add(&self, rule: FaultRule) {
        self.rules.0.lock().push(rule);
    }

    /// Forgets all rules.
    pub fn heal(&self) {
        self.rules.0.lock().clear();
    }

    fn writer(&self, inner: Box<dyn WritableFile>, path: &Path) -> Box<dyn WritableFile> {
        Box::new(FaultyWriter { inner, rules: self.rules.clone(), path: path.to_owned() })
    }
}

impl FileSystem for FaultyFs {
    fn create(&self, path: &Path) -> Result<Box<dyn WritableFile>> {
        self.rules.check(FsOp::Create, path)?;
        Ok(self.writer(self.inner.create(path)?, path))
    }

    fn open_read(&self, path: &Path) -> Result<Arc<dyn ReadableFile>> {
        self.rules.check(FsOp::OpenRead, path)?;
        let inner = self.inner.open_read(path)?;
        Ok(Arc::new(FaultyReader { inner, rules: self.rules.clone(), path: path.to_owned() }))
    }

    fn open_append(&self, path: &Path) -> Result<Box<dyn WritableFile>> {
        self.rules.check(FsOp::Create, path)?;
        Ok(self.writer(self.inner.open_append(path)?, path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.rules.check(FsOp::Rename, from)?;
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.rules.check(FsOp::Remove, path)?;
        self.inner.remove(path)
    }

    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        self.rules.check(FsOp::Remove, path)?;
        self.inner.remove_dir_all(path)
    }

    fn mkdir_all(&self, path: &Path) -> Result<()> {
        self.rules.check(FsOp::Mkdir, path)?;
        self.inner.mkdir_all(path)
    }

    fn list(&self, path: &Path) -> Result<Vec<DirEntry>> {
        self.rules.check(FsOp::List, path)?;
        self.inner.list(path)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        match self.rules.strike(FsOp::SyncDir, path) {
            Some(Fault::LostSync) => Ok(()),
            Some(fault) => Err(failure(FsOp::SyncDir, path, fault)),
            None => self.inner.sync_dir(path),
        }
    }

    fn len(&self, path: &Path) -> Result<u64> {
        self.inner.len(path)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.inner.exists(path)
    }

    fn space(&self, path: &Path) -> Result<DiskSpace> {
        self.inner.space(path)
    }

    fn modified_ms(&self, path: &Path) -> Result<i64> {
        self.inner.modified_ms(path)
    }

    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        self.inner.canonical(path)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        self.rules.check(FsOp::Link, to)?;
        self.inner.hard_link(from, to)
    }
}

#[derive(Debug)]
struct FaultyWriter {
    inner: Box<dyn WritableFile>,
    rules: Arc<Rules>,
    path: PathBuf,
}

impl WritableFile for FaultyWriter {
    fn append(&mut self, data: &[u8]) -> Result<()> {
        match self.rules.strike(FsOp::Append, &self.path) {
            None => self.inner.append(data),
            Some(fault) => {
                if fault == Fault::ShortWrite {
                    self.inner.append(&data[..data.len() / 2])?;
                }
                Err(failure(FsOp::Append, &self.path, fault))
            }
        }
    }

    fn sync(&mut self) -> Result<()> {
        match self.rules.strike(FsOp::Sync, &self.path) {
            Some(Fault::LostSync) => Ok(()),
            Some(fault) => Err(failure(FsOp::Sync, &self.path, fault)),
            None => self.inner.sync(),
        }
    }

    fn len(&self) -> u64 {
        self.inner.len()
    }
}

#[derive(Debug)]
struct FaultyReader {
    inner: Arc<dyn ReadableFile>,
    rules: Arc<Rules>,
    path: PathBuf,
}

impl ReadableFile for FaultyReader {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        match self.rules.strike(FsOp::Read, &self.path) {
            Some(Fault::BitFlip) => {
                let n = self.inner.read_at(offset, buf)?;
                if let Some(first) = buf.first_mut() {
                    *first ^= 1;
                }
                Ok(n)
            }
            Some(fault) => Err(failure(FsOp::Read, &self.path, fault)),
            None => self.inner.read_at(offset, buf),
        }
    }

    fn len(&self) -> Result<u64> {
        self.inner.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemFs;
    use super::*;
    use crate::ErrorCode;

    #[test]
    fn rules_strike_when_and_where_they_say() {
        let fs = FaultyFs::new(Arc::new(MemFs::new()));
        fs.add(FaultRule::new(FsOp::Append, Fault::ShortWrite).on("seg").after(1).times(1));
        fs.add(FaultRule::new(FsOp::Read, Fault::BitFlip).times(1));
        fs.add(FaultRule::new(FsOp::Sync, Fault::NoSpace));
        let mut file = fs.create(Path::new("/seg1")).unwrap();
        file.append(b"abcd").unwrap();
        assert_eq!(file.append(b"efgh").unwrap_err().code(), ErrorCode::IoError);
        file.append(b"ij").unwrap();
        assert_eq!(file.sync().unwrap_err().code(), ErrorCode::DiskFull);
        assert_eq!(fs.read(Path::new("/seg1")).unwrap(), b"`bcdefij");
        fs.heal();
        assert_eq!(fs.read(Path::new("/seg1")).unwrap(), b"abcdefij");
        file.sync().unwrap();
    }
}
