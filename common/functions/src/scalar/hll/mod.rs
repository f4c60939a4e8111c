//! Table of the HLL functions: `hll_hash`, `hll_empty`, `hll_cardinality`, `hll_serialize`, `hll_deserialize`.

use arrow::datatypes::Int64Type;
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T, Scalar};

use crate::kernels::{
    def::{never_null, partial, sig, strict},
    hll::{Hll, hash_bytes},
    strings::{StrWriter, primitive_opt, strs},
};

/// Adds the functions of this folder.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    r.add_scalar(never_null(&["hll_hash"], vec![sig([s()], T::Hll)], hll_hash));
    r.add_scalar(never_null(&["hll_empty"], vec![sig([], T::Hll)], hll_empty));
    r.add_scalar(partial(&["hll_cardinality"], vec![sig([T::Hll], T::BigInt), sig([s()], T::BigInt)], hll_cardinality));
    r.add_scalar(strict(&["hll_serialize"], vec![sig([T::Hll], s())], hll_serialize));
    r.add_scalar(partial(&["hll_deserialize"], vec![sig([s()], T::Hll)], hll_deserialize));
}

/// NULL gives the empty sketch.
fn hll_hash(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (texts, nulls) = (strs(&args[0]), args[0].nulls());
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let mut sketch = Hll::new();
        if nulls.as_ref().is_none_or(|n| n.is_valid(row)) {
            sketch.add_hash(hash_bytes(texts.get(row)));
        }
        out.push(&sketch.to_bytes());
    }
    Ok(out.finish(&call.result))
}

fn hll_empty(_: &EvalContext, call: &ScalarOverload, _: &[Column], rows: usize) -> Result<Column> {
    Ok(Column::constant(Scalar::Binary(Hll::new().to_bytes().into()), call.result.clone(), rows))
}

fn hll_cardinality(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let sketches = strs(&args[0]);
    let estimate = |row| Hll::from_bytes(sketches.get(row)).map(|s| s.cardinality());
    Ok(primitive_opt::<Int64Type>((0..rows).map(estimate), &call.result))
}

/// The stored form is the serialized one.
fn hll_serialize(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(value) = args[0].as_const() {
        return Ok(Column::constant(Scalar::string(value.as_bytes().unwrap_or_default()), call.result.clone(), rows));
    }
    Ok(args[0].clone().with_type(call.result.clone()))
}

fn hll_deserialize(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let texts = strs(&args[0]);
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let bytes = texts.get(row);
        out.push_opt(Hll::from_bytes(bytes).map(|_| bytes));
    }
    Ok(out.finish(&call.result))
}
