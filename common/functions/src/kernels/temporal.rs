//! DATE and DATETIME arguments in loops: values as days or microseconds whatever their stored width.

use arrow::buffer::NullBuffer;
use common_base::{Result, bail};
use common_expr::scalar_fn::ScalarOverload;
use common_types::{Column, LogicalType};

use super::{
    civil::{DAY_US, MAX_DAYS, MAX_MICROS, MIN_DAYS, MIN_MICROS, day_of, split},
    ints::{IntArg, Native, Storable, from_i64, narrow},
    num::{null_shortcut, union_nulls},
};
use crate::with_ints;

/// A DATE or DATETIME argument.
pub struct TemporalArg<'a> {
    ints: IntArg<'a>,
    is_date: bool,
}

impl<'a> TemporalArg<'a> {
    /// The column's moments; the column is not a constant NULL.
    pub fn new(col: &'a Column) -> Result<Self> {
        let is_date = *col.ty() == LogicalType::Date;
        match IntArg::new(col) {
            Some(ints) if is_date || *col.ty() == LogicalType::Datetime => Ok(Self { ints, is_date }),
            _ => bail!(Internal, "a DATE or DATETIME is expected, not {}", col.ty()),
        }
    }

    /// `f(day)` of every row.
    #[inline]
    pub fn map_days<O: Copy>(&self, rows: usize, f: impl Fn(i32) -> O) -> Vec<O> {
        if self.is_date {
            with_ints!(&self.ints.values, v => v.iter().map(|x| f(x.to_i64() as i32)).collect(), c => vec![f(*c as i32); rows])
        } else {
            // Two passes: each vectorises at its own width.
            with_ints!(&self.ints.values, v => {
                let days: Vec<i32> = v.iter().map(|x| day_of(x.to_i64())).collect();
                days.iter().map(|d| f(*d)).collect()
            }, c => vec![f(day_of(*c as i64)); rows])
        }
    }

    /// `f(time of day in units of 64 microseconds)` of every row.
    #[inline]
    pub fn map_ticks<O: Copy>(&self, rows: usize, f: impl Fn(u32) -> O) -> Vec<O> {
        if self.is_date {
            return vec![f(0); rows];
        }
        let ticks = |us: i64| (split(us).1 >> 6) as u32;
        with_ints!(&self.ints.values, v => {
            let ticks: Vec<u32> = v.iter().map(|x| ticks(x.to_i64())).collect();
            ticks.iter().map(|t| f(*t)).collect()
        }, c => vec![f(ticks(*c as i64)); rows])
    }

    /// `f(microseconds)` of every row; dates count as midnight.
    #[inline]
    pub fn map_us<O: Copy>(&self, rows: usize, f: impl Fn(i64) -> O) -> Vec<O> {
        let unit = if self.is_date { DAY_US } else { 1 };
        with_ints!(&self.ints.values, v => v.iter().map(|x| f(x.to_i64().wrapping_mul(unit))).collect(),
            c => vec![f((*c as i64).wrapping_mul(unit)); rows])
    }

    /// Every row in microseconds.
    pub fn micros(&self, rows: usize) -> Vec<i64> {
        self.map_us(rows, |v| v)
    }

    /// Least and greatest day, by the bounds of the column and of the type.
    pub fn day_bounds(&self) -> (i32, i32) {
        let unit = i128::from(if self.is_date { 1 } else { DAY_US });
        let clamp = |v: i128| v.div_euclid(unit).clamp(MIN_DAYS.into(), MAX_DAYS.into()) as i32;
        (clamp(self.ints.min), clamp(self.ints.max))
    }
}

/// A small number computed from the day, as a narrow column.
pub fn day_part<O: Storable>(
    call: &ScalarOverload,
    args: &[Column],
    rows: usize,
    bounds: impl Fn(i32, i32) -> (i64, i64),
    f: impl Fn(i32) -> O,
) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let arg = TemporalArg::new(&args[0])?;
    let (from, to) = arg.day_bounds();
    let (min, max) = bounds(from, to);
    Ok(narrow(&call.result, arg.map_days(rows, f), union_nulls(args), min, max))
}

/// A small number computed from the time of day in units of 64 microseconds.
pub fn time_part(
    call: &ScalarOverload,
    args: &[Column],
    rows: usize,
    max: i64,
    f: impl Fn(u32) -> i8,
) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let arg = TemporalArg::new(&args[0])?;
    Ok(narrow(&call.result, arg.map_ticks(rows, f), union_nulls(args), 0, max))
}

/// A DATETIME column; what lies outside 0000..9999 (or is `None`) becomes NULL.
pub fn datetimes(values: Vec<Option<i64>>, nulls: Option<NullBuffer>) -> Column {
    checked(&LogicalType::Datetime, values, nulls, MIN_MICROS, MAX_MICROS)
}

/// A DATE column; what lies outside 0000..9999 (or is `None`) becomes NULL.
pub fn dates(values: Vec<Option<i64>>, nulls: Option<NullBuffer>) -> Column {
    checked(&LogicalType::Date, values, nulls, MIN_DAYS.into(), MAX_DAYS.into())
}

fn checked(ty: &LogicalType, values: Vec<Option<i64>>, nulls: Option<NullBuffer>, min: i64, max: i64) -> Column {
    let ok = |v: &Option<i64>| v.is_some_and(|v| v >= min && v <= max);
    let valid = (!values.iter().all(ok)).then(|| NullBuffer::from_iter(values.iter().map(ok)));
    let nulls = NullBuffer::union(nulls.as_ref(), valid.as_ref());
    from_i64(ty, values.into_iter().map(|v| v.filter(|v| *v >= min && *v <= max).unwrap_or(0)).collect(), nulls)
}
