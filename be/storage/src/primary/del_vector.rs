//! Which rows of a segment are deleted at which version. Each version keeps only the rows it deleted itself; the union is kept
//! as one bit per row, ready for scans of the newest version. Older versions take later deletions back.

use arrow::buffer::{BooleanBuffer, MutableBuffer};
use common_base::{Result, ensure};
use parking_lot::RwLock;
use roaring::RoaringBitmap;

use crate::rowset::Rowset;

/// Deleted rows of one segment.
#[derive(Debug)]
pub struct SegmentDeletes {
    rows: u64,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bits of the rows that are live at the newest version; `None` = all.
    live: Option<BooleanBuffer>,
    count: u64,
    /// What each version deleted, in version order.
    deltas: Vec<Delta>,
}

#[derive(Debug)]
struct Delta {
    version: i64,
    at_ms: i64,
    rows: RoaringBitmap,
}

impl SegmentDeletes {
    /// Nothing is deleted of these rows.
    pub fn new(rows: u64) -> Self {
        Self { rows, state: RwLock::default() }
    }

    /// Rows deleted at the newest version.
    pub fn count(&self) -> u64 {
        self.state.read().count
    }

    /// Bytes of memory it takes, about; 0 when nothing was ever deleted.
    pub fn memory_size(&self) -> usize {
        let state = self.state.read();
        state.live.as_ref().map_or(0, |l| l.inner().len()) + state.deltas.iter().map(|d| d.rows.serialized_size()).sum::<usize>()
    }

    /// The rows that are live at a version; `None` = all.
    pub fn live_at(&self, version: i64) -> Option<BooleanBuffer> {
        let state = self.state.read();
        let live = state.live.as_ref()?;
        if state.deltas.last().is_none_or(|d| d.version <= version) {
            return Some(live.clone());
        }
        if state.deltas.first().is_none_or(|d| d.version > version) {
            return None;
        }
        let mut bits = bits_of(live);
        for delta in state.deltas.iter().filter(|d| d.version > version) {
            delta.rows.iter().for_each(|row| bits[row as usize / 8] |= 1 << (row % 8));
        }
        Some(BooleanBuffer::new(bits.into(), 0, self.rows as usize))
    }

    /// Adds what a version deleted; its readers must not have begun.
    pub(crate) fn add(&self, version: i64, at_ms: i64, rows: RoaringBitmap) {
        let mut state = self.state.write();
        let mut bits = match &state.live {
            Some(live) => bits_of(live),
            None => {
                let mut all = MutableBuffer::new(0);
                all.resize((self.rows as usize).div_ceil(8), 0xff);
                all
            }
        };
        rows.iter().for_each(|row| bits[row as usize / 8] &= !(1 << (row % 8)));
        state.live = Some(BooleanBuffer::new(bits.into(), 0, self.rows as usize));
        state.count += rows.len();
        state.deltas.push(Delta { version, at_ms, rows });
    }

    /// Versions whose deletions can be told as one with the next: all but the last that happened before `before_ms`, and their union.
    pub(crate) fn old_versions(&self, before_ms: i64) -> Option<(Vec<i64>, i64, RoaringBitmap)> {
        let state = self.state.read();
        let old = state.deltas.iter().take_while(|d| d.at_ms < before_ms).count();
        let (last, merged) = state.deltas.get(..old)?.split_last().filter(|(_, merged)| !merged.is_empty())?;
        let mut rows = last.rows.clone();
        merged.iter().for_each(|d| rows |= &d.rows);
        Some((merged.iter().map(|d| d.version).collect(), last.version, rows))
    }

    /// Puts the union in place of the versions it joins.
    pub(crate) fn join(&self, merged: &[i64], into: i64, rows: RoaringBitmap) {
        let mut state = self.state.write();
        state.deltas.retain(|d| !merged.contains(&d.version));
        if let Some(delta) = state.deltas.iter_mut().find(|d| d.version == into) {
            delta.rows = rows;
        }
    }
}

fn bits_of(live: &BooleanBuffer) -> MutableBuffer {
    debug_assert!(live.offset() == 0, "made by this file");
    let mut bits = MutableBuffer::new(live.inner().len());
    bits.extend_from_slice(live.inner().as_slice());
    bits
}

/// Gives a rowset the delete vectors stored for it.
pub(crate) fn restore(rowset: &Rowset, stored: Option<Vec<(usize, i64, RoaringBitmap)>>) -> Result<()> {
    for (segment, version, rows) in stored.into_iter().flatten() {
        let known = rowset.meta().segments.get(segment).map(|s| s.rows);
        let fits = known.is_some_and(|known| rows.max().is_none_or(|row| u64::from(row) < known));
        ensure!(fits, Corruption, "a delete vector of rowset {} names rows it does not have", rowset.id());
        rowset.deletes(segment).add(version, 0, rows);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(deletes: &SegmentDeletes, version: i64) -> Vec<usize> {
        deletes.live_at(version).map_or_else(|| (0..deletes.rows as usize).collect(), |b| b.set_indices().collect())
    }

    #[test]
    fn every_version_sees_its_own_deletions() {
        let deletes = SegmentDeletes::new(10);
        assert_eq!(live(&deletes, 9).len(), 10);
        deletes.add(3, 100, [1u32, 2].into_iter().collect());
        deletes.add(5, 200, [9u32].into_iter().collect());
        deletes.add(6, 300, [0u32].into_iter().collect());
        assert_eq!(live(&deletes, 2).len(), 10);
        assert_eq!(live(&deletes, 4), vec![0, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(live(&deletes, 5), vec![0, 3, 4, 5, 6, 7, 8]);
        assert_eq!(live(&deletes, 7), vec![3, 4, 5, 6, 7, 8]);
        assert_eq!(deletes.count(), 4);
        let (merged, into, rows) = deletes.old_versions(250).unwrap();
        assert_eq!((merged.as_slice(), into), ([3].as_slice(), 5));
        deletes.join(&merged, into, rows);
        assert_eq!(live(&deletes, 5), vec![0, 3, 4, 5, 6, 7, 8]);
        assert_eq!(live(&deletes, 7), vec![3, 4, 5, 6, 7, 8]);
        assert!(deletes.old_versions(250).is_none());
    }
}
