//! Which rows of a chunk survive.

use std::borrow::Cow;

use arrow::buffer::BooleanBuffer;
use common_types::{Chunk, Column, mask_to_indices};

/// Rows of a chunk, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every row of so many.
    All(usize),
    /// These rows.
    Rows(Vec<u32>),
}

impl Selection {
    /// The rows whose bit is set.
    pub fn from_mask(mask: &BooleanBuffer) -> Self {
        let count = mask.count_set_bits();
        if count == mask.len() { Self::All(count) } else { Self::Rows(mask_to_indices(mask, count)) }
    }

    /// Number of rows selected.
    pub fn len(&self) -> usize {
        match self {
            Self::All(n) => *n,
            Self::Rows(rows) => rows.len(),
        }
    }

    /// Whether no row is selected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every row is selected.
    pub fn is_all(&self) -> bool {
        matches!(self, Self::All(_))
    }

    /// The row numbers.
    pub fn rows(&self) -> Cow<'_, [u32]> {
        match self {
            Self::All(n) => Cow::Owned((0..*n as u32).collect()),
            Self::Rows(rows) => Cow::Borrowed(rows),
        }
    }

    /// The row numbers, owned.
    pub fn into_rows(self) -> Vec<u32> {
        match self {
            Self::All(n) => (0..n as u32).collect(),
            Self::Rows(rows) => rows,
        }
    }

    /// The selected rows of a column.
    pub fn apply_column(&self, column: &Column) -> Column {
        match self {
            Self::All(_) => column.clone(),
            Self::Rows(rows) => column.gather(rows),
        }
    }

    /// The selected rows of a chunk.
    pub fn apply(&self, chunk: &Chunk) -> Chunk {
        match self {
            Self::All(_) => chunk.clone(),
            Self::Rows(rows) => chunk.gather(rows),
        }
    }
}
