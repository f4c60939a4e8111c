//! `bitmap_to_string`, `bitmap_to_array`, `bitmap_to_base64`, `base64_to_bitmap`, `bitmap_to_binary`, `bitmap_from_binary`.

use std::{io::Write, sync::Arc};

use arrow::array::Int64Array;
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};

use super::support::{Bitmaps, from_portable, to_portable};
use crate::{
    kernels::{
        def::{partial, sig, strict},
        lists::list_column,
        strings::{StrWriter, strs},
    },
    scalar::crypto::base64::{decode_base64, encode_base64},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    let b = || T::Varbinary(None);
    r.add_scalar(strict(&["bitmap_to_string"], vec![sig([T::Bitmap], s())], to_string));
    r.add_scalar(strict(&["bitmap_to_array"], vec![sig([T::Bitmap], T::array(T::BigInt))], to_array));
    r.add_scalar(strict(&["bitmap_to_base64"], vec![sig([T::Bitmap], s())], to_base64));
    r.add_scalar(partial(&["base64_to_bitmap"], vec![sig([s()], T::Bitmap)], from_base64));
    r.add_scalar(strict(&["bitmap_to_binary"], vec![sig([T::Bitmap], b())], to_binary));
    r.add_scalar(partial(&["bitmap_from_binary"], vec![sig([b()], T::Bitmap)], from_binary));
}

fn to_string(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let sets = Bitmaps::new(&args[0])?;
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        for (i, value) in sets.get(row)?.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(out.buf(), "{comma}{value}").expect("writing to memory");
        }
        out.end_row();
    }
    Ok(out.finish(&call.result))
}

fn to_array(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let sets = Bitmaps::new(&args[0])?;
    let mut values = Vec::new();
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    for row in 0..rows {
        values.extend(sets.get(row)?.iter().map(|v| v as i64));
        offsets.push(values.len() as i32);
    }
    list_column(&call.result, offsets, Arc::new(Int64Array::from(values)), None)
}

fn to_base64(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let sets = Bitmaps::new(&args[0])?;
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        encode_base64(&to_portable(&sets.get(row)?), out.buf());
        out.end_row();
    }
    Ok(out.finish(&call.result))
}

fn from_base64(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let texts = strs(&args[0]);
    let mut out = StrWriter::new(rows);
    let mut bytes = Vec::new();
    for row in 0..rows {
        bytes.clear();
        let set = if decode_base64(texts.get(row), &mut bytes) { from_portable(&bytes) } else { None };
        out.push_opt(set.map(|set| set.serialize()).as_deref());
    }
    Ok(out.finish(&call.result))
}

fn to_binary(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let sets = Bitmaps::new(&args[0])?;
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        out.push(&to_portable(&sets.get(row)?));
    }
    Ok(out.finish(&call.result))
}

fn from_binary(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let bytes = strs(&args[0]);
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        out.push_opt(from_portable(bytes.get(row)).map(|set| set.serialize()).as_deref());
    }
    Ok(out.finish(&call.result))
}
