//! Anything → DECIMAL. Only overflow of the physical integer loses a value; scale reduction rounds half away from zero.

use arrow::datatypes::i256;
use common_base::{Result, bail};
use common_types::{
    Bounds, Column, DecimalWidth, FloatView, IntView, LogicalType, date, datetime,
    decimal::{self, POW10},
    for_ints,
};

use super::{build, to_int::time_number, to_json};

use LogicalType as T;

pub(super) fn cast(input: &Column, to: &LogicalType, scale: i8) -> Result<Column> {
    let from = input.ty();
    let huge = matches!(to, T::Decimal { width: DecimalWidth::W256, .. });
    if let Some(view) = input.ints_i64() {
        let number = |row: usize| match from {
            T::Date => date::to_number(view.get(row) as i32),
            T::Datetime => datetime::to_number(view.get(row)),
            _ => view.get(row),
        };
        let from_scale = from.scale();
        if huge {
            return Ok(build::huge_ints(input, to, |row| {
                decimal::rescale_i256(i256::from_i128(i128::from(number(row))), from_scale, scale)
            }));
        }
        if matches!(from, T::Date | T::Datetime) {
            return Ok(build::any_ints(input, to, |row| decimal::rescale_i128(i128::from(number(row)), 0, scale)));
        }
        return Ok(from_ints(input, view, to, from_scale, scale));
    }
    let from_scale = from.scale();
    if let Some(values) = input.ints_i128() {
        return Ok(match huge {
            true => build::huge_ints(input, to, |row| decimal::rescale_i256(i256::from_i128(values[row]), from_scale, scale)),
            false => build::any_ints(input, to, |row| decimal::rescale_i128(values[row], from_scale, scale)),
        });
    }
    if let Some(values) = input.ints_i256() {
        return Ok(match huge {
            true => build::huge_ints(input, to, |row| decimal::rescale_i256(values[row], from_scale, scale)),
            false => build::any_ints(input, to, |row| decimal::rescale_i256(values[row], from_scale, scale)?.to_i128()),
        });
    }
    if let Some(view) = input.floats() {
        let number = |row: usize| match from {
            T::Time => time_number(view.get(row)) as f64,
            _ => view.get(row),
        };
        // A FLOAT means the decimal it prints as, not the binary fraction behind it.
        let single = matches!(view, FloatView::F32(_));
        let parse = |row: usize| -> Option<i128> {
            let v = number(row);
            if single && v.abs() < 1e15 { decimal::parse_i128((v as f32).to_string().as_bytes(), scale) } else { decimal::from_f64(v, scale) }
        };
        return Ok(match huge {
            true => build::huge_ints(input, to, |row| {
                let v = number(row);
                if v.is_finite() { decimal::parse_i256(v.to_string().as_bytes(), scale) } else { None }
            }),
            false => build::any_ints(input, to, parse),
        });
    }
    if let Some(bits) = input.bools() {
        let value = |row: usize| i128::from(bits.value(row));
        return Ok(match huge {
            true => build::huge_ints(input, to, |row| decimal::rescale_i256(i256::from_i128(value(row)), 0, scale)),
            false => build::any_ints(input, to, |row| decimal::rescale_i128(value(row), 0, scale)),
        });
    }
    if *from == T::Json {
        let text = |row: usize| Some(to_json::number_of(input, row)?.to_text());
        return Ok(match huge {
            true => build::huge_ints(input, to, |row| decimal::parse_i256(&text(row)?, scale)),
            false => build::any_ints(input, to, |row| decimal::parse_i128(&text(row)?, scale)),
        });
    }
    if let Some(view) = input.str_view() {
        return Ok(match huge {
            true => build::huge_ints(input, to, |row| decimal::parse_i256(view.get(row), scale)),
            false => build::any_ints(input, to, |row| decimal::parse_i128(view.get(row), scale)),
        });
    }
    bail!(NotSupported, "Invalid type cast from {from} to {to}.")
}

/// Integers and decimals of at most 64 bits: by bounds in one unchecked pass, else value by value.
fn from_ints(input: &Column, view: IntView<'_>, to: &LogicalType, from_scale: i8, scale: i8) -> Column {
    let delta = i32::from(scale) - i32::from(from_scale);
    let factor = POW10[delta.unsigned_abs() as usize];
    let range = build::physical_range(to);
    let within = |b: Bounds| range.contains(b.min) && range.contains(b.max);
    if let (Some(bounds), Ok(factor)) = (input.bounds().or_else(|| input.scan_bounds()), i64::try_from(factor)) {
        if delta == 0 && within(bounds) {
            return Column::narrow(build::plain_ints(input, view), bounds, to.clone());
        }
        if delta > 0
            && let (Some(min), Some(max)) = (bounds.min.checked_mul(factor), bounds.max.checked_mul(factor))
            && within(Bounds::new(min, max))
        {
            return build::mapped_ints(input, view, to, Bounds::new(min, max), |v| v.wrapping_mul(factor));
        }
        if delta < 0 {
            let round = |v: i64| div_round(v, factor);
            let (min, max) = (round(bounds.min), round(bounds.max));
            if within(Bounds::new(min, max)) {
                return build::mapped_ints(input, view, to, Bounds::new(min, max), round);
            }
        }
    }
    for_ints!(view, values => build::any_ints(input, to, |row| decimal::rescale_i128(i128::from(values[row]), from_scale, scale)))
}

/// Quotient rounded half away from zero; the divisor is a power of ten above one.
fn div_round(v: i64, factor: i64) -> i64 {
    let (q, r) = (v / factor, v % factor);
    q + if r.abs() * 2 >= factor { v.signum() } else { 0 }
}
