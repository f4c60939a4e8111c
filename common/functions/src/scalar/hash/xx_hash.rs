//! `xx_hash3_64(s, …)`, `xx_hash3_128(s, …)`; the hash of one argument seeds the next.

use std::sync::Arc;

use arrow::{array::Decimal128Array, datatypes::Int64Type};
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};
use twox_hash::{XxHash3_64, XxHash3_128};

use crate::kernels::{
    def::{sig, strict},
    strings::{primitive, strs},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    r.add_scalar(strict(&["xx_hash3_64"], vec![sig([T::varchar()], T::BigInt).variadic()], xx_hash3_64));
    r.add_scalar(strict(&["xx_hash3_128"], vec![sig([T::varchar()], T::LargeInt).variadic()], xx_hash3_128));
}

fn xx_hash3_64(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let views: Vec<_> = args.iter().map(strs).collect();
    let hash = |row| views.iter().fold(0, |seed, v| XxHash3_64::oneshot_with_seed(seed, v.get(row))) as i64;
    Ok(primitive::<Int64Type>((0..rows).map(hash).collect(), None, &call.result))
}

fn xx_hash3_128(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let views: Vec<_> = args.iter().map(strs).collect();
    let hash =
        |row| views.iter().fold(0u128, |seed, v| XxHash3_128::oneshot_with_seed(seed as u64, v.get(row))) as i128;
    let values: Decimal128Array = (0..rows).map(|row| Some(hash(row))).collect();
    let values = values.with_precision_and_scale(38, 0).expect("the form of LARGEINT");
    Ok(Column::flat(Arc::new(values), call.result.clone()))
}
