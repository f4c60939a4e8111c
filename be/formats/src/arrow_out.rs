//! Columns → Arrow arrays as other systems read them: strings are strings, not bytes.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray},
    datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef},
};
use common_base::{Result, bail, err};
use common_types::{Column, LogicalType};

/// The Arrow schema of a file with these columns.
pub fn schema(names: &[String], types: &[LogicalType]) -> Result<SchemaRef> {
    let field = |(name, ty): (&String, &LogicalType)| match data_type(ty) {
        Ok(data_type) => Ok(Field::new(name, data_type, true)),
        Err(e) => Err(err!(NotSupported, "column '{name}': {}", e.message())),
    };
    Ok(Arc::new(Schema::new(names.iter().zip(types).map(field).collect::<Result<Fields>>()?)))
}

/// The Arrow type a column of this type has in a file.
pub fn data_type(ty: &LogicalType) -> Result<DataType> {
    use LogicalType as T;
    Ok(match ty {
        T::Char(_) | T::Varchar(_) | T::Json => DataType::Utf8View,
        T::Null => DataType::Boolean,
        T::Array(e) => DataType::List(element(e)?),
        T::Map(k, v) => DataType::Map(entries(k, v)?, false),
        T::Struct(fields) => DataType::Struct(fields.iter().map(|f| Ok(Field::new(&f.name, data_type(&f.ty)?, true))).collect::<Result<Fields>>()?),
        T::Bitmap | T::Hll | T::Percentile | T::State(_) | T::Function => bail!(NotSupported, "columns of type {ty} cannot be written to files"),
        other => other.arrow(),
    })
}

fn element(ty: &LogicalType) -> Result<FieldRef> {
    Ok(Arc::new(Field::new("element", data_type(ty)?, true)))
}

fn entries(key: &LogicalType, value: &LogicalType) -> Result<FieldRef> {
    let fields: Fields = vec![Field::new("key", data_type(key)?, false), Field::new("value", data_type(value)?, true)].into();
    Ok(Arc::new(Field::new("key_value", DataType::Struct(fields), false)))
}

/// A column as an array of [`data_type`].
pub fn array(column: &Column) -> Result<ArrayRef> {
    let broken = |e: arrow::error::ArrowError| err!(InvalidArgument, "a value of type {} cannot be written to a file: {e}", column.ty());
    let flat = column.to_flat();
    Ok(match column.ty() {
        LogicalType::Char(_) | LogicalType::Varchar(_) | LogicalType::Json => Arc::new(flat.as_binary_view().clone().to_string_view().map_err(broken)?),
        LogicalType::Null => arrow::array::new_null_array(&DataType::Boolean, column.len()),
        LogicalType::Array(e) => {
            let list = flat.as_list::<i32>();
            let values = array(&Column::flat(list.values().clone(), (**e).clone()))?;
            Arc::new(ListArray::try_new(element(e)?, list.offsets().clone(), values, list.nulls().cloned()).map_err(broken)?)
        }
        LogicalType::Map(k, v) => {
            let map = flat.as_map();
            let keys = array(&Column::flat(map.keys().clone(), (**k).clone()))?;
            let values = array(&Column::flat(map.values().clone(), (**v).clone()))?;
            let field = entries(k, v)?;
            let DataType::Struct(fields) = field.data_type() else { bail!(Internal, "the entries of a map are a struct") };
            let pairs = StructArray::try_new(fields.clone(), vec![keys, values], None).map_err(broken)?;
            Arc::new(MapArray::try_new(field, map.offsets().clone(), pairs, map.nulls().cloned(), false).map_err(broken)?)
        }
        LogicalType::Struct(fields) => {
            let s = flat.as_struct();
            let children = s.columns().iter().zip(fields).map(|(c, f)| array(&Column::flat(c.clone(), f.ty.clone()))).collect::<Result<Vec<_>>>()?;
            let DataType::Struct(out) = data_type(column.ty())? else { bail!(Internal, "a struct is a struct") };
            Arc::new(StructArray::try_new(out, children, s.nulls().cloned()).map_err(broken)?)
        }
        _ => flat,
    })
}
