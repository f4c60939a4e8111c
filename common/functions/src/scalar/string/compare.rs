//! `strcmp`, `starts_with`, `ends_with`, `null_or_empty`.

use arrow::datatypes::Int32Type;
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{never_null, sig, strict},
    strings::{booleans, primitive, strs},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    r.add_scalar(strict(&["strcmp"], vec![sig([s(), s()], T::Int)], strcmp));
    r.add_scalar(strict(&["starts_with"], vec![sig([s(), s()], T::Boolean)], |_, _, args, rows| {
        test(args, rows, |s, x| s.starts_with(x))
    }));
    r.add_scalar(strict(&["ends_with"], vec![sig([s(), s()], T::Boolean)], |_, _, args, rows| {
        test(args, rows, |s, x| s.ends_with(x))
    }));
    let array = Signature::new(vec![TypePattern::AnyArray], ResultRule::Exact(T::Boolean));
    r.add_scalar(never_null(&["null_or_empty"], vec![sig([s()], T::Boolean), array], null_or_empty));
}

fn strcmp(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (a, b) = (strs(&args[0]), strs(&args[1]));
    Ok(primitive::<Int32Type>((0..rows).map(|row| a.get(row).cmp(b.get(row)) as i32).collect(), None, &call.result))
}

fn test(args: &[Column], rows: usize, holds: impl Fn(&[u8], &[u8]) -> bool) -> Result<Column> {
    let (a, b) = (strs(&args[0]), strs(&args[1]));
    Ok(booleans((0..rows).map(|row| holds(a.get(row), b.get(row)))))
}

fn null_or_empty(_: &EvalContext, _: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if matches!(args[0].ty(), T::Array(_)) {
        // An empty array is not "empty" here: only NULL arrays count.
        return Ok(booleans((0..rows).map(|row| args[0].is_null(row))));
    }
    let (s, nulls) = (strs(&args[0]), args[0].nulls());
    Ok(booleans((0..rows).map(|row| nulls.as_ref().is_some_and(|n| n.is_null(row)) || s.get(row).is_empty())))
}
