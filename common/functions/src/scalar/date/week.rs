//! `week(d[, mode])` and `yearweek(d[, mode])`: MySQL modes 0 to 7.

use common_base::Result;
use common_expr::{
    scalar_fn::{ScalarFunction, ScalarOverload},
    signature::Signature,
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    civil::week_of,
    def::{sig, strict},
    ints::{IntArg, from_i64},
    num::{null_shortcut, union_nulls},
    temporal::TemporalArg,
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let signatures = || -> Vec<Signature> {
        vec![
            sig([T::Datetime], T::Int),
            sig([T::Datetime, T::Int], T::Int),
            sig([T::Date], T::Int),
            sig([T::Date, T::Int], T::Int),
        ]
    };
    vec![
        strict(&["week"], signatures(), |_, c, a, n| weeks(c, a, n, |d, mode| i64::from(week_of(d, mode).1))),
        strict(&["yearweek"], signatures(), |_, c, a, n| {
            weeks(c, a, n, |d, mode| {
                let (year, week) = week_of(d, mode | 2);
                i64::from(year) * 100 + i64::from(week)
            })
        }),
    ]
}

fn weeks(call: &ScalarOverload, args: &[Column], rows: usize, f: impl Fn(i32, u32) -> i64) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let days = TemporalArg::new(&args[0])?.map_days(rows, |d| d);
    let mode = |m: i64| (m & 7) as u32;
    let values = match args.get(1).and_then(IntArg::new) {
        None => days.iter().map(|&d| f(d, 0)).collect(),
        Some(m) => days.iter().zip(m.to_i64(rows).iter()).map(|(&d, &m)| f(d, mode(m))).collect(),
    };
    Ok(from_i64(&call.result, values, union_nulls(args)))
}
