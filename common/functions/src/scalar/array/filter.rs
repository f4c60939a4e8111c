//! `array_filter`: by a lambda, or by a parallel array of BOOLEAN.

use arrow::buffer::{NullBuffer, OffsetBuffer};
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, LambdaBody, LambdaKernel, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T};

use super::lambda::{flatten, must_be_boolean, with_lambda};
use crate::kernels::def::custom;

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let by_mask =
        Signature::new(vec![TypePattern::AnyArray, TypePattern::Exact(T::array(T::Boolean))], ResultRule::Arg(0));
    let form = LambdaKernel {
        result: |args, body| {
            must_be_boolean("array_filter", body)?;
            Ok(args[0].clone())
        },
        eval: by_lambda,
    };
    r.add_scalar(with_lambda(custom(&["array_filter"], vec![by_mask], by_array), 6, form));
}

/// TRUE of a BOOLEAN column; NULL is not.
pub fn is_true(column: &Column) -> Vec<bool> {
    if column.ty().is_null_type() {
        return vec![false; column.len()];
    }
    let flat = column.to_flat();
    let flags = arrow::array::AsArray::as_boolean(&*flat);
    (0..flags.len()).map(|i| arrow::array::Array::is_valid(flags, i) && flags.value(i)).collect()
}

/// Keeps elements of `values`; `keep(row, nth, element)` decides.
pub fn keep_elements(
    offsets: &OffsetBuffer<i32>,
    nulls: Option<&NullBuffer>,
    rows: usize,
    mut keep: impl FnMut(usize, usize, usize) -> bool,
) -> (OffsetBuffer<i32>, Vec<u32>) {
    let mut picks = Vec::new();
    let mut out = Vec::with_capacity(rows + 1);
    out.push(0);
    for row in 0..rows {
        if nulls.is_none_or(|n| n.is_valid(row)) {
            let start = offsets[row] as usize;
            for i in start..offsets[row + 1] as usize {
                if keep(row, i - start, i) {
                    picks.push(i as u32);
                }
            }
        }
        out.push(picks.len() as i32);
    }
    (OffsetBuffer::new(out.into()), picks)
}

fn by_array(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (Some(array), Some(mask)) = (args[0].array_parts(), args[1].array_parts()) else {
        bail!(Internal, "array_filter works on arrays");
    };
    let flags = is_true(&mask.values);
    let (offsets, picks) = keep_elements(&array.offsets, array.nulls.as_ref(), rows, |row, nth, _| {
        let at = mask.offsets[row] as usize + nth;
        mask.nulls.as_ref().is_none_or(|n| n.is_valid(row)) && at < mask.offsets[row + 1] as usize && flags[at]
    });
    Ok(Column::from_array_parts(offsets, array.values.gather(&picks), array.nulls)?.with_type(call.result.clone()))
}

fn by_lambda(
    _: &EvalContext,
    call: &ScalarOverload,
    lambda: &dyn LambdaBody,
    args: &[Column],
    rows: usize,
) -> Result<Column> {
    let (flat, _) = flatten("array_filter", args, rows)?;
    let flags = is_true(&lambda.eval(&flat.params, &flat.source_rows)?);
    let (offsets, picks) = keep_elements(&flat.offsets, None, rows, |_, _, i| flags[i]);
    Ok(Column::from_array_parts(offsets, flat.params[0].gather(&picks), args[0].nulls())?
        .with_type(call.result.clone()))
}
