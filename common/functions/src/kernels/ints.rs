//! Integer-backed columns (integers, decimals up to 128 bits, dates, datetimes, booleans) as slices of whatever width they are
//! stored in, together with bounds; and back from slices to columns.
//!
//! Values in NULL slots are arbitrary and may lie outside the bounds, so loops over narrow types use wrapping arithmetic.

use std::{borrow::Cow, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, PrimitiveArray},
    buffer::{NullBuffer, ScalarBuffer},
    datatypes::{
        ArrowPrimitiveType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type,
        TimestampMicrosecondType,
    },
};
use common_types::{Bounds, Column, DecimalWidth, IntView, LogicalType, Repr};

/// The machine integers loops are instantiated for.
pub trait Native: Copy + Default + Ord + Send + Sync + 'static {
    const MIN: i128;
    const MAX: i128;
    /// Truncating conversion.
    fn from_i128(v: i128) -> Self;
    fn to_i128(self) -> i128;
    /// Truncating conversion.
    fn to_i64(self) -> i64;
    fn wadd(self, o: Self) -> Self;
    fn wsub(self, o: Self) -> Self;
    fn wmul(self, o: Self) -> Self;
}

macro_rules! native {
    ($($t:ty),+) => {$(
        impl Native for $t {
            const MIN: i128 = <$t>::MIN as i128;
            const MAX: i128 = <$t>::MAX as i128;
            #[inline(always)]
            fn from_i128(v: i128) -> Self { v as $t }
            #[inline(always)]
            fn to_i128(self) -> i128 { self as i128 }
            #[inline(always)]
            fn to_i64(self) -> i64 { self as i64 }
            #[inline(always)]
            fn wadd(self, o: Self) -> Self { self.wrapping_add(o) }
            #[inline(always)]
            fn wsub(self, o: Self) -> Self { self.wrapping_sub(o) }
            #[inline(always)]
            fn wmul(self, o: Self) -> Self { self.wrapping_mul(o) }
        }
    )+};
}
native!(i8, i16, i32, i64, i128);

/// `as` between machine integers, usable in generic loops.
pub trait As<O> {
    fn cast(self) -> O;
}
macro_rules! as_cast {
    ($($from:ty => $($to:ty),+);+) => {$($(
        impl As<$to> for $from {
            #[inline(always)]
            fn cast(self) -> $to { self as $to }
        }
    )+)+};
}
as_cast!(i8 => i8, i16, i32, i64, i128; i16 => i8, i16, i32, i64, i128; i32 => i8, i16, i32, i64, i128;
    i64 => i8, i16, i32, i64, i128; i128 => i8, i16, i32, i64, i128);

/// The stored values.
#[derive(Clone)]
pub enum Ints<'a> {
    Const(i128),
    I8(Cow<'a, [i8]>),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    I128(&'a [i128]),
}

/// An integer-backed argument: values and the inclusive range every non-NULL one lies in.
#[derive(Clone)]
pub struct IntArg<'a> {
    pub values: Ints<'a>,
    pub min: i128,
    pub max: i128,
}

/// Runs `$body` with `$v` bound to the typed slice; constants take the other arm.
#[macro_export]
macro_rules! with_ints {
    ($values:expr, $v:ident => $body:expr, $c:ident => $const:expr) => {
        match $values {
            $crate::kernels::ints::Ints::Const($c) => $const,
            $crate::kernels::ints::Ints::I8($v) => {
                let $v = &$v[..];
                $body
            }
            $crate::kernels::ints::Ints::I16($v) => $body,
            $crate::kernels::ints::Ints::I32($v) => $body,
            $crate::kernels::ints::Ints::I64($v) => $body,
            $crate::kernels::ints::Ints::I128($v) => $body,
        }
    };
}

