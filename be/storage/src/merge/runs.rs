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
    /// Its place among the runs.
    number: usize,
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

/// Rows of several runs, next in key order.
pub struct Step {
    /// The rows, run after run.
    pub rows: Chunk,
    /// Their order by key, those of one key from the oldest run on; `None` as they are.
    pub order: Option<Vec<u32>>,
    /// Number of a run and how many of the rows are its.
    pub parts: Vec<(usize, usize)>,
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
        let cursors = runs.into_iter().enumerate().map(|(number, run)| Cursor { number, run, chunk: Chunk::new(Vec::new(), 0), at: 0, last: false }).collect();
        Self { cursors, keys, combines, ready: VecDeque::new(), memory }
    }

    /// The next rows, combined; `None` at the end.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Ok(Some(chunk));
            }
            let Some(step) = self.next_step()? else { return Ok(None) };
            // The keys of one run differ.
            let chunk = if step.parts.len() == 1 { step.rows } else { self.combine(&step)? };
            self.emit(chunk);
        }
    }

    /// The next rows and their order; `None` at the end. All rows of a key are in one step.
    pub fn next_step(&mut self) -> Result<Option<Step>> {
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
        if self.cursors.is_empty() { Ok(None) } else { self.step().map(Some) }
    }

    fn combine(&self, step: &Step) -> Result<Chunk> {
        let rows = step.rows.rows();
        let keys: Vec<Column> = self.keys.iter().map(|k| step.rows.column(*k).clone()).collect();
        let groups = Groups::find(&keys, step.order.as_deref(), rows);
        let columns = step.rows.columns().iter().zip(&self.combines).map(|(c, how)| how.apply(c, &groups)).collect::<Result<Vec<_>>>()?;
        Ok(Chunk::new(columns, groups.len()))
    }

    fn emit(&mut self, chunk: Chunk) {
        let rows = chunk.rows();
        if rows <= CHUNK_ROWS {
            self.ready.push_back(chunk);
        } else {
            self.ready.extend((0..rows).step_by(CHUNK_ROWS).map(|at| chunk.slice(at, CHUNK_ROWS.min(rows - at))));
        }
    }

    fn step(&mut self) -> Result<Step> {
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
        let (mut chunks, mut parts) = (Vec::with_capacity(ends.len()), Vec::with_capacity(ends.len()));
        for (cursor, end) in self.cursors.iter_mut().zip(ends) {
            if end > cursor.at {
                chunks.push(cursor.chunk.slice(cursor.at, end - cursor.at));
                parts.push((cursor.number, end - cursor.at));
                cursor.at = end;
            }
        }
        if chunks.len() == 1 {
            return Ok(Step { rows: chunks.remove(0), order: None, parts });
        }
        let rows = Chunk::concat(&chunks);
        let keys: Vec<Column> = self.keys.iter().map(|k| rows.column(*k).clone()).collect();
        let order = permutation(&keys, rows.rows())?;
        Ok(Step { rows, order, parts })
    }
}

impl Iterator for RunMerger {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_chunk().transpose()
    }
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
