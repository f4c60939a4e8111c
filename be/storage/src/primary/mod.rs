//! Primary-key tablets: delete and insert. A load's rowset is applied when it is published: the index tells which rows its keys had,
//! those go into delete vectors, which become visible with the version. Scans only leave out deleted rows, they merge nothing.
//!
//! Flow: [`flush`] (one row per key in a segment) → [`apply`] at publication, in version order, under the tablet's
//! [`PrimaryState`] → delete vectors in the same metadata write as the rowset. Invariants: the index is memory only and agrees
//! with the newest version; whatever fails half-way drops it, and it is built again from the segments.

pub mod apply;
pub mod compaction;
pub mod del_vector;
pub mod flush;
pub(crate) mod group;
pub mod index;
pub mod load;
mod lookup;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use common_base::{Result, err};
use common_types::Column;
use hashbrown::HashMap;
use proto_messages::tablet::TabletMeta;

use crate::meta_store::MetaBatch;
use crate::rowset::id::RowsetId;
use crate::tablet::{Tablet, TabletSchema};
use index::{Location, PrimaryIndex, SpillTo, keys_of};

/// Pages of key columns read at once.
const PAGES_AT_ONCE: usize = 64;

/// The index of a tablet and the numbers its locations use for segments.
#[derive(Debug, Default)]
pub struct PrimaryState {
    index: Option<PrimaryIndex>,
    /// Number of a rowset's first segment; the others follow.
    first: HashMap<RowsetId, u32>,
    next: u32,
    used_ms: i64,
}

impl PrimaryState {
    /// Forgets the index; it is built again when it is needed.
    pub(crate) fn invalidate(&mut self) {
        *self = Self::default();
    }

    /// Bytes the index takes.
    pub(crate) fn memory_size(&self) -> usize {
        self.index.as_ref().map_or(0, PrimaryIndex::memory_size)
    }

    /// When it was last used; `None` when there is no index.
    pub(crate) fn last_used(&self) -> Option<i64> {
        self.index.as_ref().map(|_| self.used_ms)
    }

    /// Numbers for the segments of a rowset.
    fn number(&mut self, rowset: RowsetId, segments: usize) -> u32 {
        let first = self.next;
        self.next += segments as u32;
        self.first.insert(rowset, first);
        first
    }

    /// The index as of the newest version, built when there is none.
    fn ready(&mut self, tablet: &Arc<Tablet>) -> Result<&mut PrimaryIndex> {
        self.used_ms = tablet.shared().clock.now_ms();
        if self.index.is_none() {
            let built = self.build(tablet);
            if built.is_err() {
                self.invalidate();
            }
            self.index = Some(built?);
        }
        self.index.as_mut().ok_or_else(|| err!(Internal, "the primary index was just built"))
    }

    fn build(&mut self, tablet: &Arc<Tablet>) -> Result<PrimaryIndex> {
        self.invalidate();
        self.used_ms = tablet.shared().clock.now_ms();
        let schema = tablet.schema();
        let versions = tablet.versions();
        let spill = SpillTo {
            fs: tablet.dir().fs().clone(),
            dir: tablet.dir().tablet_path(tablet.id()),
            budget: tablet.shared().settings.primary_index_bytes,
        };
        let mut index = PrimaryIndex::new(&tablet.shared().index_tracker, spill)?;
        let mut replaced = Vec::new();
        for rowset in versions.current() {
            let first = self.number(rowset.id(), rowset.segment_count());
            for s in 0..rowset.segment_count() {
                let number = first + s as u32;
                let live = rowset.deletes(s).live_at(versions.max());
                let segment = rowset.segment(s)?;
                each_keys(&segment, &schema, |start, columns, rows| {
                    let keys = keys_of(&columns, rows)?;
                    match &live {
                        None => index.upsert(&keys, |i| Location::new(number, start + i as u32), &mut replaced)?,
                        Some(live) => {
                            let rows: Vec<u32> = (0..rows as u32).filter(|r| live.value((start + r) as usize)).collect();
                            let keys: Vec<_> = rows.iter().map(|r| keys[*r as usize]).collect();
                            index.upsert(&keys, |i| Location::new(number, start + rows[i]), &mut replaced)?;
                        }
                    }
                    Ok(())
                })?;
            }
        }
        if let Some(twice) = replaced.first() {
            // Never so while delete vectors and rowsets agree.
            return Err(err!(Corruption, "two live rows of tablet {} have the same key, one of them is row {} of segment {}", tablet.id(), twice.row(), twice.segment()));
        }
        Ok(index)
    }
}

