//! A rowset being written, and the rowset that waits for its commit. Dropped before that, its files go away.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use be_segment::SegmentSummary;
use common_base::Result;
use common_base::ids::TxnId;
use parking_lot::Mutex;
use proto_messages::tablet::{DeletePredicate, PrimaryLoad, RowsetMeta, SegmentMeta};

use super::id::RowsetId;
use crate::tablet::Tablet;

/// Hands out segment files of a new rowset.
#[derive(Debug)]
pub struct RowsetWriter {
    tablet: Arc<Tablet>,
    id: RowsetId,
    next: AtomicU32,
    /// Whether the tablet's directory is known to exist.
    made: AtomicBool,
    primary_load: Option<PrimaryLoad>,
    /// Whether the segments follow each other in key order, whatever their cut keys say.
    sorted: bool,
    segments: Mutex<Vec<SegmentMeta>>,
    /// Files to remove unless the rowset is committed.
    armed: AtomicBool,
}

impl RowsetWriter {
    /// A rowset without files yet.
    pub fn new(tablet: &Arc<Tablet>) -> Self {
        let id = RowsetId::random(&tablet.shared().rng);
        tablet.dir().begin_writing(id);
        Self { tablet: tablet.clone(), id, next: AtomicU32::new(0), made: AtomicBool::new(false), primary_load: None, sorted: false, segments: Mutex::default(), armed: AtomicBool::new(true) }
    }

    /// The rows are a load into a primary-key tablet to be applied in this way.
    pub fn with_primary_load(mut self, load: Option<PrimaryLoad>) -> Self {
        self.primary_load = load;
        self
    }

    /// The segments come out of one merge: each continues where the one before ended, be it amid rows of one key.
    pub fn sorted(mut self) -> Self {
        self.sorted = true;
        self
    }

    /// The tablet written to.
    pub fn tablet(&self) -> &Arc<Tablet> {
        &self.tablet
    }

    /// Number and path of the next segment file; its directory exists.
    pub fn next_segment(&self) -> Result<(u32, PathBuf)> {
        let ordinal = self.reserve(1);
        Ok((ordinal, self.segment_path(ordinal)?))
    }

    /// Reserves numbers for segments to come; the first is returned. Segments of a rowset are in the order of their numbers.
    pub fn reserve(&self, segments: u32) -> u32 {
        self.next.fetch_add(segments, Ordering::Relaxed)
    }

    /// The path of a reserved segment; its directory exists.
    pub fn segment_path(&self, ordinal: u32) -> Result<PathBuf> {
        let dir = self.tablet.dir().tablet_path(self.tablet.id());
        if !self.made.swap(true, Ordering::Relaxed) {
            self.tablet.dir().fs().mkdir_all(&dir)?;
        }
        Ok(self.id.segment_path(&dir, ordinal))
    }

    /// Adds a finished segment.
    pub fn add_segment(&self, ordinal: u32, summary: SegmentSummary) {
        self.segments.lock().push(segment_meta(ordinal, summary));
    }

    /// Adds a finished segment of keys to delete.
    pub fn add_delete_segment(&self, ordinal: u32, summary: SegmentSummary) {
        self.segments.lock().push(SegmentMeta { deletes: true, ..segment_meta(ordinal, summary) });
    }

    /// The rowset as it will be committed: `versions` are 0 for a load.
    pub fn finish(&self, txn: TxnId, versions: (i64, i64), delete: Option<DeletePredicate>) -> Result<PendingRowset> {
        let mut segments = std::mem::take(&mut *self.segments.lock());
        segments.sort_by_key(|s| s.ordinal);
        // Cut keys compare safely this way only.
        let disjoint = self.sorted || segments.windows(2).all(|pair| !pair[0].max_key.is_empty() && pair[0].max_key < pair[1].min_key);
        let meta = RowsetMeta {
            rowset_id: self.id.to_string(),
            tablet_id: self.tablet.id().0,
            txn_id: txn.0,
            start_version: versions.0,
            end_version: versions.1,
            rows: segments.iter().map(|s| s.rows).sum(),
            bytes: segments.iter().map(|s| s.bytes).sum(),
            overlapping: segments.len() > 1 && !disjoint,
            delete_predicate: delete,
            schema_version: self.tablet.schema().version,
            created_ms: self.tablet.shared().clock.now_ms(),
            primary_load: self.primary_load.clone(),
            valid_from: 0,
            segments,
        };
        if !meta.segments.is_empty() {
            // Names are durable before anything refers to them.
            let dir = self.tablet.dir();
            dir.fs().sync_dir(&dir.tablet_path(self.tablet.id()))?;
        }
        self.armed.store(false, Ordering::Relaxed);
        Ok(PendingRowset { tablet: self.tablet.clone(), id: self.id, meta, armed: true })
    }
}

/// What is recorded of a finished segment.
pub(crate) fn segment_meta(ordinal: u32, summary: SegmentSummary) -> SegmentMeta {
    SegmentMeta {
        ordinal,
        rows: summary.rows,
        bytes: summary.bytes,
        min_key: summary.min_key.into(),
        max_key: summary.max_key.into(),
        deletes: false,
        hidden_rows: 0,
        hidden_to: 0,
    }
}

impl RowsetWriter {
    /// The rowset as a copy of another one: everything but its identity and the numbers of its files is the original's.
    pub fn finish_copy(&self, original: RowsetMeta) -> Result<PendingRowset> {
        let dir = self.tablet.dir();
        if !original.segments.is_empty() {
            dir.fs().sync_dir(&dir.tablet_path(self.tablet.id()))?;
        }
        let meta = RowsetMeta { rowset_id: self.id.to_string(), tablet_id: self.tablet.id().0, ..original };
        self.armed.store(false, Ordering::Relaxed);
        Ok(PendingRowset { tablet: self.tablet.clone(), id: self.id, meta, armed: true })
    }
}

impl Drop for RowsetWriter {
    fn drop(&mut self) {
        if self.armed.load(Ordering::Relaxed) {
            remove_files(&self.tablet, self.id, self.next.load(Ordering::Relaxed));
        }
    }
}

/// A rowset whose files are durable and whose commit is not.
#[derive(Debug)]
pub struct PendingRowset {
    tablet: Arc<Tablet>,
    id: RowsetId,
    meta: RowsetMeta,
    armed: bool,
}

impl PendingRowset {
    /// The tablet it belongs to.
    pub fn tablet(&self) -> &Arc<Tablet> {
        &self.tablet
    }
    /// What will be recorded.
    pub fn meta(&self) -> &RowsetMeta {
        &self.meta
    }
    /// It is recorded and known to its tablet: the files stay.
    pub(crate) fn settle(mut self) {
        self.armed = false;
        self.tablet.dir().end_writing(self.id);
    }
}

impl Drop for PendingRowset {
    fn drop(&mut self) {
        if self.armed {
            let files = self.meta.segments.iter().map(|s| s.ordinal + 1).max().unwrap_or(0);
            remove_files(&self.tablet, self.id, files);
        }
    }
}

fn remove_files(tablet: &Tablet, id: RowsetId, files: u32) {
    let dir = tablet.dir();
    if dir.check().is_err() {
        // The metadata may name them after all: who reads it anew decides.
        return;
    }
    let path = dir.tablet_path(tablet.id());
    for ordinal in 0..files {
        // What cannot be removed now, the garbage collector removes.
        let _ = dir.fs().remove(&id.segment_path(&path, ordinal));
    }
    dir.end_writing(id);
}
