//! One SQL value. Used by constants in plans, partition bounds, results of folding; never in per-row hot paths.

use std::fmt;
use std::hash::{Hash, Hasher};

use arrow::datatypes::i256;
use bytes::Bytes;
use common_base::Result;

use crate::column::{Column, ColumnBuilder};
use crate::logical_type::{DecimalWidth, LogicalType, StructField};

/// A value with its type family. Equality is by variant and bits (NaN equals itself); SQL comparison is in `compare`.
#[derive(Clone, Debug, Default)]
pub enum Scalar {
    #[default]
    Null,
    Boolean(bool),
    TinyInt(i8),
    SmallInt(i16),
    Int(i32),
    BigInt(i64),
    LargeInt(i128),
    Float(f32),
    Double(f64),
    /// Unscaled value, precision, scale: widths 32, 64 and 128.
    Decimal(i128, u8, i8),
    /// Unscaled value, precision, scale: width 256.
    Decimal256(i256, u8, i8),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01 00:00:00.
    Datetime(i64),
    /// Seconds.
    Time(f64),
    /// CHAR and VARCHAR.
    String(Bytes),
    /// Normalised JSON text.
    Json(Bytes),
    /// VARBINARY, BITMAP, HLL, PERCENTILE.
    Binary(Bytes),
    Array(Vec<Scalar>),
    Map(Vec<(Scalar, Scalar)>),
    Struct(Vec<(String, Scalar)>),
}

impl Scalar {
    /// A string value.
    pub fn string(s: impl AsRef<[u8]>) -> Self {
        Scalar::String(Bytes::copy_from_slice(s.as_ref()))
    }
    /// SQL NULL.
    pub const fn is_null(&self) -> bool {
        matches!(self, Scalar::Null)
    }
    /// The type the value itself tells: strings are unbounded VARCHAR, decimals of the narrowest width for their precision.
    pub fn ty(&self) -> LogicalType {
        match self {
            Scalar::Null => LogicalType::Null,
            Scalar::Boolean(_) => LogicalType::Boolean,
            Scalar::TinyInt(_) => LogicalType::TinyInt,
            Scalar::SmallInt(_) => LogicalType::SmallInt,
            Scalar::Int(_) => LogicalType::Int,
            Scalar::BigInt(_) => LogicalType::BigInt,
            Scalar::LargeInt(_) => LogicalType::LargeInt,
            Scalar::Float(_) => LogicalType::Float,
            Scalar::Double(_) => LogicalType::Double,
            Scalar::Decimal(_, p, s) => LogicalType::decimal_narrowest(*p, *s),
            Scalar::Decimal256(_, p, s) => LogicalType::decimal_of(DecimalWidth::W256, *p, *s),
            Scalar::Date(_) => LogicalType::Date,
            Scalar::Datetime(_) => LogicalType::Datetime,
            Scalar::Time(_) => LogicalType::Time,
            Scalar::String(_) => LogicalType::varchar(),
            Scalar::Json(_) => LogicalType::Json,
            Scalar::Binary(_) => LogicalType::Varbinary(None),
            Scalar::Array(items) => LogicalType::array(first_type(items.iter())),
            Scalar::Map(pairs) => {
                LogicalType::map(first_type(pairs.iter().map(|p| &p.0)), first_type(pairs.iter().map(|p| &p.1)))
            }
            Scalar::Struct(fields) => {
                LogicalType::Struct(fields.iter().map(|(n, v)| StructField::new(n.clone(), v.ty())).collect())
            }
        }
    }
    /// A constant column of this value.
    pub fn to_column(&self, ty: &LogicalType, len: usize) -> Column {
        Column::constant(self.clone(), ty.clone(), len)
    }
    /// The value of one row.
    pub fn from_column(col: &Column, row: usize) -> Scalar {
        col.scalar(row)
    }
    /// Integer-backed values as i64: integers, DATE days, DATETIME microseconds, unscaled decimals that fit, booleans as 0/1.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Scalar::Boolean(v) => Some(i64::from(*v)),
            _ => self.as_i128().and_then(|v| i64::try_from(v).ok()),
        }
    }
    /// Integer-backed values as i128 (unscaled for decimals).
    pub fn as_i128(&self) -> Option<i128> {
        Some(match self {
            Scalar::TinyInt(v) => i128::from(*v),
            Scalar::SmallInt(v) => i128::from(*v),
            Scalar::Int(v) | Scalar::Date(v) => i128::from(*v),
            Scalar::BigInt(v) | Scalar::Datetime(v) => i128::from(*v),
            Scalar::LargeInt(v) | Scalar::Decimal(v, ..) => *v,
            Scalar::Decimal256(v, ..) => v.to_i128()?,
            _ => return None,
        })
    }
    /// FLOAT, DOUBLE and TIME.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Scalar::Float(v) => Some(f64::from(*v)),
            Scalar::Double(v) | Scalar::Time(v) => Some(*v),
            _ => None,
        }
    }
    /// BOOLEAN.
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Scalar::Boolean(v) => Some(*v),
            _ => None,
        }
    }
    /// Strings, JSON text and binary.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Scalar::String(b) | Scalar::Json(b) | Scalar::Binary(b) => Some(b),
            _ => None,
        }
    }
    /// Strings and JSON as UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        self.as_bytes().and_then(|b| std::str::from_utf8(b).ok())
    }
    /// The value of an integer-backed type from its integer; `None` when it does not fit.
    pub fn from_i128(ty: &LogicalType, v: i128) -> Option<Scalar> {
        Some(match ty {
            LogicalType::Boolean => Scalar::Boolean(v != 0),
            LogicalType::TinyInt => Scalar::TinyInt(v.try_into().ok()?),
            LogicalType::SmallInt => Scalar::SmallInt(v.try_into().ok()?),
            LogicalType::Int => Scalar::Int(v.try_into().ok()?),
            LogicalType::BigInt => Scalar::BigInt(v.try_into().ok()?),
            LogicalType::LargeInt => Scalar::LargeInt(v),
            LogicalType::Date => Scalar::Date(v.try_into().ok()?),
            LogicalType::Datetime => Scalar::Datetime(v.try_into().ok()?),
            LogicalType::Decimal { width: DecimalWidth::W256, precision, scale } => {
                Scalar::Decimal256(i256::from_i128(v), *precision, *scale)
            }
            LogicalType::Decimal { precision, scale, .. } => Scalar::Decimal(v, *precision, *scale),
            _ => return None,
        })
    }
    /// A flat one-row check that the value belongs to the type; errors name both.
    pub fn check_type(&self, ty: &LogicalType) -> Result<()> {
        ColumnBuilder::new(ty, 1).append(self)
    }
    /// Bytes on the heap.
    pub fn heap_size(&self) -> usize {
        match self {
            Scalar::String(b) | Scalar::Json(b) | Scalar::Binary(b) => b.len(),
            Scalar::Array(v) => v.iter().map(|s| size_of::<Scalar>() + s.heap_size()).sum(),
            Scalar::Map(v) => v.iter().map(|(a, b)| 2 * size_of::<Scalar>() + a.heap_size() + b.heap_size()).sum(),
            Scalar::Struct(v) => v.iter().map(|(n, s)| n.len() + size_of::<(String, Scalar)>() + s.heap_size()).sum(),
            _ => 0,
        }
    }
}

