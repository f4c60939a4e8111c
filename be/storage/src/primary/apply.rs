//! Applying a load: segment by segment in the order of the load, keys are put into the index and the rows they had are marked deleted.
//! Rows that came without some columns are completed into new segments first.

use std::sync::Arc;

use be_segment::Segment;
use common_base::{Result, ensure, err, fail_point};
use common_types::Column;
use common_types::compare::compare_rows;
use hashbrown::HashMap;
use proto_messages::tablet::{RowsetMeta, SegmentMeta};
use roaring::RoaringBitmap;

use super::index::{Location, keys_of};
use super::load::LoadShape;
use super::lookup::Places;
use super::{PrimaryState, each_keys, key_columns};
use crate::memtable::flush::{Sorted, write_columns};
use crate::memtable::sort::permutation;
use crate::meta_store::MetaBatch;
use crate::rowset::Rowset;
use crate::rowset::writer::segment_meta;
use crate::tablet::{Tablet, TabletSchema};

/// What the publication of a load will make visible.
#[derive(Debug)]
pub(crate) struct Applied {
    /// The rowset under its version, of rows only.
    pub rowset: Arc<Rowset>,
    /// Newly deleted rows: of older rowsets and of the rowset itself.
    pub deletes: Vec<(Arc<Rowset>, usize, RoaringBitmap)>,
    /// Segments of the load that nobody needs any more.
    obsolete: Vec<u32>,
}

impl Applied {
    /// Adds it to the metadata write of the publication.
    pub fn record(&self, tablet: &Tablet, version: i64, batch: &mut MetaBatch) -> Result<()> {
        let meta = tablet.dir().meta();
        meta.put_rowset(batch, self.rowset.meta())?;
        if fail_point!("planted.deletes.lost")?.is_some() {
            return Ok(());
        }
        for (rowset, segment, rows) in &self.deletes {
            meta.put_delete_vector(batch, rowset.meta(), *segment, version, rows)?;
        }
        Ok(())
    }

    /// The metadata is written: readers of the version may come.
    pub fn settle(self, tablet: &Tablet, version: i64) {
        let now = tablet.shared().clock.now_ms();
        for (rowset, segment, rows) in self.deletes {
            rowset.deletes(segment).add(version, now, rows);
        }
        let path = tablet.dir().tablet_path(tablet.id());
        for ordinal in &self.obsolete {
            // What cannot be removed now, the garbage collector removes.
            let _ = tablet.dir().fs().remove(&self.rowset.id().segment_path(&path, *ordinal));
        }
        tablet.dir().end_writing(self.rowset.id());
    }
}

/// Applies a committed rowset as the next version. The index has changed when it returns: unless the publication succeeds it must
/// be invalidated.
pub(crate) fn apply(tablet: &Arc<Tablet>, state: &mut PrimaryState, pending: &Arc<Rowset>, version: i64) -> Result<Applied> {
    ensure!(version == tablet.versions().max() + 1, Unavailable, "version {version} cannot follow version {}", tablet.versions().max());
    let schema = tablet.schema();
    let meta = pending.meta();
    let published = |segments: Vec<SegmentMeta>| RowsetMeta {
        start_version: version,
        end_version: version,
        rows: segments.iter().map(|s| s.rows).sum(),
        bytes: segments.iter().map(|s| s.bytes).sum(),
        primary_load: None,
        overlapping: segments.len() > 1 && meta.overlapping,
        segments,
        ..meta.clone()
    };
    if meta.segments.is_empty() {
        if state.index.is_some() {
            state.number(pending.id(), 0);
        }
        let rowset = Rowset::new(published(Vec::new()), tablet.dir().clone(), tablet.shared().clone())?;
        return Ok(Applied { rowset, deletes: Vec::new(), obsolete: Vec::new() });
    }
    let shape = LoadShape::new(&schema, meta.primary_load.as_ref())?;
    state.ready(tablet)?;
    let rows_of = meta.segments.iter().filter(|s| !s.deletes).count();
    let first = state.number(pending.id(), rows_of);
    let mut run = Run { tablet, schema: &schema, shape: &shape, places: Places::default(), segments: Vec::new(), dead: Vec::new(), first, id: pending.id() };
    let reads_rows = shape.is_partial() || shape.merge_column.is_some();
    if reads_rows {
        for rowset in tablet.versions().current() {
            let number = *state.first.get(&rowset.id()).ok_or_else(|| err!(Internal, "rowset {} is not in the primary index", rowset.id()))?;
            for s in 0..rowset.segment_count() {
                run.places.add(number + s as u32, rowset.segment(s)?);
            }
        }
        // New files of a known rowset are no garbage while it is applied.
        tablet.dir().begin_writing(pending.id());
    }
    let mut next_ordinal = meta.segments.iter().map(|s| s.ordinal + 1).max().unwrap_or(0);
    for (s, segment) in meta.segments.iter().enumerate() {
        let open = pending.segment(s)?;
        if segment.deletes {
            run.delete(state, &open)?;
        } else {
            run.upsert(state, segment, open, &mut next_ordinal)?;
        }
    }
    let obsolete = meta.segments.iter().map(|s| s.ordinal).filter(|o| !run.segments.iter().any(|(m, _)| m.ordinal == *o)).collect();
    if shape.is_partial() {
        let dir = tablet.dir();
        dir.fs().sync_dir(&dir.tablet_path(tablet.id()))?;
    }
    let (segments, open): (Vec<_>, Vec<_>) = run.segments.into_iter().unzip();
    let rowset = Rowset::with_segments(published(segments), tablet.dir().clone(), tablet.shared().clone(), open)?;
    let deletes = by_segment(tablet, state, &rowset, &run.dead)?;
    Ok(Applied { rowset, deletes, obsolete })
}

