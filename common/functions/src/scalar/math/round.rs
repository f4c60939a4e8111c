//! `round` and `truncate` over doubles and decimals, with and without a digit count. Half rounds away from zero.

use arrow::buffer::NullBuffer;
use common_base::{Result, bail};
use common_expr::{
    scalar_fn::{EvalContext, ScalarFunction, ScalarOverload},
    signature::TypePattern::{AnyDecimal, Exact},
};
use common_types::{Column, DecimalWidth, LogicalType as T};

use super::ceil_floor::to_bigint;
use crate::{
    kernels::{
        def::{computed, partial, sig},
        ints::{IntArg, from_i128, pow10},
        num::{binary_f64, null_shortcut, union_nulls},
    },
    scalar::operator::half_away,
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let keep_scale = |args: &[T]| Ok(T::decimal_of(DecimalWidth::W128, 38, args[0].scale()));
    let no_scale = |_: &[T]| Ok(T::decimal_of(DecimalWidth::W128, 38, 0));
    let double = sig([T::Double, T::Int], T::Double);
    let decimal = || computed([AnyDecimal, Exact(T::Int)], keep_scale);
    vec![
        partial(
            &["round", "dround"],
            vec![computed([AnyDecimal], no_scale), decimal(), sig([T::Double], T::BigInt), double.clone()],
            round,
        ),
        partial(&["truncate"], vec![decimal(), double], truncate),
    ]
}

fn round(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    match &call.result {
        T::BigInt => to_bigint(call, args, rows, f64::round),
        T::Double => binary_f64(call, args, rows, |x, n| at_digit(x, n as i32, f64::round)),
        _ => decimal(call, args, rows, half_away),
    }
}

fn truncate(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    match &call.result {
        T::Double => binary_f64(call, args, rows, |x, n| at_digit(x, n as i32, f64::trunc)),
        _ => decimal(call, args, rows, |n, d| n / d),
    }
}

fn at_digit(x: f64, digits: i32, f: impl Fn(f64) -> f64) -> f64 {
    let unit = 10f64.powi(digits.abs());
    if digits < 0 {
        if unit.is_infinite() { 0.0 } else { f(x / unit) * unit + 0.0 }
    } else {
        let scaled = x * unit;
        if scaled.is_finite() { f(scaled) / unit + 0.0 } else { x }
    }
}

/// Cuts at a digit, then writes the value at the scale of the result type.
fn decimal(call: &ScalarOverload, args: &[Column], rows: usize, cut: impl Fn(i128, i128) -> i128) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let Some(x) = IntArg::new(&args[0]) else { bail!(NotSupported, "rounding of {}", args[0].ty()) };
    let (from, to) = (i32::from(args[0].ty().scale()), i32::from(call.result.scale()));
    let one = |v: i128, digits: i32| -> Option<i128> {
        let drop = from - digits.min(from);
        if drop > 38 {
            return Some(0);
        }
        let v = if drop > 0 { cut(v, pow10(drop as u32)).checked_mul(pow10(drop as u32))? } else { v };
        if to >= from { v.checked_mul(pow10((to - from) as u32)) } else { Some(cut(v, pow10((from - to) as u32))) }
    };
    let digits = args.get(1).map(|c| IntArg::new(c).expect("an INT argument"));
    let values: Vec<Option<i128>> = match digits {
        None => x.to_i128(rows).iter().map(|&v| one(v, 0)).collect(),
        Some(d) => x.to_i128(rows).iter().zip(d.to_i64(rows).iter()).map(|(&v, &d)| one(v, d as i32)).collect(),
    };
    let valid = values.contains(&None).then(|| NullBuffer::from_iter(values.iter().map(Option::is_some)));
    let nulls = NullBuffer::union(union_nulls(args).as_ref(), valid.as_ref());
    Ok(from_i128(&call.result, values.into_iter().map(Option::unwrap_or_default).collect(), nulls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits() {
        assert_eq!(at_digit(1.235, 2, f64::round), 1.24);
        assert_eq!(at_digit(1234.0, -2, f64::round), 1200.0);
        assert_eq!(at_digit(-1.999, 1, f64::trunc), -1.9);
        assert_eq!(at_digit(-2.5, 0, f64::round), -3.0);
    }
}
