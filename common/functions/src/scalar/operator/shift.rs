//! Bit shifts. The count is taken modulo the width the shift is done at: 32 bits for the types up to INT, else the type's own.

use common_base::Result;
use common_expr::scalar_fn::{ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType};

use crate::kernels::{
    def::{INTEGERS, sig, strict},
    ints::{IntArg, from_i128},
    num::{null_shortcut, union_nulls},
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let signatures = || INTEGERS.iter().map(|t| sig([t.clone(), LogicalType::BigInt], t.clone())).collect();
    vec![
        strict(&["bit_shift_left", "bitshiftleft"], signatures(), |_, c, a, n| shift(c, a, n, |v, by, _| v.wrapping_shl(by))),
        strict(&["bit_shift_right", "bitshiftright"], signatures(), |_, c, a, n| shift(c, a, n, |v, by, _| v.wrapping_shr(by))),
        strict(&["bit_shift_right_logical", "bitshiftrightlogical"], signatures(), |_, c, a, n| {
            shift(c, a, n, |v, by, width| {
                let unsigned = if width == 128 { v as u128 } else { v as u128 & ((1 << width) - 1) };
                unsigned.wrapping_shr(by) as i128
            })
        }),
    ]
}

fn shift(call: &ScalarOverload, args: &[Column], rows: usize, f: impl Fn(i128, u32, u32) -> i128) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let (width, mask) = match &call.result {
        LogicalType::TinyInt => (8, 31),
        LogicalType::SmallInt => (16, 31),
        LogicalType::Int => (32, 31),
        LogicalType::BigInt => (64, 63),
        _ => (128, 127),
    };
    let (v, by) = (IntArg::new(&args[0]).expect("an integer"), IntArg::new(&args[1]).expect("an integer"));
    let values = v.to_i128(rows).iter().zip(by.to_i64(rows).iter()).map(|(&v, &by)| f(v, by as u32 & mask, width)).collect();
    Ok(from_i128(&call.result, values, union_nulls(args)))
}
