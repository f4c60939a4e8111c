//! A file system in memory that forgets on [`MemFs::crash`] exactly what a real one may forget: bytes not synced and names
//! whose directory was not synced. For tests and simulation.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::{DirEntry, DiskSpace, FileSystem, ReadableFile, WritableFile, parent_of};
use crate::rng::Rng;
use crate::{Result, bail, ensure, err};

/// Size of the disk unless a test sets another.
const CAPACITY_DEFAULT: u64 = 1 << 40;

/// An in-memory file system; clones share the content.
#[derive(Clone, Debug)]
pub struct MemFs {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    tree: Mutex<Tree>,
    /// Raised by a crash; handles opened before it are dead.
    epoch: AtomicU64,
    capacity: AtomicU64,
}

#[derive(Debug, Default)]
struct Tree {
    live: BTreeMap<PathBuf, Node>,
    /// The names a crash leaves behind.
    durable: BTreeMap<PathBuf, Node>,
}

#[derive(Clone, Debug)]
enum Node {
    Dir,
    File(Arc<Mutex<Inode>>),
}

#[derive(Debug, Default)]
struct Inode {
    data: Vec<u8>,
    synced: usize,
}

impl MemFs {
    /// An empty file system of one TiB.
    pub fn new() -> Self {
        let shared = Shared { tree: Mutex::default(), epoch: AtomicU64::new(0), capacity: AtomicU64::new(CAPACITY_DEFAULT) };
        Self { shared: Arc::new(shared) }
    }

    /// Ready to be handed to a component.
    pub fn shared() -> super::SharedFs {
        Arc::new(Self::new())
    }

    /// Sets the size of the disk; appends beyond it fail with `DiskFull`.
    pub fn set_capacity(&self, bytes: u64) {
        self.shared.capacity.store(bytes, Ordering::SeqCst);
    }

    /// The power goes: everything not synced is gone, open handles are dead.
    pub fn crash(&self) {
        self.crash_keeping(|_| 0);
    }

    /// The power goes, and of the unsynced tail of every file a random part had reached the disk.
    pub fn crash_torn(&self, rng: &mut Rng) {
        self.crash_keeping(|unsynced| rng.index(unsynced + 1));
    }

    fn crash_keeping(&self, mut keep: impl FnMut(usize) -> usize) {
        let mut tree = self.shared.tree.lock();
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
        tree.live = tree.durable.clone();
        for node in tree.live.values() {
            if let Node::File(inode) = node {
                let mut inode = inode.lock();
                let len = inode.synced + keep(inode.data.len() - inode.synced);
                inode.data.truncate(len);
                inode.synced = len;
            }
        }
    }

    fn used(tree: &Tree) -> u64 {
        tree.live.values().map(|n| if let Node::File(i) = n { i.lock().data.len() as u64 } else { 0 }).sum()
    }

    fn writer(&self, inode: Arc<Mutex<Inode>>, path: &Path) -> Box<dyn WritableFile> {
        let epoch = self.shared.epoch.load(Ordering::SeqCst);
        Box::new(MemWriter { shared: self.shared.clone(), inode, epoch, path: path.to_owned() })
    }

    fn open_file(&self, path: &Path, truncate: bool) -> Result<Box<dyn WritableFile>> {
        let path = normal(path);
        let mut tree = self.shared.tree.lock();
        let inode = match tree.live.get(&path) {
            Some(Node::Dir) => bail!(IoError, "{} is a directory", path.display()),
            Some(Node::File(inode)) => inode.clone(),
            None => {
                tree.need_dir(parent_of(&path))?;
                let inode = Arc::new(Mutex::new(Inode::default()));
                tree.live.insert(path.clone(), Node::File(inode.clone()));
                inode
            }
        };
        if truncate {
            *inode.lock() = Inode::default();
        }
        Ok(self.writer(inode, &path))
    }
}

impl Default for MemFs {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    fn need_dir(&self, path: &Path) -> Result<()> {
        let is_root = path == Path::new("/") || path == Path::new(".");
        ensure!(is_root || matches!(self.live.get(path), Some(Node::Dir)), NotFound, "no directory {}", path.display());
        Ok(())
    }

    fn file(&self, path: &Path) -> Result<Arc<Mutex<Inode>>> {
        match self.live.get(path) {
            Some(Node::File(inode)) => Ok(inode.clone()),
            Some(Node::Dir) => Err(err!(IoError, "{} is a directory", path.display())),
            None => Err(err!(NotFound, "no file {}", path.display())),
        }
    }

