//! Functions of two doubles. Results that are not finite become NULL.

use common_base::Result;
use common_expr::scalar_fn::{ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use arrow::buffer::NullBuffer;

use crate::kernels::{
    def::{partial, sig},
    ints::{IntArg, from_i64},
    num::{binary_f64, null_shortcut, unary_f64, union_nulls},
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let two = || sig([T::Double, T::Double], T::Double);
    vec![
        partial(&["pow", "power", "dpow", "fpow"], vec![two()], |_, c, a, n| binary_f64(c, a, n, f64::powf)),
        partial(&["atan2"], vec![two()], |_, c, a, n| binary_f64(c, a, n, f64::atan2)),
        partial(&["log"], vec![sig([T::Double], T::Double), two()], |_, c, a, n| log(c, a, n)),
        partial(&["fmod"], vec![sig([T::Float, T::Float], T::Float), two()], |_, c, a, n| {
            binary_f64(c, a, n, |x, y| if y == 0.0 { f64::NAN } else { x % y + 0.0 })
        }),
        partial(&["pmod"], vec![sig([T::BigInt, T::BigInt], T::BigInt), two()], |_, c, a, n| pmod(c, a, n)),
    ]
}

fn log(call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if args.len() == 1 {
        return unary_f64(call, args, rows, |x| if x > 0.0 { x.ln() } else { f64::NAN });
    }
    binary_f64(call, args, rows, |base, x| if x > 0.0 && base > 0.0 && base != 1.0 { x.ln() / base.ln() } else { f64::NAN })
}

fn pmod(call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if call.result == T::Double {
        return binary_f64(call, args, rows, |x, y| if y == 0.0 { f64::NAN } else { ((x % y) + y) % y + 0.0 });
    }
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let (x, y) = (IntArg::new(&args[0]).expect("a BIGINT"), IntArg::new(&args[1]).expect("a BIGINT"));
    let (x, y) = (x.to_i64(rows), y.to_i64(rows));
    let value = |(&a, &b): (&i64, &i64)| if b == 0 { 0 } else { a.wrapping_rem(b).wrapping_add(b).wrapping_rem(b) };
    let valid = NullBuffer::from_iter(y.iter().map(|b| *b != 0));
    let nulls = NullBuffer::union(union_nulls(args).as_ref(), Some(&valid));
    Ok(from_i64(&call.result, x.iter().zip(y.iter()).map(value).collect(), nulls))
}
