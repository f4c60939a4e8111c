//! `sign(x)`: -1, 0 or 1 as FLOAT.

use common_base::Result;
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{sig, strict},
    num::{F64Arg, from_f64, null_shortcut, union_nulls},
};

/// The row of the function table.
pub fn function() -> ScalarFunction {
    strict(&["sign"], vec![sig([T::Double], T::Float)], sign)
}

fn sign(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let x = F64Arg::new(&args[0], rows)?;
    let values = x.values.iter().map(|&v| f64::from(i8::from(v > 0.0) - i8::from(v < 0.0))).collect();
    Ok(from_f64(&call.result, values, union_nulls(args)))
}
