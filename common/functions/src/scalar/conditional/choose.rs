//! `if`, `ifnull`, `nullif`, `coalesce`, `isnull`, `isnotnull`: a choice of column per row.

use arrow::{array::Array, buffer::BooleanBuffer};
use common_base::{Result, bail};
use common_expr::{
    scalar_fn::{EvalContext, ScalarFunction, ScalarOverload},
    signature::{
        ResultRule, Signature,
        TypePattern::{Any, Exact, Same},
    },
};
use common_types::{Column, LogicalType as T, Scalar};

use crate::kernels::{
    compare::{Cmp, verdict},
    def::{custom, never_null},
    num::from_bools,
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let two = || vec![Signature::new(vec![Same(0), Same(0)], ResultRule::Bound(0))];
    let test = || vec![Signature::new(vec![Any], ResultRule::Exact(T::Boolean))];
    vec![
        custom(&["if"], vec![Signature::new(vec![Exact(T::Boolean), Same(0), Same(0)], ResultRule::Bound(0))], if_),
        custom(&["ifnull"], two(), coalesce),
        custom(&["nullif"], two(), nullif),
        custom(&["coalesce"], vec![Signature::new(vec![Same(0)], ResultRule::Bound(0)).variadic()], coalesce),
        never_null(&["isnull"], test(), |_, _, a, n| Ok(nullness(&a[0], n, true))),
        never_null(&["isnotnull"], test(), |_, _, a, n| Ok(nullness(&a[0], n, false))),
    ]
}

/// Row i of column `choice(i)`; beyond the last column NULL.
fn choose(ty: &T, columns: &[Column], rows: usize, choice: impl Fn(usize) -> usize) -> Column {
    let mut starts = Vec::with_capacity(columns.len());
    let mut parts: Vec<Column> = Vec::with_capacity(columns.len());
    let mut total = 0;
    for c in columns {
        let part = if c.is_const() { c.slice(0, 1) } else { c.clone() };
        starts.push((total as u32, !c.is_const()));
        total += part.len();
        parts.push(part.with_type(ty.clone()));
    }
    let indices: Vec<u32> = (0..rows)
        .map(|i| match starts.get(choice(i)) {
            Some((start, true)) => start + i as u32,
            Some((start, false)) => *start,
            None => u32::MAX,
        })
        .collect();
    let all = Column::concat_refs(&parts.iter().collect::<Vec<_>>());
    all.gather_opt(&indices)
}

fn if_(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let condition = &args[0];
    if let Some(s) = condition.as_const() {
        return Ok(args[if s.as_bool() == Some(true) { 1 } else { 2 }].clone().with_type(call.result.clone()));
    }
    let Some(bits) = condition.bools() else { bail!(Internal, "the condition of if() is {}", condition.ty()) };
    let taken = match bits.nulls() {
        Some(n) => bits.values() & n.inner(),
        None => bits.values().clone(),
    };
    Ok(choose(&call.result, &args[1..], rows, |i| usize::from(!taken.value(i))))
}

fn coalesce(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    // Columns behind one without NULLs never matter.
    let used = args.iter().position(|c| !c.has_nulls()).map_or(args.len(), |i| i + 1);
    if used == 1 {
        return Ok(args[0].clone().with_type(call.result.clone()));
    }
    let nulls: Vec<_> = args[..used].iter().map(Column::nulls).collect();
    Ok(choose(&call.result, &args[..used], rows, |i| {
        nulls.iter().position(|n| n.as_ref().is_none_or(|n| n.is_valid(i))).unwrap_or(usize::MAX)
    }))
}

fn nullif(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let null = |c: &Column| c.as_const().is_some_and(Scalar::is_null) || *c.ty() == T::Null;
    if args.iter().any(null) {
        return Ok(args[0].clone().with_type(call.result.clone()));
    }
    let equal = verdict(Cmp::Eq, &args[0], &args[1], rows)?.into_buffer(rows);
    let other_nulls = args[1].nulls();
    Ok(choose(&call.result, &args[..1], rows, |i| {
        if equal.value(i) && other_nulls.as_ref().is_none_or(|n| n.is_valid(i)) { 1 } else { 0 }
    }))
}

fn nullness(col: &Column, rows: usize, wanted: bool) -> Column {
    let valid = match col.nulls() {
        Some(n) => n.inner().clone(),
        None => BooleanBuffer::new_set(rows),
    };
    from_bools(if wanted { !&valid } else { valid }, None)
}
