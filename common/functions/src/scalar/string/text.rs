//! Small text utilities: `append_trailing_char_if_absent`, `money_format`, `format_bytes`, `inet_aton`, `tokenize`.

use std::io::Write;

use arrow::datatypes::Int64Type;
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T, Scalar};

use crate::kernels::{
    def::{partial, sig, strict},
    lists::StrListWriter,
    strings::{IntArg, StrWriter, primitive_opt, strs, utf8},
    utf8::char_count,
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    r.add_scalar(partial(&["append_trailing_char_if_absent"], vec![sig([s(), s()], s())], append_trailing_char));
    let money = vec![
        sig([T::BigInt], s()),
        sig([T::LargeInt], s()),
        Signature::new(vec![TypePattern::AnyDecimal], ResultRule::Exact(s())),
        sig([T::Double], s()),
    ];
    r.add_scalar(strict(&["money_format"], money, money_format));
    r.add_scalar(partial(&["format_bytes"], vec![sig([T::BigInt], s())], format_bytes));
    r.add_scalar(partial(&["inet_aton"], vec![sig([s()], T::BigInt)], inet_aton));
    r.add_scalar(strict(&["tokenize"], vec![sig([s(), s()], T::array(s()))], tokenize));
}

fn append_trailing_char(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (input, tail) = (strs(&args[0]), strs(&args[1]));
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let (s, tail) = (input.get(row), tail.get(row));
        if char_count(tail) != 1 {
            out.end_null();
            continue;
        }
        out.buf().extend_from_slice(s);
        if !s.is_empty() && !s.ends_with(tail) {
            out.buf().extend_from_slice(tail);
        }
        out.end_row();
    }
    Ok(out.finish(&call.result))
}

/// Writes a number of hundredths with thousands separators.
fn write_money(negative: bool, hundredths: u128, out: &mut Vec<u8>) {
    if negative && hundredths != 0 {
        out.push(b'-');
    }
    let whole = (hundredths / 100).to_string();
    for (i, digit) in whole.bytes().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(b',');
        }
        out.push(digit);
    }
    let cents = (hundredths % 100) as u8;
    out.extend_from_slice(&[b'.', b'0' + cents / 10, b'0' + cents % 10]);
}

fn money_format(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let scale = args[0].ty().scale();
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        match args[0].scalar(row) {
            Scalar::Double(v) if !v.is_finite() => out.buf().extend_from_slice(v.to_string().as_bytes()),
            Scalar::Double(v) => {
                let text = format!("{:.2}", v.abs());
                let hundredths = text.replace('.', "").parse().unwrap_or(u128::MAX);
                write_money(v < 0.0, hundredths, out.buf());
            }
            other => {
                let v = other.as_i128().unwrap_or_default();
                let size = v.unsigned_abs();
                let hundredths = if scale <= 2 {
                    size.saturating_mul(10u128.pow(u32::from((2 - scale).unsigned_abs())))
                } else {
                    let unit = 10u128.pow(u32::from((scale - 2).unsigned_abs()));
                    size / unit + u128::from(size % unit * 2 >= unit)
                };
                write_money(v < 0, hundredths, out.buf());
            }
        }
        out.end_row();
    }
    Ok(out.finish(&call.result))
}

fn format_bytes(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    const UNITS: [&str; 7] = ["B", "KB", "MB", "GB", "TB", "PB", "EB"];
    let input = IntArg::new(&args[0])?;
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let bytes = input.get(row);
        if bytes < 0 {
            out.end_null();
            continue;
        }
        let mut unit = 0;
        let mut size = bytes as f64;
        while size >= 1024.0 && unit + 1 < UNITS.len() {
            size /= 1024.0;
            unit += 1;
        }
        let written = match unit {
            0 => write!(out.buf(), "{bytes} B"),
            _ => write!(out.buf(), "{size:.2} {}", UNITS[unit]),
        };
        written.expect("writing to memory");
        out.end_row();
    }
    Ok(out.finish(&call.result))
}

fn inet_aton(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let input = strs(&args[0]);
    let address = |row| utf8(input.get(row)).parse::<std::net::Ipv4Addr>().ok().map(|ip| i64::from(u32::from(ip)));
    Ok(primitive_opt::<Int64Type>((0..rows).map(address), &call.result))
}

/// `english` splits at what is not a letter or digit; `standard` and `chinese` also make each CJK character a term.
fn tokenize(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (kind, input) = (strs(&args[0]), strs(&args[1]));
    let mut out = StrListWriter::new(rows);
    for row in 0..rows {
        let single = match kind.get(row) {
            b"english" => false,
            b"standard" | b"chinese" => true,
            _ if args.iter().any(|c| c.is_null(row)) => false,
            other => bail!(InvalidArgument, "Unknown analyzer type: {}", utf8(other)),
        };
        let mut word = String::new();
        let mut flush = |word: &mut String| {
            if !word.is_empty() {
                out.push(word.as_bytes());
                word.clear();
            }
        };
        for c in utf8(input.get(row)).chars() {
            if single && ('\u{2e80}'..='\u{9fff}').contains(&c) {
                flush(&mut word);
                word.push(c);
                flush(&mut word);
            } else if c.is_alphanumeric() {
                word.extend(c.to_lowercase());
            } else {
                flush(&mut word);
            }
        }
        flush(&mut word);
        out.end_row();
    }
    out.finish(&call.result)
}
