//! `array_repeat(x, n)`.

use arrow::buffer::OffsetBuffer;
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{def::custom, elements::flat, lists::ELEMENTS_MAX, strings::IntArg};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let signature = Signature::new(vec![TypePattern::Same(0), TypePattern::Exact(T::Int)], ResultRule::ArrayOf(0));
    r.add_scalar(custom(&["array_repeat"], vec![signature], repeat));
}

fn repeat(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let times = IntArg::new(&args[1])?;
    let nulls = args[1].nulls();
    let mut picks = Vec::new();
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    for row in 0..rows {
        if nulls.as_ref().is_none_or(|n| n.is_valid(row)) {
            let len = picks.len() + times.get(row).max(0) as usize;
            if len > ELEMENTS_MAX {
                bail!(InvalidArgument, "array_repeat makes more than {ELEMENTS_MAX} elements");
            }
            picks.resize(len, row as u32);
        }
        offsets.push(picks.len() as i32);
    }
    let offsets = OffsetBuffer::new(offsets.into());
    Ok(Column::from_array_parts(offsets, flat(&args[0]).gather(&picks), nulls)?.with_type(call.result.clone()))
}
