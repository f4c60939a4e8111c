//! `bool_or(b)` and `bool_and(b)`.

use std::ops::Range;

use common_base::Result;
use common_expr::aggregate_fn::{Accumulator, AggregateFunction};
use common_types::{Column, LogicalType as T};

use arrow::{array::BooleanArray, buffer::NullBuffer};

use super::{
    def::{aggregate, idempotent, state_is_result},
    seen::Seen,
};
use crate::kernels::{def::sig, ints::IntArg};

/// The rows of the function table.
pub fn functions() -> Vec<AggregateFunction> {
    let one = || vec![sig([T::Boolean], T::Boolean)];
    vec![
        idempotent(aggregate(&["bool_or", "boolor_agg"], one(), state_is_result, |_, _, _| Ok(Box::new(Bool::new(true))))),
        idempotent(aggregate(&["bool_and", "booland_agg", "every"], one(), state_is_result, |_, _, _| {
            Ok(Box::new(Bool::new(false)))
        })),
    ]
}

struct Bool {
    /// The value that decides: TRUE for or, FALSE for and.
    decides: bool,
    states: Vec<bool>,
    seen: Seen,
}

impl Bool {
    fn new(decides: bool) -> Self {
        Self { decides, states: Vec::new(), seen: Seen::default() }
    }
}

impl Accumulator for Bool {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, !self.decides);
        self.seen.resize(groups);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let Some(arg) = IntArg::new(&args[0]) else { return Ok(()) };
        let values = arg.to_i64(groups.len());
        let nulls: Option<NullBuffer> = args[0].nulls();
        for (i, &g) in groups.iter().enumerate() {
            if (values[i] != 0) == self.decides && nulls.as_ref().is_none_or(|n| n.is_valid(i)) {
                self.states[g as usize] = self.decides;
            }
        }
        self.seen.mark_rows(groups, nulls.as_ref());
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.update(&vec![group; rows], args)
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        self.update(groups, std::slice::from_ref(states))
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        self.finish(groups)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        // OR over nothing is FALSE, AND over nothing is unknown.
        let nulls = if self.decides { None } else { self.seen.nulls(groups.clone()) };
        let array = BooleanArray::new(self.states[groups].iter().copied().collect(), nulls);
        Ok(Column::flat(std::sync::Arc::new(array), T::Boolean))
    }

    fn memory_size(&self) -> usize {
        self.states.capacity() + self.seen.memory_size()
    }
}
