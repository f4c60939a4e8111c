//! `array_flatten`: one level of nesting less; NULL inner arrays vanish.

use arrow::buffer::OffsetBuffer;
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::TypePattern,
};
use common_types::{Column, LogicalType as T};

use crate::kernels::def::{computed, strict};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let signature = computed([TypePattern::AnyArray], |args| match &args[0] {
        T::Array(inner) if matches!(**inner, T::Array(_)) => Ok((**inner).clone()),
        T::Array(inner) if matches!(**inner, T::Null | T::Boolean) => Ok(args[0].clone()),
        other => {
            bail!(Analysis, "The only one input of array_flatten should be an array of arrays, rather than {other}")
        }
    });
    r.add_scalar(strict(&["array_flatten"], vec![signature], flatten));
}

fn flatten(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let Some(outer) = args[0].array_parts() else { bail!(Internal, "array_flatten works on arrays") };
    let Some(inner) = outer.values.array_parts() else { return Ok(args[0].clone()) };
    let mut picks = Vec::with_capacity(inner.values.len());
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    for row in 0..rows {
        for i in outer.offsets[row] as usize..outer.offsets[row + 1] as usize {
            if inner.nulls.as_ref().is_none_or(|n| n.is_valid(i)) {
                picks.extend(inner.offsets[i] as u32..inner.offsets[i + 1] as u32);
            }
        }
        offsets.push(picks.len() as i32);
    }
    let offsets = OffsetBuffer::new(offsets.into());
    Ok(Column::from_array_parts(offsets, inner.values.gather(&picks), None)?.with_type(call.result.clone()))
}
