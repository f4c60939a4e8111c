//! Comparing elements of arrays and maps: the type is looked at once a call, the loop inside is typed.

use arrow::{
    array::BinaryViewArray,
    buffer::BooleanBuffer,
    datatypes::i256,
    row::{RowConverter, Rows, SortField},
};
use common_base::{Result, err};
use common_types::{Column, IntView};

/// The values of two flat columns of one type, ready to be compared across. NULLs are the caller's to look at.
pub enum ElementPair<'a> {
    Bool(&'a BooleanBuffer, &'a BooleanBuffer),
    I8(&'a [i8], &'a [i8]),
    I16(&'a [i16], &'a [i16]),
    I32(&'a [i32], &'a [i32]),
    I64(&'a [i64], &'a [i64]),
    I128(&'a [i128], &'a [i128]),
    I256(&'a [i256], &'a [i256]),
    F32(&'a [f32], &'a [f32]),
    F64(&'a [f64], &'a [f64]),
    Bytes(&'a BinaryViewArray, &'a BinaryViewArray),
    /// Nested values as comparable bytes.
    Rows(Box<(Rows, Rows)>),
}

impl<'a> ElementPair<'a> {
    /// Both columns must be flat ([`flat`]) and of the same physical type.
    pub fn new(a: &'a Column, b: &'a Column) -> Result<Self> {
        if let (Some(x), Some(y)) = (a.bools(), b.bools()) {
            return Ok(Self::Bool(x.values(), y.values()));
        }
        match (a.ints_i64(), b.ints_i64()) {
            (Some(IntView::I8(x)), Some(IntView::I8(y))) => return Ok(Self::I8(x, y)),
            (Some(IntView::I16(x)), Some(IntView::I16(y))) => return Ok(Self::I16(x, y)),
            (Some(IntView::I32(x)), Some(IntView::I32(y))) => return Ok(Self::I32(x, y)),
            (Some(IntView::I64(x)), Some(IntView::I64(y))) => return Ok(Self::I64(x, y)),
            _ => {}
        }
        if let (Some(x), Some(y)) = (a.ints_i128(), b.ints_i128()) {
            return Ok(Self::I128(x, y));
        }
        if let (Some(x), Some(y)) = (a.ints_i256(), b.ints_i256()) {
            return Ok(Self::I256(x, y));
        }
        match (a.floats(), b.floats()) {
            (Some(common_types::FloatView::F32(x)), Some(common_types::FloatView::F32(y))) => {
                return Ok(Self::F32(x, y));
            }
            (Some(common_types::FloatView::F64(x)), Some(common_types::FloatView::F64(y))) => {
                return Ok(Self::F64(x, y));
            }
            _ => {}
        }
        if let (Some(common_types::StrView::Flat(x)), Some(common_types::StrView::Flat(y))) =
            (a.str_view(), b.str_view())
        {
            return Ok(Self::Bytes(x, y));
        }
        let (x, y) = (a.to_flat(), b.to_flat());
        let fail = |e| err!(Internal, "comparing {} with {}: {e}", a.ty(), b.ty());
        let converter = RowConverter::new(vec![SortField::new(x.data_type().clone())]).map_err(fail)?;
        let left = converter.convert_columns(&[x]).map_err(fail)?;
        let right = converter.convert_columns(&[y]).map_err(fail)?;
        Ok(Self::Rows(Box::new((left, right))))
    }
}

/// The same column in its canonical form.
pub fn flat(column: &Column) -> Column {
    Column::flat(column.to_flat(), column.ty().clone())
}

/// Runs a body with `$eq(i, j)`: whether element `i` of the first column equals element `j` of the second.
macro_rules! with_eq {
    ($pair:expr, $eq:ident => $body:expr) => {
        $crate::kernels::elements::with_pair!($pair, a, b, [$eq => |i: usize, j: usize| a[i] == b[j]],
            [$eq => |i: usize, j: usize| a.value(i) == b.value(j)], [$eq => |i: usize, j: usize| a.row(i) == b.row(j)],
            [$eq => |i: usize, j: usize| a[i] == b[j] || (a[i].is_nan() && b[j].is_nan())], $body)
    };
}

/// Runs a body with `$cmp(i, j)`: the order of element `i` of the first column and element `j` of the second.
macro_rules! with_cmp {
    ($pair:expr, $cmp:ident => $body:expr) => {
        $crate::kernels::elements::with_pair!($pair, a, b, [$cmp => |i: usize, j: usize| a[i].cmp(&b[j])],
            [$cmp => |i: usize, j: usize| a.value(i).cmp(&b.value(j))], [$cmp => |i: usize, j: usize| a.row(i).cmp(&b.row(j))],
            [$cmp => |i: usize, j: usize| a[i].total_cmp(&b[j])], $body)
    };
}

/// The match behind `with_eq` and `with_cmp`: slices, arrays with `value`, rows, floats.
macro_rules! with_pair {
    ($pair:expr, $a:ident, $b:ident, [$f:ident => $slice:expr], [$f1:ident => $value:expr], [$f2:ident => $row:expr],
     [$f3:ident => $float:expr], $body:expr) => {{
        use $crate::kernels::elements::ElementPair as Pair;
        match &$pair {
            Pair::Bool($a, $b) => {
                let $f1 = $value;
                $body
            }
            Pair::I8($a, $b) => {
                let $f = $slice;
                $body
            }
            Pair::I16($a, $b) => {
                let $f = $slice;
                $body
            }
            Pair::I32($a, $b) => {
                let $f = $slice;
                $body
            }
            Pair::I64($a, $b) => {
                let $f = $slice;
                $body
            }
            Pair::I128($a, $b) => {
                let $f = $slice;
                $body
            }
            Pair::I256($a, $b) => {
                let $f = $slice;
                $body
            }
            Pair::F32($a, $b) => {
                let $f3 = $float;
                $body
            }
            Pair::F64($a, $b) => {
                let $f3 = $float;
                $body
            }
            Pair::Bytes($a, $b) => {
                let $f1 = $value;
                $body
            }
            Pair::Rows(both) => {
                let ($a, $b) = (&both.0, &both.1);
                let $f2 = $row;
                $body
            }
        }
    }};
}

pub(crate) use {with_cmp, with_eq, with_pair};

/// Up to so many elements are compared pair by pair; more go through a hash table.
pub const SCAN_MAX: usize = 16;

/// Appends the first occurrences of equal elements within a range; NULLs are equal to each other.
pub fn distinct_within(
    range: std::ops::Range<usize>,
    is_null: impl Fn(usize) -> bool,
    eq: impl Fn(usize, usize) -> bool,
    hash: impl Fn(usize) -> u64,
    scratch: &mut hashbrown::HashTable<u32>,
    out: &mut Vec<u32>,
) {
    let same = |i: usize, j: usize| match (is_null(i), is_null(j)) {
        (false, false) => eq(i, j),
        (a, b) => a && b,
    };
    if range.len() <= SCAN_MAX {
        let first = out.len();
        for i in range {
            if !out[first..].iter().any(|&j| same(i, j as usize)) {
                out.push(i as u32);
            }
        }
        return;
    }
    scratch.clear();
    for i in range {
        let code = if is_null(i) { 0 } else { hash(i) };
        let entry =
            scratch.entry(code, |&j| same(i, j as usize), |&j| if is_null(j as usize) { 0 } else { hash(j as usize) });
        if let hashbrown::hash_table::Entry::Vacant(slot) = entry {
            slot.insert(i as u32);
            out.push(i as u32);
        }
    }
}
