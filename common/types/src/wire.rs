//! Types, fields and values ⇄ protobuf: the only place. Everything read is checked; a malformed message is an error.

use arrow::datatypes::i256;
use bytes::Bytes;
use common_base::{Result, bail, ensure, err};
use proto_messages::types as pb;
use proto_messages::types::scalar::Value;

use crate::logical_type::{DecimalWidth, LogicalType, MAX_NESTING_DEPTH, StateType, StructField};
use crate::scalar::Scalar;
use crate::schema::{Field, Schema};

/// A type as a message.
pub fn type_to_proto(ty: &LogicalType) -> pb::LogicalType {
    use LogicalType as T;
    use pb::TypeKind as K;
    let mut out = pb::LogicalType::default();
    let child = |name: &str, ty: &LogicalType| pb::Field {
        name: name.to_owned(),
        r#type: Some(type_to_proto(ty)),
        nullable: true,
    };
    let kind = match ty {
        T::Null => K::NullType,
        T::Boolean => K::Boolean,
        T::TinyInt => K::Tinyint,
        T::SmallInt => K::Smallint,
        T::Int => K::Int,
        T::BigInt => K::Bigint,
        T::LargeInt => K::Largeint,
        T::Float => K::Float,
        T::Double => K::Double,
        T::Decimal { width, precision, scale } => {
            out.precision = u32::from(*precision);
            out.scale = i32::from(*scale);
            match width {
                DecimalWidth::W32 => K::Decimal32,
                DecimalWidth::W64 => K::Decimal64,
                DecimalWidth::W128 => K::Decimal128,
                DecimalWidth::W256 => K::Decimal256,
            }
        }
        T::Date => K::Date,
        T::Datetime => K::Datetime,
        T::Time => K::Time,
        T::Char(n) => {
            out.length = Some(*n);
            K::Char
        }
        T::Varchar(n) => {
            out.length = *n;
            K::Varchar
        }
        T::Varbinary(n) => {
            out.length = *n;
            K::Varbinary
        }
        T::Json => K::Json,
        T::Bitmap => K::Bitmap,
        T::Hll => K::Hll,
        T::Percentile => K::Percentile,
        T::Array(e) => {
            out.children = vec![child("item", e)];
            K::Array
        }
        T::Map(k, v) => {
            out.children = vec![child("key", k), child("value", v)];
            K::Map
        }
        T::Struct(fields) => {
            out.children = fields.iter().map(|f| child(&f.name, &f.ty)).collect();
            K::Struct
        }
        T::State(state) => {
            out.function = state.function.clone();
            out.children = state.args.iter().map(|t| child("", t)).collect();
            K::AggState
        }
        T::Function => K::Function,
    };
    out.kind = kind as i32;
    out
}

/// A type from its message.
pub fn type_from_proto(message: &pb::LogicalType) -> Result<LogicalType> {
    type_at_depth(message, 0)
}

fn type_at_depth(m: &pb::LogicalType, depth: usize) -> Result<LogicalType> {
    use LogicalType as T;
    use pb::TypeKind as K;
    ensure!(depth <= MAX_NESTING_DEPTH + 1, Corruption, "a type message nests deeper than {MAX_NESTING_DEPTH} levels");
    let kind = K::try_from(m.kind).map_err(|_| err!(Corruption, "unknown type kind {}", m.kind))?;
    let child = |i: usize| -> Result<LogicalType> {
        let field = m.children.get(i).ok_or_else(|| err!(Corruption, "type {} lacks child {i}", kind.as_str_name()))?;
        let ty = field
            .r#type
            .as_ref()
            .ok_or_else(|| err!(Corruption, "a child of type {} has no type", kind.as_str_name()))?;
        type_at_depth(ty, depth + 1)
    };
    let decimal = |width: DecimalWidth| -> Result<LogicalType> {
        let (p, s) = (m.precision, m.scale);
        ensure!(
            p >= 1 && p <= u32::from(width.max_precision()) && s >= 0 && s as u32 <= p,
            Corruption,
            "decimal({p}, {s}) is no legal {}",
            kind.as_str_name()
        );
        Ok(T::Decimal { width, precision: p as u8, scale: s as i8 })
    };
    Ok(match kind {
        K::NullType => T::Null,
        K::Boolean => T::Boolean,
        K::Tinyint => T::TinyInt,
        K::Smallint => T::SmallInt,
        K::Int => T::Int,
        K::Bigint => T::BigInt,
        K::Largeint => T::LargeInt,
        K::Float => T::Float,
        K::Double => T::Double,
        K::Decimal32 => decimal(DecimalWidth::W32)?,
        K::Decimal64 => decimal(DecimalWidth::W64)?,
        K::Decimal128 => decimal(DecimalWidth::W128)?,
        K::Decimal256 => decimal(DecimalWidth::W256)?,
        K::Date => T::Date,
        K::Datetime => T::Datetime,
        K::Time => T::Time,
        K::Char => T::Char(m.length.unwrap_or(1)),
        K::Varchar => T::Varchar(m.length),
        K::Varbinary => T::Varbinary(m.length),
        K::Json => T::Json,
        K::Bitmap => T::Bitmap,
        K::Hll => T::Hll,
        K::Percentile => T::Percentile,
        K::Array => T::array(child(0)?),
        K::Map => T::map(child(0)?, child(1)?),
        K::Struct => T::Struct(
            m.children
                .iter()
                .enumerate()
                .map(|(i, f)| Ok(StructField::new(&f.name, child(i)?)))
                .collect::<Result<_>>()?,
        ),
        K::AggState => {
            ensure!(!m.function.is_empty(), Corruption, "a type of states names no function");
            let args = (0..m.children.len()).map(child).collect::<Result<_>>()?;
            T::State(Box::new(StateType { function: m.function.clone(), args }))
        }
        K::Function => T::Function,
    })
}