impl Tablet {
    /// Tells deletions of versions that no query reads any more as one; false when there was nothing to do.
    pub(crate) fn join_old_deletes(&self, before_ms: i64) -> Result<bool> {
        // A compaction reads the version it began with, however long it takes; one that begins later reads none that is joined.
        if self.is_compacting() {
            return Ok(false);
        }
        let Some(_state) = self.primary().and_then(|p| p.try_lock()) else { return Ok(false) };
        let _turn = self.pending.lock();
        let versions = self.versions();
        let mut batch = MetaBatch::new();
        let mut joins = Vec::new();
        let mut oldest = versions.oldest();
        for rowset in versions.current() {
            for segment in 0..rowset.segment_count() {
                let Some((merged, into, rows)) = rowset.deletes(segment).old_versions(before_ms) else { continue };
                for version in &merged {
                    self.dir().meta().delete_delete_vector(&mut batch, rowset.meta(), segment, *version)?;
                }
                self.dir().meta().put_delete_vector(&mut batch, rowset.meta(), segment, into, &rows)?;
                oldest = oldest.max(into);
                joins.push((rowset.clone(), segment, merged, into, rows));
            }
        }
        if joins.is_empty() {
            return Ok(false);
        }
        self.dir().meta().put_tablet(&mut batch, &TabletMeta { oldest_version: oldest, ..self.header() });
        self.dir().meta().commit(batch)?;
        // Older versions are closed before their delete vectors change.
        self.set_versions((*versions).clone().from_oldest(oldest));
        for (rowset, segment, merged, into, rows) in joins {
            rowset.deletes(segment).join(&merged, into, rows);
        }
        Ok(true)
    }

    /// Bytes of its primary index in memory and when it was last used, if it has one and nobody is at it.
    pub(crate) fn idle_index(&self) -> Option<(usize, i64)> {
        let state = self.primary()?.try_lock()?;
        Some((state.memory_size(), state.last_used()?))
    }

    /// Lets go of its primary index unless it is in use.
    pub(crate) fn drop_index(&self) {
        if let Some(mut state) = self.primary().and_then(|p| p.try_lock()) {
            state.invalidate();
        }
    }
}

/// Positions of the key columns.
fn key_columns(schema: &TabletSchema) -> impl Iterator<Item = usize> + '_ {
    (0..schema.columns.len()).filter(|i| schema.columns[*i].key)
}

/// Calls with the key columns of a segment, some pages at a time: first row, columns, rows.
fn each_keys(segment: &be_segment::Segment, schema: &TabletSchema, mut f: impl FnMut(u32, Vec<Column>, usize) -> Result<()>) -> Result<()> {
    let at: Vec<usize> = key_columns(schema)
        .map(|i| {
            let column = &schema.columns[i];
            segment.position_of(column.uid).ok_or_else(|| err!(Corruption, "segment {} has no key column {}", segment.path().display(), column.name))
        })
        .collect::<Result<_>>()?;
    for first in (0..segment.pages()).step_by(PAGES_AT_ONCE) {
        let pages = first..segment.pages().min(first + PAGES_AT_ONCE);
        let rows = pages.clone().map(|p| segment.rows_of_page(p)).sum();
        let columns = at
            .iter()
            .map(|c| Ok(Column::concat(&pages.clone().map(|p| segment.page(*c, p)).collect::<Result<Vec<_>>>()?)))
            .collect::<Result<Vec<_>>>()?;
        f((first * segment.page_rows()) as u32, columns, rows)?;
    }
    Ok(())
}
