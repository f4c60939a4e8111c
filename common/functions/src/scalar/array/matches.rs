//! `all_match`, `any_match`: three-valued AND and OR over the elements.

use arrow::buffer::OffsetBuffer;
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, LambdaBody, LambdaKernel, ScalarOverload},
};
use common_types::{Column, LogicalType as T};

use super::lambda::{flatten, must_be_boolean, with_lambda};
use crate::kernels::{
    def::{partial, sig},
    strings::booleans_opt,
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let one = || vec![sig([T::array(T::Boolean)], T::Boolean)];
    let form = |eval| LambdaKernel {
        result: |_, body| {
            must_be_boolean("the matching function", body)?;
            Ok(T::Boolean)
        },
        eval,
    };
    r.add_scalar(with_lambda(
        partial(&["all_match"], one(), |_, _, args, rows| arrays(args, rows, false)),
        6,
        form(all_lambda),
    ));
    r.add_scalar(with_lambda(
        partial(&["any_match"], one(), |_, _, args, rows| arrays(args, rows, true)),
        6,
        form(any_lambda),
    ));
}

fn all_lambda(
    _: &EvalContext,
    _: &ScalarOverload,
    lambda: &dyn LambdaBody,
    args: &[Column],
    rows: usize,
) -> Result<Column> {
    let (flat, _) = flatten("all_match", args, rows)?;
    decide(&flat.offsets, &lambda.eval(&flat.params, &flat.source_rows)?, rows, false)
}

fn any_lambda(
    _: &EvalContext,
    _: &ScalarOverload,
    lambda: &dyn LambdaBody,
    args: &[Column],
    rows: usize,
) -> Result<Column> {
    let (flat, _) = flatten("any_match", args, rows)?;
    decide(&flat.offsets, &lambda.eval(&flat.params, &flat.source_rows)?, rows, true)
}

fn arrays(args: &[Column], rows: usize, deciding: bool) -> Result<Column> {
    let Some(parts) = args[0].array_parts() else { bail!(Internal, "a match works on arrays") };
    decide(&parts.offsets, &parts.values, rows, deciding)
}

/// One element equal to `deciding` decides; without it a NULL element makes the answer NULL.
fn decide(offsets: &OffsetBuffer<i32>, flags: &Column, rows: usize, deciding: bool) -> Result<Column> {
    let nulls = flags.nulls();
    let flat = flags.to_flat();
    let values = arrow::array::AsArray::as_boolean_opt(&*flat).map(|b| b.values().clone());
    Ok(booleans_opt((0..rows).map(|row| {
        let mut unknown = false;
        for i in offsets[row] as usize..offsets[row + 1] as usize {
            match &values {
                Some(values) if nulls.as_ref().is_none_or(|n| n.is_valid(i)) => {
                    if values.value(i) == deciding {
                        return Some(deciding);
                    }
                }
                _ => unknown = true,
            }
        }
        if unknown { None } else { Some(!deciding) }
    })))
}
