//! `equiwidth_bucket(v, min, max, n)`: the number of the equally wide bucket a value falls in.

use common_base::{Result, ensure};
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{sig, strict},
    ints::{IntArg, from_i64},
    num::{null_shortcut, union_nulls},
};

/// The row of the function table.
pub fn function() -> ScalarFunction {
    strict(&["equiwidth_bucket"], vec![sig([T::BigInt, T::BigInt, T::BigInt, T::BigInt], T::BigInt)], bucket)
}

fn bucket(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let get = |i: usize| IntArg::new(&args[i]).expect("a BIGINT").to_i64(rows).into_owned();
    let (v, min, max, n) = (get(0), get(1), get(2), get(3));
    let nulls = union_nulls(args);
    let mut out = vec![0; rows];
    for i in (0..rows).filter(|i| nulls.as_ref().is_none_or(|n| n.is_valid(*i))) {
        ensure!(min[i] < max[i], InvalidArgument, "equiwidth_bucket requires min < max");
        ensure!(n[i] > 0, InvalidArgument, "equiwidth_bucket requires buckets > 0");
        ensure!((min[i]..=max[i]).contains(&v[i]), InvalidArgument, "equiwidth_bucket requires value between min and max");
        let width = ((max[i] - min[i]) / n[i]).max(1);
        out[i] = (v[i] - min[i]) / width;
    }
    Ok(from_i64(&call.result, out, nulls))
}
