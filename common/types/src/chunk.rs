//! A batch of rows: columns of equal length. A chunk may have rows and no columns (count(*)).

use std::borrow::Borrow;

use arrow::buffer::BooleanBuffer;

use crate::column::{Column, mask_to_indices};

/// Rows of a full chunk.
pub const CHUNK_ROWS: usize = 4096;

/// Columns of equal length.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    columns: Vec<Column>,
    rows: usize,
}

impl Chunk {
    /// A chunk; every column has `rows` rows.
    pub fn new(columns: Vec<Column>, rows: usize) -> Self {
        debug_assert!(columns.iter().all(|c| c.len() == rows), "columns of a chunk have equal lengths");
        Self { columns, rows }
    }
    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
    /// The i-th column.
    pub fn column(&self, i: usize) -> &Column {
        &self.columns[i]
    }
    /// Number of columns.
    pub fn width(&self) -> usize {
        self.columns.len()
    }
    /// Takes the columns out.
    pub fn into_columns(self) -> Vec<Column> {
        self.columns
    }
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }
    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }
    /// Adds a column on the right.
    pub fn push(&mut self, column: Column) {
        debug_assert!(column.len() == self.rows);
        self.columns.push(column);
    }
    /// The columns at these positions, in this order.
    pub fn project(&self, positions: &[usize]) -> Self {
        Self { columns: positions.iter().map(|&i| self.columns[i].clone()).collect(), rows: self.rows }
    }
    /// A window of the rows.
    pub fn slice(&self, offset: usize, len: usize) -> Self {
        if offset == 0 && len == self.rows {
            return self.clone();
        }
        Self { columns: self.columns.iter().map(|c| c.slice(offset, len)).collect(), rows: len }
    }
    /// The rows at these positions.
    pub fn gather(&self, indices: &[u32]) -> Self {
        Self { columns: self.columns.iter().map(|c| c.gather(indices)).collect(), rows: indices.len() }
    }
    /// The rows at these positions; `u32::MAX` gives a row of NULLs.
    pub fn gather_opt(&self, indices: &[u32]) -> Self {
        Self { columns: self.columns.iter().map(|c| c.gather_opt(indices)).collect(), rows: indices.len() }
    }
    /// The rows where the mask is set.
    pub fn filter(&self, mask: &BooleanBuffer) -> Self {
        let kept = mask.count_set_bits();
        if kept == self.rows {
            return self.clone();
        }
        if kept == 0 {
            return self.slice(0, 0);
        }
        if self.columns.is_empty() {
            return Self { columns: Vec::new(), rows: kept };
        }
        self.gather(&mask_to_indices(mask, kept))
    }
    /// One chunk of all rows; the chunks have the same column types.
    pub fn concat<C: Borrow<Chunk>>(chunks: &[C]) -> Self {
        match chunks {
            [] => Self::default(),
            [one] => one.borrow().clone(),
            many => {
                let rows = many.iter().map(|c| c.borrow().rows).sum();
                let width = many[0].borrow().width();
                let columns = (0..width)
                    .map(|i| Column::concat_refs(&many.iter().map(|c| c.borrow().column(i)).collect::<Vec<_>>()))
                    .collect();
                Self { columns, rows }
            }
        }
    }
    /// Bytes the chunk stands for.
    pub fn memory_size(&self) -> usize {
        self.columns.iter().map(Column::memory_size).sum::<usize>() + size_of::<Self>()
    }
    /// Every string column rewritten whose selection pins much larger buffers.
    pub fn compact_if_sparse(self) -> Self {
        Self { rows: self.rows, columns: self.columns.into_iter().map(Column::compact_if_sparse).collect() }
    }
}

impl From<Vec<Column>> for Chunk {
    fn from(columns: Vec<Column>) -> Self {
        let rows = columns.first().map_or(0, Column::len);
        Self::new(columns, rows)
    }
}
