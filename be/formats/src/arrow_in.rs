//! Arrow arrays of foreign files → columns: the canonical array of a type, whatever array holds the values.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, PrimitiveArray, StructArray, new_null_array},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Field, Schema, TimeUnit, TimestampMicrosecondType},
    error::ArrowError,
};
use common_base::{Result, bail, err};
use common_types::{Column, LogicalType, arrow_map, coercion::common_super_type};

/// Microseconds of an instant (UTC) → of the local time readers want.
pub type ToLocal = Arc<dyn Fn(i64) -> i64 + Send + Sync>;

/// Greatest length of VARCHAR: what strings of files are.
const TEXT: LogicalType = LogicalType::Varchar(Some(common_types::logical_type::MAX_VARCHAR_LENGTH));

/// A column of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileField {
    pub name: String,
    pub ty: LogicalType,
}

/// The SQL type of a file's column; `None` when there is none.
pub fn file_type(dt: &DataType) -> Option<LogicalType> {
    arrow_map::from_arrow(dt).map(sized)
}

/// Strings of unknown length get the greatest one, so that tables can be made of them.
fn sized(ty: LogicalType) -> LogicalType {
    match ty {
        LogicalType::Varchar(None) => TEXT,
        LogicalType::Varbinary(None) => LogicalType::Varbinary(Some(common_types::logical_type::MAX_VARCHAR_LENGTH)),
        LogicalType::Null => LogicalType::Boolean,
        LogicalType::Array(e) => LogicalType::array(sized(*e)),
        LogicalType::Map(k, v) => LogicalType::map(sized(*k), sized(*v)),
        LogicalType::Struct(fields) => LogicalType::Struct(fields.into_iter().map(|f| common_types::StructField { ty: sized(f.ty), ..f }).collect()),
        other => other,
    }
}

/// The columns of an Arrow schema.
pub fn fields(schema: &Schema) -> Result<Vec<FileField>> {
    let field = |f: &Arc<Field>| match file_type(f.data_type()) {
        Some(ty) => Ok(FileField { name: f.name().clone(), ty }),
        None => Err(err!(NotSupported, "column '{}' has type {}, which is not supported", f.name(), f.data_type())),
    };
    schema.fields().iter().map(field).collect()
}

/// The columns of several files by name, in the order they are met first; types that differ become one that holds both.
pub fn union(files: &[Vec<FileField>]) -> Vec<FileField> {
    let mut out: Vec<FileField> = Vec::new();
    for field in files.iter().flatten() {
        match out.iter_mut().find(|f| f.name == field.name) {
            None => out.push(field.clone()),
            Some(known) => known.ty = wider(&known.ty, &field.ty),
        }
    }
    out
}

/// A type that holds the values of both.
pub fn wider(a: &LogicalType, b: &LogicalType) -> LogicalType {
    if a == b {
        return a.clone();
    }
    match common_super_type(a, b) {
        Some(ty) if !ty.is_string() => ty,
        _ => TEXT,
    }
}

/// The values of an array under a type; what the type cannot hold is NULL.
pub fn column(array: &ArrayRef, ty: &LogicalType, local: &ToLocal) -> Result<Column> {
    Column::try_flat(canonical(array, ty, local)?, ty.clone())
}

fn broken(ty: &LogicalType) -> impl Fn(ArrowError) -> common_base::Error + '_ {
    move |e| err!(InvalidArgument, "cannot read values as {ty}: {e}")
}

