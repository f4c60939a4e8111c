//! Merges sorted runs into one stream in key order with one row per key. Works on chunks: a step takes from every run the rows
//! up to the least of the runs' last loaded keys, sorts those together (radix for integer keys) and combines equal keys.
//!
//! Invariant: within a run keys strictly ascend, so all rows of a key are taken in one step, oldest run first.

use std::cmp::Ordering;
use std::collections::VecDeque;

use common_base::{MemGuard, Result};
use common_types::compare::compare_rows;
use common_types::{CHUNK_ROWS, Chunk, Column};

use super::combine::{Combine, Groups};
use crate::memtable::sort::permutation;

/// Chunks in key order, keys strictly ascending.
pub type SortedRun = Box<dyn Iterator<Item = Result<Chunk>> + Send>;

struct Cursor {
    run: SortedRun,
    chunk: Chunk,
    /// First row not taken yet.
    at: usize,
    /// Nothing follows what is loaded.
    last: bool,
}

impl Cursor {
    fn is_empty(&self) -> bool {
        self.at >= self.chunk.rows()
    }

    /// Loads the next rows, enough of them that a step is worth its cost.
    fn load(&mut self) -> Result<()> {
        let mut parts = Vec::new();
        let mut rows = 0;
        while rows < CHUNK_ROWS {
            let Some(chunk) = self.run.next().transpose()? else {
                self.last = true;
                break;
            };
            rows += chunk.rows();
            if chunk.rows() > 0 {
                parts.push(chunk);
            }
        }
        self.at = 0;
        self.chunk = match parts.len() {
            0 => Chunk::new(Vec::new(), 0),
            1 => parts.remove(0),
            _ => Chunk::concat(&parts),
        };
        Ok(())
    }
}

/// A running merge.
pub struct RunMerger {
    cursors: Vec<Cursor>,
    /// Key columns of the chunks, the first sorts first.
    keys: Vec<usize>,
    combines: Vec<Combine>,
    ready: VecDeque<Chunk>,
    memory: Option<MemGuard>,
}

impl RunMerger {
    /// Merges runs given in version order. `combines` has one entry per column.
    pub fn new(runs: Vec<SortedRun>, keys: Vec<usize>, combines: Vec<Combine>, memory: Option<MemGuard>) -> Self {
        let cursors = runs.into_iter().map(|run| Cursor { run, chunk: Chunk::new(Vec::new(), 0), at: 0, last: false }).collect();
        Self { cursors, keys, combines, ready: VecDeque::new(), memory }
    }

    /// The next rows; `None` at the end.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Ok(Some(chunk));
            }
            let mut loaded = false;
            for cursor in &mut self.cursors {
                while cursor.is_empty() && !cursor.last {
                    cursor.load()?;
                    loaded = true;
                }
            }
            self.cursors.retain(|c| !c.is_empty());
            if loaded && let Some(memory) = &mut self.memory {
                memory.resize(self.cursors.iter().map(|c| c.chunk.memory_size()).sum())?;
            }
            match self.cursors.as_mut_slice() {
                [] => return Ok(None),
                // Nothing to merge with.
                [only] => {
                    let rest = only.chunk.slice(only.at, only.chunk.rows() - only.at);
                    only.at = only.chunk.rows();
                    self.emit(rest);
                }
                _ => {
                    let merged = self.step()?;
                    self.emit(merged);
                }
            }
        }
    }

    fn emit(&mut self, chunk: Chunk) {
        let rows = chunk.rows();
        if rows <= CHUNK_ROWS {
            self.ready.push_back(chunk);
        } else {
            self.ready.extend((0..rows).step_by(CHUNK_ROWS).map(|at| chunk.slice(at, CHUNK_ROWS.min(rows - at))));
        }
    }

    fn step(&mut self) -> Result<Chunk> {
        // A run that is loaded to its end bounds nothing.
        let mut bound: Option<usize> = None;
        for (i, cursor) in self.cursors.iter().enumerate().filter(|(_, c)| !c.last) {
            let last = |c: &Cursor| c.chunk.rows() - 1;
            let lower = bound.is_none_or(|b| {
                let least = &self.cursors[b];
                compare_keys(&self.keys, &cursor.chunk, last(cursor), &least.chunk, last(least)).is_lt()
            });
            if lower {
                bound = Some(i);
            }
        }
        let ends: Vec<usize> = self
            .cursors
            .iter()
            .enumerate()
            .map(|(i, c)| match bound {
                None => c.chunk.rows(),
                Some(b) if b == i => c.chunk.rows(),
                Some(b) => upper_bound(&self.keys, c, &self.cursors[b]),
            })
            .collect();
        let mut parts = Vec::with_capacity(ends.len());
        for (cursor, end) in self.cursors.iter_mut().zip(ends) {
            if end > cursor.at {
                parts.push(cursor.chunk.slice(cursor.at, end - cursor.at));
                cursor.at = end;
            }
        }
        if parts.len() == 1 {
            return Ok(parts.remove(0));
        }
        combine_sorted(&Chunk::concat(&parts), &self.keys, &self.combines)
    }
}

impl Iterator for RunMerger {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_chunk().transpose()
    }
}

/// Sorts rows by key, those of one key in their present order, and combines the latter.
pub fn combine_sorted(chunk: &Chunk, keys: &[usize], combines: &[Combine]) -> Result<Chunk> {
    let rows = chunk.rows();
    let key_columns: Vec<Column> = keys.iter().map(|k| chunk.column(*k).clone()).collect();
    let order = permutation(&key_columns, rows)?;
    let groups = Groups::find(&key_columns, order.as_deref(), rows);
    let columns = chunk.columns().iter().zip(combines).map(|(c, how)| how.apply(c, &groups)).collect::<Result<Vec<_>>>()?;
    Ok(Chunk::new(columns, groups.len()))
}

fn compare_keys(keys: &[usize], a: &Chunk, i: usize, b: &Chunk, j: usize) -> Ordering {
    keys.iter().map(|k| compare_rows(a.column(*k), i, b.column(*k), j, true, false)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

/// End of the rows of `cursor` with keys up to the last of `bound`.
fn upper_bound(keys: &[usize], cursor: &Cursor, bound: &Cursor) -> usize {
    let last = bound.chunk.rows() - 1;
    let (mut low, mut high) = (cursor.at, cursor.chunk.rows());
    while low < high {
        let middle = low + (high - low) / 2;
        if compare_keys(keys, &cursor.chunk, middle, &bound.chunk, last).is_gt() {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}
