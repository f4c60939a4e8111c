//! The real file system, with real fsync. Errors name the path; a full disk is its own code.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{DirEntry, DiskSpace, FileSystem, ReadableFile, WritableFile, parent_of};
use crate::{Error, ErrorCode, Result};

/// The disks of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalFs;

impl LocalFs {
    /// Ready to be handed to a component.
    pub fn shared() -> super::SharedFs {
        Arc::new(Self)
    }
}

fn fail(what: &str, path: &Path, e: std::io::Error) -> Error {
    let exists = e.kind() == ErrorKind::AlreadyExists;
    let base = Error::from(e);
    let code = if exists { ErrorCode::AlreadyExists } else { base.code() };
    Error::new(code, format!("cannot {what} {}: {}", path.display(), base.message()))
}

impl FileSystem for LocalFs {
    fn create(&self, path: &Path) -> Result<Box<dyn WritableFile>> {
        let file = File::create(path).map_err(|e| fail("create", path, e))?;
        Ok(Box::new(LocalWriter { file, len: 0, path: path.to_owned() }))
    }

    fn open_read(&self, path: &Path) -> Result<Arc<dyn ReadableFile>> {
        let file = File::open(path).map_err(|e| fail("open", path, e))?;
        Ok(Arc::new(LocalReader { file, path: path.to_owned() }))
    }

    fn open_append(&self, path: &Path) -> Result<Box<dyn WritableFile>> {
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(|e| fail("open", path, e))?;
        let len = file.metadata().map_err(|e| fail("stat", path, e))?.len();
        Ok(Box::new(LocalWriter { file, len, path: path.to_owned() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::rename(from, to).map_err(|e| fail("rename", from, e))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path).map_err(|e| fail("remove", path, e))
    }

    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        match std::fs::remove_dir_all(path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(fail("remove directory", path, e)),
            _ => Ok(()),
        }
    }

    fn mkdir_all(&self, path: &Path) -> Result<()> {
        let mut missing = Vec::new();
        let mut dir = path;
        while !dir.is_dir() {
            missing.push(dir);
            let parent = parent_of(dir);
            if parent == dir || parent == Path::new(".") {
                break;
            }
            dir = parent;
        }
        std::fs::create_dir_all(path).map_err(|e| fail("create directory", path, e))?;
        // Outermost first: a directory is reachable after a crash only when all names above it are.
        for dir in missing.iter().rev() {
            self.sync_dir(parent_of(dir))?;
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(path).map_err(|e| fail("list", path, e))? {
            let entry = entry.map_err(|e| fail("list", path, e))?;
            let meta = match entry.metadata() {
                Ok(meta) => meta,
                // Removed by somebody else between the two calls.
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                Err(e) => return Err(fail("stat", &entry.path(), e)),
            };
            let is_dir = meta.is_dir();
            let name = entry.file_name().to_string_lossy().into_owned();
            entries.push(DirEntry { name, is_dir, len: if is_dir { 0 } else { meta.len() } });
        }
        entries.sort();
        Ok(entries)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        let dir = File::open(path).map_err(|e| fail("open", path, e))?;
        dir.sync_all().map_err(|e| fail("sync", path, e))
    }

    fn len(&self, path: &Path) -> Result<u64> {
        Ok(std::fs::metadata(path).map_err(|e| fail("stat", path, e))?.len())
    }

    fn modified_ms(&self, path: &Path) -> Result<i64> {
        let modified = std::fs::metadata(path).and_then(|m| m.modified()).map_err(|e| fail("stat", path, e))?;
        Ok(modified.duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64))
    }

    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        std::fs::canonicalize(path).map_err(|e| fail("resolve", path, e))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        path.try_exists().map_err(|e| fail("stat", path, e))
    }

    fn space(&self, path: &Path) -> Result<DiskSpace> {
        let stat = rustix::fs::statvfs(path).map_err(|e| fail("stat the disk of", path, e.into()))?;
        // What only the superuser may use is no part of the disk.
        let blocks = stat.f_blocks.saturating_sub(stat.f_bfree).saturating_add(stat.f_bavail);
        Ok(DiskSpace { total: blocks.saturating_mul(stat.f_frsize), free: stat.f_bavail.saturating_mul(stat.f_frsize) })
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::hard_link(from, to).map_err(|e| fail("link", to, e))
    }
}

#[derive(Debug)]
struct LocalWriter {
    file: File,
    len: u64,
    path: PathBuf,
}

impl WritableFile for LocalWriter {
    fn append(&mut self, data: &[u8]) -> Result<()> {
        self.file.write_all(data).map_err(|e| fail("write", &self.path, e))?;
        self.len += data.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        // Data and the length are what a reader needs; the rest of the metadata may lag.
        self.file.sync_data().map_err(|e| fail("sync", &self.path, e))
    }

    fn len(&self) -> u64 {
        self.len
    }
}

#[derive(Debug)]
struct LocalReader {
    file: File,
    path: PathBuf,
}

impl ReadableFile for LocalReader {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.file.read_at(&mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(fail("read", &self.path, e)),
            }
        }
        Ok(done)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(|e| fail("stat", &self.path, e))?.len())
    }
}
