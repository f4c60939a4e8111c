//! `approx_top_k(x[, k[, counter]])`: the most frequent values with their counts (space-saving; exact below the counter limit).

use std::ops::Range;

use common_base::Result;
use common_expr::{
    aggregate_fn::{Accumulator, AggregateFunction},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, ColumnBuilder, LogicalType as T, Scalar};

use hashbrown::HashMap;

use super::def::{aggregate, struct_of};

/// The row of the function table.
pub fn function() -> AggregateFunction {
    let result = ResultRule::Compute(|a| Ok(list_of(&a[0])));
    let int = || TypePattern::Exact(T::Int);
    let signatures = vec![
        Signature::new(vec![TypePattern::Any], result.clone()),
        Signature::new(vec![TypePattern::Any, int()], result.clone()),
        Signature::new(vec![TypePattern::Any, int(), int()], result),
    ];
    aggregate(&["approx_top_k"], signatures, |args, _| list_of(&args[0]), |call, _, constants| {
        let number = |at: usize| constants.get(at).and_then(|c| c.as_ref()).and_then(|s| s.as_i64());
        let k = number(1).unwrap_or(5).clamp(1, 100_000) as usize;
        let counters = number(2).map_or((2 * k).max(100), |c| (c.max(1) as usize).max(k)).min(100_000);
        Ok(Box::new(TopK { result: call.result.clone(), k, counters, states: Vec::new(), bytes: 0 }))
    })
}

fn list_of(item: &T) -> T {
    let item = if *item == T::Null { T::Boolean } else { item.clone() };
    T::array(struct_of(&[("item", item), ("count", T::BigInt)]))
}

struct TopK {
    result: T,
    k: usize,
    counters: usize,
    states: Vec<HashMap<Scalar, i64>>,
    bytes: usize,
}

impl TopK {
    fn add(&mut self, group: usize, value: Scalar, n: i64) {
        let counters = self.counters;
        let state = &mut self.states[group];
        if let Some(count) = state.get_mut(&value) {
            *count += n;
            return;
        }
        let mut inherited = 0;
        if state.len() >= counters
            && let Some((least, count)) = state.iter().min_by_key(|(_, c)| **c).map(|(v, c)| (v.clone(), *c))
        {
            state.remove(&least);
            inherited = count;
        } else {
            self.bytes += size_of::<(Scalar, i64)>() + value.heap_size();
        }
        state.insert(value, inherited + n);
    }

    fn lists(&self, groups: Range<usize>, most: usize) -> Result<Column> {
        let mut out = ColumnBuilder::new(&self.result, groups.len());
        for g in groups {
            if self.states[g].is_empty() {
                out.append_null();
                continue;
            }
            let mut items: Vec<(&Scalar, i64)> = self.states[g].iter().map(|(v, c)| (v, *c)).collect();
            items.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| common_types::compare::compare_scalars(a.0, b.0)));
            items.truncate(most);
            let list = items
                .into_iter()
                .map(|(v, c)| Scalar::Struct(vec![("item".into(), v.clone()), ("count".into(), Scalar::BigInt(c))]))
                .collect();
            out.append(&Scalar::Array(list))?;
        }
        Ok(out.finish())
    }
}

impl Accumulator for TopK {
    fn resize(&mut self, groups: usize) {
        self.states.resize_with(groups, HashMap::new);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        groups.iter().enumerate().for_each(|(i, &g)| self.add(g as usize, args[0].scalar(i), 1));
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        (0..rows).for_each(|i| self.add(group as usize, args[0].scalar(i), 1));
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        for (i, &g) in groups.iter().enumerate() {
            let Scalar::Array(items) = states.scalar(i) else { continue };
            for item in items {
                if let Scalar::Struct(mut fields) = item
                    && let (Some((_, count)), Some((_, value))) = (fields.pop(), fields.pop())
                {
                    self.add(g as usize, value, count.as_i64().unwrap_or(0));
                }
            }
        }
        Ok(())
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        self.lists(groups, usize::MAX)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        self.lists(groups, self.k)
    }

    fn memory_size(&self) -> usize {
        self.states.capacity() * size_of::<HashMap<Scalar, i64>>() + self.bytes
    }
}
