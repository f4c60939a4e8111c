//! `map_apply((k, v) -> (k2, v2), m)`, `transform_keys`, `transform_values`.

use arrow::buffer::OffsetBuffer;
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, LambdaBody, LambdaKernel, NullRule, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T, MapParts};

use super::parts::{map_parts, map_types};
use crate::{kernels::maps::keep_last_keys, scalar::array::lambda::lambda_only};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let apply = LambdaKernel { result: applied_type, eval: map_apply };
    r.add_scalar(lambda_only(&["map_apply"], map_lambda_signatures(), NullRule::Propagate, apply));
    let keys =
        LambdaKernel { result: |args, body| Ok(T::map(body.clone(), map_types(&args[0])?.1)), eval: transform_keys };
    r.add_scalar(lambda_only(&["transform_keys"], map_lambda_signatures(), NullRule::Propagate, keys));
    let values =
        LambdaKernel { result: |args, body| Ok(T::map(map_types(&args[0])?.0, body.clone())), eval: transform_values };
    r.add_scalar(lambda_only(&["transform_values"], map_lambda_signatures(), NullRule::Propagate, values));
}

/// `f(lambda, map)` and `f(map, lambda)`.
pub fn map_lambda_signatures() -> Vec<Signature> {
    let result = || ResultRule::Exact(T::Null);
    vec![
        Signature::new(vec![TypePattern::Function, TypePattern::AnyMap], result()),
        Signature::new(vec![TypePattern::AnyMap, TypePattern::Function], result()),
    ]
}

/// The body is a map of one pair, or a struct of two fields.
fn applied_type(_: &[T], body: &T) -> Result<T> {
    match body {
        T::Map(..) => Ok(body.clone()),
        T::Struct(fields) if fields.len() == 2 => Ok(T::map(fields[0].ty.clone(), fields[1].ty.clone())),
        other => bail!(Analysis, "The lambda of map_apply must give a key and a value, not {other}"),
    }
}

/// Keys and values in use, the row of each pair, and offsets from 0.
pub fn flatten_map(map: &MapParts, rows: usize) -> (OffsetBuffer<i32>, Vec<Column>, Vec<u32>) {
    let mut picks = Vec::with_capacity(map.keys.len());
    let mut source_rows = Vec::with_capacity(map.keys.len());
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    for row in 0..rows {
        if map.nulls.as_ref().is_none_or(|n| n.is_valid(row)) {
            picks.extend(map.offsets[row] as u32..map.offsets[row + 1] as u32);
            source_rows.resize(picks.len(), row as u32);
        }
        offsets.push(picks.len() as i32);
    }
    (OffsetBuffer::new(offsets.into()), vec![map.keys.gather(&picks), map.values.gather(&picks)], source_rows)
}

fn finish(call: &ScalarOverload, offsets: OffsetBuffer<i32>, keys: Column, values: Column) -> Result<Column> {
    let flat = |c: Column| Column::flat(c.to_flat(), c.ty().clone());
    let (offsets, keys, values) = keep_last_keys(offsets, flat(keys), flat(values))?;
    Ok(Column::from_map_parts(offsets, keys, values, None)?.with_type(call.result.clone()))
}

fn map_apply(
    _: &EvalContext,
    call: &ScalarOverload,
    lambda: &dyn LambdaBody,
    args: &[Column],
    rows: usize,
) -> Result<Column> {
    let (offsets, params, source_rows) = flatten_map(&map_parts(&args[0])?, rows);
    let body = lambda.eval(&params, &source_rows)?;
    if let Some(mut children) = body.struct_children() {
        let (Some(values), Some(keys)) = (children.pop(), children.pop()) else {
            bail!(Internal, "the lambda of map_apply gave {}", body.ty());
        };
        return finish(call, offsets, keys, values);
    }
    let pairs = map_parts(&body)?;
    if pairs.offsets.windows(2).any(|w| w[1] - w[0] != 1) {
        bail!(InvalidArgument, "The lambda of map_apply must give one pair");
    }
    let start = pairs.offsets[0] as usize;
    finish(call, offsets, pairs.keys.slice(start, source_rows.len()), pairs.values.slice(start, source_rows.len()))
}

fn transform_keys(
    _: &EvalContext,
    call: &ScalarOverload,
    lambda: &dyn LambdaBody,
    args: &[Column],
    rows: usize,
) -> Result<Column> {
    let (offsets, params, source_rows) = flatten_map(&map_parts(&args[0])?, rows);
    let keys = lambda.eval(&params, &source_rows)?;
    finish(call, offsets, keys, params[1].clone())
}

fn transform_values(
    _: &EvalContext,
    call: &ScalarOverload,
    lambda: &dyn LambdaBody,
    args: &[Column],
    rows: usize,
) -> Result<Column> {
    let (offsets, params, source_rows) = flatten_map(&map_parts(&args[0])?, rows);
    let values = lambda.eval(&params, &source_rows)?;
    finish(call, offsets, params[0].clone(), values)
}
