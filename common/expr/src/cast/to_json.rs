//! Anything → JSON, and what the other casts read from JSON values.

use common_base::{Result, bail};
use common_types::{Column, LogicalType, decimal, display::TextEncoder, json};

use super::{
    build,
    json_text::{quote, unquote},
    to_float::parse_f64,
    to_int,
};

use LogicalType as T;

pub(super) fn cast(input: &Column) -> Result<Column> {
    let to = T::Json;
    match input.ty() {
        T::Boolean => {
            let Some(bits) = input.bools() else { bail!(Internal, "BOOLEAN column without values") };
            Ok(build::texts(input, &to, |row, out| {
                out.extend_from_slice(if bits.value(row) { b"true" } else { b"false" });
                true
            }))
        }
        t if t.is_string() => {
            let Some(view) = input.str_view() else { bail!(Internal, "string column without values") };
            Ok(build::texts(input, &to, |row, out| match json::normalize(view.get(row)) {
                Some(text) => {
                    out.extend_from_slice(&text);
                    true
                }
                None => false,
            }))
        }
        t if t.is_numeric() => {
            let encoder = TextEncoder::new(input);
            let floats = input.floats();
            Ok(build::texts(input, &to, |row, out| {
                floats.is_none_or(|view| view.get(row).is_finite()) && encoder.append(row, out)
            }))
        }
        t if t.is_temporal() => {
            let encoder = TextEncoder::new(input);
            Ok(build::texts(input, &to, |row, out| {
                out.push(b'"');
                let some = encoder.append(row, out);
                out.push(b'"');
                some
            }))
        }
        T::Array(_) => array(input),
        T::Map(..) => map(input),
        T::Struct(fields) => {
            let names: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
            structure(input, &names)
        }
        t => bail!(NotSupported, "Invalid type cast from {t} to json."),
    }
}

/// Children as JSON; NULL and what has no JSON form prints `null`.
fn child(column: &Column) -> Result<Column> {
    if *column.ty() == T::Json {
        return Ok(column.clone());
    }
    if *column.ty() == T::Null || column.is_empty() {
        return Ok(Column::null(T::Json, column.len()));
    }
    cast(&column.flatten())
}

fn append_value(values: &Column, row: usize, out: &mut Vec<u8>) {
    match values.str_view() {
        Some(view) if !values.is_null(row) => out.extend_from_slice(view.get(row)),
        _ => out.extend_from_slice(b"null"),
    }
}

fn array(input: &Column) -> Result<Column> {
    let Some(parts) = input.array_parts() else { bail!(Internal, "ARRAY column without parts") };
    let values = child(&parts.values)?;
    Ok(build::texts(input, &T::Json, |row, out| {
        let (from, to) = (parts.offsets[row] as usize, parts.offsets[row + 1] as usize);
        out.push(b'[');
        for i in from..to {
            if i > from {
                out.extend_from_slice(b", ");
            }
            append_value(&values, i, out);
        }
        out.push(b']');
        true
    }))
}

fn map(input: &Column) -> Result<Column> {
    let Some(parts) = input.map_parts() else { bail!(Internal, "MAP column without parts") };
    let values = child(&parts.values)?;
    let encoder = TextEncoder::new(&parts.keys);
    Ok(build::texts(input, &T::Json, |row, out| {
        let (from, to) = (parts.offsets[row] as usize, parts.offsets[row + 1] as usize);
        let mut members: Vec<(Vec<u8>, usize)> = Vec::with_capacity(to - from);
        for i in from..to {
            let mut key = Vec::new();
            if !encoder.append(i, &mut key) {
                return false;
            }
            members.push((key, i));
        }
        append_object(&mut members, |i, out| append_value(&values, i, out), out);
        true
    }))
}

