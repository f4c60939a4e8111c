//! Anything → DATE, DATETIME, TIME.

use common_base::{Result, bail};
use common_types::{
    Bounds, Column, LogicalType, date,
    datetime::{self, MICROS_PER_DAY, MICROS_PER_SECOND},
    decimal, for_ints,
};

use super::{build, to_json};
use crate::scalar_fn::EvalContext;

use LogicalType as T;

pub(super) fn cast_date(ctx: &EvalContext, input: &Column) -> Result<Column> {
    let to = T::Date;
    if let (T::Datetime, Some(view)) = (input.ty(), input.ints_i64()) {
        let (low, high) = match input.bounds().or_else(|| input.scan_bounds()) {
            Some(b) => (datetime::date_of(b.min), datetime::date_of(b.max)),
            None => return Ok(Column::null(to, input.len())),
        };
        let bounds = Bounds::new(i64::from(low), i64::from(high));
        return Ok(build::mapped_ints(input, view, &to, bounds, |v| i64::from(datetime::date_of(v))));
    }
    if *input.ty() == T::Time {
        let today = i64::from(today(ctx));
        return Ok(build::ints(input, &to, |_| Some(today)));
    }
    if *input.ty() == T::Json {
        return Ok(build::ints(input, &to, |row| date::parse_lenient(&to_json::string_of(input, row)?).map(i64::from)));
    }
    if let Some(number) = whole_numbers(input) {
        return Ok(build::ints(input, &to, |row| date::from_number(number(row)?).map(i64::from)));
    }
    if let Some(view) = input.str_view() {
        return Ok(build::ints(input, &to, |row| date::parse_lenient(view.get(row)).map(i64::from)));
    }
    bail!(NotSupported, "Invalid type cast from {} to date.", input.ty())
}

pub(super) fn cast_datetime(ctx: &EvalContext, input: &Column) -> Result<Column> {
    let to = T::Datetime;
    if let (T::Date, Some(view)) = (input.ty(), input.ints_i64()) {
        let Some(b) = input.scan_bounds() else { return Ok(Column::null(to, input.len())) };
        let bounds = Bounds::new(b.min * MICROS_PER_DAY, b.max * MICROS_PER_DAY);
        return Ok(build::mapped_ints(input, view, &to, bounds, |v| v.wrapping_mul(MICROS_PER_DAY)));
    }
    if let (T::Time, Some(view)) = (input.ty(), input.floats()) {
        let midnight = datetime::from_date(today(ctx));
        return Ok(build::ints(input, &to, |row| {
            let micros = (view.get(row) * MICROS_PER_SECOND as f64).round() as i64;
            Some(midnight + micros).filter(|v| datetime::in_range(*v))
        }));
    }
    if *input.ty() == T::Json {
        return Ok(build::ints(input, &to, |row| datetime::parse_lenient(&to_json::string_of(input, row)?)));
    }
    if let Some(number) = whole_numbers(input) {
        return Ok(build::ints(input, &to, |row| datetime::from_number(number(row)?)));
    }
    if let Some(view) = input.str_view() {
        return Ok(build::ints(input, &to, |row| datetime::parse_lenient(view.get(row))));
    }
    bail!(NotSupported, "Invalid type cast from {} to datetime.", input.ty())
}

pub(super) fn cast_time(input: &Column) -> Result<Column> {
    let to = T::Time;
    match (input.ty(), input.ints_i64()) {
        (T::Date, _) => return Ok(build::floats(input, &to, |_| Some(0.0))),
        (T::Datetime, Some(view)) => {
            return Ok(build::floats(input, &to, |row| {
                Some((view.get(row).rem_euclid(MICROS_PER_DAY) / MICROS_PER_SECOND) as f64)
            }));
        }
        _ => {}
    }
    if *input.ty() == T::Json {
        return Ok(build::floats(input, &to, |row| datetime::parse_time(&to_json::string_of(input, row)?)));
    }
    if let Some(number) = whole_numbers(input) {
        return Ok(build::floats(input, &to, |row| datetime::time_from_number(number(row)?)));
    }
    if let Some(view) = input.str_view() {
        return Ok(build::floats(input, &to, |row| datetime::parse_time(view.get(row))));
    }
    bail!(NotSupported, "Invalid type cast from {} to time.", input.ty())
}

/// The whole part of a number column's rows; `None` for other types.
fn whole_numbers(input: &Column) -> Option<Box<dyn Fn(usize) -> Option<i64> + '_>> {
    let scale = input.ty().scale();
    if let Some(view) = input.ints_i64() {
        return Some(Box::new(move |row| for_ints!(view, s => i64::try_from(decimal::trunc_to_int(i128::from(s[row]), scale)).ok())));
    }
    if let Some(values) = input.ints_i128() {
        return Some(Box::new(move |row| i64::try_from(decimal::trunc_to_int(values[row], scale)).ok()));
    }
    if let Some(values) = input.ints_i256() {
        let factor = decimal::pow10_i256(scale.max(0) as u32);
        return Some(Box::new(move |row| i64::try_from(values[row].checked_div(factor?)?.to_i128()?).ok()));
    }
    if let Some(bits) = input.bools() {
        return Some(Box::new(move |row| Some(i64::from(bits.value(row)))));
    }
    let view = input.floats()?;
    Some(Box::new(move |row| {
        let v = view.get(row);
        (v.abs() < 1e18).then_some(v as i64)
    }))
}

/// The statement's date in the session's zone.
fn today(ctx: &EvalContext) -> i32 {
    let local = ctx.now_us + offset_seconds(&ctx.time_zone, ctx.now_us) * MICROS_PER_SECOND;
    datetime::date_of(local)
}

/// Seconds east of UTC of a zone at a moment; 0 for unknown names, which the session refused long ago.
fn offset_seconds(zone: &str, now_us: i64) -> i64 {
    if let Some(rest) = zone.strip_prefix(['+', '-'])
        && let Some((h, m)) = rest.split_once(':')
        && let (Ok(h), Ok(m)) = (h.parse::<i64>(), m.parse::<i64>())
    {
        let seconds = h * 3600 + m * 60;
        return if zone.starts_with('-') { -seconds } else { seconds };
    }
    let name = if zone == "CST" { "Asia/Shanghai" } else { zone };
    match (jiff::tz::TimeZone::get(name), jiff::Timestamp::from_microsecond(now_us)) {
        (Ok(zone), Ok(moment)) => i64::from(zone.to_offset(moment).seconds()),
        _ => 0,
    }
}
