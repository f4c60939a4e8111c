//! `map_keys`, `map_values`, `map_entries`.

use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::TypePattern,
};
use common_types::{Column, LogicalType as T, MapParts, StructField};

use crate::kernels::def::{computed, strict};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let of_keys = computed([TypePattern::AnyMap], |args| Ok(T::array(map_types(&args[0])?.0)));
    let of_values = computed([TypePattern::AnyMap], |args| Ok(T::array(map_types(&args[0])?.1)));
    let of_entries = computed([TypePattern::AnyMap], |args| {
        let (key, value) = map_types(&args[0])?;
        Ok(T::array(T::Struct(vec![StructField::new("key", key), StructField::new("value", value)])))
    });
    r.add_scalar(strict(&["map_keys"], vec![of_keys], keys));
    r.add_scalar(strict(&["map_values"], vec![of_values], values));
    r.add_scalar(strict(&["map_entries"], vec![of_entries], entries));
}

/// Key and value type of a MAP type.
pub fn map_types(ty: &T) -> Result<(T, T)> {
    match ty {
        T::Map(key, value) => Ok(((**key).clone(), (**value).clone())),
        other => bail!(Analysis, "a map was expected, {other} came"),
    }
}

/// A MAP column taken apart.
pub fn map_parts(column: &Column) -> Result<MapParts> {
    match column.map_parts() {
        Some(parts) => Ok(parts),
        None => bail!(Internal, "a map was expected, {} came", column.ty()),
    }
}

fn keys(_: &EvalContext, call: &ScalarOverload, args: &[Column], _: usize) -> Result<Column> {
    let map = map_parts(&args[0])?;
    Ok(Column::from_array_parts(map.offsets, map.keys, map.nulls)?.with_type(call.result.clone()))
}

fn values(_: &EvalContext, call: &ScalarOverload, args: &[Column], _: usize) -> Result<Column> {
    let map = map_parts(&args[0])?;
    Ok(Column::from_array_parts(map.offsets, map.values, map.nulls)?.with_type(call.result.clone()))
}

fn entries(_: &EvalContext, call: &ScalarOverload, args: &[Column], _: usize) -> Result<Column> {
    let map = map_parts(&args[0])?;
    let T::Array(pair) = &call.result else { bail!(Internal, "map_entries gives an array") };
    let len = map.keys.len();
    let pairs = Column::from_struct_children((**pair).clone(), vec![map.keys, map.values], None, len)?;
    Ok(Column::from_array_parts(map.offsets, pairs, map.nulls)?.with_type(call.result.clone()))
}
