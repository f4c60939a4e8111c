//! `array_agg(x)`, `array_agg_distinct(x)`, `array_unique_agg(array)`, `map_agg(k, v)`, `min_n`/`max_n`.

use std::ops::Range;

use common_base::{Result, bail};
use common_expr::{
    aggregate_fn::{Accumulator, AggregateFunction},
    calls::SortKey,
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T, compare::compare_rows};

use arrow::buffer::{NullBuffer, OffsetBuffer};
use hashbrown::HashSet;

use super::{
    def::{aggregate, state_is_result},
    rows::{GroupedRows, Sorted},
};
use crate::kernels::def::INTEGERS;

/// The rows of the function table.
pub fn functions() -> Vec<AggregateFunction> {
    let array = || vec![Signature::new(vec![TypePattern::Any], ResultRule::Compute(|a| Ok(T::array(element(&a[0])))))];
    let top = || {
        INTEGERS
            .iter()
            .map(|n| {
                Signature::new(
                    vec![TypePattern::Any, TypePattern::Exact(n.clone())],
                    ResultRule::Compute(|a| Ok(T::array(element(&a[0])))),
                )
            })
            .collect::<Vec<_>>()
    };
    let map = Signature::new(
        vec![TypePattern::Any, TypePattern::Any],
        ResultRule::Compute(|a| Ok(T::map(element(&a[0]), element(&a[1])))),
    );
    vec![
        aggregate(&["array_agg"], array(), state_is_result, |call, _, _| new(call.result.clone(), Shape::All)),
        aggregate(&["array_agg_distinct"], array(), state_is_result, |call, _, _| new(call.result.clone(), Shape::Distinct)),
        aggregate(
            &["array_unique_agg"],
            vec![Signature::new(vec![TypePattern::AnyArray], ResultRule::Arg(0))],
            state_is_result,
            |call, _, _| new(call.result.clone(), Shape::DistinctElements),
        ),
        aggregate(&["map_agg"], vec![map], state_is_result, |call, _, _| new(call.result.clone(), Shape::Map)),
        aggregate(&["min_n"], top(), state_is_result, |call, _, c| new(call.result.clone(), Shape::Least(limit(c)?))),
        aggregate(&["max_n"], top(), state_is_result, |call, _, c| new(call.result.clone(), Shape::Greatest(limit(c)?))),
    ]
}

fn element(ty: &T) -> T {
    if *ty == T::Null { T::Boolean } else { ty.clone() }
}

fn limit(constants: &[Option<common_types::Scalar>]) -> Result<usize> {
    match constants.get(1).and_then(|c| c.as_ref()).and_then(|s| s.as_i64()) {
        Some(n @ 1..=10_000) => Ok(n as usize),
        _ => bail!(Analysis, "the second argument must be a constant between 1 and 10000"),
    }
}

/// What the result is made of.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    All,
    Distinct,
    DistinctElements,
    Map,
    Least(usize),
    Greatest(usize),
}

fn new(result: T, shape: Shape) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(ArrayAgg { result, shape, rows: GroupedRows::default(), order: Vec::new() }))
}

struct ArrayAgg {
    result: T,
    shape: Shape,
    rows: GroupedRows,
    /// Descending and NULLS FIRST of each ordering key; the keys are the columns after the first.
    order: Vec<(bool, bool)>,
}

impl ArrayAgg {
    fn select(&mut self, groups: Range<usize>) -> (Vec<u32>, Vec<i32>) {
        let (shape, order) = (self.shape, &self.order);
        let sorted = self.rows.sorted();
        let mut picked = Vec::new();
        let mut offsets = vec![0i32];
        for g in groups {
            let mut rows = sorted.rows(g).to_vec();
            arrange(sorted, shape, order, &mut rows);
            picked.extend(rows);
            offsets.push(picked.len() as i32);
        }
        (picked, offsets)
    }

