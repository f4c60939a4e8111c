//! `sleep(n)`: waits n seconds, then TRUE.

use std::{thread, time::Duration};

use common_base::Result;
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T, Scalar};

use crate::kernels::{
    def::{sig, strict, volatile},
    ints::IntArg,
    num::null_shortcut,
};

/// The row of the function table.
pub fn function() -> ScalarFunction {
    volatile(strict(&["sleep"], vec![sig([T::Int], T::Boolean)], sleep))
}

fn sleep(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let seconds = IntArg::new(&args[0]).expect("an INT");
    let total: i64 = seconds.to_i64(rows).iter().enumerate().filter(|(i, _)| !args[0].is_null(*i)).map(|(_, s)| (*s).max(0)).sum();
    #[expect(clippy::disallowed_methods, reason = "waiting is what the function is for")]
    thread::sleep(Duration::from_secs(total as u64));
    Ok(Column::constant(Scalar::Boolean(true), call.result.clone(), rows))
}
