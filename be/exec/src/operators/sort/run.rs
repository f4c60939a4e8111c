//! A sorted run: rows gathered by one driver, ordered by encoded keys.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use common_base::{Result, mem::MemReserve};
use common_expr::{calls::SortKey, eval::CompiledExprs};
use common_types::{Chunk, Column, chunk::CHUNK_ROWS, compare::SortOrder, key_codec::{self, KeyRows}};

use super::merge::MergeInput;
use crate::runtime::QueryContext;

/// Orders of sort keys.
pub fn orders(keys: &[SortKey]) -> Vec<SortOrder> {
    keys.iter().map(|k| SortOrder { descending: k.descending, nulls_first: k.nulls_first }).collect()
}

/// Evaluates and encodes sort keys so that bytes compare as rows do.
pub struct KeyEncoder {
    exprs: CompiledExprs,
    orders: Vec<SortOrder>,
}

impl KeyEncoder {
    /// An encoder for one driver.
    pub fn new(keys: &[SortKey]) -> Self {
        let exprs: Vec<_> = keys.iter().map(|k| k.expr.clone()).collect();
        Self { exprs: CompiledExprs::compile(&exprs), orders: orders(keys) }
    }

    /// The key columns of a chunk.
    pub fn columns(&self, query: &QueryContext, chunk: &Chunk) -> Result<Vec<Column>> {
        self.exprs.eval(&query.eval, chunk)
    }

    /// The encoded keys of key columns.
    pub fn encode(&self, columns: &[Column], rows: usize) -> Result<KeyRows> {
        key_codec::encode_keys(columns, &self.orders, rows)
    }
}

/// The order of rows by their encoded keys; equal keys keep their input order.
pub fn sort_indices(keys: &KeyRows) -> Vec<u32> {
    let mut tagged: Vec<(u64, u32)> = keys.iter().enumerate().map(|(i, key)| (prefix(key), i as u32)).collect();
    let longest = keys.iter().map(<[u8]>::len).max().unwrap_or(0);
    if longest <= 8 {
        tagged.sort_unstable();
    } else {
        tagged.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| keys.get(a.1 as usize).cmp(keys.get(b.1 as usize))).then(a.1.cmp(&b.1)));
    }
    tagged.into_iter().map(|(_, i)| i).collect()
}

/// The first eight bytes, big-endian, so that most comparisons touch no memory beyond the array being sorted.
fn prefix(key: &[u8]) -> u64 {
    let mut raw = [0; 8];
    let len = key.len().min(8);
    raw[..len].copy_from_slice(&key[..len]);
    u64::from_be_bytes(raw)
}

/// Gathers rows to sort.
pub struct RunBuilder {
    query: Arc<QueryContext>,
    encoder: KeyEncoder,
    chunks: Vec<Chunk>,
    memory: MemReserve,
}

impl RunBuilder {
    /// An empty run.
    pub fn new(query: Arc<QueryContext>, keys: &[SortKey]) -> Self {
        Self { encoder: KeyEncoder::new(keys), chunks: Vec::new(), memory: MemReserve::new(&query.memory), query }
    }

    /// Adds rows.
    pub fn add(&mut self, chunk: Chunk) -> Result<()> {
        // What is kept must not pin the pages it was filtered from.
        let chunk = chunk.compact_if_sparse();
        // The sort holds a concatenated copy beside the chunks for a moment.
        self.memory.use_bytes(chunk.memory_size() * 2)?;
        self.chunks.push(chunk);
        Ok(())
    }

    /// Sorts; `None` when there are no rows.
    pub fn finish(mut self) -> Result<Option<Run>> {
        if self.chunks.is_empty() {
            return Ok(None);
        }
        let rows = Chunk::concat(&self.chunks);
        self.chunks.clear();
        let columns = self.encoder.columns(&self.query, &rows)?;
        // Encoded keys take about what their columns take; the order is made of tags with row numbers.
        let about = columns.iter().map(Column::memory_size).sum::<usize>() + rows.rows() * size_of::<(u64, u32)>();
        self.memory.use_bytes(about)?;
        let keys = self.encoder.encode(&columns, rows.rows())?;
        self.memory.use_bytes(keys.memory_size().saturating_sub(about))?;
        let order = sort_indices(&keys);
        Ok(Some(Run { rows, order, next: 0, _memory: self.memory }))
    }
}

/// Sorted rows, handed out a chunk at a time.
pub struct Run {
    rows: Chunk,
    order: Vec<u32>,
    next: usize,
    _memory: MemReserve,
}

impl Run {
    /// Rows in all.
    pub fn len(&self) -> usize {
        self.order.len()
    }
}

impl MergeInput for Run {
    fn poll_next(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        let end = (self.next + CHUNK_ROWS).min(self.len());
        if self.next == end {
            return Poll::Ready(Ok(None));
        }
        let chunk = self.rows.gather(&self.order[self.next..end]);
        self.next = end;
        Poll::Ready(Ok(Some(chunk)))
    }
}
