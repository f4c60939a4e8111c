//! The build side of a hash join, ready to probe: its rows as one chunk, a group table over the keys, and the rows of each group.
//!
//! Invariants: read-only once built, except the matched flags; rows whose keys cannot match (NULL in a key that is not null-safe)
//! are in no group but stay in the chunk for outer joins.

use std::{
    ops::Range,
    sync::atomic::{AtomicU8, Ordering},
};

use arrow::buffer::NullBuffer;
use common_base::{Result, mem::MemGuard};
use common_types::{Chunk, Column};

use crate::hash_table::{GroupTable, NO_GROUP};

/// Domains up to this many times the row count are mapped by an array.
const DIRECT_PER_ROW: u64 = 8;
/// And at least this many values.
const DIRECT_MIN: u64 = 1 << 16;
/// Keys numbered per step.
const STEP_ROWS: usize = 4096;

/// A built table.
pub struct JoinTable {
    /// Build columns.
    pub rows: Chunk,
    groups: Option<GroupTable>,
    /// Rows of group g: `members[offsets[g]..offsets[g + 1]]`; empty when every group has one row.
    offsets: Vec<u32>,
    /// Build rows ordered by group. With unique keys: the row of each group.
    members: Vec<u32>,
    /// Whether row i is the only member of group i: `members` is the identity.
    identity: bool,
    /// Rows with NULL in a key that is not null-safe.
    pub null_rows: Vec<u32>,
    null_safe: Vec<bool>,
    matched: Vec<AtomicU8>,
    _rows_memory: MemGuard,
    _table_memory: MemGuard,
}

impl JoinTable {
    /// Builds over all rows of the build side. `track`: matched flags are needed.
    pub fn build(rows: Chunk, keys: &[Column], null_safe: Vec<bool>, track: bool, rows_memory: MemGuard, mut table_memory: MemGuard) -> Result<Self> {
        let count = rows.rows();
        let blocked = blocking_nulls(keys, &null_safe);
        // The group of each row, its place among the members and its flag.
        let per_row = count * (4 + 8 + usize::from(track));
        table_memory.resize(per_row)?;
        let mut group_of = Vec::with_capacity(count);
        let mut groups = None;
        if count > 0 {
            let domain = (count as u64 * DIRECT_PER_ROW).max(DIRECT_MIN);
            let table = groups.get_or_insert_with(|| GroupTable::choose(keys, domain));
            if blocked.is_none() {
                let mut start = 0;
                while start < count {
                    let len = STEP_ROWS.min(count - start);
                    let step: Vec<Column> = keys.iter().map(|k| k.slice(start, len)).collect();
                    table_memory.resize(per_row + table.memory_size() + table.growth(len))?;
                    table.assign(&step, len, &mut group_of)?;
                    start += len;
                }
            } else {
                assign_unblocked(table, keys, blocked.as_ref(), (per_row, &mut table_memory), &mut group_of)?;
            }
            table_memory.resize(per_row + table.memory_size())?;
        }
        let group_count = groups.as_ref().map_or(0, GroupTable::len);
        let null_rows: Vec<u32> = blocked.map(|b| (0..count as u32).filter(|r| b.is_null(*r as usize)).collect()).unwrap_or_default();
        let unique = group_count + null_rows.len() == count;
        let identity = unique && null_rows.is_empty();
        let (offsets, members) = if identity {
            (Vec::new(), Vec::new())
        } else if unique {
            let mut members = vec![0; group_count];
            for (row, group) in group_of.iter().enumerate().filter(|(_, g)| **g != NO_GROUP) {
                members[*group as usize] = row as u32;
            }
            (Vec::new(), members)
        } else {
            by_group(&group_of, group_count)
        };
        let matched = if track { (0..count).map(|_| AtomicU8::new(0)).collect() } else { Vec::new() };
        Ok(Self { rows, groups, offsets, members, identity, null_rows, null_safe, matched, _rows_memory: rows_memory, _table_memory: table_memory })
    }

