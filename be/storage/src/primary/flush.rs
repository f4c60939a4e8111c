//! Memtable → segments of a load into a primary-key tablet: rows to upsert in one segment, keys to delete in another. Where arrival
//! order would be lost, only the last row of a key is kept.

use std::collections::HashMap;

use common_base::Result;
use common_types::compare::compare_rows;
use common_types::Column;

use super::index::{Key, keys_of};
use super::load::{LoadShape, restrict};
use crate::memtable::Memtable;
use crate::memtable::flush::{Sorted, write_columns};
use crate::memtable::sort::permutation;
use crate::rowset::writer::RowsetWriter;
use crate::tablet::TabletSchema;

/// Segment numbers one flush may use.
pub const SEGMENTS_PER_FLUSH: u32 = 2;

/// Writes a memtable into segments `ordinal` (rows) and `ordinal + 1` (keys to delete).
pub fn write(writer: &RowsetWriter, ordinal: u32, schema: &TabletSchema, shape: &LoadShape, memtable: &mut Memtable, threads: usize) -> Result<()> {
    memtable.seal();
    let rows = memtable.rows();
    let written = shape.segment_schema(schema);
    let row_bytes = memtable.bytes() / rows.max(1);
    let fs = writer.tablet().dir().fs().clone();
    let keys: Vec<Column> = written.sort_key.iter().map(|i| memtable.column(*i)).collect();
    let mut order = permutation(&keys, rows)?;
    let mut deletes: Vec<u32> = Vec::new();
    if !keeps_arrival(schema, shape) {
        let columns: Vec<Column> = super::key_columns(schema).filter_map(|k| shape.columns.iter().position(|c| *c == k)).map(|at| memtable.column(at)).collect();
        let keys = keys_of(&columns, rows)?;
        let ops = shape.has_op.then(|| Ops::new(&memtable.column(shape.columns.len())));
        let condition = shape.merge_column.and_then(|m| shape.columns.iter().position(|c| *c == m)).map(|at| memtable.column(at));
        let kept = last_of_each(&keys, ops.as_ref(), condition.as_ref());
        if let Some(kept) = &kept {
            let all = order.take().unwrap_or_else(|| (0..rows as u32).collect());
            let (gone, stay): (Vec<u32>, Vec<u32>) =
                all.into_iter().filter(|r| kept[*r as usize]).partition(|r| ops.as_ref().is_some_and(|o| o.is_delete(*r as usize)));
            deletes = gone;
            order = Some(stay);
        } else if let Some(ops) = ops.filter(Ops::any_delete) {
            let all = order.take().unwrap_or_else(|| (0..rows as u32).collect());
            let (gone, stay) = all.into_iter().partition(|r| ops.is_delete(*r as usize));
            deletes = gone;
            order = Some(stay);
        }
    }
    let stay = order.as_ref().map_or(rows, Vec::len);
    if stay > 0 {
        let sorted = Sorted { keys: &keys, order: order.as_deref(), rows: stay, row_bytes };
        let summary = write_columns(&*fs, &writer.segment_path(ordinal)?, &written, sorted, &|i| memtable.column(i), threads)?;
        writer.add_segment(ordinal, summary);
    }
    if !deletes.is_empty() {
        let key_schema = TabletSchema { sort_key: Vec::new(), short_key_columns: 0, ..restrict(schema, &super::key_columns(schema).collect::<Vec<_>>()) };
        let at: Vec<usize> = super::key_columns(schema).filter_map(|k| shape.columns.iter().position(|c| *c == k)).collect();
        let sorted = Sorted { keys: &[], order: Some(&deletes), rows: deletes.len(), row_bytes: 16 };
        let summary = write_columns(&*fs, &writer.segment_path(ordinal + 1)?, &key_schema, sorted, &|i| memtable.column(at[i]), 1)?;
        writer.add_delete_segment(ordinal + 1, summary);
    }
    Ok(())
}

/// Whether rows of equal key stay in order of arrival in the segment, so that applying it row by row keeps the last.
fn keeps_arrival(schema: &TabletSchema, shape: &LoadShape) -> bool {
    let by_key = super::key_columns(schema).eq(schema.sort_key.iter().copied());
    by_key && !shape.has_op && !shape.is_partial() && shape.merge_column.is_none()
}

struct Ops(Vec<bool>);

impl Ops {
    fn new(column: &Column) -> Self {
        let nulls = column.nulls();
        let is_delete = |row: usize| nulls.as_ref().is_none_or(|n| n.is_valid(row)) && column.scalar(row).as_i64() == Some(1);
        if column.is_const() && !column.is_empty() {
            return Self(vec![is_delete(0); column.len()]);
        }
        match column.ints_i64() {
            Some(ints) => Self((0..column.len()).map(|r| ints.get(r) == 1 && nulls.as_ref().is_none_or(|n| n.is_valid(r))).collect()),
            None => Self((0..column.len()).map(is_delete).collect()),
        }
    }
    fn is_delete(&self, row: usize) -> bool {
        self.0[row]
    }
    fn any_delete(&self) -> bool {
        self.0.contains(&true)
    }
}

/// The row of each key that counts, when some do not: the last, or with a condition the last that is not smaller.
fn last_of_each(keys: &[Key], ops: Option<&Ops>, condition: Option<&Column>) -> Option<Vec<bool>> {
    let mut last: HashMap<Key, u32> = HashMap::with_capacity(keys.len());
    for (row, key) in keys.iter().enumerate() {
        match last.entry(*key) {
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(row as u32);
            }
            std::collections::hash_map::Entry::Occupied(mut found) => {
                let before = *found.get() as usize;
                let is_delete = |r: usize| ops.is_some_and(|o| o.is_delete(r));
                let loses = condition.is_some_and(|c| !is_delete(row) && !is_delete(before) && compare_rows(c, row, c, before, true, false).is_lt());
                if !loses {
                    found.insert(row as u32);
                }
            }
        }
    }
    if last.len() == keys.len() {
        return None;
    }
    let mut kept = vec![false; keys.len()];
    last.into_values().for_each(|r| kept[r as usize] = true);
    Some(kept)
}
