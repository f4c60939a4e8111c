//! One data directory: its files, its metadata store, its health. A broken directory takes down its tablets, not the process.
//!
//! ```text
//! <root>/data/<shard>/<tablet>/<rowset>_<segment>.dat     <root>/meta/…     <root>/trash/<time>_<tablet>/
//! ```

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common_base::fs::{DiskSpace, SharedFs};
use common_base::ids::TabletId;
use common_base::{ErrorCode, Result, ResultExt, bail};
use parking_lot::Mutex;

use crate::meta_store::MetaStore;
use crate::options::{DirConfig, KvFactory};
use crate::room::{Purpose, Watermarks};
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
    /// `None` when it did not open.
    meta: Option<MetaStore>,
    watermarks: Arc<Watermarks>,
    broken: Mutex<Option<String>>,
    /// Rowsets whose files are being written: no garbage.
    in_flight: Mutex<HashSet<RowsetId>>,
    /// Tablets whose metadata is damaged: their files are no garbage either.
    damaged: Mutex<HashSet<TabletId>>,
    /// Held by the compaction that runs here.
    compaction: Mutex<()>,
    /// Tablets and bytes of their files, as of the last look.
    pub(crate) tablets: AtomicU64,
    pub(crate) data_bytes: AtomicU64,
}

impl DataDir {
    /// Creates what is missing and opens the metadata store. A directory that does not open is broken.
    pub(crate) fn open(config: &DirConfig, fs: &SharedFs, kv: &KvFactory, watermarks: &Arc<Watermarks>) -> Self {
        let open = || -> Result<_> {
            for sub in ["data", "meta", "trash"] {
                fs.mkdir_all(&config.path.join(sub))?;
            }
            kv(&config.path.join("meta"))
        };
        let opened = open().with_context(|| format!("opening data directory {}", config.path.display()));
        if let Err(e) = &opened {
            tracing::error!(path = %config.path.display(), error = %e, "data directory does not open");
        }
        Self {
            config: config.clone(),
            fs: fs.clone(),
            broken: Mutex::new(opened.as_ref().err().map(ToString::to_string)),
            meta: opened.ok().map(MetaStore::new),
            watermarks: watermarks.clone(),
            in_flight: Mutex::default(),
            damaged: Mutex::default(),
            compaction: Mutex::default(),
            tablets: AtomicU64::new(0),
            data_bytes: AtomicU64::new(0),
        }
    }

    /// Keeps the files of a tablet whose metadata cannot be read.
    pub(crate) fn keep_files(&self, tablet: TabletId) {
        self.damaged.lock().insert(tablet);
    }
    /// Whether they are to be kept.
    pub(crate) fn keeps_files(&self, tablet: TabletId) -> bool {
        self.damaged.lock().contains(&tablet)
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
    /// Its entry of `storage_root_path`.
    pub(crate) fn config(&self) -> &DirConfig {
        &self.config
    }
    /// Its metadata. Tablets are in directories that opened only.
    pub(crate) fn meta(&self) -> &MetaStore {
        self.meta.as_ref().expect("only a directory that opened has tablets")
    }
    /// Whether its metadata store opened.
    pub(crate) fn is_open(&self) -> bool {
        self.meta.is_some()
    }
    /// Tablets here and bytes of their files, as of the last look.
    pub fn usage(&self) -> (u64, u64) {
        (self.tablets.load(Ordering::Relaxed), self.data_bytes.load(Ordering::Relaxed))
    }

    /// Refuses to write so many bytes when the disk would be too full afterwards.
    pub fn check_room(&self, bytes: u64, purpose: Purpose) -> Result<()> {
        self.watermarks.check(&self.config.path, self.space()?, bytes, purpose)
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

    /// Takes it out of use until the engine finds it healthy.
    pub(crate) fn mark_broken(&self, reason: String) {
        tracing::error!(path = %self.config.path.display(), reason, "data directory is broken");
        self.broken.lock().get_or_insert(reason);
    }

    /// Fails when it cannot be written: it is broken, or its metadata store has failed.
    pub fn check(&self) -> Result<()> {
        if let Some(reason) = &*self.broken.lock() {
            bail!(IoError, "data directory {} is broken: {reason}", self.config.path.display());
        }
        if let Some(reason) = self.meta.as_ref().and_then(MetaStore::failure) {
            bail!(IoError, "data directory {} takes no writes: its metadata store failed: {reason}", self.config.path.display());
        }
        Ok(())
    }

    /// Ends its use for good: another one takes its place.
    pub(crate) fn retire(&self) {
        self.broken.lock().get_or_insert_with(|| "it was opened anew".to_owned());
        if let Some(meta) = &self.meta {
            meta.close();
        }
    }

    /// Writes and removes a small file; a failure marks the directory broken. Mending it is the engine's affair: what is on the
    /// disk after a failure has to be read anew.
    pub fn probe(&self) -> Result<()> {
        let outcome = self.touch();
        // A full disk still answers reads.
        if let Err(e) = &outcome
            && e.code() != ErrorCode::DiskFull
            && self.broken().is_none()
        {
            self.mark_broken(e.to_string());
        }
        outcome
    }

    /// Writes and removes a small file.
    pub(crate) fn touch(&self) -> Result<()> {
        let path = self.config.path.join(".probe");
        self.fs.write_atomic(&path, b"probe").and_then(|()| self.fs.remove(&path))
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
