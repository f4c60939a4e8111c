//! Typed borrowed access to columns: the doors through which fast kernels see slices.

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BinaryViewArray, BooleanArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
    i256,
};

use super::{Column, Dict, Repr};

/// Integers of a flat or narrow column, up to 64 bits. NULL slots hold arbitrary values.
#[derive(Clone, Copy, Debug)]
pub enum IntView<'a> {
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
}

/// Runs the same body on whichever slice an [`IntView`] holds: `for_ints!(view, s => s.iter().map(|&v| v as i64).sum())`.
#[macro_export]
macro_rules! for_ints {
    ($view:expr, $slice:ident => $body:expr) => {
        match $view {
            $crate::IntView::I8($slice) => $body,
            $crate::IntView::I16($slice) => $body,
            $crate::IntView::I32($slice) => $body,
            $crate::IntView::I64($slice) => $body,
        }
    };
}

/// Runs the same body on whichever slice a [`CodeView`] holds.
#[macro_export]
macro_rules! for_codes {
    ($view:expr, $slice:ident => $body:expr) => {
        match $view {
            $crate::CodeView::U8($slice) => $body,
            $crate::CodeView::U16($slice) => $body,
            $crate::CodeView::U32($slice) => $body,
        }
    };
}

impl IntView<'_> {
    /// One value.
    #[inline]
    pub fn get(&self, i: usize) -> i64 {
        for_ints!(self, s => s[i] as i64)
    }
    /// Number of rows.
    pub fn len(&self) -> usize {
        for_ints!(self, s => s.len())
    }
    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Bytes of one value.
    pub const fn width(&self) -> usize {
        match self {
            Self::I8(_) => 1,
            Self::I16(_) => 2,
            Self::I32(_) => 4,
            Self::I64(_) => 8,
        }
    }
    /// All values widened.
    pub fn to_vec(self) -> Vec<i64> {
        for_ints!(self, s => s.iter().map(|&v| v as i64).collect())
    }
    /// Appends all values widened.
    pub fn extend_into(&self, out: &mut Vec<i64>) {
        for_ints!(self, s => out.extend(s.iter().map(|&v| v as i64)));
    }
}

/// Floats of a flat column.
#[derive(Clone, Copy, Debug)]
pub enum FloatView<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
}

impl FloatView<'_> {
    /// One value.
    #[inline]
    pub fn get(&self, i: usize) -> f64 {
        match self {
            Self::F32(s) => f64::from(s[i]),
            Self::F64(s) => s[i],
        }
    }
    /// All values widened.
    pub fn to_vec(self) -> Vec<f64> {
        match self {
            Self::F32(s) => s.iter().map(|&v| f64::from(v)).collect(),
            Self::F64(s) => s.to_vec(),
        }
    }
}

/// Codes of a dictionary column.
#[derive(Clone, Copy, Debug)]
pub enum CodeView<'a> {
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
}

