//! The store: one RocksDB directory, one column family, every error with a code of ours.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common_base::kv::{Batch, KvIter, KvRange, KvRead, KvSnapshot, KvStore, SharedKv};
use common_base::{Error, ErrorCode, Result, ResultExt};
use rocksdb::{DB, ErrorKind, Snapshot, WriteOptions};

use crate::{RocksOptions, batch, iter};

/// A RocksDB directory open for reading and writing; one process at a time.
pub struct RocksStore {
    db: DB,
    path: PathBuf,
}

impl std::fmt::Debug for RocksStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RocksStore({})", self.path.display())
    }
}

pub(crate) fn kv_error(what: &str, e: &rocksdb::Error) -> Error {
    let text = e.to_string();
    let code = match e.kind() {
        ErrorKind::Corruption => ErrorCode::Corruption,
        ErrorKind::NotFound => ErrorCode::NotFound,
        ErrorKind::IOError if text.contains("No space left") => ErrorCode::DiskFull,
        // Another process holds the directory.
        ErrorKind::IOError if text.contains("While lock file") || text.contains("lock hold by current process") => {
            ErrorCode::Unavailable
        }
        ErrorKind::TimedOut => ErrorCode::Timeout,
        ErrorKind::Busy | ErrorKind::TryAgain | ErrorKind::ShutdownInProgress => ErrorCode::Unavailable,
        ErrorKind::InvalidArgument | ErrorKind::NotSupported => ErrorCode::Internal,
        _ => ErrorCode::IoError,
    };
    Error::new(code, format!("key-value store cannot {what}: {text}"))
}

impl RocksStore {
    /// Opens the store of a directory, creating both when missing.
    pub fn open(path: &Path, options: &RocksOptions) -> Result<Self> {
        std::fs::create_dir_all(path).with_context(|| format!("creating {}", path.display()))?;
        let db = DB::open(&options.build(), path)
            .map_err(|e| kv_error("open", &e).context(format_args!("opening the store {}", path.display())))?;
        Ok(Self { db, path: path.to_owned() })
    }

    /// The same with default options, ready to be handed to a component.
    pub fn open_shared(path: &Path) -> Result<SharedKv> {
        Ok(Arc::new(Self::open(path, &RocksOptions::default())?))
    }

    /// The store of a directory that exists, for reading: nothing is written there, also when another process holds it.
    pub fn open_read_only(path: &Path) -> Result<SharedKv> {
        let mut options = RocksOptions::default().build();
        options.create_if_missing(false);
        // Even a reader writes a log of its own otherwise.
        options.set_db_log_dir(std::env::temp_dir());
        let db = DB::open_for_read_only(&options, path, false)
            .map_err(|e| kv_error("open", &e).context(format_args!("opening the store {} for reading", path.display())))?;
        Ok(Arc::new(Self { db, path: path.to_owned() }))
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes it holds in memory: memtables, table readers, cache.
    pub fn memory_bytes(&self) -> u64 {
        let properties =
            ["rocksdb.cur-size-all-mem-tables", "rocksdb.estimate-table-readers-mem", "rocksdb.block-cache-usage"];
        properties.iter().filter_map(|p| self.db.property_int_value(*p).ok().flatten()).sum()
    }

    /// Rewrites the whole key space, dropping what was deleted.
    pub fn compact(&self) {
        self.db.compact_range::<&[u8], &[u8]>(None, None);
    }
}

impl KvRead for RocksStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.db.get(key).map_err(|e| kv_error("read", &e))
    }

    fn scan(&self, range: &KvRange) -> Result<KvIter<'_>> {
        Ok(iter::scan(range, false, |options| self.db.raw_iterator_opt(options)))
    }

    fn scan_rev(&self, range: &KvRange) -> Result<KvIter<'_>> {
        Ok(iter::scan(range, true, |options| self.db.raw_iterator_opt(options)))
    }
}

impl KvStore for RocksStore {
    fn write(&self, batch: Batch, sync: bool) -> Result<()> {
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        if batch.is_empty() && !sync {
            return Ok(());
        }
        self.db.write_opt(batch::to_rocks(&batch), &options).map_err(|e| kv_error("write", &e))
    }

    fn snapshot(&self) -> Result<Box<dyn KvSnapshot + '_>> {
        Ok(Box::new(RocksSnapshot(self.db.snapshot())))
    }

    fn flush(&self) -> Result<()> {
        self.db.flush_wal(true).map_err(|e| kv_error("sync", &e))
    }
}

struct RocksSnapshot<'a>(Snapshot<'a>);

impl KvRead for RocksSnapshot<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.0.get(key).map_err(|e| kv_error("read", &e))
    }

    fn scan(&self, range: &KvRange) -> Result<KvIter<'_>> {
        Ok(iter::scan(range, false, |options| self.0.raw_iterator_opt(options)))
    }

    fn scan_rev(&self, range: &KvRange) -> Result<KvIter<'_>> {
        Ok(iter::scan(range, true, |options| self.0.raw_iterator_opt(options)))
    }
}

