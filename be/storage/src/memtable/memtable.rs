//! Collects chunks as they come. Small ones (a chunk split over many tablets) are joined, so that no per-chunk cost piles up.

use std::sync::Arc;

use common_base::{MemGuard, MemTracker};
use common_types::{CHUNK_ROWS, Chunk, Column};

/// Rows not yet in a segment, in the order of arrival.
#[derive(Debug)]
pub struct Memtable {
    chunks: Vec<Chunk>,
    small: Vec<Chunk>,
    small_rows: usize,
    rows: usize,
    bytes: usize,
    memory: MemGuard,
}

impl Memtable {
    /// An empty one.
    pub fn new(tracker: &Arc<MemTracker>) -> Self {
        Self { chunks: Vec::new(), small: Vec::new(), small_rows: 0, rows: 0, bytes: 0, memory: tracker.empty_guard() }
    }

    /// Adds rows, whatever the limit of loads says: room is waited for before rows come here.
    pub fn push(&mut self, chunk: Chunk) {
        if chunk.rows() == 0 {
            return;
        }
        let bytes = chunk.memory_size();
        self.memory.force(self.memory.bytes() + bytes);
        self.bytes += bytes;
        self.rows += chunk.rows();
        if chunk.rows() < CHUNK_ROWS / 2 {
            self.small_rows += chunk.rows();
            self.small.push(chunk);
            if self.small_rows >= CHUNK_ROWS {
                self.join_small();
            }
        } else {
            self.join_small();
            self.chunks.push(chunk);
        }
    }

    fn join_small(&mut self) {
        if !self.small.is_empty() {
            self.chunks.push(Chunk::concat(&self.small));
            self.small.clear();
            self.small_rows = 0;
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }
    /// Bytes of the rows.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Puts the rows into their final form for reading columns.
    pub fn seal(&mut self) {
        self.join_small();
    }

    /// One column of all rows; call [`Memtable::seal`] before.
    pub fn column(&self, i: usize) -> Column {
        debug_assert!(self.small.is_empty(), "sealed");
        Column::concat_refs(&self.chunks.iter().map(|c| c.column(i)).collect::<Vec<_>>())
    }
}
