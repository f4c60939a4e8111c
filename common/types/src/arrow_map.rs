//! `LogicalType` ⇄ Arrow: the only place that decides the canonical array of a type.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field as ArrowField, FieldRef, Fields, TimeUnit};

use crate::logical_type::{DecimalWidth, LogicalType, StructField};

impl LogicalType {
    /// The Arrow type of the canonical ("flat") array.
    pub fn arrow(&self) -> DataType {
        use LogicalType as T;
        match self {
            T::Null | T::Function => DataType::Null,
            T::Boolean => DataType::Boolean,
            T::TinyInt => DataType::Int8,
            T::SmallInt => DataType::Int16,
            T::Int => DataType::Int32,
            T::BigInt => DataType::Int64,
            T::LargeInt => DataType::Decimal128(38, 0),
            T::Float => DataType::Float32,
            T::Double | T::Time => DataType::Float64,
            T::Decimal { width, precision, scale } => match width {
                DecimalWidth::W32 => DataType::Decimal32(*precision, *scale),
                DecimalWidth::W64 => DataType::Decimal64(*precision, *scale),
                DecimalWidth::W128 => DataType::Decimal128(*precision, *scale),
                DecimalWidth::W256 => DataType::Decimal256(*precision, *scale),
            },
            T::Date => DataType::Date32,
            T::Datetime => DataType::Timestamp(TimeUnit::Microsecond, None),
            T::Char(_) | T::Varchar(_) | T::Varbinary(_) | T::Json | T::Bitmap | T::Hll | T::Percentile | T::State(_) => {
                DataType::BinaryView
            }
            T::Array(e) => DataType::List(list_field(e)),
            T::Map(k, v) => DataType::Map(map_entries_field(k, v), false),
            T::Struct(fields) => DataType::Struct(struct_fields(fields)),
        }
    }
}

/// The element field of a list.
pub fn list_field(element: &LogicalType) -> FieldRef {
    Arc::new(ArrowField::new("item", element.arrow(), true))
}

/// The fields of a map's entries.
pub fn map_fields(key: &LogicalType, value: &LogicalType) -> Fields {
    Fields::from(vec![ArrowField::new("key", key.arrow(), false), ArrowField::new("value", value.arrow(), true)])
}

/// The entries field of a map.
pub fn map_entries_field(key: &LogicalType, value: &LogicalType) -> FieldRef {
    Arc::new(ArrowField::new("entries", DataType::Struct(map_fields(key, value)), false))
}

/// The fields of a struct.
pub fn struct_fields(fields: &[StructField]) -> Fields {
    fields.iter().map(|f| ArrowField::new(&f.name, f.ty.arrow(), true)).collect()
}

/// The nearest logical type of a foreign Arrow type (file formats); `None` when there is none.
pub fn from_arrow(dt: &DataType) -> Option<LogicalType> {
    use LogicalType as T;
    Some(match dt {
        DataType::Null => T::Null,
        DataType::Boolean => T::Boolean,
        DataType::Int8 => T::TinyInt,
        DataType::Int16 | DataType::UInt8 => T::SmallInt,
        DataType::Int32 | DataType::UInt16 => T::Int,
        DataType::Int64 | DataType::UInt32 => T::BigInt,
        DataType::UInt64 => T::LargeInt,
        DataType::Float16 | DataType::Float32 => T::Float,
        DataType::Float64 => T::Double,
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s)
            if *s >= 0 =>
        {
            T::decimal(*p, *s)
        }
        DataType::Date32 | DataType::Date64 => T::Date,
        DataType::Timestamp(..) => T::Datetime,
        DataType::Time32(_) | DataType::Time64(_) => T::Time,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => T::varchar(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            T::Varbinary(None)
        }
        DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) => {
            T::array(from_arrow(f.data_type())?)
        }
        DataType::Map(f, _) => match f.data_type() {
            DataType::Struct(kv) if kv.len() == 2 => {
                T::map(from_arrow(kv[0].data_type())?, from_arrow(kv[1].data_type())?)
            }
            _ => return None,
        },
        DataType::Struct(fields) => T::Struct(
            fields
                .iter()
                .map(|f| Some(StructField::new(f.name(), from_arrow(f.data_type())?)))
                .collect::<Option<_>>()?,
        ),
        DataType::Dictionary(_, v) => from_arrow(v)?,
        _ => return None,
    })
}
