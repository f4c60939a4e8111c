//! `array_length`, `cardinality` (arrays and maps), `map_size`.

use arrow::{buffer::OffsetBuffer, datatypes::Int32Type};
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T, Scalar};

use crate::kernels::{def::strict, strings::primitive};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let array = || Signature::new(vec![TypePattern::AnyArray], ResultRule::Exact(T::Int));
    let map = || Signature::new(vec![TypePattern::AnyMap], ResultRule::Exact(T::Int));
    r.add_scalar(strict(&["array_length"], vec![array()], length));
    r.add_scalar(strict(&["map_size"], vec![map()], length));
    r.add_scalar(strict(&["cardinality"], vec![map(), array()], length));
}

fn lengths(offsets: &OffsetBuffer<i32>) -> Vec<i32> {
    offsets.windows(2).map(|w| w[1] - w[0]).collect()
}

fn length(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let constant = args[0].as_const().map(|v| match v {
        Scalar::Array(items) => items.len(),
        Scalar::Map(pairs) => pairs.len(),
        _ => 0,
    });
    if let Some(len) = constant {
        return Ok(Column::constant(Scalar::Int(len as i32), call.result.clone(), rows));
    }
    let values = match (args[0].array_parts(), args[0].map_parts()) {
        (Some(array), _) => lengths(&array.offsets),
        (_, Some(map)) => lengths(&map.offsets),
        _ => bail!(Internal, "{} has no length", args[0].ty()),
    };
    Ok(primitive::<Int32Type>(values, None, &call.result))
}
