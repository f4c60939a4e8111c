//! `sub_bitmap` (by position), `bitmap_subset_limit`, `bitmap_subset_in_range` (by value); an empty result is NULL.

use common_base::Result;
use common_expr::{registry::FunctionRegistry, scalar_fn::ScalarOverload};
use common_types::{Column, LogicalType as T, bitmap::Bitmap};

use super::support::{Bitmaps, collect};
use crate::kernels::{
    def::{partial, sig},
    strings::{IntArg, StrWriter},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let one = || vec![sig([T::Bitmap, T::BigInt, T::BigInt], T::Bitmap)];
    r.add_scalar(partial(&["sub_bitmap"], one(), |_, call, args, rows| run(call, args, rows, by_position)));
    r.add_scalar(partial(&["bitmap_subset_limit"], one(), |_, call, args, rows| run(call, args, rows, by_limit)));
    r.add_scalar(partial(&["bitmap_subset_in_range"], one(), |_, call, args, rows| run(call, args, rows, in_range)));
}

fn run(call: &ScalarOverload, args: &[Column], rows: usize, select: fn(&Bitmap, i64, i64) -> Bitmap) -> Result<Column> {
    let (sets, a, b) = (Bitmaps::new(&args[0])?, IntArg::new(&args[1])?, IntArg::new(&args[2])?);
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let part = select(&sets.get(row)?, a.get(row), b.get(row));
        if part.is_empty() { out.end_null() } else { out.push(&part.serialize()) }
    }
    Ok(out.finish(&call.result))
}

/// `len` values from position `offset`; a negative offset counts from the end.
fn by_position(set: &Bitmap, offset: i64, len: i64) -> Bitmap {
    let size = set.len() as i64;
    let start = if offset < 0 { size + offset } else { offset };
    if len <= 0 || start < 0 || start >= size {
        return Bitmap::new();
    }
    collect(set.iter().skip(start as usize).take(len as usize))
}

/// `limit` values from value `start` upwards; downwards for a negative limit.
fn by_limit(set: &Bitmap, start: i64, limit: i64) -> Bitmap {
    let start = start.max(0) as u64;
    if limit >= 0 {
        return collect(set.iter().filter(|v| *v >= start).take(limit as usize));
    }
    let below: Vec<u64> = set.iter().take_while(|v| *v <= start).collect();
    let wanted = usize::try_from(limit.unsigned_abs()).unwrap_or(usize::MAX);
    collect(below[below.len().saturating_sub(wanted)..].iter().copied())
}

fn in_range(set: &Bitmap, low: i64, high: i64) -> Bitmap {
    if high <= 0 {
        return Bitmap::new();
    }
    let low = low.max(0) as u64;
    collect(set.iter().filter(|v| *v >= low).take_while(|v| *v < high as u64))
}
