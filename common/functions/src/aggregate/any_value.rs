//! `any_value(x)`: the first value that is not NULL.

use std::ops::Range;

use common_base::Result;
use common_expr::aggregate_fn::{Accumulator, AggregateFunction};
use common_types::{Column, LogicalType as T};

use super::{
    def::{aggregate, any_to_same, idempotent, state_is_result},
    rows::RowStore,
};

/// The row of the function table.
pub fn function() -> AggregateFunction {
    idempotent(aggregate(&["any_value"], any_to_same(), state_is_result, |call, _, _| {
        Ok(Box::new(AnyValue { ty: call.result.clone(), store: RowStore::new(), taken: Vec::new(), missing: 0 }))
    }))
}

struct AnyValue {
    ty: T,
    store: RowStore,
    taken: Vec<bool>,
    missing: usize,
}

impl Accumulator for AnyValue {
    fn resize(&mut self, groups: usize) {
        self.missing += groups - self.taken.len();
        self.taken.resize(groups, false);
        self.store.resize(groups);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        if self.missing == 0 {
            return Ok(());
        }
        let nulls = args[0].nulls();
        let mut chosen = Vec::new();
        for (i, &g) in groups.iter().enumerate() {
            if !self.taken[g as usize] && nulls.as_ref().is_none_or(|n| n.is_valid(i)) {
                self.taken[g as usize] = true;
                self.missing -= 1;
                chosen.push((g, i as u32));
            }
        }
        self.store.put(&args[..1], &chosen);
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        if self.taken[group as usize] {
            return Ok(());
        }
        self.update(&vec![group; rows], args)
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        self.update(groups, std::slice::from_ref(states))
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        self.finish(groups)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        Ok(self.store.column(0, &self.ty, groups))
    }

    fn memory_size(&self) -> usize {
        self.store.memory_size() + self.taken.capacity()
    }
}
