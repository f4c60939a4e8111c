//! An immutable rowset in memory. Segments are opened on first use. A rowset told to discard itself removes its files when
//! the last reader lets go of it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use be_segment::Segment;
use common_base::hll::HllSketch;
use common_base::ids::{TabletId, TxnId};
use common_base::metrics::GaugeGuard;
use common_base::{MemGuard, Result, ensure};
use common_expr::predicate::order::compare_scalars;
use common_types::Scalar;
use parking_lot::Mutex;
use proto_messages::{Message, tablet::RowsetMeta};

use super::id::RowsetId;
use crate::data_dir::DataDir;
use crate::options::Shared;
use crate::primary::del_vector::SegmentDeletes;
use crate::read::delete_predicates::DeletePredicate;
use crate::read::hidden_rows::HiddenRows;

/// Figures of one column, merged from segments.
#[derive(Clone, Debug, Default)]
pub struct ColumnStatistics {
    pub uid: u64,
    pub nulls: u64,
    /// NULL when unknown.
    pub min: Scalar,
    pub max: Scalar,
    pub hll: HllSketch,
    /// Bytes of the values before encoding.
    pub data_bytes: u64,
}

impl ColumnStatistics {
    /// Adds the figures of other rows of the same column; `rows` and `other_rows` tell empty sides apart from unknown ones.
    pub fn merge(&mut self, other: &Self, rows: u64, other_rows: u64) {
        let (mine, theirs) = (rows > self.nulls, other_rows > other.nulls);
        if !mine {
            (self.min, self.max) = (other.min.clone(), other.max.clone());
        } else if theirs {
            // Unknown on one side makes the whole unknown.
            let order = |a: &Scalar, b: &Scalar| compare_scalars(a, b);
            match (order(&other.min, &self.min), order(&other.max, &self.max)) {
                (Some(low), Some(high)) => {
                    if low.is_lt() {
                        self.min = other.min.clone();
                    }
                    if high.is_gt() {
                        self.max = other.max.clone();
                    }
                }
                _ => (self.min, self.max) = (Scalar::Null, Scalar::Null),
            }
        }
        self.nulls += other.nulls;
        self.hll.merge(&other.hll);
        self.data_bytes += other.data_bytes;
    }
}

/// Figures of all columns of a rowset.
#[derive(Clone, Debug, Default)]
pub struct RowsetStatistics {
    pub rows: u64,
    pub columns: Vec<ColumnStatistics>,
}

impl RowsetStatistics {
    /// Adds the figures of other rows.
    pub fn merge(&mut self, other: &Self) {
        for column in &other.columns {
            match self.columns.iter_mut().find(|c| c.uid == column.uid) {
                Some(mine) => mine.merge(column, self.rows, other.rows),
                None => self.columns.push(column.clone()),
            }
        }
        self.rows += other.rows;
    }
}

/// A rowset of a tablet.
#[derive(Debug)]
pub struct Rowset {
    meta: RowsetMeta,
    id: RowsetId,
    tablet_dir: PathBuf,
    dir: Arc<DataDir>,
    shared: Arc<Shared>,
    segments: Vec<OnceLock<Arc<Segment>>>,
    delete: Option<DeletePredicate>,
    statistics: OnceLock<Arc<RowsetStatistics>>,
    /// Deleted rows of each segment (primary keys).
    deletes: Vec<SegmentDeletes>,
    /// Rows of each segment that delete predicates hide, as far as they are counted.
    hidden: Mutex<Vec<HiddenRows>>,
    discarded: AtomicBool,
    _counted: Counted,
}

/// A rowset in the figures of the engine: one more, and the memory of what describes it.
#[derive(Debug)]
struct Counted {
    _one: GaugeGuard,
    _metadata: MemGuard,
}

impl Counted {
    fn new(meta: &RowsetMeta, shared: &Shared) -> Self {
        let mut metadata = shared.metadata_tracker.empty_guard();
        metadata.force(meta.encoded_len());
        Self { _one: shared.metrics.rowsets.scope(), _metadata: metadata }
    }
}

impl Rowset {
    /// A rowset as its metadata describes it; files are not touched.
    pub(crate) fn new(meta: RowsetMeta, dir: Arc<DataDir>, shared: Arc<Shared>) -> Result<Arc<Self>> {
        let delete = meta.delete_predicate.as_ref().map(|d| DeletePredicate::from_proto(d, &shared.functions)).transpose()?;
        Ok(Arc::new(Self {
            id: RowsetId::parse(&meta.rowset_id)?,
            tablet_dir: dir.tablet_path(TabletId(meta.tablet_id)),
            segments: meta.segments.iter().map(|_| OnceLock::new()).collect(),
            deletes: meta.segments.iter().map(|s| SegmentDeletes::new(s.rows)).collect(),
            hidden: Mutex::new(hidden_rows_of(&meta)),
            delete,
            statistics: OnceLock::new(),
            discarded: AtomicBool::new(false),
            _counted: Counted::new(&meta, &shared),
            meta,
            dir,
            shared,
        }))
    }

    /// The same with its segments opened already.
    pub(crate) fn with_segments(meta: RowsetMeta, dir: Arc<DataDir>, shared: Arc<Shared>, open: Vec<Arc<Segment>>) -> Result<Arc<Self>> {
        let rowset = Self::new(meta, dir, shared)?;
        for (slot, segment) in rowset.segments.iter().zip(open) {
            slot.get_or_init(|| segment);
        }
        Ok(rowset)
    }

