//! String arguments and results: a function of one string is computed once per dictionary entry or constant, not per row.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BinaryViewArray, BinaryViewBuilder, PrimitiveArray, UInt8Array, UInt16Array, UInt32Array},
    buffer::{BooleanBuffer, NullBuffer},
    datatypes::UInt8Type,
};
use common_types::{CodeView, Column, Dict, LogicalType, Repr, Scalar, StrView, for_codes};
use hashbrown::HashMap;

/// Collects string results.
pub struct TextBuilder {
    inner: BinaryViewBuilder,
    /// Scratch for one value: fill it, then call [`TextBuilder::commit`].
    pub buffer: Vec<u8>,
}

impl TextBuilder {
    /// A builder for about `rows` values.
    pub fn new(rows: usize) -> Self {
        Self { inner: BinaryViewBuilder::with_capacity(rows), buffer: Vec::new() }
    }

    /// Appends a value.
    #[inline]
    pub fn push(&mut self, value: &[u8]) {
        self.inner.append_value(value);
    }

    /// Appends NULL.
    #[inline]
    pub fn push_null(&mut self) {
        self.inner.append_null();
    }

    /// Appends a value or NULL.
    #[inline]
    pub fn push_opt(&mut self, value: Option<&[u8]>) {
        match value {
            Some(v) => self.push(v),
            None => self.push_null(),
        }
    }

    /// Appends the scratch buffer as a value and clears it.
    #[inline]
    pub fn commit(&mut self) {
        self.inner.append_value(&self.buffer);
        self.buffer.clear();
    }

    /// The column.
    pub fn finish(mut self, ty: &LogicalType) -> Column {
        Column::flat(Arc::new(self.inner.finish()), ty.clone())
    }

    /// The bare array.
    pub fn finish_array(mut self) -> BinaryViewArray {
        self.inner.finish()
    }
}

/// Whether computing per dictionary entry is cheaper than per row.
fn per_entry(dict: &Dict, rows: usize) -> bool {
    dict.len() <= rows.max(64) * 2
}

/// `f` of every row's bytes. Rows that are NULL get an arbitrary answer. `None` when the column is not text or constant NULL.
pub fn map_rows<T: Copy + Default>(col: &Column, rows: usize, mut f: impl FnMut(&[u8]) -> T) -> Option<Vec<T>> {
    Some(match col.str_view()? {
        StrView::Const(v) => vec![f(v); rows],
        StrView::Dict { codes, dict } if per_entry(dict, rows) => {
            let table: Vec<T> = (0..dict.len()).map(|i| f(dict.value(i))).collect();
            for_codes!(codes, c => c.iter().map(|&i| table.get(i as usize).copied().unwrap_or_default()).collect())
        }
        view => {
            let nulls = col.nulls();
            match nulls {
                None => (0..rows).map(|i| f(view.get(i))).collect(),
                Some(n) => (0..rows).map(|i| if n.is_valid(i) { f(view.get(i)) } else { T::default() }).collect(),
            }
        }
    })
}

/// `f` of every row's bytes as a bitmap.
pub fn test_rows(col: &Column, rows: usize, mut f: impl FnMut(&[u8]) -> bool) -> Option<BooleanBuffer> {
    Some(match col.str_view()? {
        StrView::Const(v) => {
            if f(v) { BooleanBuffer::new_set(rows) } else { BooleanBuffer::new_unset(rows) }
        }
        StrView::Dict { codes, dict } if per_entry(dict, rows) => {
            let table: Vec<bool> = (0..dict.len()).map(|i| f(dict.value(i))).collect();
            test_codes(codes, &table)
        }
        StrView::Flat(a) => BooleanBuffer::collect_bool(rows, |i| f(a.value(i))),
        view => BooleanBuffer::collect_bool(rows, |i| f(view.get(i))),
    })
}

/// Looks every code up in a table of answers.
pub fn test_codes(codes: CodeView<'_>, table: &[bool]) -> BooleanBuffer {
    match codes {
        CodeView::U8(c) => {
            // A full 256-entry table needs no bounds check.
            let mut full = [false; 256];
            let n = table.len().min(256);
            full[..n].copy_from_slice(&table[..n]);
            super::bools::test(c, |i| full[usize::from(i)])
        }
        CodeView::U16(c) => super::bools::test(c, |i| table.get(usize::from(i)).copied().unwrap_or(false)),
        CodeView::U32(c) => super::bools::test(c, |i| table.get(i as usize).copied().unwrap_or(false)),
    }
}

