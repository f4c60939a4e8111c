//! Documents from their parts, and the values of a path as JSON texts.

use std::sync::Arc;

use arrow::array::{AsArray, BinaryViewBuilder, BooleanArray};
use arrow::buffer::NullBuffer;
use common_base::{Result, bail, ensure};
use common_types::{Column, FloatView, LogicalType, StrView, json::{Json, each_member}};

use super::choose::{Branch, Choice};

/// The values of a path, ready to be written as JSON.
struct Texts<'a> {
    values: Kind<'a>,
    valid: Option<NullBuffer>,
    /// Rows whose value is JSON null.
    json_nulls: Option<BooleanArray>,
}

enum Kind<'a> {
    Nothing,
    Ints(Vec<i64>),
    Doubles(Vec<f64>),
    Bools(BooleanArray),
    Strings(StrView<'a>),
    /// Normalised JSON.
    Json(StrView<'a>),
}

impl<'a> Texts<'a> {
    fn new(values: &'a Column, nulls: Option<&Column>) -> Result<Self> {
        let valid = values.nulls().filter(|n| n.null_count() > 0);
        let kind = if values.null_count() == values.len() {
            Kind::Nothing
        } else if let (LogicalType::BigInt, Some(v)) = (values.ty(), values.ints_i64()) {
            Kind::Ints(v.to_vec())
        } else if let (LogicalType::Double, Some(FloatView::F64(v))) = (values.ty(), values.floats()) {
            Kind::Doubles(v.to_vec())
        } else if let (LogicalType::Boolean, Some(v)) = (values.ty(), values.bools()) {
            Kind::Bools(v.clone())
        } else if let Some(v) = values.str_view() {
            if values.ty().is_string() { Kind::Strings(v) } else { Kind::Json(v) }
        } else {
            bail!(Corruption, "values of a path of JSON have type {}", values.ty())
        };
        let json_nulls = nulls.map(|n| n.to_flat().as_boolean().clone());
        Ok(Self { values: kind, valid, json_nulls })
    }

    /// Appends the text of a row; `false` when the path is missing there.
    fn write(&self, row: usize, out: &mut Vec<u8>) -> bool {
        if self.json_nulls.as_ref().is_some_and(|n| n.value(row)) {
            out.extend_from_slice(b"null");
            return true;
        }
        if matches!(self.values, Kind::Nothing) || self.valid.as_ref().is_some_and(|n| n.is_null(row)) {
            return false;
        }
        match &self.values {
            Kind::Nothing => {}
            Kind::Ints(v) => Json::Int(v[row]).print(out),
            Kind::Doubles(v) => Json::Double(v[row]).print(out),
            Kind::Bools(v) => Json::Bool(v.value(row)).print(out),
            Kind::Strings(v) => match std::str::from_utf8(v.get(row)) {
                Ok(s) if !s.bytes().any(|b| b < 0x20 || b == b'"' || b == b'\\') => {
                    out.push(b'"');
                    out.extend_from_slice(s.as_bytes());
                    out.push(b'"');
                }
                Ok(s) => Json::String(s.to_owned()).print(out),
                Err(_) => out.extend_from_slice(b"null"),
            },
            Kind::Json(v) => out.extend_from_slice(v.get(row)),
        }
        true
    }
}

/// The values of a path as a column of JSON; NULL where the path is missing.
pub fn values_as_json(values: &Column, nulls: Option<&Column>) -> Result<Column> {
    let flat = values.flatten();
    let nulls = nulls.map(Column::flatten);
    let texts = Texts::new(&flat, nulls.as_ref())?;
    let mut out = BinaryViewBuilder::with_capacity(values.len());
    let mut text = Vec::new();
    for row in 0..values.len() {
        text.clear();
        if texts.write(row, &mut text) { out.append_value(&text) } else { out.append_null() }
    }
    Ok(Column::flat(Arc::new(out.finish()), LogicalType::Json))
}

/// The documents: what is left of them with the values of paths (and which of those are JSON null) put in.
pub fn join(rest: &Column, leaves: &[(Column, Option<Column>)], paths: &Choice) -> Result<Column> {
    let flat: Vec<(Column, Option<Column>)> = leaves.iter().map(|(v, n)| (v.flatten(), n.as_ref().map(Column::flatten))).collect();
    let texts = flat.iter().map(|(v, n)| Texts::new(v, n.as_ref())).collect::<Result<Vec<_>>>()?;
    for (values, _) in leaves {
        ensure!(values.len() == rest.len(), Corruption, "a path of JSON has {} rows, not {}", values.len(), rest.len());
    }
    let rest = rest.flatten();
    let nulls = rest.nulls();
    let mut out = BinaryViewBuilder::with_capacity(rest.len());
    let mut document = Vec::new();
    let mut members = Vec::new();
    for row in 0..rest.len() {
        if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            out.append_null();
            continue;
        }
        let Some(left) = rest.str_view().map(|v| v.get(row)) else { bail!(Corruption, "what is left of JSON is {}", rest.ty()) };
        if left.first() != Some(&b'{') {
            out.append_value(left);
            continue;
        }
        document.clear();
        put(left, paths, &texts, row, &mut members, &mut document)?;
        out.append_value(&document);
    }
    Ok(Column::flat(Arc::new(out.finish()), LogicalType::Json))
}

/// Writes an object with the values of the paths below it, keys in byte order.
fn put<'a>(
    left: &'a [u8],
    paths: &Choice,
    texts: &[Texts<'_>],
    row: usize,
    members: &mut Vec<(&'a [u8], &'a [u8])>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let from = members.len();
    ensure!(each_member(left, |key, value| members.push((key, value))), Corruption, "what is left of a document is no object");
    out.push(b'{');
    let start = out.len();
    let (mut at, mut child) = (from, 0);
    let to = members.len();
    while at < to || child < paths.children.len() {
        let order = match (members.get(at).filter(|_| at < to), paths.children.get(child)) {
            (Some((key, _)), Some((name, _))) => compare(key, name),
            (Some(_), None) => std::cmp::Ordering::Less,
            _ => std::cmp::Ordering::Greater,
        };
        let before = out.len();
        if before > start {
            out.extend_from_slice(b", ");
        }
        out.push(b'"');
        if order.is_gt() {
            let (name, branch) = &paths.children[child];
            child += 1;
            out.extend_from_slice(name);
            out.extend_from_slice(b"\": ");
            let present = matches!(branch, Branch::Leaf(number) if texts[*number].write(row, out));
            if !present {
                out.truncate(before);
            }
            continue;
        }
        let (key, value) = members[at];
        at += 1;
        out.extend_from_slice(key);
        out.extend_from_slice(b"\": ");
        match paths.children.get(child).filter(|_| order.is_eq()) {
            Some((_, Branch::Inner(below))) => {
                child += 1;
                if value.first() == Some(&b'{') {
                    put(value, below, texts, row, members, out)?;
                } else {
                    out.extend_from_slice(value);
                }
            }
            Some((_, Branch::Leaf(_))) => bail!(Corruption, "a path of JSON is still in what is left of the document"),
            None => out.extend_from_slice(value),
        }
    }
    members.truncate(from);
    out.push(b'}');
    Ok(())
}

/// Order of a key as written and a name: that of the key's content.
fn compare(key: &[u8], name: &[u8]) -> std::cmp::Ordering {
    if !key.contains(&b'\\') {
        return key.cmp(name);
    }
    let quoted = [b"\"", key, b"\""].concat();
    match common_types::json::parse(&quoted) {
        Some(Json::String(content)) => content.as_bytes().cmp(name),
        _ => key.cmp(name),
    }
}
