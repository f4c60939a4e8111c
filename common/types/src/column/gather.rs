//! Selection of rows by position. Fixed-width types run one tight loop per width; strings copy 16-byte views and share buffers.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BooleanArray, PrimitiveArray, UInt32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type,
    UInt16Type, UInt32Type,
};

use super::{Column, Repr};

/// The row index that stands for "no row" in `gather_opt`.
const NO_ROW: u32 = u32::MAX;

/// Calls a macro-like generic function for the primitive type behind an array.
macro_rules! with_primitive {
    ($array:expr, $f:ident ( $($arg:expr),* ), $other:expr) => {
        match $array.data_type() {
            DataType::Int8 => $f::<Int8Type>($($arg),*),
            DataType::Int16 => $f::<Int16Type>($($arg),*),
            DataType::Int32 => $f::<Int32Type>($($arg),*),
            DataType::Int64 => $f::<Int64Type>($($arg),*),
            DataType::UInt8 => $f::<UInt8Type>($($arg),*),
            DataType::UInt16 => $f::<UInt16Type>($($arg),*),
            DataType::UInt32 => $f::<UInt32Type>($($arg),*),
            DataType::Float32 => $f::<Float32Type>($($arg),*),
            DataType::Float64 => $f::<Float64Type>($($arg),*),
            DataType::Date32 => $f::<Date32Type>($($arg),*),
            DataType::Timestamp(..) => $f::<TimestampMicrosecondType>($($arg),*),
            DataType::Decimal32(..) => $f::<Decimal32Type>($($arg),*),
            DataType::Decimal64(..) => $f::<Decimal64Type>($($arg),*),
            DataType::Decimal128(..) => $f::<Decimal128Type>($($arg),*),
            DataType::Decimal256(..) => $f::<Decimal256Type>($($arg),*),
            _ => $other,
        }
    };
}

impl Column {
    /// The rows at these positions; every position is a row.
    pub fn gather(&self, indices: &[u32]) -> Self {
        let repr = match &self.repr {
            Repr::Flat(a) => Repr::Flat(gather_array(a, indices)),
            Repr::Const(s) => Repr::Const(s.clone()),
            Repr::Dict { codes, dict } => Repr::Dict { codes: gather_array(codes, indices), dict: dict.clone() },
            Repr::Narrow { ints, bounds } => Repr::Narrow { ints: gather_array(ints, indices), bounds: *bounds },
        };
        Self { ty: self.ty.clone(), repr, len: indices.len() }
    }
    /// The rows at these positions; `u32::MAX` gives NULL.
    pub fn gather_opt(&self, indices: &[u32]) -> Self {
        if self.len == 0 {
            return Self::null(self.ty.clone(), indices.len());
        }
        if !indices.contains(&NO_ROW) {
            return self.gather(indices);
        }
        let repr = match &self.repr {
            Repr::Flat(a) => Repr::Flat(gather_array_opt(a, indices)),
            Repr::Const(s) if s.is_null() => Repr::Const(s.clone()),
            Repr::Const(s) => {
                // Keep the null mask's work only: rows of the one value, gathered from row 0.
                let one = Self::constant(s.clone(), self.ty.clone(), 1).flatten();
                let zeroed: Vec<u32> = indices.iter().map(|&i| if i == NO_ROW { NO_ROW } else { 0 }).collect();
                return one.gather_opt(&zeroed);
            }
            Repr::Dict { codes, dict } => Repr::Dict { codes: gather_array_opt(codes, indices), dict: dict.clone() },
            Repr::Narrow { ints, bounds } => Repr::Narrow { ints: gather_array_opt(ints, indices), bounds: *bounds },
        };
        Self { ty: self.ty.clone(), repr, len: indices.len() }
    }
}

/// The rows of an array at these positions.
pub(crate) fn gather_array(array: &ArrayRef, indices: &[u32]) -> ArrayRef {
    with_primitive!(array, gather_primitive(array, indices), gather_other(array, indices, None))
}

fn gather_array_opt(array: &ArrayRef, indices: &[u32]) -> ArrayRef {
    with_primitive!(array, gather_primitive_opt(array, indices), {
        let valid = NullBuffer::new(BooleanBuffer::collect_bool(indices.len(), |i| indices[i] != NO_ROW));
        let safe: Vec<u32> = indices.iter().map(|&i| if i == NO_ROW { 0 } else { i }).collect();
        gather_other(array, &safe, Some(valid))
    })
}

fn gather_primitive<T: ArrowPrimitiveType>(array: &ArrayRef, indices: &[u32]) -> ArrayRef {
    let array = array.as_primitive::<T>();
    let source: &[T::Native] = array.values();
    let values: Vec<T::Native> = indices.iter().map(|&i| source[i as usize]).collect();
    let nulls = gather_nulls(array.nulls(), indices);
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls).with_data_type(array.data_type().clone()))
}

fn gather_primitive_opt<T: ArrowPrimitiveType>(array: &ArrayRef, indices: &[u32]) -> ArrayRef {
    let array = array.as_primitive::<T>();
    let source: &[T::Native] = array.values();
    let values: Vec<T::Native> = indices.iter().map(|&i| source.get(i as usize).copied().unwrap_or_default()).collect();
    let valid = match array.nulls().filter(|n| n.null_count() > 0) {
        None => BooleanBuffer::collect_bool(indices.len(), |i| indices[i] != NO_ROW),
        Some(n) => {
            BooleanBuffer::collect_bool(indices.len(), |i| indices[i] != NO_ROW && n.is_valid(indices[i] as usize))
        }
    };
    let nulls = Some(NullBuffer::new(valid));
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls).with_data_type(array.data_type().clone()))
}

fn gather_nulls(nulls: Option<&NullBuffer>, indices: &[u32]) -> Option<NullBuffer> {
    let nulls = nulls.filter(|n| n.null_count() > 0)?;
    let bits = nulls.inner();
    let out = NullBuffer::new(BooleanBuffer::collect_bool(indices.len(), |i| bits.value(indices[i] as usize)));
    (out.null_count() > 0).then_some(out)
}

fn gather_other(array: &ArrayRef, indices: &[u32], valid: Option<NullBuffer>) -> ArrayRef {
    if let (Some(b), None) = (array.as_boolean_opt(), &valid) {
        let bits = b.values();
        let values = BooleanBuffer::collect_bool(indices.len(), |i| bits.value(indices[i] as usize));
        return Arc::new(BooleanArray::new(values, gather_nulls(b.nulls(), indices)));
    }
    let positions = UInt32Array::new(ScalarBuffer::from(indices.to_vec()), valid);
    arrow::compute::take(array.as_ref(), &positions, None).expect("positions are rows of the column")
}
