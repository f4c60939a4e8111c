//! What the storage engine is built from: settings, and the seams to disk, metadata store, time and randomness.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use be_segment::{FlatJson, PageCache, SegmentOptions};
use common_base::fs::SharedFs;
use common_base::kv::SharedKv;
use common_base::{MemTracker, Result, SharedClock, SharedRng};
use common_expr::registry::FunctionRegistry;

use crate::compaction::Compactions;
use crate::ingest::LoadMemory;
use crate::metrics::StorageMetrics;
use crate::room::Watermarks;
use crate::scrub::ScrubState;

/// Opens the metadata store of a data directory, given the path it may use.
pub type KvFactory = Arc<dyn Fn(&Path) -> Result<SharedKv> + Send + Sync>;

/// One entry of `storage_root_path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirConfig {
    pub path: PathBuf,
    /// `SSD` or `HDD`.
    pub medium: String,
}

impl DirConfig {
    /// A directory on the default medium.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), medium: "HDD".to_owned() }
    }
}

/// Settings.
#[derive(Clone, Copy, Debug)]
pub struct StorageSettings {
    /// A memtable of this size is flushed.
    pub memtable_bytes: usize,
    /// Memory of all loads together; when it runs short the largest memtable is flushed.
    pub memtable_total_bytes: i64,
    /// Rows of a unit of parallel reading.
    pub morsel_rows: u32,
    /// How long replaced rowsets stay readable for queries planned before the replacement.
    pub stale_sweep_ms: i64,
    /// How long dropped tablets stay in the trash.
    pub trash_expire_ms: i64,
    /// Versions a tablet may have before loads are refused.
    pub max_versions: usize,
    /// Bytes of decoded pages kept in memory.
    pub page_cache_bytes: usize,
    /// Rowsets of a tablet that make a compaction worthwhile.
    pub compaction_min_rowsets: usize,
    /// Bytes of primary indexes kept in memory; beyond it the longest unused are dropped and built again when needed.
    pub primary_index_bytes: usize,
    /// Bytes of the longest primary key a load may bring.
    pub primary_key_bytes_max: usize,
    /// How long an unused primary index is kept.
    pub primary_index_expire_ms: i64,
    /// Rows of a compacted segment.
    pub compaction_segment_rows: usize,
    /// Memory of one compaction.
    pub compaction_bytes: usize,
    /// Rows looked at to find out how many rows of a tablet a delete predicate hides; of more, some pages speak for all.
    pub hidden_rows_looks_max: u64,
    /// How JSON columns of tables that do not say are taken apart; `None` = they stay whole.
    pub flat_json: Option<FlatJson>,
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self {
            memtable_bytes: 192 << 20,
            memtable_total_bytes: 2 << 30,
            morsel_rows: 128 << 10,
            stale_sweep_ms: 1_800_000,
            trash_expire_ms: 86_400_000,
            max_versions: 1000,
            page_cache_bytes: 2 << 30,
            primary_index_bytes: 4 << 30,
            primary_key_bytes_max: 128,
            primary_index_expire_ms: 360_000,
            compaction_min_rowsets: 5,
            compaction_segment_rows: 8 << 20,
            compaction_bytes: 1 << 30,
            hidden_rows_looks_max: 64 << 20,
            flat_json: Some(FlatJson::default()),
        }
    }
}

/// Everything the engine stands on.
#[derive(Clone)]
pub struct StorageOptions {
    pub settings: StorageSettings,
    pub dirs: Vec<DirConfig>,
    pub fs: SharedFs,
    pub kv: KvFactory,
    pub clock: SharedClock,
    pub rng: SharedRng,
    /// Parent of the trackers of the page cache, of metadata and of loads.
    pub tracker: Arc<MemTracker>,
    /// Resolves the functions in stored delete predicates.
    pub functions: Arc<FunctionRegistry>,
}

/// What all parts of a running engine share.
pub(crate) struct Shared {
    pub settings: StorageSettings,
    pub clock: SharedClock,
    pub rng: SharedRng,
    pub segment: SegmentOptions,
    pub loads: LoadMemory,
    /// Compactions.
    pub compaction_tracker: Arc<MemTracker>,
    /// What rowsets are described by.
    pub metadata_tracker: Arc<MemTracker>,
    /// Rows that conversions write; loads and conversions share their memory.
    pub conversion_tracker: Arc<MemTracker>,
    /// Primary indexes.
    pub index_tracker: Arc<MemTracker>,
    pub functions: Arc<FunctionRegistry>,
    pub compactions: Compactions,
    pub metrics: StorageMetrics,
    pub watermarks: Arc<Watermarks>,
    pub scrub: ScrubState,
    /// Tablets found bad so far: a change is worth a report.
    pub damages: AtomicU64,
}

impl Shared {
    pub fn new(options: &StorageOptions) -> Arc<Self> {
        let cache = PageCache::new(options.settings.page_cache_bytes, options.tracker.child("page_cache", 0));
        let loads = LoadMemory::new(options.tracker.child("load", options.settings.memtable_total_bytes), options.clock.clone());
        Arc::new(Self {
            settings: options.settings,
            clock: options.clock.clone(),
            rng: options.rng.clone(),
            segment: SegmentOptions { cache },
            conversion_tracker: loads.tracker().child("schema_change", 0),
            loads,
            metadata_tracker: options.tracker.child("metadata", 0),
            compaction_tracker: options.tracker.child("compaction", 0),
            index_tracker: options.tracker.child("primary_index", 0),
            functions: options.functions.clone(),
            compactions: Compactions::default(),
            metrics: StorageMetrics::default(),
            watermarks: Arc::default(),
            scrub: ScrubState::default(),
            damages: AtomicU64::new(0),
        })
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("settings", &self.settings).finish_non_exhaustive()
    }
}
