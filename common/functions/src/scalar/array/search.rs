//! `array_contains`, `array_position`, `array_remove`, `array_contains_all`, `array_contains_seq`. NULL elements equal NULL.

use arrow::{
    buffer::NullBuffer,
    datatypes::Int32Type,
};
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{ArrayParts, Column, LogicalType as T};

use super::filter::keep_elements;
use crate::kernels::{
    def::{custom, strict},
    elements::{ElementPair, flat, with_eq},
    strings::{booleans, booleans_opt, primitive},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let element = |result| vec![Signature::new(vec![TypePattern::ArrayOf(0), TypePattern::Same(0)], result)];
    let arrays = |result| vec![Signature::new(vec![TypePattern::ArrayOf(0), TypePattern::ArrayOf(0)], result)];
    r.add_scalar(custom(&["array_contains"], element(ResultRule::Exact(T::Boolean)), contains));
    r.add_scalar(custom(&["array_position"], element(ResultRule::Exact(T::Int)), position));
    r.add_scalar(custom(&["array_remove"], element(ResultRule::ArrayOf(0)), remove));
    r.add_scalar(strict(&["array_contains_all"], arrays(ResultRule::Exact(T::Boolean)), |_, _, args, rows| {
        both(args, rows, false)
    }));
    r.add_scalar(strict(&["array_contains_seq"], arrays(ResultRule::Exact(T::Boolean)), |_, _, args, rows| {
        both(args, rows, true)
    }));
}

fn parts(column: &Column) -> Result<ArrayParts> {
    match column.array_parts() {
        Some(parts) => Ok(parts),
        None => bail!(Internal, "an array was expected, {} came", column.ty()),
    }
}

fn null_at(nulls: &Option<NullBuffer>, i: usize) -> bool {
    nulls.as_ref().is_some_and(|n| n.is_null(i))
}

/// What is looked for: one value a row, or a single one for all rows.
struct Wanted {
    values: Column,
    nulls: Option<NullBuffer>,
    constant: bool,
}

impl Wanted {
    fn new(column: &Column) -> Self {
        let constant = column.is_const() && !column.is_empty();
        let values = if constant { flat(&column.slice(0, 1)) } else { flat(column) };
        Self { nulls: values.nulls(), values, constant }
    }

    fn index(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }
}

/// Position of the first equal element within each row; `None` for rows of NULL arrays.
fn first_match(array: &ArrayParts, wanted: &Wanted, rows: usize) -> Result<Vec<Option<i32>>> {
    let item_nulls = array.values.nulls();
    let pair = ElementPair::new(&array.values, &wanted.values)?;
    Ok(with_eq!(pair, eq => (0..rows)
        .map(|row| {
            if null_at(&array.nulls, row) {
                return None;
            }
            let target = wanted.index(row);
            let mut range = array.offsets[row] as usize..array.offsets[row + 1] as usize;
            let found = if null_at(&wanted.nulls, target) {
                range.position(|i| null_at(&item_nulls, i))
            } else if item_nulls.is_none() {
                range.position(|i| eq(i, target))
            } else {
                range.position(|i| !null_at(&item_nulls, i) && eq(i, target))
            };
            Some(found.map_or(0, |i| i as i32 + 1))
        })
        .collect()))
}

fn contains(_: &EvalContext, _: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let found = first_match(&parts(&args[0])?, &Wanted::new(&args[1]), rows)?;
    Ok(booleans_opt(found.into_iter().map(|p| p.map(|p| p > 0))))
}

fn position(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let array = parts(&args[0])?;
    let found = first_match(&array, &Wanted::new(&args[1]), rows)?;
    Ok(primitive::<Int32Type>(found.into_iter().map(Option::unwrap_or_default).collect(), array.nulls, &call.result))
}

fn remove(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let array = parts(&args[0])?;
    let wanted = Wanted::new(&args[1]);
    let item_nulls = array.values.nulls();
    let pair = ElementPair::new(&array.values, &wanted.values)?;
    let (offsets, picks) = with_eq!(pair, eq => keep_elements(&array.offsets, array.nulls.as_ref(), rows, |row, _, i| {
        let target = wanted.index(row);
        match (null_at(&item_nulls, i), null_at(&wanted.nulls, target)) {
            (false, false) => !eq(i, target),
            (a, b) => a != b,
        }
    }));
    Ok(Column::from_array_parts(offsets, array.values.gather(&picks), array.nulls)?.with_type(call.result.clone()))
}

/// Whether the first array contains the elements of the second: anywhere, or as one run.
fn both(args: &[Column], rows: usize, as_run: bool) -> Result<Column> {
    let (a, b) = (parts(&args[0])?, parts(&args[1])?);
    let (a_nulls, b_nulls) = (a.values.nulls(), b.values.nulls());
    let pair = ElementPair::new(&a.values, &b.values)?;
    Ok(with_eq!(pair, eq => {
        let same = |i: usize, j: usize| match (null_at(&a_nulls, i), null_at(&b_nulls, j)) {
            (false, false) => eq(i, j),
            (x, y) => x && y,
        };
        booleans((0..rows).map(|row| {
            let hay = a.offsets[row] as usize..a.offsets[row + 1] as usize;
            let needle = b.offsets[row] as usize..b.offsets[row + 1] as usize;
            if as_run {
                let len = needle.len();
                len <= hay.len() && (hay.start..=hay.end - len).any(|at| (0..len).all(|k| same(at + k, needle.start + k)))
            } else {
                needle.into_iter().all(|j| hay.clone().any(|i| same(i, j)))
            }
        }))
    }))
}
