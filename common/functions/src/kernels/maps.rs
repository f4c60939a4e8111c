//! Keys of MAP columns.

use arrow::buffer::OffsetBuffer;
use common_base::Result;
use common_types::{Column, hash::hash_columns};

use super::elements::{ElementPair, SCAN_MAX, distinct_within, flat, with_eq};

/// Content hash of every row.
pub fn hashes(column: &Column) -> Vec<u64> {
    let mut out = Vec::new();
    hash_columns(std::slice::from_ref(column), column.len(), 0, &mut out);
    out
}

/// Of equal keys of one map only the last pair stays, where it stood.
pub fn keep_last_keys(
    offsets: OffsetBuffer<i32>,
    keys: Column,
    values: Column,
) -> Result<(OffsetBuffer<i32>, Column, Column)> {
    let keys = flat(&keys);
    let Some(kept) = last_keys(&offsets, &keys)? else { return Ok((offsets, keys, values)) };
    let (rows, offsets) = kept;
    Ok((offsets, keys.gather(&rows), values.gather(&rows)))
}

/// Positions of the pairs that stay and the new offsets; `None` when all do.
fn last_keys(offsets: &OffsetBuffer<i32>, keys: &Column) -> Result<Option<(Vec<u32>, OffsetBuffer<i32>)>> {
    // Walking each map backwards turns "last" into "first".
    let total = keys.len();
    let reversed: Vec<u32> = offsets.windows(2).flat_map(|w| (w[0] as u32..w[1] as u32).rev()).collect();
    let turned = flat(&keys.gather(&reversed));
    let codes =
        if offsets.windows(2).any(|w| (w[1] - w[0]) as usize > SCAN_MAX) { hashes(&turned) } else { Vec::new() };
    let nulls = turned.nulls();
    let pair = ElementPair::new(&turned, &turned)?;
    let mut scratch = hashbrown::HashTable::new();
    let mut kept = Vec::with_capacity(total);
    let mut new_offsets = Vec::with_capacity(offsets.len());
    new_offsets.push(0);
    let mut at = 0;
    with_eq!(pair, eq => {
        for w in offsets.windows(2) {
            let len = (w[1] - w[0]) as usize;
            let from = kept.len();
            distinct_within(at..at + len, |i| nulls.as_ref().is_some_and(|n| n.is_null(i)), eq, |i| codes[i], &mut scratch, &mut kept);
            at += len;
            kept[from..].reverse();
            new_offsets.push(kept.len() as i32);
        }
    });
    if kept.len() == total && offsets[0] == 0 {
        return Ok(None);
    }
    kept.iter_mut().for_each(|i| *i = reversed[*i as usize]);
    Ok(Some((kept, OffsetBuffer::new(new_offsets.into()))))
}
