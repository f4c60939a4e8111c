//! `sleep(n)`: waits n seconds, then TRUE. The wait is asked for: whoever evaluates it lets the time pass without holding a thread.

use std::time::Duration;

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

fn sleep(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let seconds = IntArg::new(&args[0]).expect("an INT");
    let wait = |(row, s): (usize, &i64)| if args[0].is_null(row) { 0 } else { u64::try_from(*s).unwrap_or(0) };
    let total = seconds.to_i64(rows).iter().enumerate().map(wait).fold(0, u64::saturating_add);
    ctx.pauses.ask(Duration::from_secs(total));
    Ok(Column::constant(Scalar::Boolean(true), call.result.clone(), rows))
}

#[cfg(test)]
mod tests {
    use common_types::Scalar;

    use super::*;
    use crate::testkit::context;

    #[test]
    fn the_wait_of_all_rows_is_asked_for() {
        let ctx = context();
        let call = crate::registry().scalar("sleep", &[T::Int]).expect("sleep");
        let column = |v: Scalar| Column::constant(v, T::Int, 3);
        let slept = sleep(&ctx, &call, &[column(Scalar::Int(2))], 3).expect("a column");
        assert_eq!(slept.scalar(2), Scalar::Boolean(true));
        assert_eq!(ctx.pauses.take(), Some(Duration::from_secs(6)));
        assert_eq!(ctx.pauses.take(), None);
        sleep(&ctx, &call, &[column(Scalar::Int(-1))], 3).expect("a column");
        assert_eq!(ctx.pauses.take(), Some(Duration::ZERO));
    }
}
