//! `array_contains`, `array_position`, `array_remove`, `array_contains_all`, `array_contains_seq`. NULL elements equal NULL.

use arrow::{buffer::NullBuffer, datatypes::Int32Type};
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{ArrayParts, Column, LogicalType as T};
use hashbrown::HashTable;

use super::{filter::keep_elements, sets::Together};
use crate::kernels::{
    def::{custom, strict},
    elements::{ElementPair, SCAN_MAX, flat, with_eq},
    lists::Lists,
    maps::hashes,
    strings::{booleans, booleans_opt, primitive_opt},
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
fn first_match(array: &Lists, wanted: &Wanted, rows: usize) -> Result<Vec<Option<i32>>> {
    let values = &array.parts.values;
    let item_nulls = values.nulls();
    let pair = ElementPair::new(values, &wanted.values)?;
    if array.is_constant() && !wanted.constant && values.len() > SCAN_MAX && rows > SCAN_MAX {
        return first_match_by_hash(array, wanted, rows);
    }
    Ok(with_eq!(pair, eq => (0..rows)
        .map(|row| {
            if array.is_null(row) {
                return None;
            }
            let target = wanted.index(row);
            let mut range = array.range(row);
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

/// The same for many values looked up in one long array.
fn first_match_by_hash(array: &Lists, wanted: &Wanted, rows: usize) -> Result<Vec<Option<i32>>> {
    if array.is_null(0) {
        return Ok(vec![None; rows]);
    }
    let values = &array.parts.values;
    let item_nulls = values.nulls();
    let (item_codes, wanted_codes) = (hashes(values), hashes(&wanted.values));
    let (among, across) = (ElementPair::new(values, values)?, ElementPair::new(values, &wanted.values)?);
    let range = array.range(0);
    let first_null = range.clone().position(|i| null_at(&item_nulls, i)).map_or(0, |i| i as i32 + 1);
    let mut firsts: HashTable<u32> = HashTable::new();
    with_eq!(among, eq => {
        for i in range.clone().filter(|i| !null_at(&item_nulls, *i)) {
            let entry = firsts.entry(item_codes[i], |j| eq(i, *j as usize), |j| item_codes[*j as usize]);
            entry.or_insert(i as u32);
        }
    });
    Ok(with_eq!(across, eq => (0..rows)
        .map(|row| {
            if null_at(&wanted.nulls, row) {
                return Some(first_null);
            }
            let found = firsts.find(wanted_codes[row], |i| eq(*i as usize, row));
            Some(found.map_or(0, |i| *i as i32 - range.start as i32 + 1))
        })
        .collect()))
}

fn contains(_: &EvalContext, _: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let found = first_match(&Lists::new(&args[0])?, &Wanted::new(&args[1]), rows)?;
    Ok(booleans_opt(found.into_iter().map(|p| p.map(|p| p > 0))))
}

fn position(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let found = first_match(&Lists::new(&args[0])?, &Wanted::new(&args[1]), rows)?;
    Ok(primitive_opt::<Int32Type>(found.into_iter(), &call.result))
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

/// Products of lengths up to which elements are compared pair by pair.
const PAIRS_MAX: usize = 1 << 10;

/// Whether the first array contains the elements of the second: anywhere, or as one run.
fn both(args: &[Column], rows: usize, as_run: bool) -> Result<Column> {
    let (a, b) = (Lists::new(&args[0])?, Lists::new(&args[1])?);
    if !as_run && (0..rows).any(|row| a.range(row).len() * b.range(row).len() > PAIRS_MAX) {
        return all_by_hash(args, rows);
    }
    let (a_nulls, b_nulls) = (a.parts.values.nulls(), b.parts.values.nulls());
    let pair = ElementPair::new(&a.parts.values, &b.parts.values)?;
    Ok(with_eq!(pair, eq => {
        let same = |i: usize, j: usize| match (null_at(&a_nulls, i), null_at(&b_nulls, j)) {
            (false, false) => eq(i, j),
            (x, y) => x && y,
        };
        booleans((0..rows).map(|row| {
            let (hay, mut needle) = (a.range(row), b.range(row));
            if as_run {
                let len = needle.len();
                len <= hay.len() && (hay.start..=hay.end - len).any(|at| (0..len).all(|k| same(at + k, needle.start + k)))
            } else {
                needle.all(|j| hay.clone().any(|i| same(i, j)))
            }
        }))
    }))
}

/// `array_contains_all` of long arrays.
fn all_by_hash(args: &[Column], rows: usize) -> Result<Column> {
    let all = Together::new(args)?;
    let nulls = all.values.nulls();
    let codes = hashes(&all.values);
    let code = |i: usize| if null_at(&nulls, i) { 0 } else { codes[i] };
    let pair = ElementPair::new(&all.values, &all.values)?;
    let mut members: HashTable<u32> = HashTable::new();
    Ok(with_eq!(pair, eq => {
        let same = |i: usize, j: usize| match (null_at(&nulls, i), null_at(&nulls, j)) {
            (false, false) => eq(i, j),
            (x, y) => x && y,
        };
        booleans((0..rows).map(|row| {
            members.clear();
            for i in all.range(0, row) {
                members.entry(code(i), |k| same(i, *k as usize), |k| code(*k as usize)).or_insert(i as u32);
            }
            all.range(1, row).all(|j| members.find(code(j), |i| same(*i as usize, j)).is_some())
        }))
    }))
}