/// A field as a message.
pub fn field_to_proto(field: &Field) -> pb::Field {
    pb::Field { name: field.name.clone(), r#type: Some(type_to_proto(&field.ty)), nullable: field.nullable }
}

/// A field from its message.
pub fn field_from_proto(message: &pb::Field) -> Result<Field> {
    let ty = message.r#type.as_ref().ok_or_else(|| err!(Corruption, "field '{}' has no type", message.name))?;
    Ok(Field { name: message.name.clone(), ty: type_from_proto(ty)?, nullable: message.nullable })
}

/// A schema as a message.
pub fn schema_to_proto(schema: &Schema) -> pb::Schema {
    pb::Schema { fields: schema.fields.iter().map(field_to_proto).collect() }
}

/// A schema from its message.
pub fn schema_from_proto(message: &pb::Schema) -> Result<Schema> {
    Ok(Schema::new(message.fields.iter().map(field_from_proto).collect::<Result<_>>()?))
}

/// A value of a type as a message.
pub fn scalar_to_proto(value: &Scalar, ty: &LogicalType) -> pb::Scalar {
    let bytes = |b: &Bytes| Value::Binary(b.clone());
    let value = match value {
        Scalar::Null => None,
        Scalar::Boolean(v) => Some(Value::Boolean(*v)),
        Scalar::TinyInt(_)
        | Scalar::SmallInt(_)
        | Scalar::Int(_)
        | Scalar::BigInt(_)
        | Scalar::Date(_)
        | Scalar::Datetime(_) => value.as_i64().map(Value::Integer),
        Scalar::LargeInt(v) => Some(Value::Wide(Bytes::copy_from_slice(&v.to_le_bytes()))),
        Scalar::Decimal(v, _, from) => {
            // The message knows one scale: the type's.
            let v = match ty.decimal_parts() {
                Some((_, _, to)) if to != *from => crate::decimal::rescale_i128(*v, *from, to).unwrap_or(*v),
                _ => *v,
            };
            Some(Value::Wide(Bytes::copy_from_slice(&v.to_le_bytes())))
        }
        Scalar::Decimal256(v, ..) => Some(Value::Wide(Bytes::copy_from_slice(&v.to_le_bytes()))),
        Scalar::Float(v) => Some(Value::Float(*v)),
        Scalar::Double(v) | Scalar::Time(v) => Some(Value::Double(*v)),
        Scalar::String(b) | Scalar::Json(b) | Scalar::Binary(b) => Some(bytes(b)),
        Scalar::Array(items) => {
            let element = match ty {
                LogicalType::Array(e) => (**e).clone(),
                _ => items.iter().find(|s| !s.is_null()).map_or(LogicalType::Null, Scalar::ty),
            };
            Some(list(items.iter().map(|v| scalar_to_proto(v, &element)).collect()))
        }
        Scalar::Map(pairs) => {
            let (kt, vt) = match ty {
                LogicalType::Map(k, v) => ((**k).clone(), (**v).clone()),
                _ => match value.ty() {
                    LogicalType::Map(k, v) => (*k, *v),
                    _ => (LogicalType::Null, LogicalType::Null),
                },
            };
            Some(list(pairs.iter().flat_map(|(k, v)| [scalar_to_proto(k, &kt), scalar_to_proto(v, &vt)]).collect()))
        }
        Scalar::Struct(fields) => {
            let types: Vec<LogicalType> = match ty {
                LogicalType::Struct(fs) if fs.len() == fields.len() => fs.iter().map(|f| f.ty.clone()).collect(),
                _ => fields.iter().map(|(_, v)| v.ty()).collect(),
            };
            Some(list(fields.iter().zip(&types).map(|((_, v), t)| scalar_to_proto(v, t)).collect()))
        }
    };
    pb::Scalar { r#type: Some(type_to_proto(ty)), value }
}

fn list(items: Vec<pb::Scalar>) -> Value {
    Value::List(pb::ScalarList { items })
}

/// A value from its message.
pub fn scalar_from_proto(message: &pb::Scalar) -> Result<Scalar> {
    Ok(typed_scalar_from_proto(message)?.0)
}

/// A value and its type from the message.
pub fn typed_scalar_from_proto(message: &pb::Scalar) -> Result<(Scalar, LogicalType)> {
    let ty = type_from_proto(message.r#type.as_ref().ok_or_else(|| err!(Corruption, "a value message has no type"))?)?;
    let value = value_from_proto(message.value.as_ref(), &ty, 0)?;
    Ok((value, ty))
}

fn value_from_proto(value: Option<&Value>, ty: &LogicalType, depth: usize) -> Result<Scalar> {
    use LogicalType as T;
    ensure!(depth <= MAX_NESTING_DEPTH + 1, Corruption, "a value message nests too deep");
    let Some(value) = value else { return Ok(Scalar::Null) };
    let bad = || err!(Corruption, "a value message does not hold a value of type {ty}");
    Ok(match (value, ty) {
        (Value::Boolean(v), T::Boolean) => Scalar::Boolean(*v),
        (Value::Integer(v), T::TinyInt | T::SmallInt | T::Int | T::BigInt | T::Date | T::Datetime) => {
            Scalar::from_i128(ty, i128::from(*v)).ok_or_else(bad)?
        }
        (Value::Wide(b), T::LargeInt) => {
            Scalar::LargeInt(i128::from_le_bytes(b.as_ref().try_into().map_err(|_| bad())?))
        }
        (Value::Wide(b), T::Decimal { width: DecimalWidth::W256, precision, scale }) => match b.len() {
            16 => Scalar::Decimal256(
                i256::from_i128(i128::from_le_bytes(b.as_ref().try_into().map_err(|_| bad())?)),
                *precision,
                *scale,
            ),
            _ => Scalar::Decimal256(i256::from_le_bytes(b.as_ref().try_into().map_err(|_| bad())?), *precision, *scale),
        },
        (Value::Wide(b), T::Decimal { width, precision, scale }) => {
            let v = i128::from_le_bytes(b.as_ref().try_into().map_err(|_| bad())?);
            ensure!(crate::decimal::fits_width(v, *width), Corruption, "value {v} does not fit {ty}");
            Scalar::Decimal(v, *precision, *scale)
        }
        (Value::Float(v), T::Float) => Scalar::Float(*v),
        (Value::Double(v), T::Double) => Scalar::Double(*v),
        (Value::Double(v), T::Time) => Scalar::Time(*v),
        (Value::Binary(b), T::Json) => Scalar::Json(b.clone()),
        (Value::Binary(b), t) if t.is_string() => Scalar::String(b.clone()),
        (Value::Binary(b), t) if t.is_bytes_like() => Scalar::Binary(b.clone()),
        (Value::List(l), T::Array(e)) => Scalar::Array(
            l.items.iter().map(|v| value_from_proto(v.value.as_ref(), e, depth + 1)).collect::<Result<_>>()?,
        ),
        (Value::List(l), T::Map(k, v)) => {
            ensure!(l.items.len() % 2 == 0, Corruption, "a map value message has a key without value");
            let pairs = l.items.chunks_exact(2).map(|kv| {
                Ok((
                    value_from_proto(kv[0].value.as_ref(), k, depth + 1)?,
                    value_from_proto(kv[1].value.as_ref(), v, depth + 1)?,
                ))
            });
            Scalar::Map(pairs.collect::<Result<_>>()?)
        }
        (Value::List(l), T::Struct(fields)) => {
            if l.items.len() != fields.len() {
                bail!(Corruption, "a struct value message has {} fields, its type {}", l.items.len(), fields.len());
            }
            let values = l
                .items
                .iter()
                .zip(fields)
                .map(|(v, f)| Ok((f.name.clone(), value_from_proto(v.value.as_ref(), &f.ty, depth + 1)?)));
            Scalar::Struct(values.collect::<Result<_>>()?)
        }
        _ => return Err(bad()),
    })
}
