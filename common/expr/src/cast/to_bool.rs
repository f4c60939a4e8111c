//! Anything → BOOLEAN.

use std::sync::Arc;

use arrow::{
    array::{BooleanArray, BooleanBufferBuilder},
    buffer::{BooleanBuffer, NullBuffer},
    datatypes::i256,
};
use common_base::{Result, bail};
use common_types::{Column, LogicalType, for_ints};

use super::{to_int, to_json};
use crate::eval::mask::{mask_by, mask_of};

pub(super) fn cast(input: &Column) -> Result<Column> {
    let rows = input.len();
    let of = |bits: BooleanBuffer, nulls: Option<NullBuffer>| Ok(Column::flat(Arc::new(BooleanArray::new(bits, nulls)), LogicalType::Boolean));
    if let Some(view) = input.ints_i64() {
        return of(for_ints!(view, values => mask_of(values, |v| v != 0)), input.nulls());
    }
    if let Some(values) = input.ints_i128() {
        return of(mask_of(values, |v| v != 0), input.nulls());
    }
    if let Some(values) = input.ints_i256() {
        return of(mask_of(values, |v| v != i256::ZERO), input.nulls());
    }
    if let Some(view) = input.floats() {
        return of(mask_by(rows, |row| view.get(row) != 0.0), input.nulls());
    }
    let verdict: Box<dyn Fn(usize) -> Option<bool> + '_> = if *input.ty() == LogicalType::Json {
        Box::new(|row| to_json::boolean_of(input, row))
    } else if let Some(view) = input.str_view() {
        Box::new(move |row| parse_bool(view.get(row)))
    } else {
        bail!(NotSupported, "Invalid type cast from {} to boolean.", input.ty());
    };
    let nulls = input.nulls();
    let (mut bits, mut valid) = (BooleanBufferBuilder::new(rows), BooleanBufferBuilder::new(rows));
    for row in 0..rows {
        let v = if nulls.as_ref().is_none_or(|n| n.is_valid(row)) { verdict(row) } else { None };
        bits.append(v == Some(true));
        valid.append(v.is_some());
    }
    of(bits.finish(), Some(NullBuffer::new(valid.finish())).filter(|n| n.null_count() > 0))
}

/// An integer (TRUE unless zero), or `true` / `false` in any case.
fn parse_bool(text: &[u8]) -> Option<bool> {
    if let Some(v) = to_int::parse_i128(text) {
        return Some(v != 0);
    }
    let text = text.trim_ascii();
    if text.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if text.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        None
    }
}
