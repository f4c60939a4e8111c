//! `avg(x)`: DOUBLE, or DECIMAL128(38, t) for decimals. State: STRUCT<sum, count>.

use std::ops::Range;

use common_base::{Result, bail};
use common_expr::{
    aggregate_fn::{Accumulator, AggregateFunction, AggregateOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, DecimalWidth, LogicalType as T};

use arrow::buffer::NullBuffer;

use super::{
    def::{aggregate, struct_of},
    int_sums::IntSums,
};
use crate::{
    kernels::{
        def::sig,
        group,
        ints::{IntArg, Ints, from_i64, from_i128, pow10},
        num::{F64Arg, from_f64},
    },
    scalar::operator::{half_away, typing::quotient_scale},
};

/// The row of the function table.
pub fn function() -> AggregateFunction {
    let mut signatures: Vec<Signature> =
        [T::Double, T::Float, T::Boolean, T::TinyInt, T::SmallInt, T::Int, T::BigInt, T::LargeInt]
            .into_iter()
            .map(|t| sig([t], T::Double))
            .collect();
    signatures.push(Signature::new(vec![TypePattern::AnyDecimal], ResultRule::Compute(decimal_avg)));
    aggregate(&["avg"], signatures, state_type, |call, _, _| create(call))
}

fn decimal_avg(args: &[T]) -> Result<T> {
    match args[0].decimal_parts() {
        Some((DecimalWidth::W256, ..)) | None => bail!(NotSupported, "avg of {}", args[0]),
        Some((_, _, s)) => Ok(T::decimal_of(DecimalWidth::W128, 38, quotient_scale(s.min(18)))),
    }
}

/// Sums are exact for integers (as LARGEINT) and decimals.
fn sum_type(arg: &T) -> T {
    match arg {
        T::Double | T::Float => T::Double,
        T::Decimal { scale, .. } => T::decimal_of(DecimalWidth::W128, 38, (*scale).min(18)),
        _ => T::LargeInt,
    }
}

fn state_type(args: &[T], _: &T) -> T {
    struct_of(&[("sum", sum_type(&args[0])), ("count", T::BigInt)])
}

fn create(call: &AggregateOverload) -> Result<Box<dyn Accumulator>> {
    let sum = sum_type(&call.args[0]);
    let base = Avg { state: call.state_type(), sum, result: call.result.clone(), counts: Vec::new() };
    Ok(if base.sum == T::Double {
        Box::new(AvgDouble { base, sums: Vec::new() })
    } else {
        Box::new(AvgExact { base, sums: IntSums::default() })
    })
}

struct Avg {
    state: T,
    sum: T,
    result: T,
    counts: Vec<i64>,
}

impl Avg {
    fn nulls(&self, groups: Range<usize>) -> Option<NullBuffer> {
        self.counts[groups.clone()].contains(&0).then(|| NullBuffer::from_iter(self.counts[groups].iter().map(|c| *c != 0)))
    }

    fn state(&self, sums: Column, groups: Range<usize>) -> Result<Column> {
        let counts = from_i64(&T::BigInt, self.counts[groups.clone()].to_vec(), None);
        Column::from_struct_children(self.state.clone(), vec![sums, counts], None, groups.len())
    }

    /// The sums and counts of a state column; NULL states have count NULL.
    fn parts(states: &Column) -> Result<(Column, Column)> {
        match states.struct_children().map(<[Column; 2]>::try_from) {
            Some(Ok([sums, counts])) => Ok((sums, counts)),
            _ => bail!(Internal, "state of avg is {}", states.ty()),
        }
    }
}

struct AvgDouble {
    base: Avg,
    sums: Vec<f64>,
}

impl Accumulator for AvgDouble {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, 0.0);
        self.base.counts.resize(groups, 0);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let arg = F64Arg::new(&args[0], groups.len())?;
        let nulls = args[0].nulls();
        group::add_f64(&mut self.sums, groups, &arg.values, nulls.as_ref());
        group::count(&mut self.base.counts, groups, nulls.as_ref());
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        let arg = F64Arg::new(&args[0], rows)?;
        let nulls = args[0].nulls();
        self.sums[group as usize] += group::sum_f64(&arg.values, nulls.as_ref());
        self.base.counts[group as usize] += (rows - nulls.map_or(0, |n| n.null_count())) as i64;
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        let (sums, counts) = Avg::parts(states)?;
        let nulls = NullBuffer::union(states.nulls().as_ref(), sums.nulls().as_ref());
        group::add_f64(&mut self.sums, groups, &F64Arg::new(&sums, groups.len())?.values, nulls.as_ref());
        if let Some(c) = IntArg::new(&counts) {
            group::add_i64(&mut self.base.counts, groups, &c.values, nulls.as_ref());
        }
        Ok(())
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        let sums = from_f64(&T::Double, self.sums[groups.clone()].to_vec(), None);
        self.base.state(sums, groups)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let values = groups.clone().map(|g| self.sums[g] / self.base.counts[g] as f64).collect();
        Ok(from_f64(&T::Double, values, self.base.nulls(groups)))
    }

    fn memory_size(&self) -> usize {
        (self.sums.capacity() + self.base.counts.capacity()) * 8
    }
}

