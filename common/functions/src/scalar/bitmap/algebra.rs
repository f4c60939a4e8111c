//! `bitmap_and`, `bitmap_or`, `bitmap_xor`, `bitmap_andnot`, `bitmap_remove`.

use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T, bitmap::Bitmap};

use super::support::Bitmaps;
use crate::kernels::{
    def::{sig, strict},
    strings::{IntArg, StrWriter},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let two = || vec![sig([T::Bitmap, T::Bitmap], T::Bitmap)];
    r.add_scalar(strict(&["bitmap_and"], two(), |_, call, args, rows| {
        combine(call, args, rows, Bitmap::intersect_with)
    }));
    r.add_scalar(strict(&["bitmap_or"], two(), |_, call, args, rows| combine(call, args, rows, Bitmap::union_with)));
    r.add_scalar(strict(&["bitmap_xor"], two(), |_, call, args, rows| combine(call, args, rows, Bitmap::xor_with)));
    r.add_scalar(strict(&["bitmap_andnot"], two(), |_, call, args, rows| combine(call, args, rows, Bitmap::subtract)));
    r.add_scalar(strict(&["bitmap_remove"], vec![sig([T::Bitmap, T::BigInt], T::Bitmap)], remove));
}

fn combine(call: &ScalarOverload, args: &[Column], rows: usize, change: fn(&mut Bitmap, &Bitmap)) -> Result<Column> {
    let (left, right) = (Bitmaps::new(&args[0])?, Bitmaps::new(&args[1])?);
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let mut set = left.get(row)?;
        change(&mut set, &right.get(row)?);
        out.push(&set.serialize());
    }
    Ok(out.finish(&call.result))
}

fn remove(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (sets, values) = (Bitmaps::new(&args[0])?, IntArg::new(&args[1])?);
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let mut set = sets.get(row)?;
        if let Ok(value) = u64::try_from(values.get(row)) {
            set.remove(value);
        }
        out.push(&set.serialize());
    }
    Ok(out.finish(&call.result))
}
