//! `array_map(f, a, …)`: the lambda over every element.

use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, LambdaBody, LambdaKernel, NullRule, ScalarOverload},
};
use common_types::{Column, LogicalType as T};

use super::lambda::{flatten, lambda_only, lambda_signatures};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let form = LambdaKernel { result: |_, body| Ok(T::array(body.clone())), eval: array_map };
    r.add_scalar(lambda_only(&["array_map", "transform"], lambda_signatures(6), NullRule::Propagate, form));
}

fn array_map(
    _: &EvalContext,
    call: &ScalarOverload,
    lambda: &dyn LambdaBody,
    args: &[Column],
    rows: usize,
) -> Result<Column> {
    let (flat, nulls) = flatten("array_map", args, rows)?;
    let values = lambda.eval(&flat.params, &flat.source_rows)?;
    Ok(Column::from_array_parts(flat.offsets, values, nulls)?.with_type(call.result.clone()))
}
