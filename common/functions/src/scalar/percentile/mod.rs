//! Table of the PERCENTILE functions: `percentile_hash`, `percentile_empty`, `percentile_approx_raw`.

use arrow::datatypes::Float64Type;
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T, Scalar};

use crate::kernels::{
    def::{never_null, partial, sig},
    strings::{StrWriter, primitive_opt, strs},
    tdigest::TDigest,
};

/// Compression of sketches made here.
const COMPRESSION: f64 = 1000.0;

/// Adds the functions of this folder.
pub fn register(r: &mut FunctionRegistry) {
    r.add_scalar(never_null(&["percentile_hash"], vec![sig([T::Double], T::Percentile)], percentile_hash));
    r.add_scalar(never_null(&["percentile_empty"], vec![sig([], T::Percentile)], percentile_empty));
    let raw = vec![sig([T::Percentile, T::Double], T::Double)];
    r.add_scalar(partial(&["percentile_approx_raw"], raw, percentile_approx_raw));
}

/// NULL gives the empty sketch.
fn percentile_hash(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let mut sketch = TDigest::new(COMPRESSION);
        if let Some(value) = args[0].scalar(row).as_f64() {
            sketch.add(value, 1.0);
        }
        out.push(&sketch.to_bytes());
    }
    Ok(out.finish(&call.result))
}

fn percentile_empty(_: &EvalContext, call: &ScalarOverload, _: &[Column], rows: usize) -> Result<Column> {
    let bytes = TDigest::new(COMPRESSION).to_bytes();
    Ok(Column::constant(Scalar::Binary(bytes.into()), call.result.clone(), rows))
}

fn percentile_approx_raw(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let sketches = strs(&args[0]);
    let quantile = |row: usize| {
        let value = TDigest::from_bytes(sketches.get(row))?.quantile(args[1].scalar(row).as_f64()?);
        (!value.is_nan()).then_some(value)
    };
    Ok(primitive_opt::<Float64Type>((0..rows).map(quantile), &call.result))
}
