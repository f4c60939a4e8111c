//! One data directory: its files, its metadata store, its health. A broken directory takes down its tablets, not the process.
//!
//! ```text
//! <root>/data/<shard>/<tablet>/<rowset>_<segment>.dat     <root>/meta/…     <root>/trash/<time>_<tablet>/
//! ```

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use common_base::fs::{DiskSpace, SharedFs};
use common_base::ids::TabletId;
use common_base::{Result, ResultExt, bail};
use parking_lot::Mutex;

use crate::meta_store::MetaStore;
use crate::options::{DirConfig, KvFactory};
use crate::rowset::id::RowsetId;

/// Directories tablets are spread over.
const SHARDS: u64 = 1024;

/// Where the files of a tablet are under the root of a data directory.
pub(crate) fn tablet_dir(root: &Path, tablet: u64) -> PathBuf {
    root.join("data").join((tablet % SHARDS).to_string()).join(tablet.to_string())
}

/// One entry of `storage_root_path`.
#[derive(Debug)]
pub struct DataDir {
    config: DirConfig,
    fs: SharedFs,
    meta: MetaStore,
    broken: Mutex<Option<String>>,
    /// Rowsets whose files are being written: no garbage.
    in_flight: Mutex<HashSet<RowsetId>>,
    /// Held by the compaction that runs here.
    compaction: Mutex<()>,
}

impl DataDir {
    /// Creates what is missing and opens the metadata store.
    pub(crate) fn open(config: &DirConfig, fs: &SharedFs, kv: &KvFactory) -> Result<Self> {
        let open = || {
            for sub in ["data", "meta", "trash"] {
                fs.mkdir_all(&config.path.join(sub))?;
            }
            kv(&config.path.join("meta"))
        };
        let kv = open().with_context(|| format!("opening data directory {}", config.path.display()))?;
        Ok(Self {
            config: config.clone(),
            fs: fs.clone(),
            meta: MetaStore::new(kv),
            broken: Mutex::default(),
            in_flight: Mutex::default(),
            compaction: Mutex::default(),
        })
    }

    /// The right to compact here; waits for it.
    pub(crate) fn compaction_slot(&self) -> parking_lot::MutexGuard<'_, ()> {
        self.compaction.lock()
    }

    /// Its root.
    pub fn path(&self) -> &Path {
        &self.config.path
    }
    /// `SSD` or `HDD`.
    pub fn medium(&self) -> &str {
        &self.config.medium
    }
    /// Its file system.
    pub fn fs(&self) -> &SharedFs {
        &self.fs
    }
    /// Its metadata.
    pub(crate) fn meta(&self) -> &MetaStore {
        &self.meta
    }

    /// Capacity of its disk.
    pub fn space(&self) -> Result<DiskSpace> {
        self.fs.space(&self.config.path)
    }

    /// Where the files of a tablet are.
    pub fn tablet_path(&self, tablet: TabletId) -> PathBuf {
        tablet_dir(&self.config.path, tablet.0)
    }
    /// Parent of the shards.
    pub(crate) fn data_path(&self) -> PathBuf {
        self.config.path.join("data")
    }
    /// Where dropped tablets wait.
    pub(crate) fn trash_path(&self) -> PathBuf {
        self.config.path.join("trash")
    }

    /// Why it cannot be used, if so.
    pub fn broken(&self) -> Option<String> {
        self.broken.lock().clone()
    }

    /// Takes it out of use until a probe succeeds.
    pub(crate) fn mark_broken(&self, reason: String) {
        tracing::error!(path = %self.config.path.display(), reason, "data directory is broken");
        self.broken.lock().get_or_insert(reason);
    }

    /// Fails when it is broken.
    pub fn check(&self) -> Result<()> {
        match &*self.broken.lock() {
            Some(reason) => bail!(IoError, "data directory {} is broken: {reason}", self.config.path.display()),
            None => Ok(()),
        }
    }

    /// Writes and removes a small file; a failure marks the directory broken, success mends it.
    pub fn probe(&self) -> Result<()> {
        let path = self.config.path.join(".probe");
        let outcome = self.fs.write_atomic(&path, b"probe").and_then(|()| self.fs.remove(&path));
        *self.broken.lock() = match &outcome {
            // A full disk still answers reads.
            Err(e) if e.code() != common_base::ErrorCode::DiskFull => {
                tracing::error!(path = %self.config.path.display(), error = %e, "data directory is broken");
                Some(e.to_string())
            }
            _ => None,
        };
        outcome
    }

    /// Remembers that files of the rowset appear.
    pub(crate) fn begin_writing(&self, rowset: RowsetId) {
        self.in_flight.lock().insert(rowset);
    }
    /// The rowset is known to its tablet now, or given up.
    pub(crate) fn end_writing(&self, rowset: RowsetId) {
        self.in_flight.lock().remove(&rowset);
    }
    /// Whether files of the rowset are being written.
    pub(crate) fn is_writing(&self, rowset: RowsetId) -> bool {
        self.in_flight.lock().contains(&rowset)
    }
}
