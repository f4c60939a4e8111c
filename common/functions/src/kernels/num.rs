//! Floating-point arguments and results, null-mask helpers, and the generic unary and binary loops over doubles.

use std::{borrow::Cow, sync::Arc};

use arrow::{
    array::{ArrayRef, BooleanArray, Float32Array, Float64Array},
    buffer::{BooleanBuffer, NullBuffer, ScalarBuffer},
};
use common_base::{Result, bail};
use common_expr::scalar_fn::ScalarOverload;
use common_types::{Column, FloatView, LogicalType, Repr, Scalar};

use super::ints::{IntArg, pow10};
use crate::with_ints;

/// Doubles of a numeric argument, with the NULLs the conversion added (text that is no number).
pub struct F64Arg<'a> {
    pub values: Cow<'a, [f64]>,
    pub nulls: Option<NullBuffer>,
    /// The value when all rows hold the same.
    pub constant: Option<f64>,
}

impl<'a> F64Arg<'a> {
    /// Any numeric, temporal or text column as doubles (dates as their yyyymmdd… digits).
    pub fn new(col: &'a Column, rows: usize) -> Result<Self> {
        if let Some(v) = col.floats() {
            let values = match v {
                FloatView::F64(v) => Cow::Borrowed(v),
                FloatView::F32(_) => Cow::Owned(v.to_vec()),
            };
            return Ok(Self { values, nulls: None, constant: None });
        }
        if let Repr::Const(s) = col.repr() {
            if s.is_null() {
                return Ok(Self { values: vec![0.0; rows].into(), nulls: Some(NullBuffer::new_null(rows)), constant: None });
            }
            if let Some(v) = s.as_f64() {
                return Ok(Self { values: vec![v; rows].into(), nulls: None, constant: Some(v) });
            }
        }
        if col.ty().is_date_like() {
            let ints = IntArg::new(col).expect("dates are integer-backed");
            let digits = |v: i64| if *col.ty() == LogicalType::Date { date_digits(v) } else { datetime_digits(v) };
            let values: Vec<f64> = ints.to_i64(rows).iter().map(|&v| digits(v)).collect();
            return Ok(Self { values: values.into(), nulls: None, constant: None });
        }
        if let Some(ints) = IntArg::new(col) {
            let scale = col.ty().scale();
            let divisor = pow10(scale as u32) as f64;
            let convert = |v: i128| if scale == 0 { v as f64 } else { v as f64 / divisor };
            let values: Vec<f64> = with_ints!(&ints.values, v => {
                if scale == 0 { v.iter().map(|x| *x as f64).collect() } else { v.iter().map(|x| *x as f64 / divisor).collect() }
            }, c => vec![convert(*c); rows]);
            let constant = col.is_const().then(|| values.first().copied().unwrap_or_default());
            return Ok(Self { values: values.into(), nulls: None, constant });
        }
        if let Some(v) = col.ints_i256() {
            let values: Vec<f64> = v.iter().map(|x| i256_to_f64(*x, col.ty().scale())).collect();
            return Ok(Self { values: values.into(), nulls: None, constant: None });
        }
        if let Some(Scalar::Decimal256(v, _, s)) = col.as_const() {
            let v = i256_to_f64(*v, *s);
            return Ok(Self { values: vec![v; rows].into(), nulls: None, constant: Some(v) });
        }
        if let Some(text) = col.str_view() {
            let parsed: Vec<Option<f64>> = (0..rows).map(|i| parse_f64(text.get(i))).collect();
            let nulls = parsed.iter().any(Option::is_none).then(|| NullBuffer::from_iter(parsed.iter().map(Option::is_some)));
            return Ok(Self { values: parsed.iter().map(|v| v.unwrap_or(0.0)).collect(), nulls, constant: None });
        }
        bail!(Internal, "a number is expected, not {}", col.ty())
    }
}

fn i256_to_f64(v: arrow::datatypes::i256, scale: i8) -> f64 {
    v.to_string().parse::<f64>().unwrap_or(f64::NAN) / 10f64.powi(i32::from(scale))
}

