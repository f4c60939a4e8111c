//! Collects chunks as they come. Small ones (a chunk split over many tablets) are joined, so that no per-chunk cost piles up.

use std::sync::Arc;

use common_base::{MemGuard, MemTracker};
use common_types::{CHUNK_ROWS, Chunk, Column};

/// What a value counts at least.
const ROW_BYTES: usize = 4;

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
        // A constant takes no room here, but its rows do once they are sorted and encoded.
        let bytes = chunk.memory_size().max(chunk.rows() * chunk.width().max(1) * ROW_BYTES);
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

#[cfg(test)]
mod tests {
    use super::*;
    use common_types::{LogicalType, Scalar};

    #[test]
    fn constants_count_by_their_rows() {
        let mut memtable = Memtable::new(&MemTracker::root("loads", i64::MAX));
        let column = Column::constant(Scalar::Int(1), LogicalType::Int, 1 << 20);
        memtable.push(Chunk::new(vec![column], 1 << 20));
        assert!(memtable.bytes() >= 4 << 20);
    }
}
