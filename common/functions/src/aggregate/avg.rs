//! `avg(x)`: DOUBLE, DECIMAL128(38, t) for decimals or DECIMAL256(76, t) for wide ones. State: STRUCT<sum, count>.

use std::ops::Range;

use common_base::{Result, bail};
use common_expr::{
    aggregate_fn::{Accumulator, AggregateFunction, AggregateOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, DecimalWidth, LogicalType as T};

use arrow::{buffer::NullBuffer, datatypes::i256};

use super::{
    def::{aggregate, struct_of},
    int_sums::IntSums,
};
use crate::{
    kernels::{
        arith::{from_i256, to_i256},
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
        None => bail!(Internal, "avg of {}", args[0]),
        Some((DecimalWidth::W256, _, s)) => Ok(T::decimal_of(DecimalWidth::W256, 76, quotient_scale(s.min(36)))),
        Some((_, _, s)) => Ok(T::decimal_of(DecimalWidth::W128, 38, quotient_scale(s.min(18)))),
    }
}

/// Sums are exact for integers (as LARGEINT) and decimals.
fn sum_type(arg: &T) -> T {
    match arg {
        T::Double | T::Float => T::Double,
        T::Decimal { width: DecimalWidth::W256, scale, .. } => T::decimal_of(DecimalWidth::W256, 76, (*scale).min(36)),
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
    if call.result.decimal_parts().is_some_and(|(width, ..)| width == DecimalWidth::W256) {
        return Ok(Box::new(AvgWide { base, sums: Vec::new() }));
    }
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

/// 256-bit decimals.
struct AvgWide {
    base: Avg,
    sums: Vec<i256>,
}

/// `n * 10^up / d` rounded half away from zero; `None` when it does not fit.
fn wide_quotient(n: i256, up: u32, d: i256) -> Option<i256> {
    let n = n.checked_mul(i256::from_i128(10).checked_pow(up)?)?;
    let (q, r) = (n.checked_div(d)?, n.checked_rem(d)?);
    let rest = r.wrapping_abs();
    let away = rest >= d.wrapping_abs().wrapping_sub(rest);
    let step = if (n < i256::ZERO) == (d < i256::ZERO) { i256::ONE } else { i256::MINUS_ONE };
    Some(if away { q.wrapping_add(step) } else { q })
}

impl Accumulator for AvgWide {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, i256::ZERO);
        self.base.counts.resize(groups, 0);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let nulls = args[0].nulls();
        if nulls.as_ref().is_some_and(|n| n.null_count() == groups.len()) {
            return Ok(());
        }
        let mut values = to_i256(&args[0], groups.len())?;
        let down = args[0].ty().scale() - self.base.sum.scale();
        if down > 0 {
            let unit = i256::from_i128(10).wrapping_pow(down as u32);
            values = values.iter().map(|v| wide_quotient(*v, 0, unit).unwrap_or(i256::ZERO)).collect();
        }
        group::for_valid(&mut self.sums, groups, nulls.as_ref(), |s, i| *s = s.wrapping_add(values[i]));
        group::count(&mut self.base.counts, groups, nulls.as_ref());
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.update(&vec![group; rows], args)
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        let (sums, counts) = Avg::parts(states)?;
        let nulls = NullBuffer::union(states.nulls().as_ref(), sums.nulls().as_ref());
        if nulls.as_ref().is_some_and(|n| n.null_count() == groups.len()) {
            return Ok(());
        }
        let values = to_i256(&sums, groups.len())?;
        group::for_valid(&mut self.sums, groups, nulls.as_ref(), |s, i| *s = s.wrapping_add(values[i]));
        if let Some(c) = IntArg::new(&counts) {
            group::add_i64(&mut self.base.counts, groups, &c.values, nulls.as_ref());
        }
        Ok(())
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        let sums = from_i256(&self.base.sum, self.sums[groups.clone()].to_vec(), None);
        self.base.state(sums, groups)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let up = (self.base.result.scale() - self.base.sum.scale()) as u32;
        let values: Vec<Option<i256>> = groups
            .map(|g| wide_quotient(self.sums[g], up, i256::from_i128(i128::from(self.base.counts[g]))))
            .collect();
        let nulls = values.contains(&None).then(|| values.iter().map(Option::is_some).collect());
        Ok(from_i256(&self.base.result, values.into_iter().map(Option::unwrap_or_default).collect(), nulls))
    }

    fn memory_size(&self) -> usize {
        self.sums.capacity() * 32 + self.base.counts.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_quotients_round_half_away() {
        let of = |n: i128, up, d: i128| wide_quotient(i256::from_i128(n), up, i256::from_i128(d)).and_then(i256::to_i128);
        assert_eq!(of(5, 0, 2), Some(3));
        assert_eq!(of(-5, 0, 2), Some(-3));
        assert_eq!(of(1, 3, 3), Some(333));
        assert_eq!(of(1, 0, 0), None);
    }
}
