//! Similarity and distance of two ARRAY<FLOAT> vectors.

use common_base::{Result, bail, ensure};
use common_expr::scalar_fn::{ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{sig, strict},
    num::{F64Arg, from_f64, null_shortcut, union_nulls},
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let two = || vec![sig([T::array(T::Float), T::array(T::Float)], T::Float)];
    vec![
        strict(&["cosine_similarity", "approx_cosine_similarity"], two(), |_, c, a, n| pairs(c, a, n, cosine)),
        strict(&["cosine_similarity_norm"], two(), |_, c, a, n| pairs(c, a, n, dot)),
        strict(&["l2_distance", "approx_l2_distance"], two(), |_, c, a, n| pairs(c, a, n, l2)),
    ]
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let norm = (dot(a, a) * dot(b, b)).sqrt();
    if norm == 0.0 { 0.0 } else { dot(a, b) / norm }
}

fn l2(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

fn pairs(call: &ScalarOverload, args: &[Column], rows: usize, f: impl Fn(&[f64], &[f64]) -> f64) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let (Some(a), Some(b)) = (args[0].array_parts(), args[1].array_parts()) else {
        bail!(Internal, "{} needs arrays", call.name())
    };
    let nulls = union_nulls(args);
    let (va, vb) = (F64Arg::new(&a.values, a.values.len())?, F64Arg::new(&b.values, b.values.len())?);
    ensure!(
        !a.values.has_nulls() && !b.values.has_nulls(),
        InvalidArgument,
        "{} does not support null values in its arrays",
        call.name()
    );
    let mut out = vec![0.0; rows];
    for i in (0..rows).filter(|i| nulls.as_ref().is_none_or(|n| n.is_valid(*i))) {
        let x = &va.values[a.offsets[i] as usize..a.offsets[i + 1] as usize];
        let y = &vb.values[b.offsets[i] as usize..b.offsets[i + 1] as usize];
        ensure!(x.len() == y.len(), InvalidArgument, "{} requires equal length arrays", call.name());
        out[i] = f(x, y);
    }
    Ok(from_f64(&call.result, out, nulls))
}