    fn below(map: &BTreeMap<PathBuf, Node>, path: &Path) -> Vec<PathBuf> {
        subtree(map, path).map(|(p, _)| p.clone()).collect()
    }
}

/// A path and everything under it: paths sort by their parts, so they stand together.
fn subtree<'a>(map: &'a BTreeMap<PathBuf, Node>, path: &'a Path) -> impl Iterator<Item = (&'a PathBuf, &'a Node)> {
    // The working directory stands in front of no relative path.
    let here = path == Path::new(".");
    let from = if here { Bound::Unbounded } else { Bound::Included(path) };
    map.range::<Path, _>((from, Bound::Unbounded)).take_while(move |(p, _)| here || p.starts_with(path))
}

/// One spelling per file: no `.` and no `..`.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    if out.as_os_str().is_empty() { PathBuf::from(".") } else { out }
}

impl FileSystem for MemFs {
    fn create(&self, path: &Path) -> Result<Box<dyn WritableFile>> {
        self.open_file(path, true)
    }

    fn open_read(&self, path: &Path) -> Result<Arc<dyn ReadableFile>> {
        let path = normal(path);
        let inode = self.shared.tree.lock().file(&path)?;
        Ok(Arc::new(MemReader { inode }))
    }

    fn open_append(&self, path: &Path) -> Result<Box<dyn WritableFile>> {
        self.open_file(path, false)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let (from, to) = (normal(from), normal(to));
        let mut tree = self.shared.tree.lock();
        tree.need_dir(parent_of(&to))?;
        let moved = Tree::below(&tree.live, &from);
        ensure!(!moved.is_empty(), NotFound, "no file {}", from.display());
        for path in moved {
            let target = if path == from { to.clone() } else { to.join(path.strip_prefix(&from).unwrap_or(&path)) };
            if let Some(node) = tree.live.remove(&path) {
                tree.live.insert(target, node);
            }
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let path = normal(path);
        let mut tree = self.shared.tree.lock();
        tree.file(&path)?;
        tree.live.remove(&path);
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        let mut tree = self.shared.tree.lock();
        for path in Tree::below(&tree.live, &normal(path)) {
            tree.live.remove(&path);
        }
        Ok(())
    }

    fn mkdir_all(&self, path: &Path) -> Result<()> {
        let path = normal(path);
        let mut tree = self.shared.tree.lock();
        for dir in path.ancestors().filter(|p| !p.as_os_str().is_empty() && *p != Path::new(".")) {
            if let Some(Node::File(_)) = tree.live.get(dir) {
                bail!(AlreadyExists, "{} is a file", dir.display());
            }
            tree.live.insert(dir.to_owned(), Node::Dir);
            tree.durable.insert(dir.to_owned(), Node::Dir);
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> Result<Vec<DirEntry>> {
        let path = normal(path);
        let tree = self.shared.tree.lock();
        tree.need_dir(&path)?;
        let mut entries = Vec::new();
        for (p, node) in subtree(&tree.live, &path).filter(|(p, _)| parent_of(p) == path && **p != path) {
            let name = p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            entries.push(match node {
                Node::Dir => DirEntry { name, is_dir: true, len: 0 },
                Node::File(inode) => DirEntry { name, is_dir: false, len: inode.lock().data.len() as u64 },
            });
        }
        entries.sort();
        Ok(entries)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        let path = normal(path);
        let mut tree = self.shared.tree.lock();
        tree.need_dir(&path)?;
        let tree = &mut *tree;
        let gone: Vec<PathBuf> = subtree(&tree.durable, &path)
            .filter(|(p, _)| parent_of(p) == path && !tree.live.contains_key(*p))
            .flat_map(|(p, _)| Tree::below(&tree.durable, p))
            .collect();
        for p in gone {
            tree.durable.remove(&p);
        }
        for (p, node) in subtree(&tree.live, &path).filter(|(p, _)| parent_of(p) == path) {
            let was_known = tree.durable.insert(p.clone(), node.clone()).is_some();
            if !was_known && matches!(node, Node::Dir) {
                // A directory renamed into place takes its content along: the content never left its inode.
                for q in Tree::below(&tree.live, p) {
                    if let Some(node) = tree.live.get(&q) {
                        tree.durable.insert(q, node.clone());
                    }
                }
            }
        }
        Ok(())
    }

    fn len(&self, path: &Path) -> Result<u64> {
        let inode = self.shared.tree.lock().file(&normal(path))?;
        let len = inode.lock().data.len() as u64;
        Ok(len)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        Ok(self.shared.tree.lock().live.contains_key(&normal(path)))
    }

    fn space(&self, _path: &Path) -> Result<DiskSpace> {
        let total = self.shared.capacity.load(Ordering::SeqCst);
        Ok(DiskSpace { total, free: total.saturating_sub(Self::used(&self.shared.tree.lock())) })
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        let to = normal(to);
        let mut tree = self.shared.tree.lock();
        let inode = tree.file(&normal(from))?;
        tree.need_dir(parent_of(&to))?;
        ensure!(!tree.live.contains_key(&to), AlreadyExists, "{} exists", to.display());
        tree.live.insert(to, Node::File(inode));
        Ok(())
    }
}

#[derive(Debug)]
struct MemWriter {
    shared: Arc<Shared>,
    inode: Arc<Mutex<Inode>>,
    epoch: u64,
    path: PathBuf,
}

impl MemWriter {
    fn need_alive(&self) -> Result<()> {
        let alive = self.shared.epoch.load(Ordering::SeqCst) == self.epoch;
        ensure!(alive, IoError, "{} was opened before a crash", self.path.display());
        Ok(())
    }
}

impl WritableFile for MemWriter {
    fn append(&mut self, data: &[u8]) -> Result<()> {
        self.need_alive()?;
        let capacity = self.shared.capacity.load(Ordering::SeqCst);
        // Counting every file is for the tests that fill the disk.
        if capacity < CAPACITY_DEFAULT {
            let used = MemFs::used(&self.shared.tree.lock());
            ensure!(used + data.len() as u64 <= capacity, DiskFull, "no space left for {}", self.path.display());
        }
        self.inode.lock().data.extend_from_slice(data);
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        self.need_alive()?;
        let mut inode = self.inode.lock();
        inode.synced = inode.data.len();
        Ok(())
    }

    fn len(&self) -> u64 {
        self.inode.lock().data.len() as u64
    }
}

#[derive(Debug)]
struct MemReader {
    inode: Arc<Mutex<Inode>>,
}

impl ReadableFile for MemReader {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let inode = self.inode.lock();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(inode.data.len());
        let n = buf.len().min(inode.data.len() - start);
        buf[..n].copy_from_slice(&inode.data[start..start + n]);
        Ok(n)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.inode.lock().data.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_takes_what_was_not_synced() {
        let fs = MemFs::new();
        let dir = Path::new("/d");
        fs.mkdir_all(dir).unwrap();
        let mut kept = fs.create(&dir.join("kept")).unwrap();
        kept.append(b"safe").unwrap();
        kept.sync().unwrap();
        fs.sync_dir(dir).unwrap();
        kept.append(b" lost").unwrap();
        let mut nameless = fs.create(&dir.join("nameless")).unwrap();
        nameless.append(b"x").unwrap();
        nameless.sync().unwrap();
        fs.crash();
        assert_eq!(fs.read(&dir.join("kept")).unwrap(), b"safe");
        assert!(!fs.exists(&dir.join("nameless")).unwrap(), "the directory was not synced");
        assert!(kept.append(b"ghost").is_err());
    }

    #[test]
    fn an_atomic_write_survives_and_a_removal_needs_the_directory() {
        let fs = MemFs::new();
        fs.mkdir_all(Path::new("/d")).unwrap();
        let path = Path::new("/d/f");
        fs.write_atomic(path, b"one").unwrap();
        fs.remove(path).unwrap();
        fs.crash();
        assert_eq!(fs.read(path).unwrap(), b"one");
        fs.write_atomic(path, b"two").unwrap();
        fs.crash();
        assert_eq!(fs.read(path).unwrap(), b"two");
        assert_eq!(fs.list(Path::new("/d")).unwrap().len(), 1);
    }

    #[test]
    fn a_full_disk_says_so() {
        let fs = MemFs::new();
        fs.set_capacity(4);
        let mut file = fs.create(Path::new("/f")).unwrap();
        file.append(b"1234").unwrap();
        assert_eq!(file.append(b"5").unwrap_err().code(), crate::ErrorCode::DiskFull);
        assert_eq!(fs.space(Path::new("/")).unwrap().free, 0);
    }
}
