//! `bitmap_count`, `bitmap_contains`, `bitmap_has_any`, `bitmap_min`, `bitmap_max`.

use std::sync::Arc;

use arrow::{array::Decimal128Array, datatypes::Int64Type};
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T, bitmap::Bitmap};

use super::support::Bitmaps;
use crate::kernels::{
    def::{never_null, partial, sig, strict},
    strings::{IntArg, booleans, primitive},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    r.add_scalar(never_null(&["bitmap_count"], vec![sig([T::Bitmap], T::BigInt)], count));
    r.add_scalar(strict(&["bitmap_contains"], vec![sig([T::Bitmap, T::BigInt], T::Boolean)], contains));
    r.add_scalar(strict(&["bitmap_has_any"], vec![sig([T::Bitmap, T::Bitmap], T::Boolean)], has_any));
    let one = || vec![sig([T::Bitmap], T::LargeInt)];
    r.add_scalar(partial(&["bitmap_min"], one(), |_, call, args, rows| extreme(call, args, rows, Bitmap::min)));
    r.add_scalar(partial(&["bitmap_max"], one(), |_, call, args, rows| extreme(call, args, rows, Bitmap::max)));
}

/// NULL counts 0.
fn count(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let sets = Bitmaps::new(&args[0])?;
    let counts = (0..rows).map(|row| Ok(sets.get(row)?.len() as i64)).collect::<Result<Vec<_>>>()?;
    Ok(primitive::<Int64Type>(counts, None, &call.result))
}

fn contains(_: &EvalContext, _: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (sets, values) = (Bitmaps::new(&args[0])?, IntArg::new(&args[1])?);
    let found = (0..rows)
        .map(|row| Ok(values.get(row) >= 0 && sets.get(row)?.contains(values.get(row) as u64)))
        .collect::<Result<Vec<_>>>()?;
    Ok(booleans(found.into_iter()))
}

fn has_any(_: &EvalContext, _: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (left, right) = (Bitmaps::new(&args[0])?, Bitmaps::new(&args[1])?);
    let found =
        (0..rows).map(|row| Ok(left.get(row)?.intersection_len(&right.get(row)?) > 0)).collect::<Result<Vec<_>>>()?;
    Ok(booleans(found.into_iter()))
}

fn extreme(call: &ScalarOverload, args: &[Column], rows: usize, pick: fn(&Bitmap) -> Option<u64>) -> Result<Column> {
    let sets = Bitmaps::new(&args[0])?;
    let values = (0..rows).map(|row| Ok(pick(&sets.get(row)?).map(i128::from))).collect::<Result<Vec<_>>>()?;
    let values: Decimal128Array = values.into_iter().collect();
    let values = values.with_precision_and_scale(38, 0).expect("the form of LARGEINT");
    Ok(Column::flat(Arc::new(values), call.result.clone()))
}
