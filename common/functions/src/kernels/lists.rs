//! Building ARRAY columns from offsets and values.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, BinaryViewArray, ListArray, NullBufferBuilder},
    buffer::{NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::DataType,
};
use common_base::{Result, bail};
use common_types::{ArrayParts, Column, LogicalType};

use super::strings::StrWriter;

/// Most elements a function that multiplies its input may give for one batch.
pub const ELEMENTS_MAX: usize = 1 << 24;

/// An ARRAY column of type `ty`; `offsets` has one entry more than there are rows.
pub fn list_column(ty: &LogicalType, offsets: Vec<i32>, values: ArrayRef, nulls: Option<NullBuffer>) -> Result<Column> {
    let DataType::List(field) = ty.arrow() else { bail!(Internal, "{ty} is not an array") };
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let values = retype(values, field.data_type());
    match ListArray::try_new(field, offsets, values, nulls) {
        Ok(list) => Ok(Column::flat(Arc::new(list), ty.clone())),
        Err(e) => bail!(Internal, "building {ty}: {e}"),
    }
}

/// The same values under another Arrow type of equal layout (names of nested fields, nullability flags).
fn retype(values: ArrayRef, ty: &DataType) -> ArrayRef {
    if values.data_type() == ty {
        return values;
    }
    match values.to_data().into_builder().data_type(ty.clone()).build() {
        Ok(data) => arrow::array::make_array(data),
        Err(_) => values,
    }
}

/// Element range of one row.
#[inline]
pub fn range(list: &ListArray, row: usize) -> std::ops::Range<usize> {
    let offsets = list.value_offsets();
    offsets[row] as usize..offsets[row + 1] as usize
}

/// The list array of an ARRAY column, decoded if need be.
pub fn as_list(column: &Column) -> ListArray {
    column.to_flat().as_list::<i32>().clone()
}

/// Writes ARRAY<VARCHAR> columns.
pub struct StrListWriter {
    items: StrWriter,
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl StrListWriter {
    /// A writer for about `rows` rows.
    pub fn new(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { items: StrWriter::new(rows), offsets, nulls: NullBufferBuilder::new(rows) }
    }

    /// One more element of the row.
    #[inline]
    pub fn push(&mut self, item: &[u8]) {
        self.items.push(item);
    }

    /// One more element, NULL for `None`.
    pub fn push_opt(&mut self, item: Option<&[u8]>) {
        self.items.push_opt(item);
    }

    /// Ends the row.
    pub fn end_row(&mut self) {
        self.offsets.push(self.items.rows() as i32);
        self.nulls.append_non_null();
    }

    /// Ends the row as NULL; it must have no elements.
    pub fn end_null(&mut self) {
        self.offsets.push(self.items.rows() as i32);
        self.nulls.append_null();
    }

    /// The elements and offsets.
    pub fn finish_parts(mut self) -> (BinaryViewArray, Vec<i32>, Option<NullBuffer>) {
        (self.items.finish_array(), self.offsets, self.nulls.finish())
    }

    /// The column.
    pub fn finish(self, ty: &LogicalType) -> Result<Column> {
        let (items, offsets, nulls) = self.finish_parts();
        list_column(ty, offsets, Arc::new(items), nulls)
    }
}

/// One element from each column per row, as the elements of arrays of equal length.
pub fn interleave(columns: &[Column], element: &LogicalType, rows: usize) -> (OffsetBuffer<i32>, Column) {
    let offsets = OffsetBuffer::<i32>::from_repeated_length(columns.len(), rows);
    if columns.is_empty() || rows == 0 {
        return (offsets, Column::empty(element.clone()));
    }
    let typed: Vec<Column> =
        columns.iter().map(|c| Column::flat(c.to_flat(), c.ty().clone()).with_type(element.clone())).collect();
    let all = Column::concat(&typed);
    let picks: Vec<u32> =
        (0..rows as u32).flat_map(|row| (0..columns.len() as u32).map(move |c| c * rows as u32 + row)).collect();
    (offsets, all.gather(&picks))
}

/// An ARRAY column read row by row; a constant array is held once, not once a row.
pub struct Lists {
    pub parts: ArrayParts,
    constant: bool,
}

impl Lists {
    /// A reader.
    pub fn new(column: &Column) -> Result<Self> {
        let constant = column.is_const() && !column.is_empty();
        let parts = if constant { column.slice(0, 1).array_parts() } else { column.array_parts() };
        match parts {
            Some(parts) => Ok(Self { parts, constant }),
            None => bail!(Internal, "an array was expected, {} came", column.ty()),
        }
    }

    /// Whether every row is the same array.
    pub fn is_constant(&self) -> bool {
        self.constant
    }

    /// Element range of a row.
    #[inline]
    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        let row = if self.constant { 0 } else { row };
        self.parts.offsets[row] as usize..self.parts.offsets[row + 1] as usize
    }

    /// Whether the array of a row is NULL.
    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        let row = if self.constant { 0 } else { row };
        self.parts.nulls.as_ref().is_some_and(|n| n.is_null(row))
    }
}
