//! The seam to the disk: synchronous, positional, explicit about durability.
//!
//! Invariants every implementation keeps:
//! - bytes appended are readable at once, durable only after `sync` of the file;
//! - a name created, renamed, linked or removed is durable only after `sync_dir` of its directory;
//! - directories are durable when `mkdir_all` returns.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Result, ResultExt, ensure};

mod faulty;
mod local;
mod mem;

pub use faulty::{Fault, FaultRule, FaultyFs, FsOp};
pub use local::LocalFs;
pub use mem::MemFs;

/// A file system handed to a component.
pub type SharedFs = Arc<dyn FileSystem>;

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// Name without the directory.
    pub name: String,
    /// A directory, not a file.
    pub is_dir: bool,
    /// Bytes of a file; 0 for a directory.
    pub len: u64,
}

/// Capacity of the disk under a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes an unprivileged writer could use if it were empty.
    pub total: u64,
    /// Bytes an unprivileged writer can still use.
    pub free: u64,
}

/// A file being appended to.
pub trait WritableFile: Send + Debug {
    /// Adds bytes at the end; after an error the tail of the file is undefined.
    fn append(&mut self, data: &[u8]) -> Result<()>;
    /// Makes everything appended so far survive a crash.
    fn sync(&mut self) -> Result<()>;
    /// Bytes in the file.
    fn len(&self) -> u64;
    /// Whether nothing was written yet.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A file being read at any position, from any thread.
pub trait ReadableFile: Send + Sync + Debug {
    /// Reads up to `buf.len()` bytes; fewer only at the end of the file.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize>;
    /// Bytes in the file now.
    fn len(&self) -> Result<u64>;
    /// Whether the file has no bytes.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills the whole buffer or fails with `Corruption` (the file is shorter than its reader was promised).
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let n = self.read_at(offset, buf)?;
        ensure!(
            n == buf.len(),
            Corruption,
            "file ends at {} inside a read of {} bytes at {offset}",
            offset + n as u64,
            buf.len()
        );
        Ok(())
    }
    /// Reads `len` bytes into a new buffer.
    fn read_vec_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let mut buf = vec![0; len];
        self.read_exact_at(offset, &mut buf)?;
        Ok(buf)
    }
}

/// A file system.
pub trait FileSystem: Send + Sync + Debug {
    /// Opens a file for appending; an existing one is emptied first.
    fn create(&self, path: &Path) -> Result<Box<dyn WritableFile>>;
    /// Opens a file for reading.
    fn open_read(&self, path: &Path) -> Result<Arc<dyn ReadableFile>>;
    /// Opens a file for appending at its end; creates it when missing.
    fn open_append(&self, path: &Path) -> Result<Box<dyn WritableFile>>;
    /// Moves a file or directory, replacing a file of that name.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> Result<()>;
    /// Removes a directory with everything in it; fine when it does not exist.
    fn remove_dir_all(&self, path: &Path) -> Result<()>;
    /// Creates a directory and its parents.
    fn mkdir_all(&self, path: &Path) -> Result<()>;
    /// The entries of a directory, by name.
    fn list(&self, path: &Path) -> Result<Vec<DirEntry>>;
    /// Makes the names in a directory survive a crash.
    fn sync_dir(&self, path: &Path) -> Result<()>;
    /// Bytes of a file.
    fn len(&self, path: &Path) -> Result<u64>;
    /// Whether a file or directory of that name exists.
    fn exists(&self, path: &Path) -> Result<bool>;
    /// Capacity of the disk that holds the path.
    fn space(&self, path: &Path) -> Result<DiskSpace>;
    /// A second name for a file.
    fn hard_link(&self, from: &Path, to: &Path) -> Result<()>;