    /// The same rowset under the versions it was published as; open segments come along.
    pub(crate) fn published(&self, version: i64) -> Arc<Self> {
        Arc::new(Self {
            meta: RowsetMeta { start_version: version, end_version: version, ..self.meta.clone() },
            id: self.id,
            tablet_dir: self.tablet_dir.clone(),
            dir: self.dir.clone(),
            shared: self.shared.clone(),
            segments: self.segments.clone(),
            delete: self.delete.clone(),
            statistics: self.statistics.clone(),
            deletes: self.meta.segments.iter().map(|s| SegmentDeletes::new(s.rows)).collect(),
            hidden: Mutex::new(hidden_rows_of(&self.meta)),
            discarded: AtomicBool::new(false),
            _counted: Counted::new(&self.meta, &self.shared),
        })
    }

    /// Its metadata.
    pub fn meta(&self) -> &RowsetMeta {
        &self.meta
    }
    /// Its identity.
    pub fn id(&self) -> RowsetId {
        self.id
    }
    /// Where its files are.
    pub(crate) fn tablet_dir(&self) -> &std::path::Path {
        &self.tablet_dir
    }
    /// Its data directory.
    pub(crate) fn dir(&self) -> &Arc<DataDir> {
        &self.dir
    }
    /// The load it came from; 0 once compacted.
    pub fn txn(&self) -> TxnId {
        TxnId(self.meta.txn_id)
    }
    /// First and last version it covers.
    pub fn versions(&self) -> (i64, i64) {
        (self.meta.start_version, self.meta.end_version)
    }
    /// Rows that go away at its version, if that is what it is.
    pub fn delete_predicate(&self) -> Option<&DeletePredicate> {
        self.delete.as_ref()
    }
    /// Number of segments.
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// The deleted rows of one of its segments.
    pub(crate) fn deletes(&self, segment: usize) -> &SegmentDeletes {
        &self.deletes[segment]
    }

    /// Rows that its newest version has deleted; those that delete predicates hide as far as they are counted.
    pub fn deleted_rows(&self) -> u64 {
        self.deletes.iter().map(SegmentDeletes::count).sum::<u64>() + self.hidden.lock().iter().map(|h| h.rows).sum::<u64>()
    }

    /// Rows of one of its segments that delete predicates hide.
    pub(crate) fn hidden(&self, segment: usize) -> HiddenRows {
        self.hidden.lock()[segment]
    }

    /// Notes a count that began when `known` was; somebody else's that came in between stays.
    pub(crate) fn note_hidden(&self, segment: usize, known: HiddenRows, hidden: HiddenRows) {
        let mut all = self.hidden.lock();
        if all[segment] == known {
            all[segment] = hidden;
        }
    }

    /// Whether the delete predicates up to a version are counted.
    pub(crate) fn is_counted(&self, version: i64) -> bool {
        self.hidden.lock().iter().all(|h| h.to >= version)
    }

    /// Its metadata with what is counted by now.
    pub fn counted_meta(&self) -> RowsetMeta {
        let mut meta = self.meta.clone();
        for (segment, hidden) in meta.segments.iter_mut().zip(self.hidden.lock().iter()) {
            (segment.hidden_rows, segment.hidden_to) = (hidden.rows, hidden.to);
        }
        meta
    }

    /// One of its segments, opened on first use.
    pub fn segment(&self, i: usize) -> Result<Arc<Segment>> {
        if let Some(open) = self.segments[i].get() {
            return Ok(open.clone());
        }
        let meta = &self.meta.segments[i];
        let path = self.id.segment_path(&self.tablet_dir, meta.ordinal);
        let segment = Segment::open(&**self.dir.fs(), &path, &self.shared.segment)?;
        ensure!(u64::from(segment.rows()) == meta.rows, Corruption, "segment {} has {} rows, its rowset says {}", path.display(), segment.rows(), meta.rows);
        Ok(self.segments[i].get_or_init(|| segment).clone())
    }

    /// Figures of its columns, from the footers of its segments.
    pub fn statistics(&self) -> Result<Arc<RowsetStatistics>> {
        if let Some(known) = self.statistics.get() {
            return Ok(known.clone());
        }
        let mut total = RowsetStatistics::default();
        for i in 0..self.segment_count() {
            let segment = self.segment(i)?;
            let columns = segment
                .columns()
                .iter()
                .map(|c| {
                    Ok(ColumnStatistics {
                        uid: c.spec.uid,
                        nulls: c.nulls,
                        min: c.min.clone().unwrap_or_default(),
                        max: c.max.clone().unwrap_or_default(),
                        hll: HllSketch::from_bytes(&c.hll)?,
                        data_bytes: c.data_bytes,
                    })
                })
                .collect::<Result<_>>()?;
            total.merge(&RowsetStatistics { rows: segment.rows().into(), columns });
        }
        Ok(self.statistics.get_or_init(|| Arc::new(total)).clone())
    }

    /// Removes its files when the last owner drops it; its metadata is gone already.
    pub(crate) fn discard(&self) {
        self.discarded.store(true, Ordering::SeqCst);
    }
}

/// Counts that came with the metadata.
fn hidden_rows_of(meta: &RowsetMeta) -> Vec<HiddenRows> {
    meta.segments.iter().map(|s| HiddenRows { to: s.hidden_to, rows: s.hidden_rows.min(s.rows) }).collect()
}

impl Drop for Rowset {
    fn drop(&mut self) {
        if !self.discarded.load(Ordering::SeqCst) || self.dir.check().is_err() {
            return;
        }
        for segment in &self.meta.segments {
            let path = self.id.segment_path(&self.tablet_dir, segment.ordinal);
            if let Err(e) = self.dir.fs().remove(&path) {
                // The garbage collector finds it later.
                tracing::warn!(path = %path.display(), error = %e, "could not remove a segment file");
            }
        }
    }
}
