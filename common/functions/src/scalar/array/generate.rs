//! `array_generate([start,] end[, step])` of integers, and of dates and datetimes with a unit.

use arrow::buffer::OffsetBuffer;
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, ColumnBuilder, LogicalType as T};

use crate::kernels::{
    def::{partial, sig},
    lists::ELEMENTS_MAX,
    strings::{strs, utf8},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let mut signatures = Vec::new();
    for t in [T::TinyInt, T::SmallInt, T::Int, T::BigInt, T::LargeInt] {
        for arity in 1..=3 {
            signatures.push(common_expr::signature::Signature::exact(vec![t.clone(); arity], T::array(t.clone())));
        }
    }
    for t in [T::Datetime, T::Date] {
        signatures.push(sig([t.clone(), t.clone(), T::Int, T::varchar()], T::array(t.clone())));
        signatures.push(sig([t.clone(), t.clone()], T::array(t)));
    }
    r.add_scalar(partial(&["array_generate"], signatures, generate));
}

fn generate(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let T::Array(element) = &call.result else { bail!(Internal, "array_generate gives an array") };
    let mut values = ColumnBuilder::new(element, rows);
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    let unit_text = args.get(3).map(strs);
    for row in 0..rows {
        let numbers: Option<Vec<i128>> = args.iter().take(3).map(|c| c.scalar(row).as_i128()).collect();
        if let Some(numbers) = numbers {
            let (start, end, step) = match numbers[..] {
                [end] => (1, end, None),
                [start, end] => (start, end, None),
                [start, end, step, ..] => (start, end, Some(step)),
                [] => bail!(Internal, "array_generate without arguments"),
            };
            let step = step.unwrap_or(if start <= end { 1 } else { -1 });
            if matches!(**element, T::Date | T::Datetime) {
                let unit = match &unit_text {
                    Some(unit) => Unit::parse(unit.get(row), element)?,
                    None => Unit::parse(b"day", element)?,
                };
                series(
                    start,
                    |n| unit.shift(start, step.checked_mul(n)?),
                    end,
                    step,
                    values.len(),
                    |v| values.append_i128(v),
                )?;
            } else {
                series(
                    start,
                    |n| start.checked_add(step.checked_mul(n)?),
                    end,
                    step,
                    values.len(),
                    |v| values.append_i128(v),
                )?;
            }
        }
        offsets.push(values.len() as i32);
    }
    Ok(Column::from_array_parts(OffsetBuffer::new(offsets.into()), values.finish(), None)?
        .with_type(call.result.clone()))
}

/// Calls `push` with the n-th value for n = 0, 1, … as long as it does not pass the end.
fn series(
    start: i128,
    nth: impl Fn(i128) -> Option<i128>,
    end: i128,
    step: i128,
    have: usize,
    mut push: impl FnMut(i128) -> Result<()>,
) -> Result<()> {
    if step == 0 || (step > 0 && start > end) || (step < 0 && start < end) {
        return Ok(());
    }
    // Integers tell how many they are: refuse before making them.
    if nth(ELEMENTS_MAX as i128).is_some_and(|v| (step > 0 && v <= end) || (step < 0 && v >= end)) {
        bail!(InvalidArgument, "array_generate makes more than {ELEMENTS_MAX} elements");
    }
    for n in 0.. {
        match nth(n) {
            Some(v) if (step > 0 && v <= end) || (step < 0 && v >= end) => push(v)?,
            _ => break,
        }
        if have + n as usize > ELEMENTS_MAX {
            bail!(InvalidArgument, "array_generate makes more than {ELEMENTS_MAX} elements");
        }
    }
    Ok(())
}

/// A calendar step.
#[derive(Clone, Copy)]
enum Unit {
    /// So many microseconds (or days, for DATE).
    Fixed(i128),
    Months {
        count: i128,
        per_day: i128,
    },
}

impl Unit {
    fn parse(name: &[u8], element: &T) -> Result<Self> {
        let date = matches!(element, T::Date);
        let per_day: i128 = if date { 1 } else { 86_400_000_000 };
        Ok(match name.to_ascii_lowercase().as_slice() {
            b"year" => Self::Months { count: 12, per_day },
            b"quarter" => Self::Months { count: 3, per_day },
            b"month" => Self::Months { count: 1, per_day },
            b"week" => Self::Fixed(7 * per_day),
            b"day" => Self::Fixed(per_day),
            b"hour" if !date => Self::Fixed(3_600_000_000),
            b"minute" if !date => Self::Fixed(60_000_000),
            b"second" if !date => Self::Fixed(1_000_000),
            b"millisecond" if !date => Self::Fixed(1_000),
            b"microsecond" if !date => Self::Fixed(1),
            _ => bail!(InvalidArgument, "array_generate does not support the time unit {}", utf8(name)),
        })
    }

    /// `start` moved by so many units; day of month clamped to the month's end.
    fn shift(self, start: i128, units: i128) -> Option<i128> {
        match self {
            Self::Fixed(size) => start.checked_add(size.checked_mul(units)?),
            Self::Months { count, per_day } => {
                let (days, rest) = (start.div_euclid(per_day), start.rem_euclid(per_day));
                let months = i64::try_from(units.checked_mul(count)?).ok()?;
                let moved = common_types::date::add_months(i32::try_from(days).ok()?, months)?;
                Some(i128::from(moved) * per_day + rest)
            }
        }
    }
}
