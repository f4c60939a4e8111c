//! `years_add` … `microseconds_sub`, `date_add` and friends: a moment moved by a number of units.

use common_base::Result;
use common_expr::scalar_fn::{ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    civil::{DAY_US, MAX_MICROS, MIN_MICROS, add_months, split},
    def::{partial, sig},
    ints::{IntArg, Ints, narrow},
    num::{null_shortcut, union_nulls},
    temporal::{TemporalArg, datetimes},
};

/// How long a unit is.
#[derive(Clone, Copy)]
pub enum Step {
    Months(i64),
    Micros(i64),
}

/// The step of a unit name (`year`, `millisecond`, …).
pub fn step_of(unit: &str) -> Option<Step> {
    Some(match unit {
        "year" => Step::Months(12),
        "quarter" => Step::Months(3),
        "month" => Step::Months(1),
        "week" => Step::Micros(7 * DAY_US),
        "day" => Step::Micros(DAY_US),
        "hour" => Step::Micros(3_600_000_000),
        "minute" => Step::Micros(60_000_000),
        "second" => Step::Micros(1_000_000),
        "millisecond" => Step::Micros(1000),
        "microsecond" => Step::Micros(1),
        _ => return None,
    })
}

macro_rules! rows {
    ($($add:expr, $sub:expr => $step:expr;)+) => {
        vec![$(
            partial($add, signatures(), |_, c, a, n| moved(c, a, n, $step, 1)),
            partial($sub, signatures(), |_, c, a, n| moved(c, a, n, $step, -1)),
        )+]
    };
}

fn signatures() -> Vec<common_expr::signature::Signature> {
    vec![sig([T::Datetime, T::Int], T::Datetime)]
}

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    rows! {
        &["years_add"], &["years_sub"] => Step::Months(12);
        &["quarters_add"], &["quarters_sub"] => Step::Months(3);
        &["months_add", "add_months"], &["months_sub"] => Step::Months(1);
        &["weeks_add"], &["weeks_sub"] => Step::Micros(7 * DAY_US);
        &["days_add", "date_add", "adddate"], &["days_sub", "date_sub", "subdate"] => Step::Micros(DAY_US);
        &["hours_add"], &["hours_sub"] => Step::Micros(3_600_000_000);
        &["minutes_add"], &["minutes_sub"] => Step::Micros(60_000_000);
        &["seconds_add"], &["seconds_sub"] => Step::Micros(1_000_000);
        &["milliseconds_add"], &["milliseconds_sub"] => Step::Micros(1000);
        &["microseconds_add"], &["microseconds_sub"] => Step::Micros(1);
    }
}

/// One moment moved by `n` steps; `None` when the calendar ends.
pub fn shift(us: i64, n: i64, step: Step) -> Option<i64> {
    match step {
        Step::Micros(unit) => us.checked_add(n.checked_mul(unit)?),
        Step::Months(unit) => {
            let (days, of_day) = split(us);
            Some(i64::from(add_months(days, n.checked_mul(unit)?)?) * DAY_US + of_day)
        }
    }
}

fn moved(call: &ScalarOverload, args: &[Column], rows: usize, step: Step, sign: i64) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let arg = TemporalArg::new(&args[0])?;
    let count = IntArg::new(&args[1]).expect("an INT argument");
    let nulls = union_nulls(args);
    // A constant distance whose result provably stays in range needs no check.
    if let (Ints::Const(n), Step::Micros(unit)) = (&count.values, step) {
        let delta = (*n as i64).saturating_mul(unit).saturating_mul(sign);
        let (from, to) = arg.day_bounds();
        let least = (i64::from(from) * DAY_US).saturating_add(delta);
        let most = (i64::from(to) * DAY_US + DAY_US - 1).saturating_add(delta);
        if least >= MIN_MICROS && most <= MAX_MICROS {
            return Ok(narrow(&call.result, arg.map_us(rows, |us| us.wrapping_add(delta)), nulls, least, most));
        }
    }
    let n = count.to_i64(rows);
    let values = arg.micros(rows).iter().zip(n.iter()).map(|(&us, &n)| shift(us, sign * n, step)).collect();
    Ok(datetimes(values, nulls))
}