impl<'a> IntArg<'a> {
    /// The column's integers, if its type is integer-backed or BOOLEAN and it is not a constant NULL.
    pub fn new(col: &'a Column) -> Option<Self> {
        if let Repr::Const(s) = col.repr() {
            let v = s.as_bool().map(i128::from).or_else(|| s.as_i128())?;
            return Some(Self { values: Ints::Const(v), min: v, max: v });
        }
        let (min, max) = natural_range(col.ty())?;
        if *col.ty() == LogicalType::Boolean {
            let Repr::Flat(a) = col.repr() else { return None };
            let bits = a.as_boolean().values();
            let bytes: Vec<i8> = bits.iter().map(i8::from).collect();
            return Some(Self { values: Ints::I8(Cow::Owned(bytes)), min, max });
        }
        let values = match col.ints_i64() {
            Some(IntView::I8(v)) => Ints::I8(Cow::Borrowed(v)),
            Some(IntView::I16(v)) => Ints::I16(v),
            Some(IntView::I32(v)) => Ints::I32(v),
            Some(IntView::I64(v)) => Ints::I64(v),
            None => match col.repr() {
                Repr::Flat(a) => Ints::I128(a.as_primitive_opt::<Decimal128Type>()?.values()),
                _ => return None,
            },
        };
        let (min, max) = match col.repr() {
            Repr::Narrow { bounds, .. } => (i128::from(bounds.min), i128::from(bounds.max)),
            _ => (min, max),
        };
        Some(Self { values, min, max })
    }

    /// The values as i64, truncating wider ones.
    pub fn to_i64(&self, rows: usize) -> Cow<'_, [i64]> {
        match &self.values {
            Ints::I64(v) => Cow::Borrowed(v),
            other => Cow::Owned(with_ints!(other, v => v.iter().map(|x| x.to_i64()).collect(), c => vec![*c as i64; rows])),
        }
    }

    /// The values as i128.
    pub fn to_i128(&self, rows: usize) -> Cow<'_, [i128]> {
        match &self.values {
            Ints::I128(v) => Cow::Borrowed(v),
            other => Cow::Owned(with_ints!(other, v => v.iter().map(|x| x.to_i128()).collect(), c => vec![*c; rows])),
        }
    }

    /// Whether every non-NULL value fits an i64.
    pub fn fits_i64(&self) -> bool {
        self.min >= i128::from(i64::MIN) && self.max <= i128::from(i64::MAX)
    }
}

/// The range of the canonical array of an integer-backed type or BOOLEAN.
pub fn natural_range(ty: &LogicalType) -> Option<(i128, i128)> {
    Some(match ty {
        LogicalType::Boolean => (0, 1),
        LogicalType::TinyInt => (i8::MIN.into(), i8::MAX.into()),
        LogicalType::SmallInt => (i16::MIN.into(), i16::MAX.into()),
        LogicalType::Int | LogicalType::Date | LogicalType::Decimal { width: DecimalWidth::W32, .. } => {
            (i32::MIN.into(), i32::MAX.into())
        }
        LogicalType::BigInt | LogicalType::Datetime | LogicalType::Decimal { width: DecimalWidth::W64, .. } => {
            (i64::MIN.into(), i64::MAX.into())
        }
        LogicalType::LargeInt | LogicalType::Decimal { width: DecimalWidth::W128, .. } => (i128::MIN, i128::MAX),
        _ => return None,
    })
}

/// A primitive array over values with a null mask.
pub fn primitive<T: ArrowPrimitiveType>(values: Vec<T::Native>, nulls: Option<NullBuffer>) -> PrimitiveArray<T> {
    PrimitiveArray::new(ScalarBuffer::from(values), nulls)
}

/// Loop output types that can become a narrow column.
pub trait Storable: Native {
    fn array(values: Vec<Self>, nulls: Option<NullBuffer>) -> ArrayRef;
}
impl Storable for i8 {
    fn array(values: Vec<Self>, nulls: Option<NullBuffer>) -> ArrayRef {
        Arc::new(primitive::<Int8Type>(values, nulls))
    }
}
impl Storable for i16 {
    fn array(values: Vec<Self>, nulls: Option<NullBuffer>) -> ArrayRef {
        Arc::new(primitive::<Int16Type>(values, nulls))
    }
}
impl Storable for i32 {
    fn array(values: Vec<Self>, nulls: Option<NullBuffer>) -> ArrayRef {
        Arc::new(primitive::<Int32Type>(values, nulls))
    }
}
impl Storable for i64 {
    fn array(values: Vec<Self>, nulls: Option<NullBuffer>) -> ArrayRef {
        Arc::new(primitive::<Int64Type>(values, nulls))
    }
}