fn first_type<'a>(mut items: impl Iterator<Item = &'a Scalar>) -> LogicalType {
    items.find(|s| !s.is_null()).map_or(LogicalType::Null, Scalar::ty)
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        use Scalar::*;
        match (self, other) {
            (Null, Null) => true,
            (Boolean(a), Boolean(b)) => a == b,
            (TinyInt(a), TinyInt(b)) => a == b,
            (SmallInt(a), SmallInt(b)) => a == b,
            (Int(a), Int(b)) | (Date(a), Date(b)) => a == b,
            (BigInt(a), BigInt(b)) | (Datetime(a), Datetime(b)) => a == b,
            (LargeInt(a), LargeInt(b)) => a == b,
            (Float(a), Float(b)) => a.to_bits() == b.to_bits(),
            (Double(a), Double(b)) | (Time(a), Time(b)) => a.to_bits() == b.to_bits(),
            (Decimal(a, p, s), Decimal(b, q, t)) => a == b && p == q && s == t,
            (Decimal256(a, p, s), Decimal256(b, q, t)) => a == b && p == q && s == t,
            (String(a), String(b)) | (Json(a), Json(b)) | (Binary(a), Binary(b)) => a == b,
            (Array(a), Array(b)) => a == b,
            (Map(a), Map(b)) => a == b,
            (Struct(a), Struct(b)) => a == b,
            _ => false,
        }
    }
}
impl Eq for Scalar {}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        use Scalar::*;
        std::mem::discriminant(self).hash(state);
        match self {
            Null => {}
            Boolean(v) => v.hash(state),
            TinyInt(v) => v.hash(state),
            SmallInt(v) => v.hash(state),
            Int(v) | Date(v) => v.hash(state),
            BigInt(v) | Datetime(v) => v.hash(state),
            LargeInt(v) => v.hash(state),
            Float(v) => v.to_bits().hash(state),
            Double(v) | Time(v) => v.to_bits().hash(state),
            Decimal(v, p, s) => (v, p, s).hash(state),
            Decimal256(v, p, s) => (v.to_parts(), p, s).hash(state),
            String(b) | Json(b) | Binary(b) => b.hash(state),
            Array(v) => v.hash(state),
            Map(v) => v.hash(state),
            Struct(v) => v.hash(state),
        }
    }
}

/// The text a client sees; NULL prints as `NULL`.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_null() {
            return f.write_str("NULL");
        }
        let mut out = Vec::new();
        crate::display::append_scalar(self, &mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

macro_rules! from_native {
    ($($native:ty => $variant:ident),+) => {$(
        impl From<$native> for Scalar {
            fn from(v: $native) -> Self {
                Scalar::$variant(v)
            }
        }
    )+};
}
from_native!(bool => Boolean, i8 => TinyInt, i16 => SmallInt, i32 => Int, i64 => BigInt, i128 => LargeInt, f32 => Float, f64 => Double);

impl From<&str> for Scalar {
    fn from(v: &str) -> Self {
        Scalar::string(v)
    }
}
impl From<String> for Scalar {
    fn from(v: String) -> Self {
        Scalar::String(Bytes::from(v))
    }
}
