//! Runs one compaction: reads the chosen rowsets, sorts their rows together, writes one rowset and swaps it in.

use std::ops::Range;
use std::sync::Arc;

use common_base::ids::{TabletId, TxnId};
use common_base::{Result, ResultExt};
use common_types::{Chunk, Column};

use super::choice::{Choice, choose};
use super::view::TabletView;
use crate::engine::StorageEngine;
use crate::memtable::flush::{Sorted, write_columns};
use crate::memtable::sort::permutation;
use crate::merge::combines_rows;
use crate::meta_store::MetaBatch;
use crate::read::{ReadColumn, ReadSpec};
use crate::rowset::Rowset;
use crate::rowset::writer::RowsetWriter;
use crate::tablet::{Tablet, TabletSchema};

impl StorageEngine {
    /// Tablets worth compacting, the most urgent first.
    pub fn compaction_candidates(&self) -> Vec<(TabletId, f64)> {
        let mut found: Vec<_> = self.tablets().all().iter().filter_map(|t| self.choice_for(t).map(|c| (t.id(), c.score))).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found
    }

    fn choice_for(&self, tablet: &Tablet) -> Option<Choice> {
        // A converting tablet exchanges what it has up to a version: rowsets must not grow together across it.
        if tablet.is_converting() || tablet.check().is_err() {
            return None;
        }
        let settings = &self.shared().settings;
        choose(&TabletView::of(&tablet.versions(), settings.max_versions), settings.compaction_min_rowsets)
    }

    /// Compacts a tablet once where that is worthwhile; false when there was nothing to do or somebody is at it.
    pub fn compact_tablet(&self, id: TabletId) -> Result<bool> {
        let tablet = self.tablet(id)?;
        if !tablet.begin_compaction() {
            return Ok(false);
        }
        let outcome = match self.choice_for(&tablet) {
            Some(choice) => compact(&tablet, choice.rowsets).map(|()| true),
            None => Ok(false),
        };
        tablet.end_compaction();
        outcome.with_context(|| format!("compacting tablet {id}")).inspect_err(|e| tablet.note_failure(e))
    }

    /// Merges everything a tablet has into one rowset, whatever the policy says.
    pub fn compact_fully(&self, id: TabletId) -> Result<bool> {
        let tablet = self.tablet(id)?;
        if !tablet.begin_compaction() {
            return Ok(false);
        }
        let rowsets = tablet.versions().current().len();
        let outcome = if rowsets > 1 && !tablet.is_converting() { compact(&tablet, 0..rowsets).map(|()| true) } else { Ok(false) };
        tablet.end_compaction();
        outcome.with_context(|| format!("compacting tablet {id}")).inspect_err(|e| tablet.note_failure(e))
    }
}

fn compact(tablet: &Arc<Tablet>, run: Range<usize>) -> Result<()> {
    let snapshot = tablet.versions();
    let inputs: Vec<Arc<Rowset>> = snapshot.current()[run].to_vec();
    let (Some(first), Some(last)) = (inputs.first(), inputs.last()) else { return Ok(()) };
    let versions = (first.versions().0, last.versions().1);
    let schema = tablet.schema();
    let spec = ReadSpec {
        columns: schema.columns.iter().map(|c| ReadColumn::new(c.uid, c.ty.clone())).collect(),
        output: (0..schema.columns.len()).collect(),
        ..Default::default()
    };
    let read = if combines_rows(schema.keys) { tablet.read_merged(&inputs, &spec)? } else { tablet.read_rowsets(&inputs, snapshot.max(), &spec)? };
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut memory = tablet.shared().load_tracker.empty_guard();
    for morsel in &read.morsels {
        for chunk in morsel.scan()? {
            let chunk = chunk?;
            memory.grow(chunk.memory_size())?;
            chunks.push(chunk);
        }
    }
    let writer = RowsetWriter::new(tablet);
    write_sorted(tablet, &schema, &writer, &chunks)?;
    drop((chunks, memory));
    let pending = writer.finish(TxnId(0), versions, None)?;
    if tablet.primary().is_some() {
        return crate::primary::compaction::swap_in(tablet, &inputs, pending);
    }
    // No publication comes in between.
    let _turn = tablet.pending.lock();
    tablet.check()?;
    let rowset = Rowset::new(pending.meta().clone(), tablet.dir().clone(), tablet.shared().clone())?;
    let next = tablet.versions().with_replaced(&inputs, rowset.clone(), tablet.shared().clock.now_ms())?;
    let meta = tablet.dir().meta();
    let mut batch = MetaBatch::new();
    for input in &inputs {
        meta.delete_rowset(&mut batch, input.meta())?;
    }
    meta.put_rowset(&mut batch, rowset.meta())?;
    meta.commit(batch)?;
    tablet.set_versions(next);
    pending.settle();
    Ok(())
}

fn write_sorted(tablet: &Tablet, schema: &TabletSchema, writer: &RowsetWriter, chunks: &[Chunk]) -> Result<()> {
    let rows: usize = chunks.iter().map(Chunk::rows).sum();
    if rows == 0 {
        return Ok(());
    }
    let bytes: usize = chunks.iter().map(Chunk::memory_size).sum();
    let column = |i: usize| Column::concat_refs(&chunks.iter().map(|c| c.column(i)).collect::<Vec<_>>());
    let keys: Vec<Column> = schema.sort_key.iter().map(|i| column(*i)).collect();
    let order = match permutation(&keys, rows)? {
        Some(order) => order,
        None => (0..rows as u32).collect(),
    };
    let limit = tablet.shared().settings.compaction_segment_rows.max(1);
    for part in order.chunks(limit) {
        let (ordinal, path) = writer.next_segment()?;
        let sorted = Sorted { keys: &keys, order: Some(part), rows: part.len(), row_bytes: bytes / rows };
        let summary = write_columns(&**tablet.dir().fs(), &path, schema, sorted, &column, 1)?;
        writer.add_segment(ordinal, summary);
    }
    Ok(())
}