/// A string function of one string: `f` writes the result into the buffer and tells whether it is not NULL.
/// Dictionary columns stay dictionary columns.
pub fn map_text(col: &Column, ty: &LogicalType, rows: usize, mut f: impl FnMut(&[u8], &mut Vec<u8>) -> bool) -> Column {
    let Some(view) = col.str_view() else { return Column::null(ty.clone(), rows) };
    let mut buffer = Vec::new();
    match view {
        StrView::Const(v) => {
            let scalar = if f(v, &mut buffer) { bytes_scalar(ty, &buffer) } else { Scalar::Null };
            Column::constant(scalar, ty.clone(), rows)
        }
        StrView::Dict { codes, dict } if per_entry(dict, rows) => {
            let mut values = TextBuilder::new(dict.len());
            let mut seen: HashMap<Vec<u8>, u32> = HashMap::new();
            let mut remap: Vec<Option<u32>> = Vec::with_capacity(dict.len());
            for i in 0..dict.len() {
                buffer.clear();
                let code = f(dict.value(i), &mut buffer).then(|| match seen.get(buffer.as_slice()) {
                    Some(&code) => code,
                    None => {
                        let code = seen.len() as u32;
                        values.push(&buffer);
                        seen.insert(buffer.clone(), code);
                        code
                    }
                });
                remap.push(code);
            }
            let dict = Dict::new(values.finish_array(), false);
            let codes = remap_codes(codes, &remap, col.nulls(), dict.len());
            Column::dict(codes, dict, ty.clone())
        }
        view => {
            let mut out = TextBuilder::new(rows);
            let nulls = col.nulls();
            for i in 0..rows {
                if nulls.as_ref().is_some_and(|n| n.is_null(i)) {
                    out.push_null();
                    continue;
                }
                buffer.clear();
                if f(view.get(i), &mut buffer) { out.push(&buffer) } else { out.push_null() }
            }
            out.finish(ty)
        }
    }
}

fn remap_codes(codes: CodeView<'_>, remap: &[Option<u32>], nulls: Option<NullBuffer>, entries: usize) -> ArrayRef {
    let any_null = remap.iter().any(Option::is_none);
    let code = |i: usize| remap.get(i).copied().flatten();
    let nulls = if any_null {
        let added = for_codes!(codes, c => NullBuffer::from_iter(c.iter().map(|&i| code(i as usize).is_some())));
        NullBuffer::union(nulls.as_ref(), Some(&added))
    } else {
        nulls
    };
    let mapped = for_codes!(codes, c => c.iter().map(|&i| code(i as usize).unwrap_or(0)).collect::<Vec<u32>>());
    match entries {
        0..=256 => Arc::new(UInt8Array::new(mapped.iter().map(|c| *c as u8).collect::<Vec<_>>().into(), nulls)) as ArrayRef,
        257..=65_536 => Arc::new(UInt16Array::new(mapped.iter().map(|c| *c as u16).collect::<Vec<_>>().into(), nulls)),
        _ => Arc::new(UInt32Array::new(mapped.into(), nulls)),
    }
}

/// A dictionary column from codes and entries that are few and distinct.
pub fn small_dict(ty: &LogicalType, codes: Vec<u8>, nulls: Option<NullBuffer>, dict: &Arc<Dict>) -> Column {
    let codes: PrimitiveArray<UInt8Type> = UInt8Array::new(codes.into(), nulls);
    Column::dict(Arc::new(codes), dict.clone(), ty.clone())
}

/// The scalar of a bytes-like type.
pub fn bytes_scalar(ty: &LogicalType, bytes: &[u8]) -> Scalar {
    let bytes = bytes::Bytes::copy_from_slice(bytes);
    match ty {
        LogicalType::Json => Scalar::Json(bytes),
        LogicalType::Char(_) | LogicalType::Varchar(_) => Scalar::String(bytes),
        _ => Scalar::Binary(bytes),
    }
}

/// The constant text of an argument, if it is one and not NULL.
pub fn const_text(col: &Column) -> Option<&[u8]> {
    match col.repr() {
        Repr::Const(s) => s.as_bytes(),
        _ => None,
    }
}

/// Per-row access to text that also knows NULL.
pub struct TextArg<'a> {
    view: Option<StrView<'a>>,
    nulls: Option<NullBuffer>,
}

impl<'a> TextArg<'a> {
    /// The column's text.
    pub fn new(col: &'a Column) -> Self {
        Self { view: col.str_view(), nulls: col.nulls() }
    }

    /// One row, `None` for NULL.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&'a [u8]> {
        if self.nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            return None;
        }
        self.view.as_ref().map(|v| v.get(row))
    }
}

