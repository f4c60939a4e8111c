//! `a <=> b`: equality in which NULL equals NULL; never NULL.

use arrow::buffer::{BooleanBuffer, NullBuffer};
use common_base::Result;
use common_expr::{
    scalar_fn::{EvalContext, ScalarFunction, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern::Any},
};
use common_types::{Column, LogicalType};

use crate::kernels::{
    compare::{Cmp, verdict},
    def::never_null,
    num::from_bools,
};

/// The row of the function table.
pub fn function() -> ScalarFunction {
    let signature = Signature::new(vec![Any, Any], ResultRule::Exact(LogicalType::Boolean));
    never_null(&["null_safe_eq"], vec![signature], null_safe_eq)
}

fn null_safe_eq(_: &EvalContext, _: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (a, b) = (&args[0], &args[1]);
    let (na, nb) = (a.nulls(), b.nulls());
    if [&na, &nb].iter().any(|n| n.as_ref().is_some_and(|n| n.null_count() == rows)) {
        let null = |n: &Option<NullBuffer>, i: usize| n.as_ref().is_some_and(|n| n.is_null(i));
        return Ok(from_bools(BooleanBuffer::collect_bool(rows, |i| null(&na, i) && null(&nb, i)), None));
    }
    let equal = if a.ty().is_nested() {
        BooleanBuffer::collect_bool(rows, |i| a.scalar(i) == b.scalar(i))
    } else {
        verdict(Cmp::Eq, a, b, rows)?.into_buffer(rows)
    };
    Ok(from_bools(
        match (na, nb) {
            (None, None) => equal,
            (Some(n), None) | (None, Some(n)) => &equal & n.inner(),
            (Some(x), Some(y)) => {
                let both_valid = x.inner() & y.inner();
                let neither = !&(x.inner() | y.inner());
                &(&equal & &both_valid) | &neither
            }
        },
        None,
    ))
}
