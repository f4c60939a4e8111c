//! `map_filter`: by a lambda over key and value, or by a parallel array of BOOLEAN.

use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, LambdaBody, LambdaKernel, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T};

use super::{
    apply::{flatten_map, map_lambda_signatures},
    parts::map_parts,
};
use crate::{
    kernels::def::custom,
    scalar::array::{
        filter::{is_true, keep_elements},
        lambda::must_be_boolean,
    },
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let by_mask =
        Signature::new(vec![TypePattern::AnyMap, TypePattern::Exact(T::array(T::Boolean))], ResultRule::Arg(0));
    let mut function = custom(&["map_filter"], vec![by_mask], by_array);
    function.signatures.extend(map_lambda_signatures());
    function.lambda_kernel = Some(LambdaKernel {
        result: |args, body| {
            must_be_boolean("map_filter", body)?;
            Ok(args[0].clone())
        },
        eval: by_lambda,
    });
    r.add_scalar(function);
}

fn by_array(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let map = map_parts(&args[0])?;
    let Some(mask) = args[1].array_parts() else { bail!(Internal, "map_filter takes an array of BOOLEAN") };
    let flags = is_true(&mask.values);
    let (offsets, picks) = keep_elements(&map.offsets, map.nulls.as_ref(), rows, |row, nth, _| {
        let at = mask.offsets[row] as usize + nth;
        mask.nulls.as_ref().is_none_or(|n| n.is_valid(row)) && at < mask.offsets[row + 1] as usize && flags[at]
    });
    let (keys, values) = (map.keys.gather(&picks), map.values.gather(&picks));
    Ok(Column::from_map_parts(offsets, keys, values, map.nulls)?.with_type(call.result.clone()))
}

fn by_lambda(
    _: &EvalContext,
    call: &ScalarOverload,
    lambda: &dyn LambdaBody,
    args: &[Column],
    rows: usize,
) -> Result<Column> {
    let (offsets, params, source_rows) = flatten_map(&map_parts(&args[0])?, rows);
    let flags = is_true(&lambda.eval(&params, &source_rows)?);
    let (offsets, picks) = keep_elements(&offsets, None, rows, |_, _, i| flags[i]);
    let (keys, values) = (params[0].gather(&picks), params[1].gather(&picks));
    Ok(Column::from_map_parts(offsets, keys, values, args[0].nulls())?.with_type(call.result.clone()))
}