impl<'a> CodeView<'a> {
    /// The view of a UInt8, UInt16 or UInt32 array.
    pub fn new(codes: &'a ArrayRef) -> Self {
        match codes.data_type() {
            DataType::UInt8 => Self::U8(codes.as_primitive::<UInt8Type>().values()),
            DataType::UInt16 => Self::U16(codes.as_primitive::<UInt16Type>().values()),
            _ => Self::U32(codes.as_primitive::<UInt32Type>().values()),
        }
    }
    /// One code.
    #[inline]
    pub fn get(&self, i: usize) -> usize {
        for_codes!(self, s => s[i] as usize)
    }
    /// Number of rows.
    pub fn len(&self) -> usize {
        for_codes!(self, s => s.len())
    }
    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Bytes of a string-like column. NULL rows give arbitrary bytes; check nulls apart.
#[derive(Clone, Copy, Debug)]
pub enum StrView<'a> {
    Flat(&'a BinaryViewArray),
    Dict { codes: CodeView<'a>, dict: &'a Dict },
    Const(&'a [u8]),
}

impl<'a> StrView<'a> {
    /// One value.
    #[inline]
    pub fn get(&self, i: usize) -> &'a [u8] {
        match self {
            Self::Flat(a) => a.value(i),
            // A NULL row's code may lie outside an empty dictionary.
            Self::Dict { codes, dict } => {
                let code = codes.get(i);
                if code < dict.len() { dict.value(code) } else { &[] }
            }
            Self::Const(b) => b,
        }
    }
}

/// Integers of a Int8..Int64-shaped array, seen through any logical type.
pub(crate) fn int_view(array: &ArrayRef) -> Option<IntView<'_>> {
    Some(match array.data_type() {
        DataType::Int8 => IntView::I8(array.as_primitive::<Int8Type>().values()),
        DataType::Int16 => IntView::I16(array.as_primitive::<Int16Type>().values()),
        DataType::Int32 => IntView::I32(array.as_primitive::<Int32Type>().values()),
        DataType::Int64 => IntView::I64(array.as_primitive::<Int64Type>().values()),
        DataType::Date32 => IntView::I32(array.as_primitive::<Date32Type>().values()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            IntView::I64(array.as_primitive::<TimestampMicrosecondType>().values())
        }
        DataType::Decimal32(..) => IntView::I32(array.as_primitive::<Decimal32Type>().values()),
        DataType::Decimal64(..) => IntView::I64(array.as_primitive::<Decimal64Type>().values()),
        _ => return None,
    })
}

impl Column {
    /// Integers of at most 64 bits in flat or narrow form (integers, dates, datetimes, unscaled decimals). `None` for
    /// constants, flat 128-bit values and other types.
    pub fn ints_i64(&self) -> Option<IntView<'_>> {
        match &self.repr {
            Repr::Flat(a) if self.ty.is_integer_backed() => int_view(a),
            Repr::Narrow { ints, .. } => int_view(ints),
            _ => None,
        }
    }
    /// Flat 128-bit values: LARGEINT and 128-bit decimals not in narrow form.
    pub fn ints_i128(&self) -> Option<&[i128]> {
        match &self.repr {
            Repr::Flat(a) if matches!(a.data_type(), DataType::Decimal128(..)) => {
                Some(a.as_primitive::<Decimal128Type>().values())
            }
            _ => None,
        }
    }
    /// Flat 256-bit decimals.
    pub fn ints_i256(&self) -> Option<&[i256]> {
        match &self.repr {
            Repr::Flat(a) if matches!(a.data_type(), DataType::Decimal256(..)) => {
                Some(a.as_primitive::<Decimal256Type>().values())
            }
            _ => None,
        }
    }
    /// Flat FLOAT, DOUBLE and TIME values.
    pub fn floats(&self) -> Option<FloatView<'_>> {
        match &self.repr {
            Repr::Flat(a) => match a.data_type() {
                DataType::Float32 => Some(FloatView::F32(a.as_primitive::<Float32Type>().values())),
                DataType::Float64 => Some(FloatView::F64(a.as_primitive::<Float64Type>().values())),
                _ => None,
            },
            _ => None,
        }
    }
    /// Flat booleans.
    pub fn bools(&self) -> Option<&BooleanArray> {
        match &self.repr {
            Repr::Flat(a) => a.as_boolean_opt(),
            _ => None,
        }
    }
    /// Bytes in any form. `None` for types that are not bytes, and for a constant NULL.
    pub fn str_view(&self) -> Option<StrView<'_>> {
        match &self.repr {
            Repr::Flat(a) => a.as_binary_view_opt().map(StrView::Flat),
            Repr::Dict { codes, dict } => Some(StrView::Dict { codes: CodeView::new(codes), dict }),
            Repr::Const(s) => s.as_bytes().map(StrView::Const),
            Repr::Narrow { .. } => None,
        }
    }
    /// The codes and dictionary of a dictionary column.
    pub fn dict_parts(&self) -> Option<(CodeView<'_>, &std::sync::Arc<Dict>)> {
        match &self.repr {
            Repr::Dict { codes, dict } => Some((CodeView::new(codes), dict)),
            _ => None,
        }
    }
    /// The value of a constant column.
    pub fn as_const(&self) -> Option<&crate::Scalar> {
        match &self.repr {
            Repr::Const(s) => Some(s),
            _ => None,
        }
    }
}
