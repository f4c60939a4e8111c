//! `array_difference` (first element 0, then what each adds to its predecessor) and `array_cum_sum`.

use std::sync::Arc;

use arrow::{
    array::{Decimal128Array, PrimitiveArray},
    buffer::NullBuffer,
    datatypes::{Float64Type, Int64Type},
};
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{ArrayParts, Column, DecimalWidth, LogicalType as T, for_ints};

use crate::kernels::{
    def::{sig, strict},
    lists::list_column,
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let of = |element: T, result: T| sig([T::array(element)], T::array(result));
    let mut differences: Vec<Signature> =
        [T::Boolean, T::TinyInt, T::SmallInt, T::Int, T::BigInt].into_iter().map(|t| of(t, T::BigInt)).collect();
    differences.extend([of(T::LargeInt, T::LargeInt), of(T::Double, T::Double), of(T::Float, T::Double)]);
    let decimal = ResultRule::Compute(|args| match &args[0] {
        T::Array(element) => Ok(T::array(T::decimal_of(DecimalWidth::W128, 38, element.scale()))),
        other => bail!(Internal, "{other} is no array"),
    });
    differences.push(Signature::new(vec![TypePattern::ArrayOfDecimal], decimal));
    r.add_scalar(strict(&["array_difference"], differences, difference));
    r.add_scalar(strict(&["array_cum_sum"], vec![of(T::BigInt, T::BigInt), of(T::Double, T::Double)], cum_sum));
}

fn parts(args: &[Column]) -> Result<ArrayParts> {
    match args[0].array_parts() {
        Some(parts) => Ok(parts),
        None => bail!(Internal, "an array was expected, {} came", args[0].ty()),
    }
}

/// Differences of neighbours; NULL next to a NULL.
fn neighbours<V: Copy + Default>(
    array: &ArrayParts,
    nulls: Option<&NullBuffer>,
    value: impl Fn(usize) -> V,
    minus: impl Fn(V, V) -> V,
) -> Vec<Option<V>> {
    let valid = |i: usize| nulls.is_none_or(|n| n.is_valid(i));
    let mut out = vec![None; array.values.len()];
    for w in array.offsets.windows(2) {
        let range = w[0] as usize..w[1] as usize;
        for (i, slot) in range.clone().zip(&mut out[range]) {
            let first = i == w[0] as usize;
            *slot = if !valid(i) || (!first && !valid(i - 1)) {
                None
            } else if first {
                Some(V::default())
            } else {
                Some(minus(value(i), value(i - 1)))
            };
        }
    }
    out
}

fn difference(_: &EvalContext, call: &ScalarOverload, args: &[Column], _: usize) -> Result<Column> {
    let array = parts(args)?;
    let nulls = array.values.nulls();
    let nulls = nulls.as_ref();
    let T::Array(element) = &call.result else { bail!(Internal, "array_difference gives an array") };
    let values: arrow::array::ArrayRef = if let Some(floats) = array.values.floats() {
        let out = neighbours(&array, nulls, |i| floats.get(i), |a, b| a - b);
        Arc::new(PrimitiveArray::<Float64Type>::from_iter(out))
    } else if matches!(**element, T::LargeInt | T::Decimal { .. }) {
        let out = if let Some(wide) = array.values.ints_i128() {
            neighbours(&array, nulls, |i| wide[i], i128::wrapping_sub)
        } else if let Some(view) = array.values.ints_i64() {
            for_ints!(view, s => neighbours(&array, nulls, |i| s[i] as i128, |a, b| a - b))
        } else {
            bail!(NotSupported, "array_difference of {}", array.values.ty())
        };
        let wide: Decimal128Array = out.into_iter().collect();
        Arc::new(wide.with_precision_and_scale(38, element.scale()).expect("38 digits hold any scale in use"))
    } else {
        let out = if let Some(flags) = array.values.bools() {
            neighbours(&array, nulls, |i| i64::from(flags.value(i)), |a, b| a - b)
        } else if let Some(view) = array.values.ints_i64() {
            for_ints!(view, s => neighbours(&array, nulls, |i| s[i] as i64, i64::wrapping_sub))
        } else {
            bail!(Internal, "no difference of {}", array.values.ty())
        };
        Arc::new(PrimitiveArray::<Int64Type>::from_iter(out))
    };
    list_column(&call.result, array.offsets.to_vec(), values, None)
}

/// NULL elements stay NULL and add nothing.
fn running<V: Copy + Default>(
    array: &ArrayParts,
    nulls: Option<&NullBuffer>,
    value: impl Fn(usize) -> V,
    plus: impl Fn(V, V) -> V,
) -> Vec<Option<V>> {
    let mut out = vec![None; array.values.len()];
    for w in array.offsets.windows(2) {
        let mut total = V::default();
        let range = w[0] as usize..w[1] as usize;
        for (i, slot) in range.clone().zip(&mut out[range]) {
            if nulls.is_none_or(|n| n.is_valid(i)) {
                total = plus(total, value(i));
                *slot = Some(total);
            }
        }
    }
    out
}

fn cum_sum(_: &EvalContext, call: &ScalarOverload, args: &[Column], _: usize) -> Result<Column> {
    let array = parts(args)?;
    let nulls = array.values.nulls();
    let values: arrow::array::ArrayRef = if let Some(floats) = array.values.floats() {
        let out = running(&array, nulls.as_ref(), |i| floats.get(i), |a, b| a + b);
        Arc::new(PrimitiveArray::<Float64Type>::from_iter(out))
    } else if let Some(view) = array.values.ints_i64() {
        let out = for_ints!(view, s => running(&array, nulls.as_ref(), |i| s[i] as i64, i64::wrapping_add));
        Arc::new(PrimitiveArray::<Int64Type>::from_iter(out))
    } else {
        bail!(Internal, "no running sum of {}", array.values.ty())
    };
    list_column(&call.result, array.offsets.to_vec(), values, None)
}