fn structure(input: &Column, names: &[&str]) -> Result<Column> {
    let Some(children) = input.struct_children() else { bail!(Internal, "STRUCT column without fields") };
    let children = children.iter().map(child).collect::<Result<Vec<_>>>()?;
    let mut members: Vec<(Vec<u8>, usize)> = names.iter().enumerate().map(|(i, n)| (n.as_bytes().to_vec(), i)).collect();
    Ok(build::texts(input, &T::Json, |row, out| {
        append_object(&mut members, |i, out| append_value(&children[i], row, out), out);
        true
    }))
}

/// An object with its keys sorted bytewise; of equal keys the last wins.
fn append_object(members: &mut [(Vec<u8>, usize)], value: impl Fn(usize, &mut Vec<u8>), out: &mut Vec<u8>) {
    members.sort();
    out.push(b'{');
    let mut first = true;
    for (i, (key, at)) in members.iter().enumerate() {
        if members.get(i + 1).is_some_and(|(next, _)| next == key) {
            continue;
        }
        if !first {
            out.extend_from_slice(b", ");
        }
        first = false;
        quote(key, out);
        out.extend_from_slice(b": ");
        value(*at, out);
    }
    out.push(b'}');
}

/// A number inside a JSON value.
pub(super) enum Number {
    Whole(i128),
    /// Text of a fraction or of something very large.
    Text(Vec<u8>),
}

impl Number {
    /// Truncated.
    pub(super) fn to_i128(&self) -> Option<i128> {
        match self {
            Self::Whole(v) => Some(*v),
            Self::Text(text) => {
                let v = parse_f64(text)?.trunc();
                (v.abs() < 1.7e38).then_some(v as i128)
            }
        }
    }

    pub(super) fn to_f64(&self) -> f64 {
        match self {
            Self::Whole(v) => *v as f64,
            Self::Text(text) => parse_f64(text).unwrap_or(0.0),
        }
    }

    pub(super) fn to_text(&self) -> Vec<u8> {
        match self {
            Self::Whole(v) => {
                let mut out = Vec::new();
                decimal::append_i128(*v, 0, &mut out);
                out
            }
            Self::Text(text) => text.clone(),
        }
    }
}

fn raw(input: &Column, row: usize) -> Option<&[u8]> {
    Some(input.str_view()?.get(row))
}

/// A JSON number, boolean or numeric string.
pub(super) fn number_of(input: &Column, row: usize) -> Option<Number> {
    let text = raw(input, row)?;
    match text.first()? {
        b't' => Some(Number::Whole(1)),
        b'f' => Some(Number::Whole(0)),
        b'"' => number(&unquote(text)?),
        b'-' | b'0'..=b'9' => number(text),
        _ => None,
    }
}

fn number(text: &[u8]) -> Option<Number> {
    if let Some(v) = to_int::parse_i128(text) {
        return Some(Number::Whole(v));
    }
    parse_f64(text)?;
    Some(Number::Text(text.trim_ascii().to_vec()))
}

/// A JSON boolean, number or string of one.
pub(super) fn boolean_of(input: &Column, row: usize) -> Option<bool> {
    let text = raw(input, row)?;
    match text.first()? {
        b't' => Some(true),
        b'f' => Some(false),
        b'"' => {
            let inner = unquote(text)?;
            if inner.eq_ignore_ascii_case(b"true") {
                Some(true)
            } else if inner.eq_ignore_ascii_case(b"false") {
                Some(false)
            } else {
                Some(number(&inner)?.to_f64() != 0.0)
            }
        }
        b'-' | b'0'..=b'9' => Some(number(text)?.to_f64() != 0.0),
        _ => None,
    }
}

/// The content of a JSON string; `None` for other kinds.
pub(super) fn string_of(input: &Column, row: usize) -> Option<Vec<u8>> {
    unquote(raw(input, row)?)
}

/// The text a JSON value casts to: strings lose their quotes, `null` is NULL.
pub(super) fn text_of(input: &Column, row: usize) -> Option<Vec<u8>> {
    let text = raw(input, row)?;
    match text {
        b"null" => None,
        [b'"', ..] => unquote(text),
        _ => Some(text.to_vec()),
    }
}