impl KvSnapshot for RocksSnapshot<'_> {}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn conforms() {
        let dir = tempfile::tempdir().unwrap();
        let next = Cell::new(0);
        common_base::kv::conformance::check(&|| {
            next.set(next.get() + 1);
            let path = dir.path().join(next.get().to_string());
            Box::new(RocksStore::open(&path, &RocksOptions::default()).unwrap())
        });
    }

    #[test]
    fn what_was_written_is_there_after_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kv");
        {
            let kv = RocksStore::open(&path, &RocksOptions::default()).unwrap();
            kv.put(b"a", b"1", false).unwrap();
            kv.put(b"b", b"2", true).unwrap();
            let second = RocksStore::open(&path, &RocksOptions::default()).unwrap_err();
            assert_eq!(second.code(), ErrorCode::Unavailable, "{second}");
            assert!(kv.memory_bytes() > 0);
        }
        let kv = RocksStore::open(&path, &RocksOptions::default()).unwrap();
        assert_eq!(kv.last(&KvRange::all()).unwrap(), Some((b"b".to_vec(), b"2".to_vec())));
        kv.compact();
        assert_eq!(kv.get(b"a").unwrap(), Some(b"1".to_vec()));
    }

    #[test]
    fn a_torn_log_tail_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kv");
        let copy = dir.path().join("copy");
        let kv = RocksStore::open(&path, &RocksOptions::default()).unwrap();
        kv.put(b"kept", b"1", true).unwrap();
        kv.put(b"torn", &[7; 100], true).unwrap();
        // The files as a crash leaves them: copied while the store is open, the log cut inside its last record.
        std::fs::create_dir(&copy).unwrap();
        for entry in std::fs::read_dir(&path).unwrap() {
            let entry = entry.unwrap();
            let target = copy.join(entry.file_name());
            std::fs::copy(entry.path(), &target).unwrap();
            if target.extension().is_some_and(|e| e == "log") {
                let file = std::fs::OpenOptions::new().write(true).open(&target).unwrap();
                file.set_len(file.metadata().unwrap().len() - 10).unwrap();
            }
        }
        let kv = RocksStore::open(&copy, &RocksOptions::default()).unwrap();
        assert_eq!(kv.get(b"kept").unwrap(), Some(b"1".to_vec()));
        assert_eq!(kv.get(b"torn").unwrap(), None);
    }

    /// Files as they are on the disk, with one bit changed: the store says so, or nothing is missing.
    #[test]
    fn a_flipped_bit_loses_nothing_in_silence() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kv");
        let kv = RocksStore::open(&path, &RocksOptions::default()).unwrap();
        let key = |i: u32| format!("key{i:04}").into_bytes();
        let value = |i: u32| format!("value {i} ").repeat(5).into_bytes();
        for i in 0..300u32 {
            kv.put(&key(i), &value(i), true).unwrap();
            // Some in a table file, some in the log only.
            if i == 150 {
                kv.flush().unwrap();
            }
        }
        let files: Vec<_> = std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()).collect();
        let mut rng = common_base::Rng::from_seed(4);
        let (mut met, mut lost) = (0, 0);
        for round in 0..60 {
            let copy = dir.path().join(format!("copy{round}"));
            std::fs::create_dir(&copy).unwrap();
            for file in &files {
                std::fs::copy(file, copy.join(file.file_name().unwrap())).unwrap();
            }
            // Not the list of files: on some flips in it RocksDB reads for ever.
            let matters = |f: &&PathBuf| f.extension().is_some_and(|e| e == "log" || e == "sst");
            let matter: Vec<_> = files.iter().filter(matters).collect();
            let target = copy.join(rng.pick(&matter).unwrap().file_name().unwrap());
            let mut bytes = std::fs::read(&target).unwrap();
            let at = rng.index(bytes.len());
            bytes[at] ^= 1 << rng.index(8);
            std::fs::write(&target, &bytes).unwrap();
            let read = RocksStore::open(&copy, &RocksOptions::default()).and_then(|kv| kv.scan(&KvRange::all())?.collect::<Result<Vec<_>>>());
            match read {
                Err(_) => met += 1,
                Ok(pairs) => {
                    if pairs != (0..300).map(|i| (key(i), value(i))).collect::<Vec<_>>() {
                        eprintln!("{} of {}: byte {at} of {}: {} pairs", target.display(), round, bytes.len(), pairs.len());
                        lost += 1;
                    }
                }
            }
            std::fs::remove_dir_all(&copy).unwrap();
        }
        assert_eq!(lost, 0);
        assert!(met > 30, "{met} of 60 flips were met");
    }
}
