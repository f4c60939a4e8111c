//! `session_number(x, gap)`: grows by one whenever the ordered values are further apart than the gap.

use common_base::Result;
use common_expr::window_fn::{WindowFunction, WindowOverload, WindowPartition};
use common_types::{Column, LogicalType as T};

use super::ranked;
use crate::kernels::{
    def::sig,
    ints::{IntArg, from_i64},
};

/// The row of the function table.
pub fn function() -> WindowFunction {
    let signatures = [T::BigInt, T::Int, T::Datetime, T::Date].into_iter().map(|t| sig([t, T::Int], T::BigInt)).collect();
    ranked(&["session_number"], signatures, session_number)
}

fn session_number(_: &WindowOverload, p: &WindowPartition<'_>) -> Result<Column> {
    let (Some(x), Some(gap)) = (IntArg::new(&p.args[0]), IntArg::new(&p.args[1])) else {
        return Ok(Column::null(T::BigInt, p.rows));
    };
    let unit = if *p.args[0].ty() == T::Datetime { 1_000_000 } else { 1 };
    let (x, gap) = (x.to_i64(p.rows), gap.to_i64(p.rows));
    let nulls = p.args[0].nulls();
    let mut session = 0;
    let mut last: Option<i64> = None;
    let numbers = (0..p.rows)
        .map(|i| {
            if nulls.as_ref().is_none_or(|n| n.is_valid(i)) {
                session += i64::from(last.is_some_and(|l| x[i].wrapping_sub(l) > gap[i].saturating_mul(unit)));
                last = Some(x[i]);
            }
            session
        })
        .collect();
    Ok(from_i64(&T::BigInt, numbers, nulls))
}