struct AvgExact {
    base: Avg,
    sums: IntSums,
}

impl AvgExact {
    fn add(&mut self, groups: Option<&[u32]>, group: usize, col: &Column, rows: usize) {
        let Some(mut arg) = IntArg::new(col) else { return };
        let nulls = col.nulls();
        let down = col.ty().scale() - self.base.sum.scale();
        let scratch: Vec<i128>;
        if down > 0 {
            let unit = pow10(down as u32);
            scratch = arg.to_i128(rows).iter().map(|&v| half_away(v, unit)).collect();
            arg = IntArg { values: Ints::I128(&scratch), min: arg.min, max: arg.max };
        }
        match groups {
            Some(groups) => {
                self.sums.add(groups, &arg, nulls.as_ref());
                group::count(&mut self.base.counts, groups, nulls.as_ref());
            }
            None => {
                self.sums.add_all(group, &arg, nulls.as_ref(), rows);
                self.base.counts[group] += (rows - nulls.map_or(0, |n| n.null_count())) as i64;
            }
        }
    }
}

impl Accumulator for AvgExact {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups);
        self.base.counts.resize(groups, 0);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        self.add(Some(groups), 0, &args[0], groups.len());
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.add(None, group as usize, &args[0], rows);
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        let (sums, counts) = Avg::parts(states)?;
        let nulls = NullBuffer::union(states.nulls().as_ref(), sums.nulls().as_ref());
        if let (Some(s), Some(c)) = (IntArg::new(&sums), IntArg::new(&counts)) {
            self.sums.add(groups, &s, nulls.as_ref());
            group::add_i64(&mut self.base.counts, groups, &c.values, nulls.as_ref());
        }
        Ok(())
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        let sums = from_i128(&self.base.sum, groups.clone().map(|g| self.sums.get(g)).collect(), None);
        self.base.state(sums, groups)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let nulls = self.base.nulls(groups.clone());
        if self.base.result == T::Double {
            let values = groups.map(|g| self.sums.get(g) as f64 / self.base.counts[g] as f64).collect();
            return Ok(from_f64(&T::Double, values, nulls));
        }
        let up = pow10((self.base.result.scale() - self.base.sum.scale()) as u32);
        let mut overflow = vec![true; groups.len()];
        let values = groups
            .zip(&mut overflow)
            .map(|(g, ok)| match (self.sums.get(g).checked_mul(up), self.base.counts[g]) {
                (Some(n), count) if count != 0 => half_away(n, i128::from(count)),
                _ => {
                    *ok = false;
                    0
                }
            })
            .collect();
        let nulls = if overflow.contains(&false) { Some(NullBuffer::from(overflow)) } else { nulls };
        Ok(from_i128(&self.base.result, values, nulls))
    }

    fn memory_size(&self) -> usize {
        self.sums.memory_size() + self.base.counts.capacity() * 8
    }
}