/// A narrow column: values of any width with the bounds they keep.
pub fn narrow<T: Storable>(ty: &LogicalType, values: Vec<T>, nulls: Option<NullBuffer>, min: i64, max: i64) -> Column {
    Column::narrow(T::array(values, nulls), Bounds { min, max }, ty.clone())
}

/// The canonical column of an integer-backed type from i64 values that fit it.
pub fn from_i64(ty: &LogicalType, values: Vec<i64>, nulls: Option<NullBuffer>) -> Column {
    let array: ArrayRef = match ty {
        LogicalType::TinyInt => i8::array(values.iter().map(|v| *v as i8).collect(), nulls),
        LogicalType::SmallInt => i16::array(values.iter().map(|v| *v as i16).collect(), nulls),
        LogicalType::Int => i32::array(values.iter().map(|v| *v as i32).collect(), nulls),
        LogicalType::BigInt => i64::array(values, nulls),
        LogicalType::Date => Arc::new(primitive::<Date32Type>(values.iter().map(|v| *v as i32).collect(), nulls)),
        LogicalType::Datetime => Arc::new(primitive::<TimestampMicrosecondType>(values, nulls)),
        LogicalType::Decimal { width: DecimalWidth::W32, precision, scale } => {
            let values = values.iter().map(|v| *v as i32).collect();
            Arc::new(primitive::<Decimal32Type>(values, nulls).with_data_type(arrow::datatypes::DataType::Decimal32(*precision, *scale)))
        }
        LogicalType::Decimal { width: DecimalWidth::W64, precision, scale } => {
            Arc::new(primitive::<Decimal64Type>(values, nulls).with_data_type(arrow::datatypes::DataType::Decimal64(*precision, *scale)))
        }
        _ => return from_i128(ty, values.iter().map(|v| i128::from(*v)).collect(), nulls),
    };
    Column::flat(array, ty.clone())
}

/// The canonical column of an integer-backed type from i128 values that fit it.
pub fn from_i128(ty: &LogicalType, values: Vec<i128>, nulls: Option<NullBuffer>) -> Column {
    let (precision, scale) = match ty {
        LogicalType::LargeInt => (38, 0),
        LogicalType::Decimal { width: DecimalWidth::W128, precision, scale } => (*precision, *scale),
        _ => return from_i64(ty, values.iter().map(|v| *v as i64).collect(), nulls),
    };
    let array = primitive::<Decimal128Type>(values, nulls).with_data_type(arrow::datatypes::DataType::Decimal128(precision, scale));
    Column::flat(Arc::new(array), ty.clone())
}

/// 10^n for n in 0..=38.
pub const fn pow10(n: u32) -> i128 {
    10i128.pow(n)
}

/// The null mask of the rows where `valid` is false, joined with an existing mask.
pub fn nulls_where_not(valid: &[bool]) -> Option<NullBuffer> {
    if valid.iter().all(|v| *v) { None } else { Some(NullBuffer::from(valid)) }
}

/// Greatest magnitude among the non-NULL values, reading the data when the bounds say little.
pub fn max_abs(arg: &IntArg<'_>) -> u128 {
    let by_bounds = arg.min.unsigned_abs().max(arg.max.unsigned_abs());
    if by_bounds < 1 << 45 {
        return by_bounds;
    }
    with_ints!(&arg.values, v => {
        let (mut lo, mut hi) = (Default::default(), Default::default());
        for &x in v.iter() {
            lo = std::cmp::min(lo, x);
            hi = std::cmp::max(hi, x);
        }
        lo.to_i128().unsigned_abs().max(hi.to_i128().unsigned_abs())
    }, c => c.unsigned_abs())
}

