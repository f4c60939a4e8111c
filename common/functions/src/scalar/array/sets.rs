//! `array_distinct`, `array_intersect`, `arrays_overlap`. NULL elements equal NULL.

use arrow::buffer::OffsetBuffer;
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{ArrayParts, Column, LogicalType as T};
use hashbrown::HashTable;

use crate::kernels::{
    def::strict,
    elements::{ElementPair, SCAN_MAX, distinct_within, flat, with_eq},
    lists::Lists,
    maps::hashes,
    strings::booleans,
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let one = Signature::new(vec![TypePattern::AnyArray], ResultRule::Arg(0));
    r.add_scalar(strict(&["array_distinct"], vec![one], distinct));
    let many = Signature::new(vec![TypePattern::ArrayOf(0)], ResultRule::ArrayOf(0)).variadic();
    r.add_scalar(strict(&["array_intersect"], vec![many], intersect));
    let two = Signature::new(vec![TypePattern::ArrayOf(0), TypePattern::ArrayOf(0)], ResultRule::Exact(T::Boolean));
    r.add_scalar(strict(&["arrays_overlap"], vec![two], overlap));
}

fn parts(column: &Column) -> Result<ArrayParts> {
    match column.array_parts() {
        Some(parts) => Ok(parts),
        None => bail!(Internal, "an array was expected, {} came", column.ty()),
    }
}

fn distinct(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let array = parts(&args[0])?;
    let nulls = array.values.nulls();
    let is_null = |i: usize| nulls.as_ref().is_some_and(|n| n.is_null(i));
    let codes = if array.offsets.windows(2).any(|w| (w[1] - w[0]) as usize > SCAN_MAX) {
        hashes(&array.values)
    } else {
        Vec::new()
    };
    let pair = ElementPair::new(&array.values, &array.values)?;
    let mut scratch = HashTable::new();
    let mut picks = Vec::with_capacity(array.values.len());
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    with_eq!(pair, eq => {
        for row in 0..rows {
            let range = array.offsets[row] as usize..array.offsets[row + 1] as usize;
            distinct_within(range, is_null, eq, |i| codes[i], &mut scratch, &mut picks);
            offsets.push(picks.len() as i32);
        }
    });
    let offsets = OffsetBuffer::new(offsets.into());
    Ok(Column::from_array_parts(offsets, array.values.gather(&picks), None)?.with_type(call.result.clone()))
}

/// Elements of several arrays in one column; array `k` starts at `bases[k]`.
pub struct Together {
    pub values: Column,
    bases: Vec<usize>,
    lists: Vec<Lists>,
}

impl Together {
    /// Brings the arrays of a call together.
    pub fn new(args: &[Column]) -> Result<Self> {
        let lists = args.iter().map(Lists::new).collect::<Result<Vec<_>>>()?;
        let ty = lists[0].parts.values.ty().clone();
        let values: Vec<Column> = lists.iter().map(|l| l.parts.values.clone().with_type(ty.clone())).collect();
        let mut bases = Vec::with_capacity(lists.len());
        let mut base = 0;
        for list in &lists {
            bases.push(base);
            base += list.parts.values.len();
        }
        Ok(Self { values: flat(&Column::concat(&values)), bases, lists })
    }

    /// Element range of one array in one row.
    pub fn range(&self, array: usize, row: usize) -> std::ops::Range<usize> {
        let range = self.lists[array].range(row);
        self.bases[array] + range.start..self.bases[array] + range.end
    }
}

fn intersect(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let all = Together::new(args)?;
    let nulls = all.values.nulls();
    let is_null = |i: usize| nulls.as_ref().is_some_and(|n| n.is_null(i));
    let codes = hashes(&all.values);
    let code = |i: usize| if is_null(i) { 0 } else { codes[i] };
    let pair = ElementPair::new(&all.values, &all.values)?;
    let mut scratch = HashTable::new();
    // An element of the first array with the number of arrays it was met in, in a row.
    let mut met: HashTable<(u32, u32)> = HashTable::new();
    let mut candidates = Vec::new();
    let mut picks = Vec::new();
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    with_eq!(pair, eq => {
        let same = |i: usize, j: usize| match (is_null(i), is_null(j)) {
            (false, false) => eq(i, j),
            (a, b) => a && b,
        };
        for row in 0..rows {
            candidates.clear();
            distinct_within(all.range(0, row), is_null, eq, code, &mut scratch, &mut candidates);
            met.clear();
            for &i in &candidates {
                met.insert_unique(code(i as usize), (i, 0), |(j, _)| code(*j as usize));
            }
            for array in 1..args.len() {
                for i in all.range(array, row) {
                    if let Some((_, count)) = met.find_mut(code(i), |(j, _)| same(i, *j as usize))
                        && *count as usize == array - 1
                    {
                        *count += 1;
                    }
                }
            }
            let needed = args.len() - 1;
            picks.extend(candidates.iter().filter(|i| {
                met.find(code(**i as usize), |(j, _)| j == *i).is_some_and(|(_, count)| *count as usize == needed)
            }));
            offsets.push(picks.len() as i32);
        }
    });
    let offsets = OffsetBuffer::new(offsets.into());
    Ok(Column::from_array_parts(offsets, all.values.gather(&picks), None)?.with_type(call.result.clone()))
}

fn overlap(_: &EvalContext, _: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let all = Together::new(args)?;
    let nulls = all.values.nulls();
    let is_null = |i: usize| nulls.as_ref().is_some_and(|n| n.is_null(i));
    let codes = hashes(&all.values);
    let code = |i: usize| if is_null(i) { 0 } else { codes[i] };
    let pair = ElementPair::new(&all.values, &all.values)?;
    let mut members: HashTable<u32> = HashTable::new();
    Ok(with_eq!(pair, eq => {
        let same = |i: usize, j: usize| match (is_null(i), is_null(j)) {
            (false, false) => eq(i, j),
            (a, b) => a && b,
        };
        booleans((0..rows).map(|row| {
            let (a, b) = (all.range(0, row), all.range(1, row));
            if a.len() * b.len() <= 64 {
                return a.into_iter().any(|i| b.clone().any(|j| same(i, j)));
            }
            members.clear();
            for i in a {
                members.entry(code(i), |j| same(i, *j as usize), |j| code(*j as usize)).or_insert(i as u32);
            }
            b.into_iter().any(|i| members.find(code(i), |j| same(i, *j as usize)).is_some())
        }))
    }))
}
