//! Anything → ARRAY, MAP, STRUCT. Elements of all rows form one column that is cast at once.

use arrow::buffer::{NullBuffer, OffsetBuffer};
use common_base::{Result, bail};
use common_types::{Column, ColumnBuilder, LogicalType};

use super::{
    cast_column,
    json_text::{elements, members, unquote},
};
use crate::scalar_fn::EvalContext;

use LogicalType as T;

pub(super) fn cast(ctx: &EvalContext, input: &Column, to: &LogicalType) -> Result<Column> {
    match (input.ty(), to) {
        (T::Boolean, _) => Ok(Column::null(to.clone(), input.len())),
        (T::Array(_), T::Array(element)) => {
            let Some(parts) = input.array_parts() else { bail!(Internal, "ARRAY column without parts") };
            let (offsets, values) = trim(&parts.offsets, &parts.values);
            Column::from_array_parts(offsets, cast_column(ctx, &values, element)?, parts.nulls)
        }
        (T::Map(..), T::Map(key, value)) => {
            let Some(parts) = input.map_parts() else { bail!(Internal, "MAP column without parts") };
            let (offsets, keys) = trim(&parts.offsets, &parts.keys);
            let (_, values) = trim(&parts.offsets, &parts.values);
            let keys = cast_column(ctx, &keys, key)?;
            if keys.has_nulls() {
                bail!(InvalidArgument, "Expr evaluate meet error: cast of map keys from {} to {key} failed", parts.keys.ty());
            }
            Column::from_map_parts(offsets, keys, cast_column(ctx, &values, value)?, parts.nulls)
        }
        (T::Struct(_), T::Struct(fields)) => {
            let Some(children) = input.struct_children() else { bail!(Internal, "STRUCT column without fields") };
            let children =
                children.iter().zip(fields).map(|(c, f)| cast_column(ctx, c, &f.ty)).collect::<Result<Vec<_>>>()?;
            Column::from_struct_children(to.clone(), children, input.nulls(), input.len())
        }
        (T::Json, T::Array(element)) => arrays_from_text(ctx, input, element, &T::Json),
        (T::Json, T::Map(key, value)) => map_from_json(ctx, input, key, value),
        (T::Json, T::Struct(_)) => struct_from_json(ctx, input, to),
        (from, T::Array(element)) if from.is_string() => arrays_from_text(ctx, input, element, &T::varchar()),
        // Objects as text go through JSON.
        (from, _) if from.is_string() => cast_column(ctx, &cast_column(ctx, input, &T::Json)?, to),
        (from, _) => bail!(NotSupported, "Invalid type cast from {from} to {to}."),
    }
}

/// Offsets from zero and only the elements they cover.
fn trim(offsets: &OffsetBuffer<i32>, values: &Column) -> (OffsetBuffer<i32>, Column) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    if first == 0 && last as usize == values.len() {
        return (offsets.clone(), values.clone());
    }
    let shifted: Vec<i32> = offsets.iter().map(|o| o - first).collect();
    (OffsetBuffer::new(shifted.into()), values.slice(first as usize, (last - first) as usize))
}

fn validity(valid: Vec<bool>) -> Option<NullBuffer> {
    Some(NullBuffer::from(valid)).filter(|n| n.null_count() > 0)
}

/// `[a, b]` in text or JSON form; anything else is NULL.
fn arrays_from_text(ctx: &EvalContext, input: &Column, element: &LogicalType, piece_type: &LogicalType) -> Result<Column> {
    let Some(view) = input.str_view() else { bail!(Internal, "string column without values") };
    let json = *piece_type == T::Json;
    let mut pieces = ColumnBuilder::new(piece_type, input.len());
    let mut lengths = Vec::with_capacity(input.len());
    let mut valid = Vec::with_capacity(input.len());
    for row in 0..input.len() {
        let items = if input.is_null(row) { None } else { elements(view.get(row)) };
        valid.push(items.is_some());
        lengths.push(items.as_ref().map_or(0, Vec::len));
        for item in items.into_iter().flatten() {
            match item {
                b"null" if !json => pieces.append_null(),
                [b'"', ..] if !json => match unquote(item) {
                    Some(text) => pieces.append_bytes(&text)?,
                    None => pieces.append_null(),
                },
                [b'\'', inner @ .., b'\''] if !json => pieces.append_bytes(inner)?,
                b"null" if *element != T::Json => pieces.append_null(),
                item => pieces.append_bytes(item)?,
            }
        }
    }
    let values = cast_column(ctx, &pieces.finish(), element)?;
    Column::from_array_parts(OffsetBuffer::from_lengths(lengths), values, validity(valid))
}