fn canonical(array: &ArrayRef, ty: &LogicalType, local: &ToLocal) -> Result<ArrayRef> {
    let wanted = ty.arrow();
    if array.data_type() == &wanted {
        return Ok(array.clone());
    }
    if let DataType::Dictionary(_, values) = array.data_type() {
        return canonical(&cast(array, values, ty)?, ty, local);
    }
    match ty {
        LogicalType::Array(element) => list(array, element, ty, local),
        LogicalType::Map(key, value) => {
            let Some(map) = array.as_map_opt() else { return mismatch(array, ty) };
            let keys = canonical(map.keys(), key, local)?;
            let values = canonical(map.values(), value, local)?;
            let entries = StructArray::try_new(arrow_map::map_fields(key, value), vec![keys, values], None).map_err(broken(ty))?;
            let field = arrow_map::map_entries_field(key, value);
            let map = arrow::array::MapArray::try_new(field, map.offsets().clone(), entries, map.nulls().cloned(), false).map_err(broken(ty))?;
            Ok(Arc::new(map))
        }
        LogicalType::Struct(fields) => {
            let Some(s) = array.as_struct_opt() else { return mismatch(array, ty) };
            let child = |f: &common_types::StructField| match s.column_by_name(&f.name) {
                Some(child) => canonical(child, &f.ty, local),
                None => Ok(new_null_array(&f.ty.arrow(), s.len())),
            };
            let children = fields.iter().map(child).collect::<Result<Vec<_>>>()?;
            if children.is_empty() {
                return Ok(Arc::new(StructArray::new_empty_fields(s.len(), s.nulls().cloned())));
            }
            Ok(Arc::new(StructArray::try_new(arrow_map::struct_fields(fields), children, s.nulls().cloned()).map_err(broken(ty))?))
        }
        LogicalType::Datetime => datetime(array, ty, local),
        LogicalType::Time => {
            let micros = cast(array, &DataType::Time64(TimeUnit::Microsecond), ty)?;
            let micros = cast(&micros, &DataType::Int64, ty)?;
            let micros = micros.as_primitive::<arrow::datatypes::Int64Type>();
            Ok(Arc::new(micros.unary::<_, arrow::datatypes::Float64Type>(|v| v as f64 / 1e6)) as ArrayRef)
        }
        _ if wanted == DataType::BinaryView => bytes(array, ty),
        LogicalType::Boolean if array.data_type() == &DataType::Null => Ok(new_null_array(&wanted, array.len())),
        _ => cast(array, &wanted, ty),
    }
}

fn mismatch(array: &ArrayRef, ty: &LogicalType) -> Result<ArrayRef> {
    bail!(InvalidArgument, "values of type {} cannot be read as {ty}", array.data_type())
}

fn cast(array: &ArrayRef, to: &DataType, ty: &LogicalType) -> Result<ArrayRef> {
    cast_with_options(array, to, &CastOptions { safe: true, ..CastOptions::default() }).map_err(broken(ty))
}

fn list(array: &ArrayRef, element: &LogicalType, ty: &LogicalType, local: &ToLocal) -> Result<ArrayRef> {
    let array = match array.data_type() {
        DataType::List(_) => array.clone(),
        DataType::LargeList(f) | DataType::FixedSizeList(f, _) => cast(array, &DataType::List(f.clone()), ty)?,
        _ => return mismatch(array, ty),
    };
    let list = array.as_list::<i32>();
    let values = canonical(list.values(), element, local)?;
    let field = arrow_map::list_field(element);
    let list = arrow::array::ListArray::try_new(field, list.offsets().clone(), values, list.nulls().cloned()).map_err(broken(ty))?;
    Ok(Arc::new(list))
}

/// Strings and bytes as views; the bytes stay where they are.
fn bytes(array: &ArrayRef, ty: &LogicalType) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Utf8View => Ok(Arc::new(array.as_string_view().clone().to_binary_view())),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary | DataType::BinaryView => cast(array, &DataType::BinaryView, ty),
        DataType::FixedSizeBinary(_) => cast(&cast(array, &DataType::Binary, ty)?, &DataType::BinaryView, ty),
        DataType::Null => Ok(new_null_array(&DataType::BinaryView, array.len())),
        _ => bytes(&cast(array, &DataType::Utf8, ty)?, ty),
    }
}

/// Instants become local time; times without a zone are taken as they are.
fn datetime(array: &ArrayRef, ty: &LogicalType, local: &ToLocal) -> Result<ArrayRef> {
    let zoned = matches!(array.data_type(), DataType::Timestamp(_, Some(_)));
    let plain = DataType::Timestamp(TimeUnit::Microsecond, None);
    if !zoned {
        return cast(array, &plain, ty);
    }
    let micros = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), ty)?;
    let micros = micros.as_primitive::<TimestampMicrosecondType>();
    let shifted: PrimitiveArray<TimestampMicrosecondType> = micros.unary(|v| local(v));
    Ok(Arc::new(shifted))
}

/// An extreme of a zone, given as an array of one row, as a value of the type; `None` when it bounds nothing.
pub fn bound(array: &ArrayRef, ty: &LogicalType, local: &ToLocal) -> Option<common_types::Scalar> {
    // A zone's times may be shifted by different offsets: no bound.
    if matches!(array.data_type(), DataType::Timestamp(_, Some(_))) || *ty == LogicalType::Json {
        return None;
    }
    let column = column(array, ty, local).ok()?;
    (column.len() == 1).then(|| column.scalar(0))
}
