//! `&`, `|`, `^`, `~` over integers.

use common_base::Result;
use common_expr::{
    scalar_fn::{EvalContext, ScalarFunction, ScalarOverload},
    signature::TypePattern::Any,
};
use common_types::{Column, LogicalType};

use super::typing;
use crate::kernels::{
    def::{INTEGERS, computed, partial, same, strict},
    ints::{IntArg, from_i64, from_i128},
    num::{F64Arg, null_shortcut, union_nulls},
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    vec![
        partial(&["bitand"], vec![computed([Any, Any], typing::bitwise)], |_, c, a, n| binary(c, a, n, |x, y| x & y)),
        partial(&["bitor"], vec![computed([Any, Any], typing::bitwise)], |_, c, a, n| binary(c, a, n, |x, y| x | y)),
        partial(&["bitxor"], vec![computed([Any, Any], typing::bitwise)], |_, c, a, n| binary(c, a, n, |x, y| x ^ y)),
        strict(&["bitnot"], same(&INTEGERS, 1), not),
    ]
}

fn integers(col: &Column, rows: usize) -> Result<Vec<i128>> {
    if col.ty().is_integer() || *col.ty() == LogicalType::Boolean {
        return Ok(IntArg::new(col).expect("integers are integer-backed").to_i128(rows).into_owned());
    }
    Ok(F64Arg::new(col, rows)?.values.iter().map(|v| i128::from(*v as i64)).collect())
}

fn binary(call: &ScalarOverload, args: &[Column], rows: usize, f: impl Fn(i128, i128) -> i128) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let nulls = union_nulls(args);
    let narrow = |c: &Column| c.ty().is_integer() && *c.ty() != LogicalType::LargeInt;
    if let (true, true, Some(x), Some(y)) = (narrow(&args[0]), narrow(&args[1]), IntArg::new(&args[0]), IntArg::new(&args[1])) {
        let (x, y) = (x.to_i64(rows), y.to_i64(rows));
        let values = x.iter().zip(y.iter()).map(|(&a, &b)| f(i128::from(a), i128::from(b)) as i64).collect();
        return Ok(from_i64(&call.result, values, nulls));
    }
    let (x, y) = (integers(&args[0], rows)?, integers(&args[1], rows)?);
    Ok(from_i128(&call.result, x.iter().zip(&y).map(|(&a, &b)| f(a, b)).collect(), nulls))
}

fn not(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let values = integers(&args[0], rows)?.iter().map(|v| !v).collect();
    Ok(from_i128(&call.result, values, union_nulls(args)))
}