    /// When a file was last written, in milliseconds since 1970; 0 where that is not known.
    fn modified_ms(&self, _path: &Path) -> Result<i64> {
        Ok(0)
    }
    /// The path without symbolic links, `.` and `..`; it must exist.
    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        Ok(path.to_owned())
    }

    /// A whole file.
    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let file = self.open_read(path)?;
        let len = file.len()?;
        file.read_vec_at(0, len as usize).with_context(|| format!("reading {}", path.display()))
    }

    /// Replaces a file so that after a crash either the old or the new content is there, durable when it returns.
    fn write_atomic(&self, path: &Path, data: &[u8]) -> Result<()> {
        let mut name = path.as_os_str().to_owned();
        name.push(".tmp");
        let tmp = Path::new(&name);
        let mut file = self.create(tmp)?;
        file.append(data)?;
        file.sync()?;
        drop(file);
        self.rename(tmp, path)?;
        self.sync_dir(parent_of(path))
    }
}

/// The directory of a path; the current one for a bare name.
pub fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What any file system must do; run over the real and the in-memory one.
    fn conformance(fs: &dyn FileSystem, root: &Path) {
        let dir = root.join("a/b");
        fs.mkdir_all(&dir).unwrap();
        fs.mkdir_all(&dir).unwrap();
        let path = dir.join("x");
        let mut file = fs.create(&path).unwrap();
        file.append(b"hello ").unwrap();
        file.append(b"world").unwrap();
        file.sync().unwrap();
        assert_eq!(file.len(), 11);
        drop(file);
        let reader = fs.open_read(&path).unwrap();
        let mut buf = [0; 5];
        assert_eq!(reader.read_at(6, &mut buf).unwrap(), 5);
        assert_eq!(&buf, b"world");
        assert_eq!(reader.read_at(9, &mut buf).unwrap(), 2);
        assert_eq!(reader.read_at(99, &mut buf).unwrap(), 0);
        assert_eq!(reader.read_exact_at(9, &mut buf).unwrap_err().code(), crate::ErrorCode::Corruption);

        let mut file = fs.open_append(&path).unwrap();
        assert_eq!(file.len(), 11);
        file.append(b"!").unwrap();
        drop(file);
        assert_eq!(fs.read(&path).unwrap(), b"hello world!");
        assert_eq!(reader.len().unwrap(), 12);

        fs.hard_link(&path, &dir.join("y")).unwrap();
        assert_eq!(fs.hard_link(&path, &dir.join("y")).unwrap_err().code(), crate::ErrorCode::AlreadyExists);
        fs.remove(&path).unwrap();
        assert_eq!(fs.read(&dir.join("y")).unwrap(), b"hello world!");
        assert_eq!(fs.open_read(&path).unwrap_err().code(), crate::ErrorCode::NotFound);
        assert_eq!(fs.remove(&path).unwrap_err().code(), crate::ErrorCode::NotFound);
        assert_eq!(reader.read_vec_at(0, 5).unwrap(), b"hello", "an open file outlives its name");

        fs.write_atomic(&dir.join("y"), b"new").unwrap();
        fs.mkdir_all(&dir.join("z")).unwrap();
        let names: Vec<_> = fs.list(&dir).unwrap().into_iter().map(|e| (e.name, e.is_dir, e.len)).collect();
        assert_eq!(names, vec![("y".into(), false, 3), ("z".into(), true, 0)]);
        assert!(fs.create(&root.join("missing/x")).is_err());

        fs.rename(&dir, &root.join("c")).unwrap();
        assert_eq!(fs.read(&root.join("c/y")).unwrap(), b"new");
        assert!(!fs.exists(&dir).unwrap());
        fs.remove_dir_all(&root.join("c")).unwrap();
        fs.remove_dir_all(&root.join("c")).unwrap();
        assert!(!fs.exists(&root.join("c/y")).unwrap());
        let space = fs.space(root).unwrap();
        assert!(space.free <= space.total && space.total > 0);
    }

    #[test]
    fn local_fs_conforms() {
        let dir = tempfile::tempdir().unwrap();
        conformance(&LocalFs, dir.path());
    }

    #[test]
    fn mem_fs_conforms() {
        conformance(&MemFs::new(), Path::new("/data"));
        conformance(&FaultyFs::new(Arc::new(MemFs::new())), Path::new("/data"));
    }
}
