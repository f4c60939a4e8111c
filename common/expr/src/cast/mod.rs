//! CAST as columnar kernels (types.md §12). What cannot be converted is NULL, or an error in the throwing modes.
//!
//! Flow: [`cast_column`] settles what does not depend on the pair of types (same type, constants, dictionaries), the `to_*` files
//! hold one kernel per source family. Kernels read narrow forms directly and give narrow forms back with bounds.

mod build;
mod json_text;
mod to_bool;
mod to_date;
mod to_decimal;
mod to_float;
mod to_int;
mod to_json;
mod to_nested;
mod to_string;

use std::sync::Arc;

use common_base::{Result, bail};
use common_types::{Chunk, CodeView, Column, LogicalType, Repr, Scalar, for_codes};

use crate::{resolve::same_shape, scalar_fn::EvalContext};

use LogicalType as T;

/// The column converted to a type.
pub fn cast_column(ctx: &EvalContext, input: &Column, to: &LogicalType) -> Result<Column> {
    let from = input.ty();
    if from == to {
        return Ok(input.clone());
    }
    if keeps_bytes(from, to) {
        return Ok(retag(input, to));
    }
    if *from == T::Null || input.is_empty() {
        return Ok(Column::null(to.clone(), input.len()));
    }
    if !can_cast(from, to) {
        bail!(NotSupported, "Invalid type cast from {from} to {to}.");
    }
    match input.repr() {
        Repr::Const(value) if value.is_null() => return Ok(Column::null(to.clone(), input.len())),
        Repr::Const(_) => {
            let one = cast_checked(ctx, &input.slice(0, 1).flatten(), to)?;
            return Ok(Column::constant(one.scalar(0), to.clone(), input.len()));
        }
        Repr::Dict { codes, dict } if dict.len() <= input.len() => {
            let entries = Column::flat(Arc::new(dict.values().clone()), from.clone());
            // An entry no row holds must not raise an error: row by row then.
            if let Ok(values) = cast_checked(ctx, &entries, to) {
                let null = dict.len() as u32;
                let nulls = input.nulls();
                let valid = |row: usize| nulls.as_ref().is_none_or(|n| n.is_valid(row));
                let view = CodeView::new(codes);
                let index: Vec<u32> =
                    for_codes!(view, c => c.iter().enumerate().map(|(row, v)| if valid(row) { *v as u32 } else { null }).collect());
                return Ok(match nulls {
                    None => values.gather(&index),
                    Some(_) => values.gather_opt(&index.iter().map(|i| if *i == null { u32::MAX } else { *i }).collect::<Vec<_>>()),
                });
            }
        }
        _ => {}
    }
    let flat = if matches!(input.repr(), Repr::Dict { .. }) { input.flatten() } else { input.clone() };
    cast_checked(ctx, &flat, to)
}

/// One value converted.
pub fn cast_scalar(ctx: &EvalContext, value: &Scalar, from: &LogicalType, to: &LogicalType) -> Result<Scalar> {
    Ok(cast_column(ctx, &Column::constant(value.clone(), from.clone(), 1), to)?.scalar(0))
}

/// A chunk's columns converted to the wanted types, position by position.
pub fn cast_chunk(ctx: &EvalContext, chunk: Chunk, types: &[LogicalType]) -> Result<Chunk> {
    let rows = chunk.rows();
    let columns = chunk.into_columns().iter().zip(types).map(|(c, ty)| cast_column(ctx, c, ty)).collect::<Result<_>>()?;
    Ok(Chunk::new(columns, rows))
}

/// Whether the values stay byte for byte what they are.
fn keeps_bytes(from: &LogicalType, to: &LogicalType) -> bool {
    let text = |t: &LogicalType| t.is_string() || t.is_binary();
    text(from) && text(to) || text(from) && to.is_metric() && !matches!(to, T::State(_))
}

/// The same bytes under another type; constants take the type's own variant.
fn retag(input: &Column, to: &LogicalType) -> Column {
    match input.repr() {
        Repr::Const(Scalar::String(b)) if !to.is_string() => Column::constant(Scalar::Binary(b.clone()), to.clone(), input.len()),
        Repr::Const(Scalar::Binary(b)) if to.is_string() => Column::constant(Scalar::String(b.clone()), to.clone(), input.len()),
        _ => input.clone().with_type(to.clone()),
    }
}

/// Whether CAST exists between two types.
pub fn can_cast(from: &LogicalType, to: &LogicalType) -> bool {
    let basic = |t: &LogicalType| matches!(t, T::Boolean) || t.is_numeric() || t.is_temporal() || t.is_string();
    if from == to || *from == T::Null || keeps_bytes(from, to) || same_shape(from, to) {
        return true;
    }
    match (from, to) {
        (T::Json, t) => basic(t) || t.is_nested(),
        (f, T::Json) => basic(f) || f.is_nested(),
        (T::Array(a), T::Array(b)) => can_cast(a, b),
        (T::Map(k, v), T::Map(l, w)) => can_cast(k, l) && can_cast(v, w),
        (T::Struct(a), T::Struct(b)) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| can_cast(&x.ty, &y.ty)),
        (f, t) if f.is_string() && t.is_nested() => true,
        (T::Boolean, t) if t.is_nested() => true,
        (f, t) if f.is_nested() => t.is_string(),
        (f, t) => basic(f) && basic(t),
    }
}

/// Converts and raises the error of the first value lost, where the mode asks for that.
fn cast_checked(ctx: &EvalContext, input: &Column, to: &LogicalType) -> Result<Column> {
    let result = dispatch(ctx, input, to)?;
    debug_assert_eq!(result.len(), input.len());
    let from = input.ty();
    let decimals = from.is_decimal() && to.is_decimal() && ctx.overflow_is_error();
    // JSON null gives SQL NULL by right.
    let strict = ctx.throws() && !matches!(from, T::Json) && !to.is_nested();
    if (strict || decimals) && result.null_count() > input.null_count() {
        if decimals {
            bail!(InvalidArgument, "Expr evaluate meet error: The type cast from decimal to decimal overflows");
        }
        let row = (0..input.len()).find(|row| result.is_null(*row) && !input.is_null(*row)).unwrap_or(0);
        let name = |t: &LogicalType| t.to_string().to_uppercase();
        bail!(
            InvalidArgument,
            "Expr evaluate meet error: cast from {}({}) to {} failed",
            name(from),
            input.scalar(row),
            name(to)
        );
    }
    Ok(result)
}

fn dispatch(ctx: &EvalContext, input: &Column, to: &LogicalType) -> Result<Column> {
    match to {
        T::Boolean => to_bool::cast(input),
        T::TinyInt | T::SmallInt | T::Int | T::BigInt | T::LargeInt => to_int::cast(input, to),
        T::Float | T::Double => to_float::cast(input, to),
        T::Decimal { scale, .. } => to_decimal::cast(input, to, *scale),
        T::Date => to_date::cast_date(ctx, input),
        T::Datetime => to_date::cast_datetime(ctx, input),
        T::Time => to_date::cast_time(input),
        T::Char(_) | T::Varchar(_) => to_string::cast(input, to),
        T::Json => to_json::cast(input),
        T::Array(_) | T::Map(..) | T::Struct(_) => to_nested::cast(ctx, input, to),
        T::Null | T::Varbinary(_) | T::Bitmap | T::Hll | T::Percentile | T::State(_) | T::Function => {
            bail!(NotSupported, "Invalid type cast from {} to {to}.", input.ty())
        }
    }
}

#[cfg(test)]
mod tests;
