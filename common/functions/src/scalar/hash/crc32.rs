//! `crc32` of a string, `crc32_hash` over the elements of an array.

use arrow::datatypes::Int64Type;
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{sig, strict},
    strings::{map_to, primitive},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    r.add_scalar(strict(&["crc32"], vec![sig([T::varchar()], T::BigInt)], crc32));
    let array = Signature::new(vec![TypePattern::AnyArray], ResultRule::Exact(T::BigInt));
    r.add_scalar(strict(&["crc32_hash"], vec![array], crc32_hash));
}

fn crc32(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    map_to::<Int64Type>(args, &call.result, rows, |s| i64::from(crc32fast::hash(s)))
}

fn crc32_hash(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let Some(array) = args[0].array_parts() else { bail!(Internal, "crc32_hash works on arrays") };
    let mut codes = Vec::new();
    common_types::hash::bucket_hash(std::slice::from_ref(&array.values), array.values.len(), &mut codes);
    let values = (0..rows)
        .map(|row| {
            let mut hasher = crc32fast::Hasher::new();
            for code in &codes[array.offsets[row] as usize..array.offsets[row + 1] as usize] {
                hasher.update(&code.to_le_bytes());
            }
            i64::from(hasher.finalize())
        })
        .collect();
    Ok(primitive::<Int64Type>(values, None, &call.result))
}
