//! `array_sum`, `array_avg`. NULL elements are skipped by the sum; the average divides by all of them.

use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type, i256};
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{ArrayParts, Column, DecimalWidth, IntView, LogicalType as T, decimal, for_ints};

use crate::kernels::{
    def::{partial, sig},
    strings::primitive_opt,
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let of = |element: T, result: T| sig([T::array(element)], result);
    let small = [T::Boolean, T::TinyInt, T::SmallInt, T::Int, T::BigInt];
    let mut sums: Vec<Signature> = small.iter().map(|t| of(t.clone(), T::BigInt)).collect();
    sums.extend([of(T::LargeInt, T::LargeInt), of(T::Double, T::Double), of(T::Float, T::Double)]);
    sums.push(Signature::new(
        vec![TypePattern::ArrayOfDecimal],
        ResultRule::Compute(|args| Ok(wide(args, |s| s.min(18)))),
    ));
    r.add_scalar(partial(&["array_sum"], sums, sum));
    let mut averages: Vec<Signature> = small.iter().map(|t| of(t.clone(), T::Double)).collect();
    averages.extend([of(T::LargeInt, T::Double), of(T::Float, T::Double), of(T::Double, T::Double)]);
    averages.push(Signature::new(
        vec![TypePattern::ArrayOfDecimal],
        ResultRule::Compute(|args| Ok(wide(args, average_scale))),
    ));
    r.add_scalar(partial(&["array_avg"], averages, average));
}

/// DECIMAL128(38, s) with s from the scale of the elements.
fn wide(args: &[T], scale: fn(i8) -> i8) -> T {
    let from = match &args[0] {
        T::Array(element) => element.scale(),
        _ => 0,
    };
    T::decimal_of(DecimalWidth::W128, 38, scale(from))
}

fn average_scale(scale: i8) -> i8 {
    match scale {
        ..=6 => scale + 6,
        7..=12 => 12,
        _ => scale,
    }
}

/// Sum of the non-NULL elements of each row; `None` without any.
fn sums<A>(array: &ArrayParts, rows: usize, zero: A, add: impl Fn(A, usize) -> A) -> Vec<Option<A>>
where
    A: Copy,
{
    let nulls = array.values.nulls();
    (0..rows)
        .map(|row| {
            let mut total = None;
            for i in array.offsets[row] as usize..array.offsets[row + 1] as usize {
                if nulls.as_ref().is_none_or(|n| n.is_valid(i)) {
                    total = Some(add(total.unwrap_or(zero), i));
                }
            }
            total
        })
        .collect()
}

/// Exact sums of integers, booleans and unscaled decimals.
fn exact(array: &ArrayParts, rows: usize) -> Result<Vec<Option<i128>>> {
    let values = &array.values;
    if let Some(flags) = values.bools() {
        return Ok(sums(array, rows, 0, |t, i| t + i128::from(flags.value(i))));
    }
    if let Some(view) = values.ints_i64() {
        return Ok(for_ints!(view, s => sums(array, rows, 0i128, |t, i| t + s[i] as i128)));
    }
    if let Some(wide) = values.ints_i128() {
        return Ok(sums(array, rows, 0, |t: i128, i| t.wrapping_add(wide[i])));
    }
    if let Some(wide) = values.ints_i256() {
        let totals = sums(array, rows, i256::ZERO, |t, i| t.wrapping_add(wide[i]));
        return Ok(totals.into_iter().map(|t| t.and_then(i256::to_i128)).collect());
    }
    bail!(Internal, "no sum of {}", values.ty())
}

/// Sums as doubles.
fn approximate(array: &ArrayParts, rows: usize) -> Result<Vec<Option<f64>>> {
    if let Some(floats) = array.values.floats() {
        return Ok(sums(array, rows, 0.0, |t, i| t + floats.get(i)));
    }
    if let Some(wide) = array.values.ints_i128() {
        return Ok(sums(array, rows, 0.0, |t, i| t + wide[i] as f64));
    }
    if let Some(IntView::I64(ints)) = array.values.ints_i64() {
        return Ok(sums(array, rows, 0.0, |t, i| t + ints[i] as f64));
    }
    Ok(exact(array, rows)?.into_iter().map(|t| t.map(|v| v as f64)).collect())
}

fn parts(args: &[Column]) -> Result<ArrayParts> {
    match args[0].array_parts() {
        Some(parts) => Ok(parts),
        None => bail!(Internal, "an array was expected, {} came", args[0].ty()),
    }
}

fn sum(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let array = parts(args)?;
    Ok(match &call.result {
        T::Double => primitive_opt::<Float64Type>(approximate(&array, rows)?.into_iter(), &call.result),
        T::BigInt => {
            primitive_opt::<Int64Type>(exact(&array, rows)?.into_iter().map(|v| v.map(|v| v as i64)), &call.result)
        }
        result => {
            let (from, to) = (array.values.ty().scale(), result.scale());
            let totals = exact(&array, rows)?.into_iter().map(|v| decimal::rescale_i128(v?, from, to));
            wide_column(totals, result)
        }
    })
}

fn average(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let array = parts(args)?;
    let count = |row: usize| (array.offsets[row + 1] - array.offsets[row]).max(1);
    if call.result == T::Double {
        let totals = approximate(&array, rows)?;
        let averages = totals.into_iter().enumerate().map(|(row, t)| t.map(|t| t / f64::from(count(row))));
        return Ok(primitive_opt::<Float64Type>(averages, &call.result));
    }
    let (from, to) = (array.values.ty().scale(), call.result.scale());
    let totals = exact(&array, rows)?;
    let averages = totals
        .into_iter()
        .enumerate()
        .map(|(row, t)| decimal::div_round_i128(decimal::rescale_i128(t?, from, to)?, i128::from(count(row))));
    Ok(wide_column(averages, &call.result))
}

/// A LARGEINT or DECIMAL128 column.
fn wide_column(values: impl Iterator<Item = Option<i128>>, ty: &T) -> Column {
    let (precision, scale) = match ty {
        T::Decimal { precision, scale, .. } => (*precision, *scale),
        _ => (38, 0),
    };
    let array: arrow::array::PrimitiveArray<Decimal128Type> = values.collect();
    let array = array.with_precision_and_scale(precision, scale).expect("the type's own precision and scale");
    Column::flat(std::sync::Arc::new(array), ty.clone())
}