/// Text to double as CAST does it: blanks trimmed; NaN and infinities refused.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    text.parse::<f64>().ok().filter(|v| v.is_finite())
}

fn date_digits(days: i64) -> f64 {
    let (y, m, d) = super::civil::from_days(days as i32);
    f64::from(y * 10_000 + m as i32 * 100 + d as i32)
}

fn datetime_digits(us: i64) -> f64 {
    let (days, of_day) = super::civil::split(us);
    let s = of_day / 1_000_000;
    date_digits(i64::from(days)) * 1e6 + ((s / 3600) * 10_000 + (s / 60 % 60) * 100 + s % 60) as f64
}

/// A FLOAT, DOUBLE or TIME column.
pub fn from_f64(ty: &LogicalType, values: Vec<f64>, nulls: Option<NullBuffer>) -> Column {
    let array: ArrayRef = match ty {
        LogicalType::Float => {
            let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
            Arc::new(Float32Array::new(ScalarBuffer::from(values), nulls))
        }
        _ => Arc::new(Float64Array::new(ScalarBuffer::from(values), nulls)),
    };
    Column::flat(array, ty.clone())
}

/// A BOOLEAN column.
pub fn from_bools(values: BooleanBuffer, nulls: Option<NullBuffer>) -> Column {
    Column::flat(Arc::new(BooleanArray::new(values, nulls)), LogicalType::Boolean)
}

/// The joined null mask of columns.
pub fn union_nulls(cols: &[Column]) -> Option<NullBuffer> {
    cols.iter().fold(None, |acc, c| NullBuffer::union(acc.as_ref(), c.nulls().as_ref()))
}

/// The all-NULL result, when some argument is the constant NULL.
pub fn null_shortcut(call: &ScalarOverload, args: &[Column], rows: usize) -> Option<Column> {
    let null = |c: &Column| matches!(c.repr(), Repr::Const(Scalar::Null)) || *c.ty() == LogicalType::Null;
    args.iter().any(null).then(|| Column::null(call.result.clone(), rows))
}

/// The null mask "not finite"; `None` when all are finite.
pub fn non_finite_nulls(values: &[f64]) -> Option<NullBuffer> {
    // Zero times x is zero for finite x and NaN otherwise: comparing every product decides the common case without branches.
    if values.iter().fold(true, |all, v| all & (v * 0.0 == 0.0)) {
        return None;
    }
    Some(NullBuffer::new(super::bools::test(values, f64::is_finite)))
}

/// `f(x)` over doubles; NaN and infinities become NULL.
pub fn unary_f64(call: &ScalarOverload, args: &[Column], rows: usize, f: impl Fn(f64) -> f64) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let x = F64Arg::new(&args[0], rows)?;
    if let Some(c) = x.constant {
        let v = f(c);
        let scalar = if v.is_finite() { Scalar::Double(v) } else { Scalar::Null };
        return Ok(Column::constant(scalar, call.result.clone(), rows));
    }
    let values: Vec<f64> = x.values.iter().map(|&v| f(v)).collect();
    let nulls = NullBuffer::union(x.nulls.as_ref(), non_finite_nulls(&values).as_ref());
    Ok(from_f64(&call.result, values, nulls))
}

/// `f(x, y)` over doubles; NaN and infinities become NULL.
pub fn binary_f64(call: &ScalarOverload, args: &[Column], rows: usize, f: impl Fn(f64, f64) -> f64) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let (x, y) = (F64Arg::new(&args[0], rows)?, F64Arg::new(&args[1], rows)?);
    let values: Vec<f64> = match (x.constant, y.constant) {
        (_, Some(c)) => x.values.iter().map(|&v| f(v, c)).collect(),
        (Some(c), _) => y.values.iter().map(|&v| f(c, v)).collect(),
        _ => x.values.iter().zip(y.values.iter()).map(|(&a, &b)| f(a, b)).collect(),
    };
    let nulls = NullBuffer::union(x.nulls.as_ref(), y.nulls.as_ref());
    let nulls = NullBuffer::union(nulls.as_ref(), non_finite_nulls(&values).as_ref());
    Ok(from_f64(&call.result, values, nulls))
}
