//! `sum_map(m)`: per-key sums over all maps; NULL values count as nothing.

use std::ops::Range;

use common_base::{Result, bail};
use common_expr::{
    aggregate_fn::{Accumulator, AggregateFunction},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, ColumnBuilder, LogicalType as T, Scalar, compare::compare_scalars};

use hashbrown::HashMap;

use super::def::{aggregate, state_is_result};

/// The row of the function table.
pub fn function() -> AggregateFunction {
    let signature = Signature::new(vec![TypePattern::AnyMap], ResultRule::Compute(result));
    aggregate(&["sum_map"], vec![signature], state_is_result, |call, _, _| {
        Ok(Box::new(SumMap { result: call.result.clone(), states: Vec::new(), bytes: 0 }))
    })
}

fn result(args: &[T]) -> Result<T> {
    match &args[0] {
        T::Map(k, v) => {
            let sum = match &**v {
                T::Float | T::Double => T::Double,
                T::LargeInt => T::LargeInt,
                t if t.is_decimal() => super::sum::decimal_sum(std::slice::from_ref(t))?,
                t if t.is_integer() || *t == T::Boolean => T::BigInt,
                t => bail!(Analysis, "sum_map requires numeric values, not {t}"),
            };
            Ok(T::map((**k).clone(), sum))
        }
        other => bail!(Analysis, "sum_map requires a map, not {other}"),
    }
}

#[derive(Clone, Copy)]
enum Sum {
    Exact(i128),
    Double(f64),
}

struct SumMap {
    result: T,
    states: Vec<Option<HashMap<Scalar, Sum>>>,
    bytes: usize,
}

impl SumMap {
    fn add(&mut self, group: usize, value: Scalar) {
        let Scalar::Map(pairs) = value else { return };
        let state = self.states[group].get_or_insert_with(HashMap::new);
        for (k, v) in pairs {
            let n = match (v.as_f64(), v.as_i128(), v.as_bool()) {
                (Some(d), _, _) => Sum::Double(d),
                (_, Some(i), _) => Sum::Exact(i),
                (_, _, Some(b)) => Sum::Exact(i128::from(b)),
                _ => continue,
            };
            self.bytes += size_of::<(Scalar, Sum)>() + k.heap_size();
            let slot = state.entry(k).or_insert(match n {
                Sum::Double(_) => Sum::Double(0.0),
                Sum::Exact(_) => Sum::Exact(0),
            });
            *slot = match (*slot, n) {
                (Sum::Exact(a), Sum::Exact(b)) => Sum::Exact(a.wrapping_add(b)),
                (Sum::Double(a), Sum::Double(b)) => Sum::Double(a + b),
                (kept, _) => kept,
            };
        }
    }
}

impl Accumulator for SumMap {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, None);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        groups.iter().enumerate().for_each(|(i, &g)| self.add(g as usize, args[0].scalar(i)));
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        (0..rows).for_each(|i| self.add(group as usize, args[0].scalar(i)));
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        self.update(groups, std::slice::from_ref(states))
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        self.finish(groups)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let T::Map(_, ty) = &self.result else { bail!(Internal, "sum_map cannot give {}", self.result) };
        let mut out = ColumnBuilder::new(&self.result, groups.len());
        for g in groups {
            let Some(state) = &self.states[g] else {
                out.append_null();
                continue;
            };
            let mut pairs: Vec<(Scalar, Scalar)> = state
                .iter()
                .map(|(k, s)| {
                    let sum = match s {
                        Sum::Double(d) => Some(Scalar::Double(*d)),
                        Sum::Exact(v) if **ty == T::BigInt => Some(Scalar::BigInt(*v as i64)),
                        Sum::Exact(v) => Scalar::from_i128(ty, *v),
                    };
                    (k.clone(), sum.unwrap_or_default())
                })
                .collect();
            pairs.sort_by(|a, b| compare_scalars(&a.0, &b.0));
            out.append(&Scalar::Map(pairs))?;
        }
        Ok(out.finish())
    }

    fn memory_size(&self) -> usize {
        self.states.capacity() * size_of::<Option<HashMap<Scalar, Sum>>>() + self.bytes
    }
}
