//! Running a scalar kernel under its null rule.

use common_base::{Result, ensure};
use common_types::Column;

use super::nulls::{merged_nulls, with_nulls};
use crate::scalar_fn::{EvalContext, NullRule, ScalarOverload};

/// Evaluates a resolved function over columns of `rows` rows: NULLs propagated by its rule, all-constant arguments computed once.
pub fn run_kernel(ctx: &EvalContext, function: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let kernel = function.function.kernel;
    run_with(function, args, rows, function.is_deterministic(), &mut |args, rows| kernel(ctx, function, args, rows))
}

/// As [`run_kernel`] with any way to compute; `foldable` allows one row to stand for all when every argument is constant.
pub(super) fn run_with(
    function: &ScalarOverload,
    args: &[Column],
    rows: usize,
    foldable: bool,
    kernel: &mut dyn FnMut(&[Column], usize) -> Result<Column>,
) -> Result<Column> {
    let propagate = matches!(function.function.nulls, NullRule::Propagate | NullRule::PropagateStrict);
    if propagate && args.iter().any(|a| a.as_const().is_some_and(|v| v.is_null())) {
        return Ok(Column::null(function.result.clone(), rows));
    }
    if foldable && rows > 1 && !args.is_empty() && args.iter().all(Column::is_const) {
        let first: Vec<Column> = args.iter().map(|a| a.slice(0, 1)).collect();
        let one = kernel(&first, 1)?;
        return Ok(Column::constant(one.scalar(0), function.result.clone(), rows));
    }
    let result = kernel(args, rows)?;
    ensure!(result.len() == rows, Internal, "function {} gave {} rows for {rows}", function.name(), result.len());
    if propagate && let Some(valid) = merged_nulls(args) {
        return with_nulls(result, &valid);
    }
    Ok(result)
}