    fn output(&mut self, groups: Range<usize>) -> Result<Column> {
        let (picked, offsets) = self.select(groups.clone());
        let sorted = self.rows.sorted();
        let nulls = NullBuffer::from_iter(groups.map(|g| !sorted.rows(g).is_empty()));
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        let take = |i: usize, ty: &T| match sorted.columns.get(i) {
            Some(c) => c.gather(&picked).with_type(ty.clone()),
            None => Column::empty(ty.clone()),
        };
        let offsets = OffsetBuffer::new(offsets.into());
        match &self.result {
            T::Map(k, v) => Column::from_map_parts(offsets, take(0, k), take(1, v), nulls),
            T::Array(e) => Column::from_array_parts(offsets, take(0, e), nulls),
            other => bail!(Internal, "array_agg cannot give {other}"),
        }
    }
}

fn arrange(sorted: &Sorted, shape: Shape, order: &[(bool, bool)], rows: &mut Vec<u32>) {
    let Some(x) = sorted.columns.first() else { return };
    let ascending = |a: &u32, b: &u32| compare_rows(x, *a as usize, x, *b as usize, true, false);
    match shape {
        Shape::All if order.is_empty() => {}
        Shape::All => sort_by_keys(sorted, order, rows),
        Shape::Distinct | Shape::DistinctElements => {
            if order.is_empty() {
                keep_first(x, rows);
            } else {
                sort_by_keys(sorted, order, rows);
                keep_first(x, rows);
            }
        }
        Shape::Map => {
            keep_first(x, rows);
            rows.sort_by(ascending);
        }
        Shape::Least(n) => {
            rows.sort_by(ascending);
            rows.truncate(n);
        }
        Shape::Greatest(n) => {
            rows.sort_by(ascending);
            let from = rows.len().saturating_sub(n);
            rows.drain(..from);
        }
    }
}

fn sort_by_keys(sorted: &Sorted, order: &[(bool, bool)], rows: &mut [u32]) {
    let keys = &sorted.columns[sorted.columns.len() - order.len()..];
    rows.sort_by(|a, b| {
        keys.iter()
            .zip(order)
            .map(|(k, (desc, nulls_first))| compare_rows(k, *a as usize, k, *b as usize, *nulls_first, *desc))
            .find(|o| o.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
}

fn keep_first(x: &Column, rows: &mut Vec<u32>) {
    let mut seen = HashSet::new();
    rows.retain(|r| seen.insert(x.scalar(*r as usize)));
}

impl Accumulator for ArrayAgg {
    fn resize(&mut self, groups: usize) {
        self.rows.resize(groups);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let first_nulls = args[0].nulls();
        match self.shape {
            Shape::All | Shape::Distinct => self.rows.push(groups, args.to_vec()),
            Shape::DistinctElements => self.rows.push_arrays(groups, &args[0]),
            Shape::Map => self.rows.push_valid(groups, &args[..2], first_nulls.as_ref()),
            Shape::Least(_) | Shape::Greatest(_) => self.rows.push_valid(groups, &args[..1], first_nulls.as_ref()),
        }
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.update(&vec![group; rows], args)
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        if !self.order.is_empty() {
            bail!(NotSupported, "an ordered array_agg is computed in one phase");
        }
        match states.map_parts() {
            None => self.rows.push_arrays(groups, states),
            Some(parts) => {
                let (mut owners, mut rows) = (Vec::new(), Vec::new());
                for (i, &g) in groups.iter().enumerate().filter(|(i, _)| !states.is_null(*i)) {
                    let range = parts.offsets[i] as u32..parts.offsets[i + 1] as u32;
                    owners.extend(std::iter::repeat_n(g, range.len()));
                    rows.extend(range);
                }
                self.rows.push(&owners, vec![parts.keys.gather(&rows), parts.values.gather(&rows)]);
            }
        }
        Ok(())
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        if !self.order.is_empty() {
            bail!(NotSupported, "an ordered array_agg is computed in one phase");
        }
        self.output(groups)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        self.output(groups)
    }

    fn memory_size(&self) -> usize {
        self.rows.memory_size()
    }

    fn set_order(&mut self, keys: &[SortKey]) {
        self.order = keys.iter().map(|k| (k.descending, k.nulls_first)).collect();
    }
}
