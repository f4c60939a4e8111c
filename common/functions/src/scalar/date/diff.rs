//! Differences of two moments: `datediff`, `days_diff` and the other `*_diff`, `date_diff(unit, a, b)`, `timediff`.

use std::cmp::Ordering;

use common_base::{Result, bail};
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    civil::{DAY_US, days_in_month, from_days, split},
    def::{sig, strict},
    ints::from_i64,
    num::{from_f64, null_shortcut, union_nulls},
    temporal::TemporalArg,
    text::{TextArg, const_text},
};

macro_rules! rows {
    ($($name:literal => $unit:expr;)+) => {
        vec![$(strict(&[$name], vec![sig([T::Datetime, T::Datetime], T::BigInt)], |_, c, a, n| diff(c, a, n, $unit)),)+]
    };
}

/// The unit of a difference.
#[derive(Clone, Copy)]
enum Unit {
    Months(i64),
    Micros(i64),
}

const UNITS: &str = "day, week, month, year, hour, minute, second, millisecond, quarter";

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let mut all = rows! {
        "years_diff" => Unit::Months(12);
        "quarters_diff" => Unit::Months(3);
        "months_diff" => Unit::Months(1);
        "weeks_diff" => Unit::Micros(7 * DAY_US);
        "days_diff" => Unit::Micros(DAY_US);
        "hours_diff" => Unit::Micros(3_600_000_000);
        "minutes_diff" => Unit::Micros(60_000_000);
        "seconds_diff" => Unit::Micros(1_000_000);
        "milliseconds_diff" => Unit::Micros(1000);
        "microseconds_diff" => Unit::Micros(1);
    };
    all.push(strict(
        &["datediff"],
        vec![sig([T::Datetime, T::Datetime], T::Int), sig([T::Date, T::Date], T::Int)],
        datediff,
    ));
    all.push(strict(&["timediff"], vec![sig([T::Datetime, T::Datetime], T::Time)], timediff));
    all.push(strict(&["date_diff"], vec![sig([T::varchar(), T::Datetime, T::Datetime], T::BigInt)], date_diff));
    all
}

/// Full months from `b` to `a`, toward zero; the last day of a short month counts as any later day.
fn months_between(a: i64, b: i64) -> i64 {
    if a < b {
        return -months_between(b, a);
    }
    let ((da, ta), (db, tb)) = (split(a), split(b));
    let ((ya, ma, day_a), (yb, mb, day_b)) = (from_days(da), from_days(db));
    let months = i64::from(ya - yb) * 12 + i64::from(ma) - i64::from(mb);
    let month_end = day_a == days_in_month(ya, ma);
    let reached = match day_a.cmp(&day_b) {
        // The end of a month counts as its whole last day, unless the other moment is at the end of its month too.
        Ordering::Equal if month_end && day_b < days_in_month(yb, mb) => true,
        Ordering::Less => month_end && ta >= tb,
        Ordering::Equal => ta >= tb,
        Ordering::Greater => true,
    };
    if reached { months } else { months - 1 }
}

fn between(a: i64, b: i64, unit: Unit) -> i64 {
    match unit {
        Unit::Micros(us) => a.wrapping_sub(b) / us,
        Unit::Months(n) => months_between(a, b) / n,
    }
}

fn pair(args: &[Column], rows: usize) -> Result<(Vec<i64>, Vec<i64>)> {
    Ok((TemporalArg::new(&args[0])?.micros(rows), TemporalArg::new(&args[1])?.micros(rows)))
}

fn diff(call: &ScalarOverload, args: &[Column], rows: usize, unit: Unit) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let (a, b) = pair(args, rows)?;
    Ok(from_i64(&call.result, a.iter().zip(&b).map(|(&a, &b)| between(a, b, unit)).collect(), union_nulls(args)))
}

fn datediff(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let (a, b) = (TemporalArg::new(&args[0])?.map_days(rows, |d| d), TemporalArg::new(&args[1])?.map_days(rows, |d| d));
    let values = a.iter().zip(&b).map(|(a, b)| i64::from(a.wrapping_sub(*b))).collect();
    Ok(from_i64(&call.result, values, union_nulls(args)))
}

fn timediff(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let (a, b) = pair(args, rows)?;
    let values = a.iter().zip(&b).map(|(a, b)| (a.wrapping_sub(*b) / 1_000_000) as f64).collect();
    Ok(from_f64(&call.result, values, union_nulls(args)))
}

fn unit_of(text: &[u8]) -> Result<Unit> {
    Ok(match text.to_ascii_lowercase().as_slice() {
        b"year" => Unit::Months(12),
        b"quarter" => Unit::Months(3),
        b"month" => Unit::Months(1),
        b"week" => Unit::Micros(7 * DAY_US),
        b"day" => Unit::Micros(DAY_US),
        b"hour" => Unit::Micros(3_600_000_000),
        b"minute" => Unit::Micros(60_000_000),
        b"second" => Unit::Micros(1_000_000),
        b"millisecond" => Unit::Micros(1000),
        _ => bail!(InvalidArgument, "type column should be one of {UNITS}"),
    })
}

fn date_diff(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    if let Some(unit) = const_text(&args[0]) {
        return diff(call, &args[1..], rows, unit_of(unit)?);
    }
    let (a, b) = pair(&args[1..], rows)?;
    let units = TextArg::new(&args[0]);
    let values = (0..rows)
        .map(|i| match units.get(i) {
            Some(unit) => Ok(between(a[i], b[i], unit_of(unit)?)),
            None => Ok(0),
        })
        .collect::<Result<_>>()?;
    Ok(from_i64(&call.result, values, union_nulls(args)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::civil::to_days;

    #[test]
    fn full_units() {
        let at = |y, m, d| i64::from(to_days(y, m, d)) * DAY_US;
        assert_eq!(months_between(at(2003, 5, 1), at(2003, 2, 1)), 3);
        assert_eq!(months_between(at(2003, 4, 30), at(2003, 2, 1) + 1), 2);
        assert_eq!(months_between(at(2003, 2, 1), at(2003, 5, 1)), -3);
        assert_eq!(months_between(at(2017, 2, 28), at(2016, 2, 28) + 1), 12);
        assert_eq!(months_between(at(2016, 6, 30), at(2016, 4, 30) + 1), 1);
        assert_eq!(between(at(2025, 2, 28), at(2024, 2, 29), Unit::Months(12)), 1);
        assert_eq!(between(at(2020, 1, 8), at(2020, 1, 1) + 1, Unit::Micros(7 * DAY_US)), 0);
    }
}
