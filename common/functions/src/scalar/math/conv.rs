//! `conv(x, from, to)`: digits in one base written in another; a negative target base means signed output.

use common_base::Result;
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{partial, sig},
    ints::IntArg,
    num::null_shortcut,
    text::{TextArg, TextBuilder},
};

/// The row of the function table.
pub fn function() -> ScalarFunction {
    let signatures = vec![
        sig([T::BigInt, T::TinyInt, T::TinyInt], T::varchar()),
        sig([T::varchar(), T::TinyInt, T::TinyInt], T::varchar()),
    ];
    partial(&["conv"], signatures, conv)
}

fn convert(text: &[u8], from: i64, to: i64) -> Option<String> {
    if !(2..=36).contains(&from.abs()) || !(2..=36).contains(&to.abs()) {
        return None;
    }
    let text = text.trim_ascii_start();
    let (negative, digits) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        _ => (false, text),
    };
    let mut value = 0u64;
    for d in digits.iter().map_while(|b| (*b as char).to_digit(from.unsigned_abs() as u32)) {
        value = match value.checked_mul(from.unsigned_abs()).and_then(|v| v.checked_add(u64::from(d))) {
            Some(v) => v,
            None => {
                value = u64::MAX;
                break;
            }
        };
    }
    if negative {
        value = value.wrapping_neg();
    }
    let signed = to < 0 && (value as i64) < 0;
    let mut rest = if signed { (value as i64).unsigned_abs() } else { value };
    let base = to.unsigned_abs();
    let mut out = Vec::new();
    loop {
        out.push(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(rest % base) as usize]);
        rest /= base;
        if rest == 0 {
            break;
        }
    }
    if signed {
        out.push(b'-');
    }
    out.reverse();
    String::from_utf8(out).ok()
}

fn conv(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let numbers = IntArg::new(&args[0]).map(|a| a.to_i64(rows).into_owned());
    let text = TextArg::new(&args[0]);
    let (from, to) = (IntArg::new(&args[1]).expect("a TINYINT"), IntArg::new(&args[2]).expect("a TINYINT"));
    let (from, to) = (from.to_i64(rows), to.to_i64(rows));
    let mut out = TextBuilder::new(rows);
    for i in 0..rows {
        if args.iter().any(|c| c.is_null(i)) {
            out.push_null();
            continue;
        }
        let value = match (&numbers, text.get(i)) {
            (Some(n), _) => convert(n[i].to_string().as_bytes(), from[i], to[i]),
            (None, Some(t)) => convert(t, from[i], to[i]),
            _ => None,
        };
        out.push_opt(value.as_deref().map(str::as_bytes));
    }
    Ok(out.finish(&call.result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        assert_eq!(convert(b"15", 10, 16).as_deref(), Some("F"));
        assert_eq!(convert(b"-1", 10, -16).as_deref(), Some("-1"));
        assert_eq!(convert(b"-1", 10, 16).as_deref(), Some("FFFFFFFFFFFFFFFF"));
        assert_eq!(convert(b"12z", 10, 2).as_deref(), Some("1100"));
        assert_eq!(convert(b"1", 1, 2), None);
    }
}
