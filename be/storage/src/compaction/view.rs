//! What a compaction policy sees of a tablet.

use crate::tablet::versions::Versions;

/// One visible rowset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowsetView {
    pub bytes: u64,
    pub rows: u64,
    /// Segments a reader has to open; 1 at least, so that empty rowsets count too.
    pub segments: u64,
    pub has_delete: bool,
    pub overlapping: bool,
}

/// The visible rowsets in version order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TabletView {
    pub rowsets: Vec<RowsetView>,
    pub max_versions: usize,
}

impl TabletView {
    /// The view of a snapshot.
    pub fn of(versions: &Versions, max_versions: usize) -> Self {
        let rowsets = versions
            .current()
            .iter()
            .map(|r| RowsetView {
                bytes: r.meta().bytes,
                rows: r.meta().rows,
                segments: (r.segment_count() as u64).max(1),
                has_delete: r.delete_predicate().is_some(),
                overlapping: r.meta().overlapping,
            })
            .collect();
        Self { rowsets, max_versions }
    }
}
