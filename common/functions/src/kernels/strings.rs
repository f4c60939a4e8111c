//! Readers and writers of byte-string columns.
//!
//! A kernel reads through [`strs`] (no copy, whatever the representation) and writes through [`StrWriter`]: one growing buffer
//! and one view a row, never an allocation a row. Constants and dictionaries are the evaluator's business: it runs a kernel once
//! for all-constant arguments and once per dictionary entry where that pays.

use std::sync::Arc;

use arrow::{
    array::{Array, BinaryViewArray, BooleanBufferBuilder, NullBufferBuilder, make_view},
    buffer::{Buffer, NullBuffer, ScalarBuffer},
};
use common_base::{Result, bail};
use common_types::{Column, LogicalType, StrView};

/// Longest string that lives inside its view.
const INLINE: usize = 12;
/// A buffer is closed once it is this long, so that offsets always fit.
const BUFFER_LIMIT: usize = 1 << 30;
/// Longest result of concat, repeat, lpad, rpad, space; longer ones are NULL.
pub const MAX_RESULT: usize = 1 << 20;

/// Reads a column of strings, JSON, binary or sketches; NULL rows read as some string.
pub fn strs(column: &Column) -> StrView<'_> {
    column.str_view().unwrap_or(StrView::Const(b""))
}

/// The value of a column of strings, when it is the same for all rows.
pub fn const_str(column: &Column) -> Option<&[u8]> {
    column.as_const().map(|value| value.as_bytes().unwrap_or_default())
}

/// Bytes as UTF-8, `""` for what is not (NULL slots, binary junk).
pub fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Reads an integer-like column (BOOLEAN to BIGINT, DATE, DATETIME) as `i64`.
pub enum IntArg {
    Const(i64),
    Rows(Vec<i64>),
}

impl IntArg {
    /// A reader; NULL rows read as some number.
    pub fn new(column: &Column) -> Result<Self> {
        if let Some(value) = column.as_const() {
            return Ok(Self::Const(value.as_i64().unwrap_or_default()));
        }
        if let Some(flags) = column.bools() {
            return Ok(Self::Rows(flags.values().iter().map(i64::from).collect()));
        }
        match column.ints_i64() {
            Some(view) => Ok(Self::Rows(view.to_vec())),
            None if column.null_count() == column.len() => Ok(Self::Const(0)),
            None => bail!(Internal, "an integer was expected, {} came", column.ty()),
        }
    }

    /// The number of a row.
    #[inline]
    pub fn get(&self, row: usize) -> i64 {
        match self {
            Self::Const(v) => *v,
            Self::Rows(v) => v[row],
        }
    }

    /// The value, when it is the same for all rows.
    pub fn constant(&self) -> Option<i64> {
        match self {
            Self::Const(v) => Some(*v),
            Self::Rows(_) => None,
        }
    }
}

/// Builds a byte-string array: append bytes to [`StrWriter::buf`], then [`StrWriter::end_row`].
pub struct StrWriter {
    buf: Vec<u8>,
    /// Where the row being written starts in `buf`.
    start: usize,
    views: Vec<u128>,
    done: Vec<Buffer>,
    nulls: NullBufferBuilder,
}

impl StrWriter {
    /// A writer for about `rows` rows.
    pub fn new(rows: usize) -> Self {
        Self {
            buf: Vec::new(),
            start: 0,
            views: Vec::with_capacity(rows),
            done: Vec::new(),
            nulls: NullBufferBuilder::new(rows),
        }
    }

    /// The bytes of the row being written are what is appended here since the last row ended.
    #[inline]
    pub fn buf(&mut self) -> &mut Vec<u8> {
        &mut self.buf
    }

    /// Bytes written to the row so far.
    #[inline]
    pub fn row_len(&self) -> usize {
        self.buf.len() - self.start
    }

    /// The bytes written to the row so far.
    pub fn row_mut(&mut self) -> &mut [u8] {
        &mut self.buf[self.start..]
    }

    /// Ends the row with what was written.
    #[inline]
    pub fn end_row(&mut self) {
        let row = &self.buf[self.start..];
        let view = make_view(row, self.done.len() as u32, self.start as u32);
        if row.len() <= INLINE {
            self.buf.truncate(self.start);
        }
        self.start = self.buf.len();
        self.views.push(view);
        self.nulls.append_non_null();
        if self.start > BUFFER_LIMIT {
            self.close_buffer();
        }
    }

    /// Drops what was written to the row and makes it NULL.
    #[inline]
    pub fn end_null(&mut self) {
        self.buf.truncate(self.start);
        self.views.push(0);
        self.nulls.append_null();
    }

    /// A whole row at once.
    #[inline]
    pub fn push(&mut self, value: &[u8]) {
        self.buf.extend_from_slice(value);
        self.end_row();
    }

    /// A whole row that may be NULL.
    #[inline]
    pub fn push_opt(&mut self, value: Option<&[u8]>) {
        match value {
            Some(v) => self.push(v),
            None => self.end_null(),
        }
    }

    /// Rows ended.
    pub fn rows(&self) -> usize {
        self.views.len()
    }

