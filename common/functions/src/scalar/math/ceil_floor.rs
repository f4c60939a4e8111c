//! `ceil(x)` and `floor(x)`: BIGINT always; what does not fit is NULL.

use arrow::buffer::NullBuffer;
use common_base::Result;
use common_expr::scalar_fn::{ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{partial, sig},
    ints::from_i64,
    num::{F64Arg, null_shortcut, union_nulls},
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let one = || vec![sig([T::Double], T::BigInt)];
    vec![
        partial(&["ceil", "ceiling", "dceil"], one(), |_, c, a, n| to_bigint(c, a, n, f64::ceil)),
        partial(&["floor", "dfloor"], one(), |_, c, a, n| to_bigint(c, a, n, f64::floor)),
    ]
}

/// A double function whose result is cut to BIGINT; out of range is NULL.
pub fn to_bigint(call: &ScalarOverload, args: &[Column], rows: usize, f: impl Fn(f64) -> f64) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let x = F64Arg::new(&args[0], rows)?;
    let results: Vec<f64> = x.values.iter().map(|&v| f(v)).collect();
    let fits = |v: &f64| *v >= -9_223_372_036_854_775_808.0 && *v < 9_223_372_036_854_775_808.0;
    let valid = (!results.iter().all(fits)).then(|| NullBuffer::from_iter(results.iter().map(fits)));
    let nulls = NullBuffer::union(x.nulls.as_ref(), valid.as_ref());
    let nulls = NullBuffer::union(nulls.as_ref(), union_nulls(args).as_ref());
    Ok(from_i64(&call.result, results.iter().map(|v| *v as i64).collect(), nulls))
}
