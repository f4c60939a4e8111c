//! `reverse` of arrays (registered with the string function).

use arrow::buffer::OffsetBuffer;
use common_base::{Result, bail};
use common_expr::scalar_fn::{EvalContext, ScalarOverload};
use common_types::Column;

/// The elements of each array, last first.
pub fn reverse_arrays(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let Some(array) = args[0].array_parts() else { bail!(Internal, "reverse works on strings and arrays") };
    let mut picks = Vec::with_capacity(array.values.len());
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    for row in 0..rows {
        picks.extend((array.offsets[row] as u32..array.offsets[row + 1] as u32).rev());
        offsets.push(picks.len() as i32);
    }
    let offsets = OffsetBuffer::new(offsets.into());
    Ok(Column::from_array_parts(offsets, array.values.gather(&picks), None)?.with_type(call.result.clone()))
}
