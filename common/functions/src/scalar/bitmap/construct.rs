//! `to_bitmap`, `bitmap_empty`, `bitmap_hash`, `bitmap_hash64`, `array_to_bitmap`, `bitmap_from_string`.

use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T, Scalar, bitmap::Bitmap};
use twox_hash::XxHash3_64;

use super::support::collect;
use crate::{
    kernels::{
        def::{never_null, partial, sig, strict},
        strings::{IntArg, StrWriter, strs, utf8},
    },
    scalar::hash::murmur3_32,
};

/// Seed of `bitmap_hash`.
const HASH_SEED: u32 = 0xadc8_3b19;

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    let from = [s(), T::Boolean, T::TinyInt, T::SmallInt, T::Int, T::BigInt, T::LargeInt];
    r.add_scalar(partial(&["to_bitmap"], from.into_iter().map(|t| sig([t], T::Bitmap)).collect(), to_bitmap));
    r.add_scalar(never_null(&["bitmap_empty"], vec![sig([], T::Bitmap)], empty));
    r.add_scalar(never_null(&["bitmap_hash"], vec![sig([s()], T::Bitmap)], |_, call, args, rows| {
        hashed(call, args, rows, |s| u64::from(murmur3_32(s, HASH_SEED)))
    }));
    r.add_scalar(never_null(&["bitmap_hash64"], vec![sig([s()], T::Bitmap)], |_, call, args, rows| {
        hashed(call, args, rows, XxHash3_64::oneshot)
    }));
    r.add_scalar(strict(&["array_to_bitmap"], vec![sig([T::array(T::BigInt)], T::Bitmap)], from_array));
    r.add_scalar(partial(&["bitmap_from_string"], vec![sig([s()], T::Bitmap)], from_string));
}

fn to_bitmap(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let mut out = StrWriter::new(rows);
    let mut push = |value: Option<u64>| match value {
        Some(v) => out.push(&Bitmap::of(v).serialize()),
        None => out.end_null(),
    };
    if args[0].ty().is_bytes_like() {
        let texts = strs(&args[0]);
        (0..rows).for_each(|row| push(utf8(texts.get(row)).trim().parse().ok()));
    } else if *args[0].ty() == T::LargeInt {
        (0..rows).for_each(|row| push(args[0].scalar(row).as_i128().and_then(|v| u64::try_from(v).ok())));
    } else {
        let values = IntArg::new(&args[0])?;
        (0..rows).for_each(|row| push(u64::try_from(values.get(row)).ok()));
    }
    Ok(out.finish(&call.result))
}

fn empty(_: &EvalContext, call: &ScalarOverload, _: &[Column], rows: usize) -> Result<Column> {
    Ok(Column::constant(Scalar::Binary(Bitmap::new().serialize().into()), call.result.clone(), rows))
}

/// NULL gives the empty set.
fn hashed(call: &ScalarOverload, args: &[Column], rows: usize, hash: impl Fn(&[u8]) -> u64) -> Result<Column> {
    let (texts, nulls) = (strs(&args[0]), args[0].nulls());
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let set = match &nulls {
            Some(n) if n.is_null(row) => Bitmap::new(),
            _ => Bitmap::of(hash(texts.get(row))),
        };
        out.push(&set.serialize());
    }
    Ok(out.finish(&call.result))
}

/// Negative and NULL elements are left out.
fn from_array(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let Some(array) = args[0].array_parts() else { bail!(Internal, "array_to_bitmap works on arrays") };
    let values = IntArg::new(&array.values)?;
    let nulls = array.values.nulls();
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let items = (array.offsets[row] as usize..array.offsets[row + 1] as usize)
            .filter(|i| nulls.as_ref().is_none_or(|n| n.is_valid(*i)))
            .filter_map(|i| u64::try_from(values.get(i)).ok());
        out.push(&collect(items).serialize());
    }
    Ok(out.finish(&call.result))
}

fn parse_list(text: &str) -> Option<Bitmap> {
    if text.trim().is_empty() {
        return Some(Bitmap::new());
    }
    let mut set = Bitmap::new();
    for item in text.split(',') {
        let item = item.trim();
        if !item.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        set.insert(item.parse().ok()?);
    }
    Some(set)
}

fn from_string(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let texts = strs(&args[0]);
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        out.push_opt(parse_list(utf8(texts.get(row))).map(|set| set.serialize()).as_deref());
    }
    Ok(out.finish(&call.result))
}
