//! `to_base64`, `from_base64`, `base64_decode_string`, `base64_decode_binary`.

use ::base64::{Engine, engine::general_purpose::STANDARD};
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{partial, sig, strict},
    strings::{StrWriter, map_strings, strs},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    let b = || T::Varbinary(None);
    r.add_scalar(strict(&["to_base64"], vec![sig([s()], s()), sig([b()], s())], to_base64));
    r.add_scalar(partial(&["from_base64", "base64_decode_string"], vec![sig([s()], s())], from_base64));
    r.add_scalar(partial(&["base64_decode_binary"], vec![sig([s()], b())], from_base64));
}

/// Appends the text of the bytes.
pub fn encode_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).expect("four digits for each three bytes begun");
    out.truncate(start + written);
}

/// Appends the bytes of the text; false when it is malformed.
pub fn decode_base64(text: &[u8], out: &mut Vec<u8>) -> bool {
    STANDARD.decode_vec(text, out).is_ok()
}

fn to_base64(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    map_strings(args, &call.result, rows, encode_base64)
}

fn from_base64(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let input = strs(&args[0]);
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        if decode_base64(input.get(row), out.buf()) { out.end_row() } else { out.end_null() }
    }
    Ok(out.finish(&call.result))
}
