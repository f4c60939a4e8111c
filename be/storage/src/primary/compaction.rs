//! Swapping in a compacted rowset: rows that were overwritten or deleted while it was made are deleted in it, the index moves to the
//! new rows. Versions from before the swap keep reading the old rowsets.

use std::sync::Arc;

use common_base::{Result, err};
use proto_messages::tablet::RowsetMeta;
use roaring::RoaringBitmap;

use super::each_keys;
use super::index::{Location, keys_of};
use crate::meta_store::MetaBatch;
use crate::rowset::Rowset;
use crate::rowset::writer::PendingRowset;
use crate::tablet::Tablet;

/// Replaces `inputs` by the rowset made of their live rows of an earlier version.
pub(crate) fn swap_in(tablet: &Arc<Tablet>, inputs: &[Arc<Rowset>], pending: PendingRowset) -> Result<()> {
    let Some(primary) = tablet.primary() else { return Err(err!(Internal, "tablet {} has no primary key", tablet.id())) };
    // No publication comes in between.
    let mut state = primary.lock();
    tablet.check()?;
    let now = tablet.versions().max();
    let meta = RowsetMeta { valid_from: now, ..pending.meta().clone() };
    let rowset = Rowset::new(meta, tablet.dir().clone(), tablet.shared().clone())?;
    let outcome = (|| {
        let deletes = relocate(tablet, &mut state, inputs, &rowset)?;
        // From what is known to what is set, nothing else changes the versions.
        let turn = tablet.pending.lock();
        let next = tablet.versions().with_replaced(inputs, rowset.clone(), tablet.shared().clock.now_ms())?;
        let meta = tablet.dir().meta();
        let mut batch = MetaBatch::new();
        for input in inputs {
            meta.delete_rowset(&mut batch, input.meta())?;
            meta.delete_delete_vectors(&mut batch, input.meta())?;
        }
        meta.put_rowset(&mut batch, rowset.meta())?;
        for (segment, rows) in &deletes {
            meta.put_delete_vector(&mut batch, rowset.meta(), *segment, now, rows)?;
        }
        meta.commit(batch)?;
        Ok((deletes, turn, next))
    })();
    let (deletes, _turn, next) = match outcome {
        Ok(done) => done,
        Err(e) => {
            state.invalidate();
            return Err(e);
        }
    };
    for (segment, rows) in deletes {
        rowset.deletes(segment).add(now, tablet.shared().clock.now_ms(), rows);
    }
    for input in inputs {
        state.first.remove(&input.id());
    }
    tablet.set_versions(next);
    pending.settle();
    Ok(())
}

/// Moves the index to the new rows; rows whose key is elsewhere by now are returned by segment.
fn relocate(tablet: &Arc<Tablet>, state: &mut super::PrimaryState, inputs: &[Arc<Rowset>], rowset: &Arc<Rowset>) -> Result<Vec<(usize, RoaringBitmap)>> {
    let schema = tablet.schema();
    state.ready(tablet)?;
    let mut old = vec![false; state.next as usize];
    for input in inputs {
        let first = *state.first.get(&input.id()).ok_or_else(|| err!(Internal, "rowset {} is not in the primary index", input.id()))?;
        old[first as usize..first as usize + input.segment_count()].fill(true);
    }
    let first = state.number(rowset.id(), rowset.segment_count());
    let index = state.ready(tablet)?;
    let mut out = Vec::new();
    for s in 0..rowset.segment_count() {
        let mut lost = RoaringBitmap::new();
        let segment = rowset.segment(s)?;
        each_keys(&segment, &schema, |start, columns, rows| {
            let keys = keys_of(&columns, rows)?;
            let still = |l: Location| old.get(l.segment() as usize).copied().unwrap_or(false);
            let gone = index.relocate(&keys, still, |i| Location::new(first + s as u32, start + i as u32))?;
            lost.extend(gone.into_iter().map(|i| start + i));
            Ok(())
        })?;
        if !lost.is_empty() {
            out.push((s, lost));
        }
    }
    Ok(out)
}
