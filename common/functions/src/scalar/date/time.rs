//! TIME values: `time_to_sec`, `sec_to_time`, `time_format`.

use common_base::Result;
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{partial, sig, strict},
    ints::{IntArg, from_i64},
    num::{F64Arg, from_f64, null_shortcut, union_nulls},
    text::{TextArg, TextBuilder},
    time_format::digits,
};

/// 838:59:59 in seconds.
const LIMIT: i64 = 3_020_399;

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    vec![
        strict(&["time_to_sec"], vec![sig([T::Time], T::BigInt)], time_to_sec),
        strict(&["sec_to_time"], vec![sig([T::BigInt], T::Time)], sec_to_time),
        partial(&["time_format"], vec![sig([T::Time, T::varchar()], T::varchar())], time_format),
    ]
}

fn time_to_sec(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let t = F64Arg::new(&args[0], rows)?;
    Ok(from_i64(&call.result, t.values.iter().map(|v| *v as i64).collect(), union_nulls(args)))
}

fn sec_to_time(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let s = IntArg::new(&args[0]).expect("a BIGINT");
    Ok(from_f64(&call.result, s.to_i64(rows).iter().map(|v| (*v).clamp(-LIMIT, LIMIT) as f64).collect(), union_nulls(args)))
}

fn time_format(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let t = F64Arg::new(&args[0], rows)?;
    let formats = TextArg::new(&args[1]);
    let mut out = TextBuilder::new(rows);
    for i in 0..rows {
        match formats.get(i) {
            Some(f) if !f.is_empty() && !args[0].is_null(i) => {
                write(t.values[i], f, &mut out.buffer);
                out.commit();
            }
            _ => out.push_null(),
        }
    }
    Ok(out.finish(&call.result))
}

fn write(seconds: f64, format: &[u8], out: &mut Vec<u8>) {
    let total = seconds.abs() as u32;
    let micro = ((seconds.abs() - f64::from(total)) * 1e6).round() as u32;
    let (h, m, s) = (total / 3600, total / 60 % 60, total % 60);
    if seconds < 0.0 {
        out.push(b'-');
    }
    let mut bytes = format.iter().copied();
    while let Some(b) = bytes.next() {
        if b != b'%' {
            out.push(b);
            continue;
        }
        match bytes.next() {
            Some(b'H') => digits(h, 2, out),
            Some(b'h') => digits(if h % 12 == 0 { 12 } else { h % 12 }, 2, out),
            Some(b'i') => digits(m, 2, out),
            Some(b's' | b'S') => digits(s, 2, out),
            Some(b'f') => digits(micro, 6, out),
            Some(b'p') => out.extend_from_slice(if h % 24 < 12 { b"AM" } else { b"PM" }),
            Some(other) => out.push(other),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn formats() {
        let mut out = Vec::new();
        super::write(19.0 * 3600.0 + 1810.0, b"%h %i %s %p", &mut out);
        assert_eq!(out, b"07 30 10 PM");
    }
}