    /// The group of each probe row, [`NO_GROUP`] = no partner.
    pub fn find(&self, keys: &[Column], rows: usize, out: &mut Vec<u32>) -> Result<()> {
        let Some(groups) = &self.groups else {
            out.resize(out.len() + rows, NO_GROUP);
            return Ok(());
        };
        let start = out.len();
        groups.find(keys, rows, out)?;
        if let Some(blocked) = blocking_nulls(keys, &self.null_safe) {
            for row in 0..rows {
                if blocked.is_null(row) {
                    out[start + row] = NO_GROUP;
                }
            }
        }
        Ok(())
    }

    /// Whether every group has exactly one row.
    pub fn is_unique(&self) -> bool {
        self.offsets.is_empty()
    }

    /// The row of a group of a unique table.
    #[inline(always)]
    pub fn only_row(&self, group: u32) -> u32 {
        if self.identity { group } else { self.members[group as usize] }
    }

    /// Where the rows of a group stand among the members.
    #[inline(always)]
    pub fn member_range(&self, group: u32) -> Range<u32> {
        if self.offsets.is_empty() {
            return group..group + 1;
        }
        self.offsets[group as usize]..self.offsets[group as usize + 1]
    }

    /// The build row at a member position.
    #[inline(always)]
    pub fn member(&self, at: u32) -> u32 {
        if self.identity { at } else { self.members[at as usize] }
    }

    /// Remembers that build rows found a partner.
    pub fn mark(&self, rows: &[u32]) {
        for row in rows {
            let flag = &self.matched[*row as usize];
            if flag.load(Ordering::Relaxed) == 0 {
                flag.store(1, Ordering::Relaxed);
            }
        }
    }

    /// Whether a build row found a partner.
    pub fn is_marked(&self, row: usize) -> bool {
        self.matched[row].load(Ordering::Relaxed) != 0
    }

    /// Whether a probe row's keys hold a NULL that matches nothing.
    pub fn probe_nulls(&self, keys: &[Column]) -> Option<NullBuffer> {
        blocking_nulls(keys, &self.null_safe)
    }
}

fn assign_unblocked(
    table: &mut GroupTable,
    keys: &[Column],
    blocked: Option<&NullBuffer>,
    (held, memory): (usize, &mut MemGuard),
    group_of: &mut Vec<u32>,
) -> Result<()> {
    let count = keys.first().map_or(0, Column::len);
    let valid: Vec<u32> = (0..count as u32).filter(|r| blocked.is_none_or(|b| b.is_valid(*r as usize))).collect();
    group_of.resize(count, NO_GROUP);
    let mut found = Vec::with_capacity(STEP_ROWS);
    for rows in valid.chunks(STEP_ROWS) {
        let step: Vec<Column> = keys.iter().map(|k| k.gather(rows)).collect();
        found.clear();
        memory.resize(held + table.memory_size() + table.growth(rows.len()))?;
        table.assign(&step, rows.len(), &mut found)?;
        for (row, group) in rows.iter().zip(&found) {
            group_of[*row as usize] = *group;
        }
    }
    Ok(())
}

/// Rows ordered by group: counting sort.
fn by_group(group_of: &[u32], groups: usize) -> (Vec<u32>, Vec<u32>) {
    let mut offsets = vec![0_u32; groups + 1];
    for group in group_of.iter().filter(|g| **g != NO_GROUP) {
        offsets[*group as usize + 1] += 1;
    }
    for i in 0..groups {
        offsets[i + 1] += offsets[i];
    }
    let mut next = offsets.clone();
    let mut members = vec![0_u32; offsets[groups] as usize];
    for (row, group) in group_of.iter().enumerate().filter(|(_, g)| **g != NO_GROUP) {
        let at = &mut next[*group as usize];
        members[*at as usize] = row as u32;
        *at += 1;
    }
    (offsets, members)
}

/// Rows (as NULLs) with a NULL in a key that is not null-safe.
fn blocking_nulls(keys: &[Column], null_safe: &[bool]) -> Option<NullBuffer> {
    let mut merged: Option<NullBuffer> = None;
    for (key, _) in keys.iter().zip(null_safe).filter(|(_, safe)| !**safe) {
        if let Some(nulls) = key.nulls().filter(|n| n.null_count() > 0) {
            merged = NullBuffer::union(merged.as_ref(), Some(&nulls));
        }
    }
    merged
}