fn map_from_json(ctx: &EvalContext, input: &Column, key: &LogicalType, value: &LogicalType) -> Result<Column> {
    let Some(view) = input.str_view() else { bail!(Internal, "JSON column without values") };
    let (mut keys, mut values) = (ColumnBuilder::new(&T::varchar(), input.len()), ColumnBuilder::new(&T::Json, input.len()));
    let mut counts = Vec::with_capacity(input.len());
    let mut valid = Vec::with_capacity(input.len());
    for row in 0..input.len() {
        let found = if input.is_null(row) { None } else { members(view.get(row)) };
        valid.push(found.is_some());
        counts.push(found.as_ref().map_or(0, Vec::len));
        for (name, item) in found.into_iter().flatten() {
            keys.append_bytes(&unquote(name).unwrap_or_default())?;
            match item {
                b"null" if *value != T::Json => values.append_null(),
                item => values.append_bytes(item)?,
            }
        }
    }
    let keys = cast_column(ctx, &keys.finish(), key)?;
    let values = cast_column(ctx, &values.finish(), value)?;
    // Pairs whose key has no value of the key type are left out.
    if let Some(nulls) = keys.nulls() {
        let kept: Vec<u32> = nulls.valid_indices().map(|i| i as u32).collect();
        let mut at = 0;
        for count in &mut counts {
            let end = at + *count;
            *count = (at..end).filter(|i| nulls.is_valid(*i)).count();
            at = end;
        }
        return Column::from_map_parts(OffsetBuffer::from_lengths(counts), keys.gather(&kept), values.gather(&kept), validity(valid));
    }
    Column::from_map_parts(OffsetBuffer::from_lengths(counts), keys, values, validity(valid))
}

/// Objects by field name, arrays by position; what is extra is dropped, what is missing is NULL.
fn struct_from_json(ctx: &EvalContext, input: &Column, to: &LogicalType) -> Result<Column> {
    let T::Struct(fields) = to else { bail!(Internal, "{to} is not a struct type") };
    let Some(view) = input.str_view() else { bail!(Internal, "JSON column without values") };
    let mut builders: Vec<ColumnBuilder> = fields.iter().map(|_| ColumnBuilder::new(&T::Json, input.len())).collect();
    let mut valid = Vec::with_capacity(input.len());
    for row in 0..input.len() {
        let text = view.get(row);
        let object = if input.is_null(row) { None } else { members(text) };
        let list = if input.is_null(row) { None } else { elements(text) };
        valid.push(object.is_some() || list.is_some());
        for (at, (field, builder)) in fields.iter().zip(&mut builders).enumerate() {
            let item = match (&object, &list) {
                (Some(found), _) => found
                    .iter()
                    .find(|(name, _)| unquote(name).is_some_and(|n| n.eq_ignore_ascii_case(field.name.as_bytes())))
                    .map(|(_, item)| *item),
                (None, Some(items)) => items.get(at).copied(),
                (None, None) => None,
            };
            match item {
                Some(b"null") if field.ty != T::Json => builder.append_null(),
                Some(item) => builder.append_bytes(item)?,
                None => builder.append_null(),
            }
        }
    }
    let children = builders.into_iter().zip(fields).map(|(b, f)| cast_column(ctx, &b.finish(), &f.ty)).collect::<Result<_>>()?;
    Column::from_struct_children(to.clone(), children, validity(valid), input.len())
}
