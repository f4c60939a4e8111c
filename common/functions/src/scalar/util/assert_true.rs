//! `assert_true(b[, message])`: TRUE, or the whole query fails.

use common_base::{Result, bail};
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T, Scalar};

use crate::kernels::{
    def::{never_null, sig, volatile},
    ints::IntArg,
    text::TextArg,
};

/// The row of the function table.
pub fn function() -> ScalarFunction {
    let signatures = vec![sig([T::Boolean], T::Boolean), sig([T::Boolean, T::varchar()], T::Boolean)];
    volatile(never_null(&["assert_true"], signatures, assert_true))
}

fn assert_true(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let message = args.get(1).map(TextArg::new);
    let values = IntArg::new(&args[0]).map(|a| a.to_i64(rows).into_owned());
    for i in 0..rows {
        let custom = message.as_ref().and_then(|m| m.get(i)).map(|m| String::from_utf8_lossy(m).into_owned());
        if args[0].is_null(i) {
            bail!(InvalidArgument, "{}", custom.as_deref().unwrap_or("assert_true failed due to null value"));
        }
        if values.as_ref().is_some_and(|v| v[i] == 0) {
            bail!(InvalidArgument, "{}", custom.as_deref().unwrap_or("assert_true failed due to false value"));
        }
    }
    Ok(Column::constant(Scalar::Boolean(true), call.result.clone(), rows))
}
