//! `date_trunc(unit, x)`: the start of the unit a moment lies in.

use common_base::{Result, bail};
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    civil::{DAY_US, HOUR_TICKS, MINUTE_TICKS, SECOND_TICKS, from_days, split, to_days, weekday},
    def::{sig, strict},
    ints::narrow,
    num::{null_shortcut, union_nulls},
    temporal::{TemporalArg, dates, datetimes},
    text::{TextArg, const_text},
};

/// The row of the function table.
pub fn function() -> ScalarFunction {
    let signatures = vec![sig([T::varchar(), T::Datetime], T::Datetime), sig([T::varchar(), T::Date], T::Date)];
    strict(&["date_trunc"], signatures, date_trunc)
}

#[derive(Clone, Copy)]
enum Unit {
    Year,
    Quarter,
    Month,
    Week,
    /// Whole microseconds; a day at most.
    Micros(i64),
}

fn unit_of(text: &[u8], is_date: bool) -> Result<Unit> {
    Ok(match text.to_ascii_lowercase().as_slice() {
        b"year" => Unit::Year,
        b"quarter" => Unit::Quarter,
        b"month" => Unit::Month,
        b"week" => Unit::Week,
        b"day" => Unit::Micros(DAY_US),
        b"hour" if !is_date => Unit::Micros(3_600_000_000),
        b"minute" if !is_date => Unit::Micros(60_000_000),
        b"second" if !is_date => Unit::Micros(1_000_000),
        b"millisecond" if !is_date => Unit::Micros(1000),
        b"microsecond" if !is_date => Unit::Micros(1),
        _ if is_date => bail!(Analysis, "date_trunc function can't support argument other than year|quarter|month|week|day"),
        _ => bail!(
            Analysis,
            "date_trunc function can't support argument other than year|quarter|month|week|day|hour|minute|second|millisecond|microsecond"
        ),
    })
}

#[inline(always)]
fn start_of_day_unit(days: i32, unit: Unit) -> i32 {
    match unit {
        Unit::Year => to_days(from_days(days).0, 1, 1),
        Unit::Quarter => {
            let (y, m, _) = from_days(days);
            to_days(y, (m - 1) / 3 * 3 + 1, 1)
        }
        Unit::Month => days - (from_days(days).2 as i32 - 1),
        Unit::Week => days - weekday(days) as i32,
        Unit::Micros(_) => days,
    }
}

#[inline(always)]
fn floor_in_day(us: i64, floor: impl Fn(u32) -> i64) -> i64 {
    let (_, of_day) = split(us);
    us - of_day + floor((of_day >> 6) as u32)
}

fn date_trunc(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let nulls = union_nulls(args);
    let is_date = call.result == T::Date;
    let arg = TemporalArg::new(&args[1])?;
    let Some(unit) = const_text(&args[0]) else {
        let units = TextArg::new(&args[0]);
        let us = arg.micros(rows);
        let mut out = Vec::with_capacity(rows);
        for (i, &us) in us.iter().enumerate() {
            let unit = units.get(i).map_or(Ok(Unit::Week), |u| unit_of(u, is_date))?;
            let (days, of_day) = split(us);
            out.push(Some(match unit {
                Unit::Micros(n) if !is_date => us - of_day % n,
                _ => i64::from(start_of_day_unit(days, unit)) * if is_date { 1 } else { DAY_US },
            }));
        }
        return Ok(if is_date { dates(out, nulls) } else { datetimes(out, nulls) });
    };
    let unit = unit_of(unit, is_date)?;
    let (from, to) = arg.day_bounds();
    let (from, to) = (start_of_day_unit(from, unit), start_of_day_unit(to, unit));
    if is_date {
        // The first days of year 0 may truncate below the calendar only for weeks; those rows are kept in range by the check.
        let values = match unit {
            Unit::Year => arg.map_days(rows, |d| start_of_day_unit(d, Unit::Year)),
            Unit::Quarter => arg.map_days(rows, |d| start_of_day_unit(d, Unit::Quarter)),
            Unit::Month => arg.map_days(rows, |d| start_of_day_unit(d, Unit::Month)),
            Unit::Week => arg.map_days(rows, |d| start_of_day_unit(d, Unit::Week)),
            Unit::Micros(_) => arg.map_days(rows, |d| d),
        };
        return Ok(narrow(&call.result, values, nulls, from.into(), to.into()));
    }
    let us = |d: i32| i64::from(d) * DAY_US;
    let values = match unit {
        Unit::Year => arg.map_days(rows, |d| us(start_of_day_unit(d, Unit::Year))),
        Unit::Quarter => arg.map_days(rows, |d| us(start_of_day_unit(d, Unit::Quarter))),
        Unit::Month => arg.map_days(rows, |d| us(start_of_day_unit(d, Unit::Month))),
        Unit::Week => arg.map_days(rows, |d| us(start_of_day_unit(d, Unit::Week))),
        Unit::Micros(DAY_US) => arg.map_days(rows, us),
        Unit::Micros(n @ 3_600_000_000) => arg.map_us(rows, |v| floor_in_day(v, |t| i64::from(t / HOUR_TICKS) * n)),
        Unit::Micros(n @ 60_000_000) => arg.map_us(rows, |v| floor_in_day(v, |t| i64::from(t / MINUTE_TICKS) * n)),
        Unit::Micros(n @ 1_000_000) => arg.map_us(rows, |v| floor_in_day(v, |t| i64::from(t / SECOND_TICKS) * n)),
        Unit::Micros(n) => arg.map_us(rows, |v| v - v.rem_euclid(n)),
    };
    Ok(narrow(&call.result, values, nulls, us(from), us(to) + DAY_US - 1))
}
