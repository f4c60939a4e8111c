//! `array_slice(a, off[, len])`.

use arrow::buffer::OffsetBuffer;
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{def::strict, strings::IntArg};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let int = || TypePattern::Exact(T::BigInt);
    let signatures = vec![
        Signature::new(vec![TypePattern::AnyArray, int(), int()], ResultRule::Arg(0)),
        Signature::new(vec![TypePattern::AnyArray, int()], ResultRule::Arg(0)),
    ];
    r.add_scalar(strict(&["array_slice"], signatures, slice));
}

/// The window `[off, off + len)` clipped to `0..size`; a negative offset counts from the end before clipping.
fn window(size: i64, offset: i64, len: i64) -> (i64, i64) {
    if offset == 0 || len <= 0 {
        return (0, 0);
    }
    let start = if offset > 0 { offset - 1 } else { size.saturating_add(offset) };
    let end = start.saturating_add(len).clamp(0, size);
    let start = start.clamp(0, size);
    (start, end.max(start))
}

fn slice(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let Some(array) = args[0].array_parts() else { bail!(Internal, "array_slice works on arrays") };
    let offset = IntArg::new(&args[1])?;
    let len = args.get(2).map(IntArg::new).transpose()?.unwrap_or(IntArg::Const(i64::MAX));
    let mut picks = Vec::new();
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    for row in 0..rows {
        let (from, to) = (array.offsets[row], array.offsets[row + 1]);
        let (start, end) = window(i64::from(to - from), offset.get(row), len.get(row));
        picks.extend(from as u32 + start as u32..from as u32 + end as u32);
        offsets.push(picks.len() as i32);
    }
    let offsets = OffsetBuffer::new(offsets.into());
    Ok(Column::from_array_parts(offsets, array.values.gather(&picks), None)?.with_type(call.result.clone()))
}

#[cfg(test)]
mod tests {
    use super::window;

    #[test]
    fn clipping() {
        assert_eq!(window(5, 1, 2), (0, 2));
        assert_eq!(window(5, -7, 3), (0, 1));
        assert_eq!(window(5, -2, i64::MAX), (3, 5));
        assert_eq!(window(5, 9, 1), (5, 5));
        assert_eq!(window(5, 0, 2), (0, 0));
        assert_eq!(window(5, 2, -1), (0, 0));
    }
}
