//! `max_by(x, y)` and `min_by(x, y)`: the x of the row with the extreme y. State: STRUCT<x, y>.

use std::ops::Range;

use common_base::{Result, bail};
use common_expr::{
    aggregate_fn::{Accumulator, AggregateFunction, AggregateOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T, compare::compare_rows};

use arrow::buffer::NullBuffer;
use hashbrown::HashMap;

use super::{
    def::{aggregate, idempotent, struct_of},
    rows::RowStore,
};

/// The rows of the function table.
pub fn functions() -> Vec<AggregateFunction> {
    let two = || vec![Signature::new(vec![TypePattern::Any, TypePattern::Any], ResultRule::Arg(0))];
    let state = |args: &[T], _: &T| struct_of(&[("x", args[0].clone()), ("y", args[1].clone())]);
    vec![
        idempotent(aggregate(&["max_by"], two(), state, |call, _, _| Ok(create(call, true)))),
        idempotent(aggregate(&["min_by"], two(), state, |call, _, _| Ok(create(call, false)))),
    ]
}

/// The rows of a chunk that replace their group's stored row: for each group the best of the chunk, if it beats the store.
/// Column `y` of the store is compared.
pub fn choose(
    store: &RowStore,
    groups: &[u32],
    y: &Column,
    stored: usize,
    better: impl Fn(&Column, usize, &Column, usize) -> bool,
) -> Vec<(u32, u32)> {
    let nulls = y.nulls();
    let mut best: HashMap<u32, u32> = HashMap::new();
    for (i, &g) in groups.iter().enumerate() {
        if nulls.as_ref().is_some_and(|n| n.is_null(i)) {
            continue;
        }
        let row = best.entry(g).or_insert(i as u32);
        if *row != i as u32 && better(y, i, y, *row as usize) {
            *row = i as u32;
        }
    }
    best.retain(|g, row| match store.get(*g as usize) {
        None => true,
        Some((columns, at)) => better(y, *row as usize, &columns[stored], at),
    });
    best.into_iter().collect()
}

fn create(call: &AggregateOverload, greatest: bool) -> Box<dyn Accumulator> {
    Box::new(By { result: call.result.clone(), state: call.state_type(), y: call.args[1].clone(), greatest, store: RowStore::new() })
}

struct By {
    result: T,
    state: T,
    y: T,
    greatest: bool,
    store: RowStore,
}

impl Accumulator for By {
    fn resize(&mut self, groups: usize) {
        self.store.resize(groups);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let greatest = self.greatest;
        let better = |a: &Column, i: usize, b: &Column, j: usize| {
            let o = compare_rows(a, i, b, j, true, false);
            if greatest { o.is_gt() } else { o.is_lt() }
        };
        let chosen = choose(&self.store, groups, &args[1], 1, better);
        self.store.put(&args[..2], &chosen);
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.update(&vec![group; rows], args)
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        match states.struct_children() {
            Some(parts) => self.update(groups, &parts),
            None => bail!(Internal, "state of max_by is {}", states.ty()),
        }
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        let x = self.store.column(0, &self.result, groups.clone());
        let y = self.store.column(1, &self.y, groups.clone());
        let nulls = NullBuffer::from_iter(groups.clone().map(|g| self.store.has(g)));
        Column::from_struct_children(self.state.clone(), vec![x, y], Some(nulls), groups.len())
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        Ok(self.store.column(0, &self.result, groups))
    }

    fn memory_size(&self) -> usize {
        self.store.memory_size()
    }
}
