//! `bar(v, min, max, width)`: a horizontal bar of text as long as the value is large.

use common_base::{Result, ensure};
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{sig, strict},
    ints::IntArg,
    num::null_shortcut,
    text::TextBuilder,
};

/// Partly filled blocks, by eighths.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// The row of the function table.
pub fn function() -> ScalarFunction {
    strict(&["bar"], vec![sig([T::BigInt, T::BigInt, T::BigInt, T::BigInt], T::varchar())], bar)
}

fn bar(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let get = |i: usize| IntArg::new(&args[i]).expect("a BIGINT").to_i64(rows).into_owned();
    let (v, min, max, width) = (get(0), get(1), get(2), get(3));
    let mut out = TextBuilder::new(rows);
    for i in 0..rows {
        if args.iter().any(|c| c.is_null(i)) {
            out.push_null();
            continue;
        }
        ensure!(min[i] < max[i], InvalidArgument, "bar requires min < max");
        ensure!((1..=1000).contains(&width[i]), InvalidArgument, "bar requires a width between 1 and 1000");
        ensure!((min[i]..=max[i]).contains(&v[i]), InvalidArgument, "bar requires value between min and max");
        let span = (i128::from(max[i]) - i128::from(min[i])).max(1);
        let eighths = ((i128::from(v[i]) - i128::from(min[i])) * i128::from(width[i]) * 8 / span) as usize;
        out.buffer.extend("▓".repeat(eighths / 8).bytes());
        out.buffer.extend(EIGHTHS[eighths % 8].bytes());
        out.commit();
    }
    Ok(out.finish(&call.result))
}
