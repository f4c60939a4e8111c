//! Columns of text views over a block: fields are not copied unless their value differs from their bytes.

use std::sync::Arc;

use arrow::{
    array::{BinaryViewArray, BooleanBufferBuilder},
    buffer::{Buffer, NullBuffer, ScalarBuffer},
};
use common_base::{Result, err};
use common_types::{Chunk, Column, LogicalType};

/// The view of `data[start..start + len]`, which is buffer number `buffer`.
#[inline]
pub fn view(data: &[u8], start: usize, len: usize, buffer: u32) -> u128 {
    if len <= 12 {
        let raw = match data.get(start..start + 16) {
            Some(window) => u128::from_le_bytes(window.try_into().expect("16 bytes")),
            None => {
                let mut window = [0; 16];
                window[..len].copy_from_slice(&data[start..start + len]);
                u128::from_le_bytes(window)
            }
        };
        let mask = (1_u128 << (len * 8)) - 1;
        return ((raw & mask) << 32) | len as u128;
    }
    let prefix = u32::from_le_bytes(data[start..start + 4].try_into().expect("4 bytes"));
    len as u128 | (u128::from(prefix) << 32) | (u128::from(buffer) << 64) | ((start as u128) << 96)
}

/// One column in the making.
#[derive(Default)]
struct TextColumn {
    views: Vec<u128>,
    /// Rows that are NULL, ascending.
    nulls: Vec<u32>,
}

/// The columns of a chunk in the making.
pub struct ChunkBuilder {
    columns: Vec<TextColumn>,
    rows: usize,
    /// Values that are not in the block as they are.
    pub side: Vec<u8>,
    capacity: usize,
}

impl ChunkBuilder {
    /// For chunks of some columns with up to `capacity` rows.
    pub fn new(columns: usize, capacity: usize) -> Self {
        let columns = (0..columns).map(|_| TextColumn { views: Vec::with_capacity(capacity), nulls: Vec::new() }).collect();
        Self { columns, rows: 0, side: Vec::new(), capacity }
    }

    /// Complete rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Sets the row's value of a column; columns before it are set.
    #[inline]
    pub fn set(&mut self, column: usize, view: u128) {
        self.columns[column].views.push(view);
    }

    /// Sets the row's value of a column to NULL.
    #[inline]
    pub fn set_null(&mut self, column: usize) {
        let column = &mut self.columns[column];
        column.nulls.push(self.rows as u32);
        column.views.push(0);
    }

    /// Adds values of the next rows to a column; `None` is NULL.
    #[inline]
    pub fn extend(&mut self, column: usize, values: impl Iterator<Item = Option<u128>>) {
        let column = &mut self.columns[column];
        let nulls = &mut column.nulls;
        column.views.extend(values.enumerate().map(|(i, value)| {
            value.unwrap_or_else(|| {
                nulls.push((self.rows + i) as u32);
                0
            })
        }));
    }

    /// Rows given by `extend` to every column are complete.
    pub fn end_rows(&mut self, rows: usize) {
        self.rows += rows;
    }

    /// The row is complete.
    #[inline]
    pub fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Forgets the row's first `set` values.
    pub fn drop_row(&mut self, set: usize) {
        for column in &mut self.columns[..set] {
            column.views.truncate(self.rows);
            if column.nulls.last() == Some(&(self.rows as u32)) {
                column.nulls.pop();
            }
        }
    }

    /// The chunk; the builder is empty afterwards.
    pub fn finish(&mut self, block: &Buffer) -> Result<Chunk> {
        let rows = std::mem::take(&mut self.rows);
        let mut buffers = vec![block.clone()];
        if !self.side.is_empty() {
            buffers.push(Buffer::from_vec(std::mem::take(&mut self.side)));
        }
        let buffers: Arc<[Buffer]> = buffers.into();
        let mut out = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            let nulls = (!column.nulls.is_empty()).then(|| {
                let mut valid = BooleanBufferBuilder::new(rows);
                valid.append_n(rows, true);
                column.nulls.iter().for_each(|row| valid.set_bit(*row as usize, false));
                NullBuffer::new(valid.finish())
            });
            column.nulls.clear();
            let views = std::mem::replace(&mut column.views, Vec::with_capacity(self.capacity));
            let array = BinaryViewArray::try_new(ScalarBuffer::from(views), buffers.clone(), nulls).map_err(|e| err!(Internal, "text column: {e}"))?;
            out.push(Column::flat(Arc::new(array), LogicalType::varchar()));
        }
        Ok(Chunk::new(out, rows))
    }
}
