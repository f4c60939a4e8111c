//! Anything → TINYINT … LARGEINT.

use common_base::{Result, bail};
use common_types::{Column, IntView, LogicalType, date, datetime, decimal::POW10, for_ints};

use super::{build, to_json};

use LogicalType as T;

pub(super) fn cast(input: &Column, to: &LogicalType) -> Result<Column> {
    let from = input.ty();
    if let Some(view) = input.ints_i64() {
        return Ok(match from {
            T::Date => for_ints!(view, s => dates(input, to, |row| date::to_number(s[row] as i32))),
            T::Datetime => for_ints!(view, s => dates(input, to, |row| datetime::to_number(s[row] as i64))),
            T::Decimal { scale, .. } => from_decimal(input, view, to, *scale),
            _ => from_ints(input, view, to),
        });
    }
    if let Some(values) = input.ints_i128() {
        let factor = POW10[from.scale().max(0) as usize];
        return Ok(build::any_ints(input, to, |row| Some(values[row] / factor)));
    }
    if let Some(values) = input.ints_i256() {
        let factor = common_types::decimal::pow10_i256(from.scale().max(0) as u32);
        return Ok(build::any_ints(input, to, |row| values[row].checked_div(factor?)?.to_i128()));
    }
    if *from == T::Time {
        let Some(view) = input.floats() else { bail!(Internal, "TIME column without values") };
        return Ok(build::ints(input, to, |row| Some(time_number(view.get(row)))));
    }
    if let Some(view) = input.floats() {
        return Ok(match to {
            T::LargeInt => build::wide_ints(input, to, |row| {
                let v = view.get(row).trunc();
                (v.abs() < 1.701_411_834_604_692_3e38).then_some(v as i128)
            }),
            // 2^63 itself is the first double that does not fit.
            _ => build::ints(input, to, |row| {
                let v = view.get(row).trunc();
                (-9.223_372_036_854_775_8e18..9.223_372_036_854_775_8e18).contains(&v).then_some(v as i64)
            }),
        });
    }
    if let Some(bits) = input.bools() {
        return Ok(build::ints(input, to, |row| Some(i64::from(bits.value(row)))));
    }
    if *from == T::Json {
        return Ok(build::any_ints(input, to, |row| to_json::number_of(input, row)?.to_i128()));
    }
    if let Some(view) = input.str_view() {
        return Ok(match to {
            T::LargeInt => build::wide_ints(input, to, |row| parse_i128(view.get(row))),
            _ => build::ints(input, to, |row| parse_i64(view.get(row))),
        });
    }
    bail!(NotSupported, "Invalid type cast from {from} to {to}.")
}

/// Dates as numbers; narrow targets wrap.
fn dates(input: &Column, to: &LogicalType, number: impl Fn(usize) -> i64) -> Column {
    build::ints(input, to, |row| {
        let v = number(row);
        Some(match to {
            T::TinyInt => i64::from(v as i8),
            T::SmallInt => i64::from(v as i16),
            T::Int => i64::from(v as i32),
            _ => v,
        })
    })
}

fn from_ints(input: &Column, view: IntView<'_>, to: &LogicalType) -> Column {
    let range = build::physical_range(to);
    if let Some(bounds) = input.bounds().or_else(|| input.scan_bounds())
        && range.contains(bounds.min)
        && range.contains(bounds.max)
    {
        return Column::narrow(build::plain_ints(input, view), bounds, to.clone());
    }
    for_ints!(view, values => build::ints(input, to, |row| Some(i64::from(values[row]))))
}

fn from_decimal(input: &Column, view: IntView<'_>, to: &LogicalType, scale: i8) -> Column {
    let Ok(factor) = i64::try_from(POW10[scale.max(0) as usize]) else {
        // A 64-bit value divided by more than 10^18 leaves nothing.
        return build::ints(input, to, |_| Some(0));
    };
    for_ints!(view, values => build::ints(input, to, |row| Some(i64::from(values[row]) / factor)))
}

/// hhmmss of TIME seconds.
pub(super) fn time_number(seconds: f64) -> i64 {
    let whole = seconds.trunc() as i64;
    let (h, m, s) = (whole / 3600, whole / 60 % 60, whole % 60);
    h * 10_000 + m * 100 + s
}

/// `[sign]digits` between spaces, within 64 bits.
#[inline]
pub(super) fn parse_i64(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii();
    let (negative, digits) = sign(text)?;
    if digits.len() <= 18 {
        let mut v = 0i64;
        for b in digits {
            let d = b.wrapping_sub(b'0');
            if d > 9 {
                return None;
            }
            v = v * 10 + i64::from(d);
        }
        return Some(if negative { -v } else { v });
    }
    i64::try_from(parse_i128(text)?).ok()
}

/// `[sign]digits` between spaces, within 128 bits.
pub(super) fn parse_i128(text: &[u8]) -> Option<i128> {
    let (negative, digits) = sign(text.trim_ascii())?;
    let mut v = 0i128;
    for b in digits {
        let d = b.wrapping_sub(b'0');
        if d > 9 {
            return None;
        }
        v = v.checked_mul(10)?.checked_sub(i128::from(d))?;
    }
    if negative { Some(v) } else { v.checked_neg() }
}

fn sign(text: &[u8]) -> Option<(bool, &[u8])> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    (!digits.is_empty()).then_some((negative, digits))
}
