//! `hex`, `unhex`, `hex_decode_string`, `hex_decode_binary`, `to_binary`, `from_binary`.

use std::io::Write;

use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};

use super::base64::decode_base64;
use crate::kernels::{
    def::{partial, sig, strict},
    strings::{IntArg, StrWriter, map_strings, strs, utf8},
};

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    let b = || T::Varbinary(None);
    r.add_scalar(strict(&["hex"], vec![sig([T::BigInt], s()), sig([s()], s()), sig([b()], s())], hex));
    r.add_scalar(strict(&["unhex", "hex_decode_string"], vec![sig([s()], s())], unhex));
    r.add_scalar(strict(&["hex_decode_binary"], vec![sig([s()], b())], unhex));
    r.add_scalar(partial(&["to_binary"], vec![sig([s(), s()], b()), sig([s()], b())], to_binary));
    r.add_scalar(strict(&["from_binary"], vec![sig([b(), s()], s()), sig([b()], s())], from_binary));
}

fn push_digits(bytes: &[u8], digits: &[u8; 16], out: &mut Vec<u8>) {
    for byte in bytes {
        out.extend_from_slice(&[digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
    }
}

/// Two lower-case digits per byte.
pub fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    push_digits(bytes, LOWER, out);
}

/// The bytes the digits stand for; nothing at all when they are malformed.
pub fn push_unhex(digits: &[u8], out: &mut Vec<u8>) {
    let value = |b: u8| (b as char).to_digit(16);
    if digits.len() % 2 == 1 || digits.iter().any(|b| value(*b).is_none()) {
        return;
    }
    out.extend(digits.chunks_exact(2).map(|p| (value(p[0]).unwrap_or(0) << 4 | value(p[1]).unwrap_or(0)) as u8));
}

fn hex(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if args[0].ty().is_bytes_like() {
        return map_strings(args, &call.result, rows, |s, out| push_digits(s, UPPER, out));
    }
    let input = IntArg::new(&args[0])?;
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        write!(out.buf(), "{:X}", input.get(row)).expect("writing to memory");
        out.end_row();
    }
    Ok(out.finish(&call.result))
}

fn unhex(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    map_strings(args, &call.result, rows, push_unhex)
}

/// A way to write bytes as text.
#[derive(Clone, Copy)]
enum Format {
    Hex,
    Utf8,
    Base64,
}

fn format_of(name: Option<&[u8]>) -> Result<Format> {
    Ok(match name.map(<[u8]>::to_ascii_lowercase).as_deref() {
        None | Some(b"hex" | b"") => Format::Hex,
        Some(b"utf8") => Format::Utf8,
        Some(b"encode64") => Format::Base64,
        Some(other) => {
            bail!(InvalidArgument, "unknown binary format {}; it is one of hex, utf8, encode64", utf8(other))
        }
    })
}

fn to_binary(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (input, format) = (strs(&args[0]), args.get(1).map(strs));
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let s = input.get(row);
        match format_of(format.as_ref().map(|f| f.get(row)))? {
            Format::Hex => push_unhex(s, out.buf()),
            Format::Utf8 => out.buf().extend_from_slice(s),
            Format::Base64 => {
                if !decode_base64(s, out.buf()) {
                    out.end_null();
                    continue;
                }
            }
        }
        out.end_row();
    }
    Ok(out.finish(&call.result))
}

fn from_binary(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (input, format) = (strs(&args[0]), args.get(1).map(strs));
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let s = input.get(row);
        match format_of(format.as_ref().map(|f| f.get(row)))? {
            Format::Hex => push_digits(s, UPPER, out.buf()),
            Format::Utf8 => out.buf().extend_from_slice(s),
            Format::Base64 => super::base64::encode_base64(s, out.buf()),
        }
        out.end_row();
    }
    Ok(out.finish(&call.result))
}
