//! Literals and their types (types.md §2).

use common_base::{Result, bail, err};
use common_expr::expr::Expr;
use common_types::{DecimalWidth, LogicalType, Scalar, arrow::datatypes::i256};
use fe_parser::ast::sql::{self, DataType, TypedString, Value};

use crate::binder::Binder;

/// Digits before the point beyond which a number with a point becomes DOUBLE.
const MAX_DECIMAL_DIGITS: usize = 76;

/// The digits of a numeric literal.
pub(super) fn number_text(expr: &sql::Expr) -> Option<&str> {
    match expr {
        sql::Expr::Value(v) => match &v.value {
            Value::Number(text, _) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// The negative of a numeric literal.
pub(super) fn negate(value: &Scalar) -> Option<Scalar> {
    Some(match value {
        Scalar::TinyInt(v) => integer(-i128::from(*v)),
        Scalar::SmallInt(v) => integer(-i128::from(*v)),
        Scalar::Int(v) => integer(-i128::from(*v)),
        Scalar::BigInt(v) => integer(-i128::from(*v)),
        Scalar::LargeInt(v) => Scalar::LargeInt(v.checked_neg()?),
        Scalar::Double(v) => Scalar::Double(-v),
        Scalar::Decimal(v, p, s) => Scalar::Decimal(v.checked_neg()?, *p, *s),
        Scalar::Decimal256(v, p, s) => Scalar::Decimal256(v.checked_neg()?, *p, *s),
        _ => return None,
    })
}

/// The narrowest integer that holds a value.
pub(super) fn integer(v: i128) -> Scalar {
    if let Ok(v) = i8::try_from(v) {
        Scalar::TinyInt(v)
    } else if let Ok(v) = i16::try_from(v) {
        Scalar::SmallInt(v)
    } else if let Ok(v) = i32::try_from(v) {
        Scalar::Int(v)
    } else if let Ok(v) = i64::try_from(v) {
        Scalar::BigInt(v)
    } else {
        Scalar::LargeInt(v)
    }
}

impl Binder<'_> {
    pub(super) fn bind_value(&mut self, value: &Value, expr: &sql::Expr) -> Result<Expr> {
        Ok(match value {
            Value::Number(text, _) => return self.number(text, false),
            Value::SingleQuotedString(s) | Value::DoubleQuotedString(s) => Expr::literal(Scalar::string(s)),
            Value::HexStringLiteral(s) => {
                let Some(bytes) = unhex(s) else {
                    bail!(Syntax, "Binary literal can only contain hexadecimal digits and an even number of digits");
                };
                Expr::literal(Scalar::Binary(bytes.into()))
            }
            Value::Boolean(b) => Expr::boolean(*b),
            Value::Null => Expr::null(LogicalType::Null),
            Value::Placeholder(_) => return self.bind_placeholder(expr),
            other => bail!(Analysis, "Unsupported expr '{other}'"),
        })
    }

    /// A numeric literal with its sign.
    pub(super) fn number(&self, text: &str, negative: bool) -> Result<Expr> {
        if text.bytes().all(|b| b.is_ascii_digit()) {
            let digits = text.trim_start_matches('0');
            let signed = if negative { format!("-{digits}") } else { digits.to_owned() };
            if digits.is_empty() {
                return Ok(Expr::literal(Scalar::TinyInt(0)));
            }
            if let Ok(v) = signed.parse::<i128>() {
                return Ok(Expr::literal(integer(v)));
            }
            return wide_decimal(&signed, digits.len(), 0, text);
        }
        let double = || -> Result<Expr> {
            let v: f64 = text.parse().map_err(|_| err!(Syntax, "Numeric overflow {text}"))?;
            Ok(Expr::literal(Scalar::Double(if negative { -v } else { v })))
        };
        if self.ctx.session.eval().sql_mode & crate::names::DOUBLE_LITERAL != 0 {
            return double();
        }
        let Some((digits, scale)) = plain_digits(text) else { return double() };
        let whole = digits.len().saturating_sub(scale);
        if whole.max(scale) > MAX_DECIMAL_DIGITS || whole + scale > MAX_DECIMAL_DIGITS {
            return double();
        }
        let precision = digits.len().max(scale).max(1);
        let signed = if negative { format!("-{digits}") } else { digits };
        match signed.parse::<i128>() {
            Ok(v) if precision <= 38 => Ok(Expr::literal(Scalar::Decimal(v, precision as u8, scale as i8))),
            _ => wide_decimal(&signed, precision, scale, text),
        }
    }

    pub(super) fn bind_typed_string(&self, text: &TypedString) -> Result<Expr> {
        let (Value::SingleQuotedString(s) | Value::DoubleQuotedString(s)) = &text.value.value else {
            bail!(Analysis, "Unsupported expr '{text}'");
        };
        let zone = &self.ctx.session.eval().time_zone;
        match (&text.data_type, strict_date(s, zone)) {
            (_, None) => bail!(Syntax, "Invalid date literal {s}"),
            (DataType::Date, Some(us)) => Ok(Expr::literal(Scalar::Date(us.div_euclid(86_400_000_000) as i32))),
            (_, Some(us)) => Ok(Expr::literal(Scalar::Datetime(us))),
        }
    }
}

/// The strict text form of a date or time, as microseconds since 1970 in the session's zone.
pub(crate) fn strict_date(text: &str, zone: &str) -> Option<i64> {
    let parsed = common_types::datetime::parse_strict(text.as_bytes())?;
    match parsed.offset_seconds {
        None => Some(parsed.micros),
        Some(offset) => {
            let utc = parsed.micros - i64::from(offset) * 1_000_000;
            Some(utc + zone_offset(zone) * 1_000_000)
        }
    }
}

/// Seconds east of UTC of a fixed-offset zone; named zones count as UTC here (their literals carry no offset in practice).
fn zone_offset(zone: &str) -> i64 {
    let Some(sign) = zone.chars().next().filter(|c| matches!(c, '+' | '-')) else { return 0 };
    let mut parts = zone[1..].splitn(2, ':').map(|p| p.parse::<i64>().unwrap_or(0));
    let seconds = parts.next().unwrap_or(0) * 3600 + parts.next().unwrap_or(0) * 60;
    if sign == '-' { -seconds } else { seconds }
}

fn wide_decimal(signed: &str, precision: usize, scale: usize, text: &str) -> Result<Expr> {
    if precision > 76 {
        bail!(Syntax, "Numeric overflow {text}");
    }
    let Some(v) = i256::from_string(signed) else { bail!(Syntax, "Numeric overflow {text}") };
    if precision <= 38 {
        if let Some(v) = v.to_i128() {
            return Ok(Expr::literal(Scalar::Decimal(v, precision as u8, scale as i8)));
        }
    }
    let ty = LogicalType::decimal_of(DecimalWidth::W256, precision as u8, scale as i8);
    Ok(Expr::typed_literal(Scalar::Decimal256(v, precision as u8, scale as i8), ty))
}

/// Significant digits without leading zeros and the number of them behind the point: `0.010` → ("10", 3), `1e3` → ("1000", 0).
fn plain_digits(text: &str) -> Option<(String, usize)> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut scale = fraction.len() as i32 - exponent;
    if scale < 0 {
        if scale < -400 {
            return None;
        }
        digits.push_str(&"0".repeat(scale.unsigned_abs() as usize));
        scale = 0;
    }
    if scale > 400 {
        return None;
    }
    let trimmed = digits.trim_start_matches('0');
    let digits = if trimmed.is_empty() { "0" } else { trimmed };
    Some((digits.to_owned(), scale as usize))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() % 2 != 0 {
        return None;
    }
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_numbers() {
        assert_eq!(plain_digits("0.010"), Some(("10".to_owned(), 3)));
        assert_eq!(plain_digits("1e3"), Some(("1000".to_owned(), 0)));
        assert_eq!(plain_digits("1.5E-2"), Some(("15".to_owned(), 3)));
        assert_eq!(plain_digits(".5"), Some(("5".to_owned(), 1)));
        assert_eq!(plain_digits("1."), Some(("1".to_owned(), 0)));
        assert_eq!(unhex("0aFF"), Some(vec![10, 255]));
        assert_eq!(unhex("0"), None);
    }
}