    fn close_buffer(&mut self) {
        self.done.push(Buffer::from_vec(std::mem::take(&mut self.buf)));
        self.start = 0;
    }

    /// The array of all rows.
    pub fn finish_array(mut self) -> BinaryViewArray {
        if !self.buf.is_empty() {
            self.close_buffer();
        }
        let views = ScalarBuffer::from(self.views);
        // SAFETY: every view was made by `make_view` over bytes that now sit at that offset of that buffer.
        unsafe { BinaryViewArray::new_unchecked(views, self.done, self.nulls.finish()) }
    }

    /// A column of a byte-string type.
    pub fn finish(self, ty: &LogicalType) -> Column {
        Column::flat(Arc::new(self.finish_array()), ty.clone())
    }
}

/// Cuts each row of an array to a byte range without copying: the new views point into the old buffers.
/// `range` gives start and end within the row's bytes, or `None` for NULL.
pub fn cut_views(
    array: &BinaryViewArray,
    mut range: impl FnMut(usize, &[u8]) -> Option<(usize, usize)>,
) -> BinaryViewArray {
    let mut views = Vec::with_capacity(array.len());
    let mut made_null: Vec<usize> = Vec::new();
    for (row, view) in array.views().iter().enumerate() {
        let bytes = array.value(row);
        match range(row, bytes) {
            Some((start, end)) if end - start == bytes.len() => views.push(*view),
            Some((start, end)) => {
                // High to low: offset, buffer index, prefix, length.
                let offset = ((view >> 96) as u32).wrapping_add(start as u32);
                let buffer = (view >> 64) as u32;
                views.push(make_view(&bytes[start..end], buffer, offset));
            }
            None => {
                made_null.push(row);
                views.push(0);
            }
        }
    }
    let nulls = if made_null.is_empty() {
        array.nulls().cloned()
    } else {
        let mut valid = BooleanBufferBuilder::new(array.len());
        match array.nulls() {
            Some(nulls) => valid.append_buffer(nulls.inner()),
            None => valid.append_n(array.len(), true),
        }
        made_null.into_iter().for_each(|row| valid.set_bit(row, false));
        Some(NullBuffer::new(valid.finish()))
    };
    let (_, buffers, _) = array.clone().into_parts();
    // SAFETY: a cut is a sub-range of a valid view of the same buffers; short ones are stored inline by `make_view`.
    unsafe { BinaryViewArray::new_unchecked(ScalarBuffer::from(views), buffers, nulls) }
}

/// [`cut_views`] for a column in any form.
pub fn cut(
    column: &Column,
    ty: &LogicalType,
    rows: usize,
    mut range: impl FnMut(usize, &[u8]) -> Option<(usize, usize)>,
) -> Column {
    if let Some(StrView::Flat(array)) = column.str_view() {
        return Column::flat(Arc::new(cut_views(array, range)), ty.clone());
    }
    let input = strs(column);
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let bytes = input.get(row);
        out.push_opt(range(row, bytes).map(|(start, end)| &bytes[start..end]));
    }
    out.finish(ty)
}

/// One string a row.
pub fn map_strings(args: &[Column], ty: &LogicalType, rows: usize, f: impl Fn(&[u8], &mut Vec<u8>)) -> Result<Column> {
    let input = strs(&args[0]);
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        f(input.get(row), out.buf());
        out.end_row();
    }
    Ok(out.finish(ty))
}

/// A primitive per string.
pub fn map_to<T: arrow::datatypes::ArrowPrimitiveType>(
    args: &[Column],
    ty: &LogicalType,
    rows: usize,
    f: impl Fn(&[u8]) -> T::Native,
) -> Result<Column> {
    let input = strs(&args[0]);
    let values: Vec<T::Native> = (0..rows).map(|row| f(input.get(row))).collect();
    Ok(primitive::<T>(values, None, ty))
}

/// A flat column of primitive values. `ty`'s canonical array must be of `T`.
pub fn primitive<T: arrow::datatypes::ArrowPrimitiveType>(
    values: Vec<T::Native>,
    nulls: Option<NullBuffer>,
    ty: &LogicalType,
) -> Column {
    Column::flat(Arc::new(arrow::array::PrimitiveArray::<T>::new(values.into(), nulls)), ty.clone())
}

/// A flat column of primitive values, some NULL.
pub fn primitive_opt<T: arrow::datatypes::ArrowPrimitiveType>(
    values: impl Iterator<Item = Option<T::Native>>,
    ty: &LogicalType,
) -> Column {
    Column::flat(Arc::new(values.collect::<arrow::array::PrimitiveArray<T>>()), ty.clone())
}

/// A BOOLEAN column.
pub fn booleans(values: impl Iterator<Item = bool>) -> Column {
    let buffer: arrow::buffer::BooleanBuffer = values.collect();
    Column::flat(Arc::new(arrow::array::BooleanArray::new(buffer, None)), LogicalType::Boolean)
}

/// A BOOLEAN column, some rows NULL.
pub fn booleans_opt(values: impl Iterator<Item = Option<bool>>) -> Column {
    Column::flat(Arc::new(values.collect::<arrow::array::BooleanArray>()), LogicalType::Boolean)
}
