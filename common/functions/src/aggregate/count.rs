//! `count(*)`, `count(x, …)` and `count_if(b)`: rows in which no argument is NULL.

use std::ops::Range;

use common_base::Result;
use common_expr::{
    aggregate_fn::{Accumulator, AggregateFunction},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T};

use arrow::buffer::NullBuffer;

use super::def::{aggregate, state_is_result, total};
use crate::kernels::{def::sig, group, ints::IntArg, ints::from_i64, num::union_nulls};

/// The rows of the function table.
pub fn functions() -> Vec<AggregateFunction> {
    let any = Signature::new(vec![TypePattern::Any], ResultRule::Exact(T::BigInt)).variadic();
    vec![
        total(aggregate(&["count"], vec![sig([], T::BigInt), any], state_is_result, |_, _, _| {
            Ok(Box::new(Count { counts: Vec::new(), only_true: false }))
        })),
        total(aggregate(&["count_if"], vec![sig([T::Boolean], T::BigInt)], state_is_result, |_, _, _| {
            Ok(Box::new(Count { counts: Vec::new(), only_true: true }))
        })),
    ]
}

struct Count {
    counts: Vec<i64>,
    only_true: bool,
}

impl Count {
    /// The rows to count, as a null mask.
    fn counted(&self, args: &[Column], rows: usize) -> Option<NullBuffer> {
        let nulls = union_nulls(args);
        if !self.only_true {
            return nulls;
        }
        let truth = match args[0].bools() {
            Some(b) => NullBuffer::new(b.values().clone()),
            None if args[0].as_const().and_then(|s| s.as_bool()) == Some(true) => return nulls,
            None => NullBuffer::new_null(rows),
        };
        NullBuffer::union(nulls.as_ref(), Some(&truth))
    }
}

impl Accumulator for Count {
    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let nulls = self.counted(args, groups.len());
        group::count(&mut self.counts, groups, nulls.as_ref());
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        let skipped = self.counted(args, rows).map_or(0, |n| n.null_count());
        self.counts[group as usize] += (rows - skipped) as i64;
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        if let Some(arg) = IntArg::new(states) {
            group::add_i64(&mut self.counts, groups, &arg.values, states.nulls().as_ref());
        }
        Ok(())
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        self.finish(groups)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        Ok(from_i64(&T::BigInt, self.counts[groups].to_vec(), None))
    }

    fn memory_size(&self) -> usize {
        self.counts.capacity() * 8
    }

    fn states_from_rows(&self, args: &[Column], rows: usize) -> Option<Result<Column>> {
        let values = match self.counted(args, rows) {
            None => vec![1; rows],
            Some(n) => n.iter().map(i64::from).collect(),
        };
        Some(Ok(from_i64(&T::BigInt, values, None)))
    }
}
