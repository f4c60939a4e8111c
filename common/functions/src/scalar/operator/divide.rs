//! `a / b`: DOUBLE for integers, fixed point when a decimal takes part; a zero divisor gives NULL.

use arrow::{buffer::NullBuffer, datatypes::i256};
use common_base::{Result, bail};
use common_expr::{
    scalar_fn::{EvalContext, ScalarFunction, ScalarOverload},
    signature::TypePattern::Any,
};
use common_types::{Column, DecimalWidth, LogicalType};

use super::typing;
use crate::kernels::{
    arith::{from_i256, pow10_256, to_i256},
    def::{computed, partial},
    ints::{IntArg, from_i128, narrow, pow10},
    num::{F64Arg, from_f64, null_shortcut, union_nulls},
};

/// The row of the function table.
pub fn function() -> ScalarFunction {
    partial(&["divide"], vec![computed([Any, Any], typing::quotient)], divide)
}

fn divide(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    match &call.result {
        LogicalType::Double | LogicalType::Float => {
            let (x, y) = (F64Arg::new(&args[0], rows)?, F64Arg::new(&args[1], rows)?);
            let values: Vec<f64> = x.values.iter().zip(y.values.iter()).map(|(&a, &b)| a / b + 0.0).collect();
            let zero = y.values.contains(&0.0).then(|| NullBuffer::from_iter(y.values.iter().map(|v| *v != 0.0)));
            let nulls = NullBuffer::union(x.nulls.as_ref(), y.nulls.as_ref());
            Ok(from_f64(&call.result, values, NullBuffer::union(nulls.as_ref(), zero.as_ref())))
        }
        LogicalType::Decimal { width: DecimalWidth::W256, .. } => divide_256(call, args, rows),
        _ => {
            let (values, valid) = quotients(args, call.result.scale(), rows)?;
            let nulls = NullBuffer::union(union_nulls(args).as_ref(), valid.as_ref());
            Ok(match values {
                Quotients::Narrow(values, limit) => narrow(&call.result, values, nulls, -limit, limit),
                Quotients::Wide(values) => from_i128(&call.result, values, nulls),
            })
        }
    }
}

#[inline(always)]
fn half_away_i64(n: i64, d: i64) -> i64 {
    let (q, r) = (n.wrapping_div(d), n.wrapping_rem(d));
    if r.unsigned_abs() >= d.unsigned_abs() - r.unsigned_abs() { q + if (n ^ d) < 0 { -1 } else { 1 } } else { q }
}

/// Division rounded half away from zero.
#[inline(always)]
pub fn half_away(n: i128, d: i128) -> i128 {
    let (q, r) = (n.wrapping_div(d), n.wrapping_rem(d));
    if r.unsigned_abs() >= d.unsigned_abs() - r.unsigned_abs() { q + if (n ^ d) < 0 { -1 } else { 1 } } else { q }
}

/// Quotients in the width that holds them.
pub enum Quotients {
    /// With a bound of their magnitude.
    Narrow(Vec<i64>, i64),
    Wide(Vec<i128>),
}

/// Quotients of two exact columns at a scale, rounded half away from zero; invalid where the divisor is zero or the scaled
/// dividend overflows.
pub fn quotients(args: &[Column], scale: i8, rows: usize) -> Result<(Quotients, Option<NullBuffer>)> {
    let (Some(l), Some(r)) = (IntArg::new(&args[0]), IntArg::new(&args[1])) else {
        bail!(Internal, "division of {} by {} is not exact", args[0].ty(), args[1].ty())
    };
    let up = i32::from(scale) + i32::from(args[1].ty().scale()) - i32::from(args[0].ty().scale());
    if !(0..=38).contains(&up) {
        bail!(InvalidArgument, "Dividend fails to adjust scale to {up} that exceeds maximum value(38)");
    }
    let factor = pow10(up as u32);
    let mut valid = vec![true; rows];
    let mut all_valid = true;
    let limit = l.min.unsigned_abs().max(l.max.unsigned_abs()).saturating_mul(factor.unsigned_abs());
    let (values, all_valid) = if limit < i64::MAX as u128 && r.fits_i64() {
        let (a, b) = (l.to_i64(rows), r.to_i64(rows));
        let f = factor as i64;
        let mut values = vec![0i64; rows];
        for i in 0..rows {
            let (n, d) = (a[i].wrapping_mul(f), b[i]);
            if d == 0 {
                valid[i] = false;
                all_valid = false;
            } else {
                values[i] = half_away_i64(n, d);
            }
        }
        (Quotients::Narrow(values, limit as i64), all_valid)
    } else {
        let (a, b) = (l.to_i128(rows), r.to_i128(rows));
        let mut values = vec![0i128; rows];
        for i in 0..rows {
            match a[i].checked_mul(factor) {
                Some(n) if b[i] != 0 => {
                    values[i] = half_away(n, b[i]);
                }
                _ => {
                    valid[i] = false;
                    all_valid = false;
                }
            }
        }
        (Quotients::Wide(values), all_valid)
    };
    Ok((values, (!all_valid).then(|| NullBuffer::from(valid))))
}

fn divide_256(call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let up = (call.result.scale() + args[1].ty().scale() - args[0].ty().scale()).max(0) as u32;
    let factor = pow10_256(up);
    let (a, b) = (to_i256(&args[0], rows)?, to_i256(&args[1], rows)?);
    let quotients: Vec<Option<i256>> = a
        .iter()
        .zip(&b)
        .map(|(a, b)| {
            let n = a.checked_mul(factor)?;
            let (q, r) = (n.checked_div(*b)?, n.checked_rem(*b)?);
            let twice = r.checked_abs()?.checked_mul(i256::from_i128(2))?;
            let negative = (n < i256::ZERO) != (*b < i256::ZERO);
            let step = if negative { i256::MINUS_ONE } else { i256::ONE };
            Some(if twice >= b.checked_abs()? { q.wrapping_add(step) } else { q })
        })
        .collect();
    let valid = NullBuffer::from_iter(quotients.iter().map(Option::is_some));
    let nulls = NullBuffer::union(union_nulls(args).as_ref(), Some(&valid));
    Ok(from_i256(&call.result, quotients.into_iter().map(Option::unwrap_or_default).collect(), nulls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_half_away_from_zero() {
        for (n, d, want) in [(7, 2, 4), (-7, 2, -4), (7, -2, -4), (5, 3, 2), (4, 3, 1), (-4, 3, -1), (0, -5, 0), (1, 2, 1)] {
            assert_eq!(half_away(n, d), want, "{n}/{d}");
            assert_eq!(half_away_i64(n as i64, d as i64), want as i64, "{n}/{d}");
        }
    }
}
