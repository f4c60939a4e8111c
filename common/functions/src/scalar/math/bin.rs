//! `bin(x)`: binary digits of the two's complement.

use common_base::Result;
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{sig, strict},
    ints::IntArg,
    num::null_shortcut,
    text::TextBuilder,
};

/// The row of the function table.
pub fn function() -> ScalarFunction {
    strict(&["bin"], vec![sig([T::BigInt], T::varchar())], bin)
}

fn bin(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let x = IntArg::new(&args[0]).expect("a BIGINT");
    let mut out = TextBuilder::new(rows);
    for (i, v) in x.to_i64(rows).iter().enumerate() {
        if args[0].is_null(i) {
            out.push_null();
        } else {
            out.push(format!("{v:b}").as_bytes());
        }
    }
    Ok(out.finish(&call.result))
}