struct Run<'a> {
    tablet: &'a Arc<Tablet>,
    schema: &'a TabletSchema,
    shape: &'a LoadShape,
    places: Places,
    segments: Vec<(SegmentMeta, Arc<Segment>)>,
    dead: Vec<Location>,
    first: u32,
    id: crate::rowset::id::RowsetId,
}

impl Run<'_> {
    fn delete(&mut self, state: &mut PrimaryState, segment: &Segment) -> Result<()> {
        let index = state.ready(self.tablet)?;
        each_keys(segment, self.schema, |_, columns, rows| {
            index.remove(&keys_of(&columns, rows)?, &mut self.dead)
        })
    }

    fn upsert(&mut self, state: &mut PrimaryState, meta: &SegmentMeta, segment: Arc<Segment>, next_ordinal: &mut u32) -> Result<()> {
        let (meta, segment) = if self.shape.is_partial() {
            let Some(completed) = self.complete(state, &segment, next_ordinal)? else { return Ok(()) };
            completed
        } else {
            (meta.clone(), segment)
        };
        let number = self.first + self.segments.len() as u32;
        let merge = match self.shape.merge_column {
            Some(m) => Some((&self.schema.columns[m], self.whole_column(&segment, m)?)),
            None => None,
        };
        let index = state.ready(self.tablet)?;
        let (dead, places) = (&mut self.dead, &self.places);
        each_keys(&segment, self.schema, |start, columns, rows| {
            let mut keys = keys_of(&columns, rows)?;
            let Some((column, new)) = &merge else {
                return index.upsert(&keys, |i| Location::new(number, start + i as u32), dead);
            };
            let found = index.get(&keys)?;
            let known: Vec<u32> = (0..rows as u32).filter(|r| found[*r as usize].is_some()).collect();
            let old = places.values(column, &known.iter().map(|r| found[*r as usize]).collect::<Vec<_>>())?;
            let mut loses = vec![false; rows];
            for (i, row) in known.iter().enumerate() {
                loses[*row as usize] = compare_rows(new, (start + row) as usize, &old, i, true, false).is_lt();
            }
            let wins: Vec<u32> = (0..rows as u32).filter(|r| !loses[*r as usize]).collect();
            dead.extend((0..rows as u32).filter(|r| loses[*r as usize]).map(|r| Location::new(number, start + r)));
            keys = wins.iter().map(|r| keys[*r as usize]).collect();
            index.upsert(&keys, |i| Location::new(number, start + wins[i]), dead)
        })?;
        fail_point!("storage.primary.apply")?;
        self.places.add(number, segment.clone());
        self.segments.push((meta, segment));
        Ok(())
    }

    fn whole_column(&self, segment: &Segment, column: usize) -> Result<Column> {
        let spec = &self.schema.columns[column];
        let at = segment.position_of(spec.uid).ok_or_else(|| err!(Internal, "segment {} lacks column {}", segment.path().display(), spec.name))?;
        let pages = (0..segment.pages()).map(|p| be_segment::relabel(segment.page(at, p)?, &spec.ty)).collect::<Result<Vec<_>>>()?;
        Ok(Column::concat(&pages))
    }

    /// A segment of whole rows from one that lacks columns; `None` when no row is left.
    fn complete(&self, state: &mut PrimaryState, segment: &Segment, next_ordinal: &mut u32) -> Result<Option<(SegmentMeta, Arc<Segment>)>> {
        let rows = segment.rows() as usize;
        let keys = key_columns(self.schema).map(|k| self.whole_column(segment, k)).collect::<Result<Vec<_>>>()?;
        let mut found = state.ready(self.tablet)?.get(&keys_of(&keys, rows)?)?;
        let drop_unknown = self.shape.update_only || self.shape.missing.iter().any(|m| m.required);
        let kept: Option<Vec<u32>> = (drop_unknown && found.iter().any(|l| !l.is_some())).then(|| (0..rows as u32).filter(|r| found[*r as usize].is_some()).collect());
        if let Some(kept) = &kept {
            found = kept.iter().map(|r| found[*r as usize]).collect();
        }
        let rows = found.len();
        if rows == 0 {
            return Ok(None);
        }
        let mut columns = Vec::with_capacity(self.schema.columns.len());
        for (i, spec) in self.schema.columns.iter().enumerate() {
            columns.push(match self.shape.missing.iter().find(|m| m.column == i) {
                Some(missing) => self.places.values_or(spec, &found, &missing.value)?,
                None => {
                    let come = match &kept {
                        Some(kept) => self.whole_column(segment, i)?.gather(kept),
                        None => self.whole_column(segment, i)?,
                    };
                    if self.shape.kept.contains(&i) { self.places.values_over(spec, &found, come)? } else { come }
                }
            });
        }
        let sort: Vec<Column> = self.schema.sort_key.iter().map(|i| columns[*i].clone()).collect();
        let order = permutation(&sort, rows)?;
        let row_bytes = columns.iter().map(Column::memory_size).sum::<usize>() / rows;
        let ordinal = *next_ordinal;
        *next_ordinal += 1;
        let dir = self.tablet.dir();
        let path = self.id.segment_path(&dir.tablet_path(self.tablet.id()), ordinal);
        let sorted = Sorted { keys: &sort, order: order.as_deref(), rows, row_bytes };
        let summary = write_columns(&**dir.fs(), &path, self.schema, sorted, &|i| columns[i].clone(), 1)?;
        let open = Segment::open(&**dir.fs(), &path, &self.tablet.shared().segment)?;
        Ok(Some((segment_meta(ordinal, summary), open)))
    }
}

/// Dead places as rows of segments of visible rowsets and of `new`.
fn by_segment(tablet: &Tablet, state: &PrimaryState, new: &Arc<Rowset>, dead: &[Location]) -> Result<Vec<(Arc<Rowset>, usize, RoaringBitmap)>> {
    if dead.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows: HashMap<u32, Vec<u32>> = HashMap::new();
    for place in dead {
        rows.entry(place.segment()).or_default().push(place.row());
    }
    let mut out = Vec::with_capacity(rows.len());
    let versions = tablet.versions();
    for rowset in versions.current().iter().chain([new]) {
        let Some(first) = state.first.get(&rowset.id()) else { continue };
        for s in 0..rowset.segment_count() {
            if let Some(mut found) = rows.remove(&(first + s as u32)) {
                found.sort_unstable();
                found.dedup();
                let bitmap = RoaringBitmap::from_sorted_iter(found).map_err(|_| err!(Internal, "deleted rows are in order"))?;
                out.push((rowset.clone(), s, bitmap));
            }
        }
    }
    ensure!(rows.is_empty(), Internal, "the primary index of tablet {} names rows of no visible rowset", tablet.id());
    Ok(out)
}
