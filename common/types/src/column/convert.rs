//! Changes of physical form: to the canonical array, and back to a narrow or dictionary form.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, PrimitiveArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType,
};

use super::{Bounds, Column, ColumnBuilder, IntView, Repr, int_view};
use crate::for_ints;
use crate::logical_type::{DecimalWidth, LogicalType};
use crate::scalar::Scalar;

impl Column {
    /// The canonical array of the values.
    pub fn to_flat(&self) -> ArrayRef {
        match &self.repr {
            Repr::Flat(a) => a.clone(),
            Repr::Const(s) => const_array(s, &self.ty, self.len),
            Repr::Dict { codes, dict } => {
                if dict.is_empty() {
                    return arrow::array::new_null_array(&DataType::BinaryView, self.len);
                }
                arrow::compute::take(dict.values(), codes.as_ref(), None).expect("codes lie within their dictionary")
            }
            Repr::Narrow { ints, .. } => widen(ints, &self.ty),
        }
    }
    /// The canonical array; free when the column is flat already.
    pub fn into_flat(self) -> ArrayRef {
        match self.repr {
            Repr::Flat(a) => a,
            _ => self.to_flat(),
        }
    }
    /// The same column in flat form.
    pub fn flatten(&self) -> Column {
        match &self.repr {
            Repr::Flat(_) => self.clone(),
            _ => Column { ty: self.ty.clone(), repr: Repr::Flat(self.to_flat()), len: self.len },
        }
    }
    /// Exact bounds of the non-NULL values of an integer-backed column by scanning; `None` for other types, values beyond
    /// 64 bits, or when every row is NULL.
    pub fn scan_bounds(&self) -> Option<Bounds> {
        if let Repr::Const(_) = self.repr {
            return self.bounds();
        }
        let nulls = self.nulls();
        if let Some(view) = self.ints_i64() {
            return for_ints!(view, s => min_max(s, nulls.as_ref()).map(|(a, b)| Bounds::new(a as i64, b as i64)));
        }
        let (min, max) = min_max(self.ints_i128()?, nulls.as_ref())?;
        Some(Bounds::new(i64::try_from(min).ok()?, i64::try_from(max).ok()?))
    }
    /// The narrowest form the values allow: a scan, then a copy when it pays. Other columns come back unchanged.
    pub fn narrowed(&self) -> Column {
        if !self.ty.is_integer_backed() || self.len == 0 {
            return self.clone();
        }
        let Some(bounds) = self.scan_bounds() else { return self.clone() };
        let width = narrow_width(bounds);
        let now = self.ints_i64().map_or(16, |v| v.width());
        if width >= now {
            return match &self.repr {
                Repr::Narrow { ints, .. } => Column::narrow(ints.clone(), bounds, self.ty.clone()),
                _ => self.clone(),
            };
        }
        let nulls = self.nulls();
        let ints = match (self.ints_i64(), self.ints_i128()) {
            (Some(view), _) => for_ints!(view, s => narrow_from(s.iter().map(|&v| v as i64), width, nulls)),
            (None, Some(s)) => narrow_from(s.iter().map(|&v| v as i64), width, nulls),
            _ => return self.clone(),
        };
        Column::narrow(ints, bounds, self.ty.clone())
    }
}

/// Bytes of the narrowest signed integer that holds the bounds.
pub(crate) fn narrow_width(b: Bounds) -> usize {
    let fits = |min: i64, max: i64| b.min >= min && b.max <= max;
    if fits(i64::from(i8::MIN), i64::from(i8::MAX)) {
        1
    } else if fits(i64::from(i16::MIN), i64::from(i16::MAX)) {
        2
    } else if fits(i64::from(i32::MIN), i64::from(i32::MAX)) {
        4
    } else {
        8
    }
}

/// An Int8..Int64 array of a width from values known to fit wherever not NULL.
pub(crate) fn narrow_from(values: impl Iterator<Item = i64>, width: usize, nulls: Option<NullBuffer>) -> ArrayRef {
    fn build<T: ArrowPrimitiveType>(values: Vec<T::Native>, nulls: Option<NullBuffer>) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::new(values.into(), nulls))
    }
    match width {
        1 => build::<Int8Type>(values.map(|v| v as i8).collect(), nulls),
        2 => build::<Int16Type>(values.map(|v| v as i16).collect(), nulls),
        4 => build::<Int32Type>(values.map(|v| v as i32).collect(), nulls),
        _ => build::<Int64Type>(values.collect(), nulls),
    }
}

fn min_max<T: Copy + Ord>(values: &[T], nulls: Option<&NullBuffer>) -> Option<(T, T)> {
    match nulls {
        None => {
            let first = *values.first()?;
            // Two independent reductions vectorise; a fold over pairs does not.
            Some((values.iter().fold(first, |a, &b| a.min(b)), values.iter().fold(first, |a, &b| a.max(b))))
        }
        Some(n) => {
            let mut it = n.valid_indices();
            let first = values[it.next()?];
            Some(it.fold((first, first), |(lo, hi), i| (lo.min(values[i]), hi.max(values[i]))))
        }
    }
}

fn const_array(value: &Scalar, ty: &LogicalType, len: usize) -> ArrayRef {
    if value.is_null() {
        return arrow::array::new_null_array(&ty.arrow(), len);
    }
    let mut one = ColumnBuilder::new(ty, 1);
    one.append(value).expect("a constant column's value belongs to its type");
    let one = one.finish().into_flat();
    arrow::compute::take(one.as_ref(), &UInt32Array::from(vec![0; len]), None).expect("row 0 exists")
}

/// The canonical array of an integer-backed type from narrower integers.
fn widen(ints: &ArrayRef, ty: &LogicalType) -> ArrayRef {
    let nulls = ints.nulls().cloned();
    let view = int_view(ints).expect("narrow columns hold Int8 to Int64");
    macro_rules! build {
        ($t:ty, $native:ty) => {{
            let values: Vec<$native> = match view {
                IntView::I8(s) => s.iter().map(|&v| v as $native).collect(),
                IntView::I16(s) => s.iter().map(|&v| v as $native).collect(),
                IntView::I32(s) => s.iter().map(|&v| v as $native).collect(),
                IntView::I64(s) => s.iter().map(|&v| v as $native).collect(),
            };
            Arc::new(PrimitiveArray::<$t>::new(values.into(), nulls).with_data_type(ty.arrow()))
        }};
    }
    match ty {
        LogicalType::TinyInt => build!(Int8Type, i8),
        LogicalType::SmallInt => build!(Int16Type, i16),
        LogicalType::Int => build!(Int32Type, i32),
        LogicalType::BigInt => match ints.as_primitive_opt::<Int64Type>() {
            Some(_) => ints.clone(),
            None => build!(Int64Type, i64),
        },
        LogicalType::Date => build!(Date32Type, i32),
        LogicalType::Datetime => build!(TimestampMicrosecondType, i64),
        LogicalType::Decimal { width: DecimalWidth::W32, .. } => build!(Decimal32Type, i32),
        LogicalType::Decimal { width: DecimalWidth::W64, .. } => build!(Decimal64Type, i64),
        _ => build!(Decimal128Type, i128),
    }
}
