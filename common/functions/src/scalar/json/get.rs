//! `get_json_string`, `get_json_int`, `get_json_double`, `get_json_bool`, `json_query`, `json_exists`: one value by path.

use std::borrow::Cow;

use arrow::datatypes::{Float64Type, Int64Type};
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{
    Column, LogicalType as T,
    json::{self, Json, JsonPath},
};

use super::{
    raw::{self, Found},
    support::Paths,
};
use crate::kernels::{
    def::{partial, sig, strict},
    strings::{StrWriter, booleans_opt, cut, primitive_opt, strs, utf8},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    let both = |result: T| vec![sig([s(), s()], result.clone()), sig([T::Json, s()], result)];
    r.add_scalar(partial(&["get_json_string", "get_json_object"], both(s()), get_string));
    r.add_scalar(partial(&["get_json_int"], both(T::BigInt), get_int));
    r.add_scalar(partial(&["get_json_double"], both(T::Double), get_double));
    r.add_scalar(partial(&["get_json_bool"], both(T::Boolean), get_bool));
    r.add_scalar(partial(&["json_query"], vec![sig([T::Json, s()], T::Json)], query));
    r.add_scalar(strict(&["json_exists"], vec![sig([T::Json, s()], T::Boolean)], exists));
}

/// Text of the value at a path: of a JSON column as it is stored, of a string as its user wrote it.
fn lookup<'a>(text: &'a [u8], path: &JsonPath, normalised: bool) -> Option<Cow<'a, [u8]>> {
    if normalised {
        if path.is_simple() {
            return path.scan(text).map(Cow::Borrowed);
        }
        return path.eval(&json::parse(text)?).map(|v| Cow::Owned(v.to_text()));
    }
    if !matches!(text.trim_ascii_start().first(), Some(b'{' | b'[' | b'"')) {
        // Other text is one JSON string.
        let whole = Json::String(std::str::from_utf8(text).ok()?.to_owned());
        return path.eval(&whole).map(|v| Cow::Owned(v.to_text()));
    }
    if path.is_simple() {
        return match raw::find(text, path.steps()) {
            Found::Value(value) => Some(Cow::Borrowed(value)),
            Found::Missing | Found::Malformed => None,
        };
    }
    path.eval(&json::parse(text)?).map(|v| Cow::Owned(v.to_text()))
}

/// Calls `each` with the text of every row's value.
fn for_each(args: &[Column], rows: usize, mut each: impl FnMut(Option<&[u8]>)) -> Result<()> {
    let normalised = *args[0].ty() == T::Json;
    let docs = strs(&args[0]);
    let mut paths = Paths::new(&args[1])?;
    for row in 0..rows {
        let value = paths.get(row).and_then(|path| lookup(docs.get(row), path, normalised));
        each(value.as_deref());
    }
    Ok(())
}

/// Content of a JSON string text; `None` when it is malformed.
fn unquote(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let inner = text.get(1..text.len().checked_sub(1)?)?;
    if memchr::memchr(b'\\', inner).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    match json::parse(text)? {
        Json::String(s) => Some(Cow::Owned(s.into_bytes())),
        _ => None,
    }
}

fn get_string(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let normalised = *args[0].ty() == T::Json;
    let mut out = StrWriter::new(rows);
    for_each(args, rows, |value| match value {
        None | Some(b"null") => out.end_null(),
        Some(text @ [b'"', ..]) => match unquote(text) {
            Some(s) => out.push(&s),
            None => out.end_null(),
        },
        Some(text) if normalised => out.push(text),
        Some(text) => match json::parse(text) {
            Some(value) => {
                value.print(out.buf());
                out.end_row();
            }
            None => out.end_null(),
        },
    })?;
    Ok(out.finish(&call.result))
}

fn to_int(text: &[u8]) -> Option<i64> {
    if let Ok(v) = utf8(text).parse::<i64>() {
        return Some(v);
    }
    match json::parse(text)? {
        Json::Int(v) => Some(v),
        Json::Double(v) if v.trunc() >= i64::MIN as f64 && v.trunc() < i64::MAX as f64 => Some(v as i64),
        Json::String(s) => s.trim().parse().ok(),
        _ => None,
    }
}

fn get_int(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let mut values = Vec::with_capacity(rows);
    for_each(args, rows, |value| values.push(value.and_then(to_int)))?;
    Ok(primitive_opt::<Int64Type>(values.into_iter(), &call.result))
}

fn to_double(text: &[u8]) -> Option<f64> {
    match json::parse(text)? {
        Json::String(s) => s.trim().parse().ok().filter(|v: &f64| v.is_finite()),
        value => value.as_f64(),
    }
}

fn get_double(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let mut values = Vec::with_capacity(rows);
    for_each(args, rows, |value| values.push(value.and_then(to_double)))?;
    Ok(primitive_opt::<Float64Type>(values.into_iter(), &call.result))
}

fn to_bool(text: &[u8]) -> Option<bool> {
    match json::parse(text)? {
        Json::Bool(v) => Some(v),
        Json::String(s) if s.eq_ignore_ascii_case("true") => Some(true),
        Json::String(s) if s.eq_ignore_ascii_case("false") => Some(false),
        Json::String(s) => s.trim().parse::<i64>().ok().map(|v| v != 0),
        value => value.as_f64().map(|v| v != 0.0),
    }
}

fn get_bool(_: &EvalContext, _: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let mut values = Vec::with_capacity(rows);
    for_each(args, rows, |value| values.push(value.and_then(to_bool)))?;
    Ok(booleans_opt(values.into_iter()))
}

fn query(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let mut paths = Paths::new(&args[1])?;
    if let Paths::Const(path) = &paths
        && path.is_simple()
    {
        // The value's text is a part of the document's: point at it.
        return Ok(cut(&args[0], &call.result, rows, |_, doc| {
            let value = path.scan(doc)?;
            let start = value.as_ptr() as usize - doc.as_ptr() as usize;
            Some((start, start + value.len()))
        }));
    }
    let docs = strs(&args[0]);
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let value = paths.get(row).and_then(|path| lookup(docs.get(row), path, true));
        out.push_opt(value.as_deref());
    }
    Ok(out.finish(&call.result))
}

fn exists(_: &EvalContext, _: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let mut values = Vec::with_capacity(rows);
    for_each(args, rows, |value| values.push(Some(value.is_some())))?;
    Ok(booleans_opt(values.into_iter()))
}
