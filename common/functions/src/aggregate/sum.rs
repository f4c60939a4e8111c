//! `sum(x)`: BIGINT (wrapping) for integers, LARGEINT, DOUBLE, DECIMAL128(38, s).

use std::ops::Range;

use common_base::{Result, bail};
use common_expr::{
    aggregate_fn::{Accumulator, AggregateFunction, AggregateOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, DecimalWidth, LogicalType as T};

use arrow::datatypes::i256;

use super::{
    def::{aggregate, state_is_result},
    int_sums::IntSums,
    seen::Seen,
};
use crate::kernels::{
    arith::{from_i256, to_i256},
    def::sig,
    group,
    ints::{IntArg, Ints, from_i64, from_i128, pow10},
    num::{F64Arg, from_f64},
};

/// The row of the function table.
pub fn function() -> AggregateFunction {
    aggregate(&["sum"], signatures(), state_is_result, |call, _, _| Ok(create(call)))
}

/// What `sum` and `multi_distinct_sum` accept.
pub fn signatures() -> Vec<Signature> {
    let b = || T::BigInt;
    vec![
        sig([T::Double], T::Double),
        sig([T::Float], T::Double),
        sig([T::Boolean], b()),
        sig([T::TinyInt], b()),
        sig([T::SmallInt], b()),
        sig([T::Int], b()),
        sig([b()], b()),
        sig([T::LargeInt], T::LargeInt),
        Signature::new(vec![TypePattern::AnyDecimal], ResultRule::Compute(decimal_sum)),
    ]
}

/// DECIMAL128(38, min(s, 18)), or the 256-bit counterpart.
pub fn decimal_sum(args: &[T]) -> Result<T> {
    Ok(match args[0].decimal_parts() {
        Some((DecimalWidth::W256, _, s)) => T::decimal_of(DecimalWidth::W256, 76, s.min(36)),
        Some((_, _, s)) => T::decimal_of(DecimalWidth::W128, 38, s.min(18)),
        None => bail!(Internal, "sum of {}", args[0]),
    })
}

fn create(call: &AggregateOverload) -> Box<dyn Accumulator> {
    let ty = call.result.clone();
    let seen = Seen::default();
    match &call.result {
        T::Double => Box::new(SumDouble { sums: Vec::new(), seen }),
        T::BigInt => Box::new(SumBigInt { sums: Vec::new(), seen }),
        T::Decimal { width: DecimalWidth::W256, .. } => Box::new(SumWide { ty, sums: Vec::new(), seen }),
        _ => Box::new(SumExact { ty, sums: IntSums::default(), seen }),
    }
}

struct SumDouble {
    sums: Vec<f64>,
    seen: Seen,
}

impl Accumulator for SumDouble {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, 0.0);
        self.seen.resize(groups);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let arg = F64Arg::new(&args[0], groups.len())?;
        let nulls = args[0].nulls();
        group::add_f64(&mut self.sums, groups, &arg.values, nulls.as_ref());
        self.seen.mark_rows(groups, nulls.as_ref());
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        let nulls = args[0].nulls();
        if nulls.as_ref().map_or(0, |n| n.null_count()) < rows {
            let arg = F64Arg::new(&args[0], rows)?;
            self.sums[group as usize] += group::sum_f64(&arg.values, nulls.as_ref());
            self.seen.mark(group as usize);
        }
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        self.update(groups, std::slice::from_ref(states))
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        self.finish(groups)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let nulls = self.seen.nulls(groups.clone());
        Ok(from_f64(&T::Double, self.sums[groups].to_vec(), nulls))
    }

    fn memory_size(&self) -> usize {
        self.sums.capacity() * 8 + self.seen.memory_size()
    }
}

struct SumBigInt {
    sums: Vec<i64>,
    seen: Seen,
}

impl Accumulator for SumBigInt {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, 0);
        self.seen.resize(groups);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let Some(arg) = IntArg::new(&args[0]) else { return Ok(()) };
        let nulls = args[0].nulls();
        group::add_i64(&mut self.sums, groups, &arg.values, nulls.as_ref());
        self.seen.mark_rows(groups, nulls.as_ref());
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        let nulls = args[0].nulls();
        if let Some(arg) = IntArg::new(&args[0])
            && nulls.as_ref().map_or(0, |n| n.null_count()) < rows
        {
            let sum = group::sum_i64(&arg.values, nulls.as_ref(), rows);
            self.sums[group as usize] = self.sums[group as usize].wrapping_add(sum);
            self.seen.mark(group as usize);
        }
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        self.update(groups, std::slice::from_ref(states))
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        self.finish(groups)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let nulls = self.seen.nulls(groups.clone());
        Ok(from_i64(&T::BigInt, self.sums[groups].to_vec(), nulls))
    }

    fn memory_size(&self) -> usize {
        self.sums.capacity() * 8 + self.seen.memory_size()
    }
}

/// LARGEINT and decimals of up to 128 bits.
struct SumExact {
    ty: T,
    sums: IntSums,
    seen: Seen,
}

impl SumExact {
    /// The argument's integers at the scale of the result.
    fn at_scale<'a>(&self, col: &'a Column, rows: usize, scratch: &'a mut Vec<i128>) -> Option<IntArg<'a>> {
        let arg = IntArg::new(col)?;
        let down = col.ty().scale() - self.ty.scale();
        if down <= 0 {
            return Some(arg);
        }
        let unit = pow10(down as u32);
        *scratch = arg.to_i128(rows).iter().map(|&v| crate::scalar::operator::half_away(v, unit)).collect();
        Some(IntArg { values: Ints::I128(scratch), min: arg.min, max: arg.max })
    }
}

impl Accumulator for SumExact {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups);
        self.seen.resize(groups);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let mut scratch = Vec::new();
        let Some(arg) = self.at_scale(&args[0], groups.len(), &mut scratch) else { return Ok(()) };
        let nulls = args[0].nulls();
        self.sums.add(groups, &arg, nulls.as_ref());
        self.seen.mark_rows(groups, nulls.as_ref());
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        let nulls = args[0].nulls();
        let mut scratch = Vec::new();
        if let Some(arg) = self.at_scale(&args[0], rows, &mut scratch)
            && nulls.as_ref().map_or(0, |n| n.null_count()) < rows
        {
            self.sums.add_all(group as usize, &arg, nulls.as_ref(), rows);
            self.seen.mark(group as usize);
        }
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        self.update(groups, std::slice::from_ref(states))
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        self.finish(groups)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let nulls = self.seen.nulls(groups.clone());
        Ok(from_i128(&self.ty, groups.map(|g| self.sums.get(g)).collect(), nulls))
    }

    fn memory_size(&self) -> usize {
        self.sums.memory_size() + self.seen.memory_size()
    }
}

/// 256-bit decimals.
struct SumWide {
    ty: T,
    sums: Vec<i256>,
    seen: Seen,
}

impl Accumulator for SumWide {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, i256::ZERO);
        self.seen.resize(groups);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let nulls = args[0].nulls();
        if nulls.as_ref().is_some_and(|n| n.null_count() == groups.len()) {
            return Ok(());
        }
        let values = to_i256(&args[0], groups.len())?;
        group::for_valid(&mut self.sums, groups, nulls.as_ref(), |s, i| *s = s.wrapping_add(values[i]));
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
        let nulls = self.seen.nulls(groups.clone());
        Ok(from_i256(&self.ty, self.sums[groups].to_vec(), nulls))
    }

    fn memory_size(&self) -> usize {
        self.sums.capacity() * 32 + self.seen.memory_size()
    }
}
