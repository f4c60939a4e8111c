//! Anything → FLOAT, DOUBLE.

use common_base::{Result, bail};
use common_types::{Column, LogicalType, date, datetime, decimal, for_ints};

use super::{build, to_int::time_number, to_json};

use LogicalType as T;

pub(super) fn cast(input: &Column, to: &LogicalType) -> Result<Column> {
    let from = input.ty();
    if let Some(view) = input.ints_i64() {
        return Ok(for_ints!(view, s => match from {
            T::Date => build::floats(input, to, |row| Some(date::to_number(s[row] as i32) as f64)),
            T::Datetime => build::floats(input, to, |row| Some(datetime::to_number(s[row] as i64) as f64)),
            T::Decimal { scale, .. } if *scale > 0 => {
                // Exact operands give the correctly rounded quotient.
                let exact = *scale <= 22 && input.bounds().or_else(|| input.scan_bounds()).is_none_or(|b| b.min >= -(1 << 53) && b.max <= 1 << 53);
                if exact {
                    let divisor = decimal::POW10[*scale as usize] as f64;
                    build::float_column(s.iter().map(|v| *v as f64 / divisor).collect(), input.nulls(), to)
                } else {
                    build::floats(input, to, |row| Some(decimal::to_f64(i128::from(s[row]), *scale)))
                }
            }
            _ => build::float_column(s.iter().map(|v| *v as f64).collect(), input.nulls(), to),
        }));
    }
    if let Some(values) = input.ints_i128() {
        let scale = from.scale();
        return Ok(match scale {
            0 => build::floats(input, to, |row| Some(values[row] as f64)),
            _ => build::floats(input, to, |row| Some(decimal::to_f64(values[row], scale))),
        });
    }
    if let Some(values) = input.ints_i256() {
        return Ok(build::floats(input, to, |row| Some(decimal::to_f64_256(values[row], from.scale()))));
    }
    if let Some(view) = input.floats() {
        return Ok(match from {
            T::Time => build::floats(input, to, |row| Some(time_number(view.get(row)) as f64)),
            _ => build::floats(input, to, |row| Some(view.get(row))),
        });
    }
    if let Some(bits) = input.bools() {
        return Ok(build::floats(input, to, |row| Some(f64::from(u8::from(bits.value(row))))));
    }
    if *from == T::Json {
        return Ok(build::floats(input, to, |row| Some(to_json::number_of(input, row)?.to_f64())));
    }
    if let Some(view) = input.str_view() {
        return Ok(build::floats(input, to, |row| parse_f64(view.get(row))));
    }
    bail!(NotSupported, "Invalid type cast from {from} to {to}.")
}

/// A finite number: sign, digits, point, exponent; nothing else.
pub(super) fn parse_f64(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    if !text.iter().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    let v: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    v.is_finite().then_some(v)
}
