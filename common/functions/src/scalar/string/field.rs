//! `field(x, a, …)`: the 1-based position of the first argument equal to x, 0 when there is none.
//!
//! All strings compare as strings, all integers and decimals exactly, any other mix as DOUBLE.

use arrow::datatypes::Int32Type;
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T, Scalar};

use crate::kernels::{
    def::never_null,
    strings::{primitive, strs, utf8},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let any = Signature::new(vec![TypePattern::Any, TypePattern::Any], ResultRule::Exact(T::Int)).variadic();
    r.add_scalar(never_null(&["field"], vec![any], field));
}

fn field(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let every = |test: fn(&T) -> bool| args.iter().all(|c| test(c.ty()) || c.ty().is_null_type());
    let first = &args[0].ty().clone();
    let positions = if every(T::is_bytes_like) {
        let views: Vec<_> = args.iter().map(strs).collect();
        search(args, rows, |i, row| views[i].get(row))
    } else if every(|t| t.is_integer() || t.is_decimal() || matches!(t, T::Boolean)) {
        let scale = args.iter().map(|c| c.ty().scale()).max().unwrap_or(0);
        let values: Vec<Vec<Option<i128>>> = args.iter().map(|c| exact(c, rows, scale)).collect();
        search(args, rows, |i, row| values[i][row])
    } else if args.iter().all(|c| c.ty() == first) {
        search(args, rows, |i, row| args[i].scalar(row))
    } else {
        let values: Vec<Vec<Option<f64>>> =
            args.iter().map(|c| (0..rows).map(|row| approximate(c, row)).collect()).collect();
        // What is no number equals nothing, not even itself.
        search(args, rows, |i, row| values[i][row].unwrap_or(f64::NAN))
    };
    Ok(primitive::<Int32Type>(positions, None, &call.result))
}

fn search<V: PartialEq>(args: &[Column], rows: usize, value: impl Fn(usize, usize) -> V) -> Vec<i32> {
    (0..rows)
        .map(|row| {
            if args[0].is_null(row) {
                return 0;
            }
            let wanted = value(0, row);
            (1..args.len()).find(|i| !args[*i].is_null(row) && value(*i, row) == wanted).map_or(0, |i| i as i32)
        })
        .collect()
}

/// Unscaled values brought to one scale; `None` for what does not fit.
fn exact(column: &Column, rows: usize, scale: i8) -> Vec<Option<i128>> {
    let factor = 10i128.checked_pow((scale - column.ty().scale()).unsigned_abs().into());
    (0..rows)
        .map(|row| {
            let value = match column.scalar(row) {
                Scalar::Boolean(v) => i128::from(v),
                other => other.as_i128()?,
            };
            value.checked_mul(factor?)
        })
        .collect()
}

fn approximate(column: &Column, row: usize) -> Option<f64> {
    let scale = i32::from(column.ty().scale());
    match column.scalar(row) {
        Scalar::Boolean(v) => Some(f64::from(u8::from(v))),
        value if value.as_bytes().is_some() => utf8(value.as_bytes()?).trim().parse().ok(),
        value => value.as_f64().or_else(|| value.as_i128().map(|v| v as f64 / 10f64.powi(scale))),
    }
}
