//! HyperLogLog aggregates: `approx_count_distinct`/`ndv`, `hll_raw`, `hll_union`/`hll_raw_agg`, `hll_union_agg`.

use std::ops::Range;

use common_base::Result;
use common_expr::aggregate_fn::{Accumulator, AggregateFunction};
use common_types::{Column, LogicalType as T, hash::hash_columns};

use super::def::{aggregate, any_to, idempotent, total};
use crate::kernels::{
    def::sig,
    hll::{Hll, hash_bytes, mix64},
    ints::{IntArg, from_i64},
    text::{TextArg, TextBuilder},
};

fn hll_state(_: &[T], _: &T) -> T {
    T::Hll
}

/// The rows of the function table.
pub fn functions() -> Vec<AggregateFunction> {
    let hll = || vec![sig([T::Hll], T::Hll)];
    [
        total(aggregate(&["approx_count_distinct", "ndv"], any_to(T::BigInt), hll_state, |_, _, _| new(Input::Values, true))),
        total(aggregate(
            &["ds_hll_count_distinct", "approx_count_distinct_hll_sketch", "ds_theta_count_distinct"],
            any_to(T::BigInt).into_iter().map(|s| s.variadic()).collect(),
            hll_state,
            |_, _, _| new(Input::Values, true),
        )),
        total(aggregate(&["hll_union_agg"], vec![sig([T::Hll], T::BigInt)], hll_state, |_, _, _| new(Input::Sketches, true))),
        aggregate(&["hll_union", "hll_raw_agg"], hll(), hll_state, |_, _, _| new(Input::Sketches, false)),
        aggregate(&["hll_raw"], any_to(T::Hll), hll_state, |_, _, _| new(Input::Raw, false)),
    ]
    .into_iter()
    .map(idempotent)
    .collect()
}

/// What the argument holds.
#[derive(Clone, Copy, PartialEq)]
enum Input {
    /// Values hashed for this aggregate alone.
    Values,
    /// Values hashed as `hll_hash` does.
    Raw,
    Sketches,
}

fn new(input: Input, count: bool) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Sketch { input, count, states: Vec::new(), bytes: 0 }))
}

struct Sketch {
    input: Input,
    count: bool,
    states: Vec<Hll>,
    bytes: usize,
}

impl Sketch {
    fn each(&mut self, col: &Column, rows: usize, group: impl Fn(usize) -> usize) {
        let nulls = col.nulls();
        let valid = |i: usize| nulls.as_ref().is_none_or(|n| n.is_valid(i));
        match self.input {
            Input::Values => {
                let mut hashes = Vec::new();
                hash_columns(std::slice::from_ref(col), rows, 0, &mut hashes);
                for i in (0..rows).filter(|i| valid(*i)) {
                    self.bytes += self.states[group(i)].add_hash(mix64(hashes[i]));
                }
            }
            Input::Raw => {
                let text = TextArg::new(col);
                let ints = IntArg::new(col).map(|a| a.to_i64(rows).into_owned());
                for i in (0..rows).filter(|i| valid(*i)) {
                    let hash = match (text.get(i), &ints) {
                        (Some(t), _) => hash_bytes(t),
                        (None, Some(v)) => hash_bytes(v[i].to_string().as_bytes()),
                        (None, None) => hash_bytes(col.scalar(i).to_string().as_bytes()),
                    };
                    self.bytes += self.states[group(i)].add_hash(hash);
                }
            }
            Input::Sketches => self.merge_each(col, rows, group),
        }
    }

    fn merge_each(&mut self, col: &Column, rows: usize, group: impl Fn(usize) -> usize) {
        let sketches = TextArg::new(col);
        for i in 0..rows {
            if let Some(other) = sketches.get(i).and_then(Hll::from_bytes) {
                self.bytes += self.states[group(i)].merge(&other);
            }
        }
    }

    fn sketches(&self, groups: Range<usize>) -> Column {
        let mut out = TextBuilder::new(groups.len());
        groups.for_each(|g| out.push(&self.states[g].to_bytes()));
        out.finish(&T::Hll)
    }
}

impl Accumulator for Sketch {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, Hll::new());
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        self.each(&args[0], groups.len(), |i| groups[i] as usize);
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.each(&args[0], rows, |_| group as usize);
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        self.merge_each(states, groups.len(), |i| groups[i] as usize);
        Ok(())
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        Ok(self.sketches(groups))
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        if self.count {
            return Ok(from_i64(&T::BigInt, self.states[groups].iter().map(Hll::cardinality).collect(), None));
        }
        Ok(self.sketches(groups))
    }

    fn memory_size(&self) -> usize {
        self.states.capacity() * size_of::<Hll>() + self.bytes
    }
}
