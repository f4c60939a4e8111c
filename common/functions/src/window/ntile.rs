//! `ntile(n)`: the number of the bucket when the partition is cut into n nearly equal ones, larger ones first.

use common_base::{Result, bail};
use common_expr::window_fn::{WindowFunction, WindowOverload, WindowPartition};
use common_types::{Column, LogicalType as T};

use super::ranked;
use crate::kernels::{def::sig, ints::from_i64};

/// The row of the function table.
pub fn function() -> WindowFunction {
    ranked(&["ntile"], vec![sig([T::BigInt], T::BigInt)], ntile)
}

fn ntile(_: &WindowOverload, p: &WindowPartition<'_>) -> Result<Column> {
    let buckets = match p.args.first().filter(|c| !c.is_empty()).and_then(|c| c.scalar(0).as_i64()) {
        Some(n) if n > 0 => n,
        _ => bail!(Analysis, "The num_buckets parameter of NTILE must be a constant positive integer"),
    };
    let rows = p.rows as i64;
    let (size, larger) = (rows / buckets, rows % buckets);
    let in_larger = larger * (size + 1);
    let bucket = |i: i64| {
        if i < in_larger { i / (size + 1) + 1 } else { larger + (i - in_larger) / size.max(1) + 1 }
    };
    Ok(from_i64(&T::BigInt, (0..rows).map(bucket).collect(), None))
}
