//! Takes the picked paths out of documents and finds the type of each.

use std::sync::Arc;

use arrow::array::{Array, BinaryViewArray, BinaryViewBuilder, BooleanBuilder, Float64Builder, Int64Builder};
use common_types::{Column, LogicalType, json::{self, Json, each_member}};

use super::choose::{Branch, Choice};

/// Documents taken apart, page by page.
pub struct Split {
    /// What is left: normalised texts.
    pub rest: Vec<Column>,
    /// By number of the path.
    pub leaves: Vec<Values>,
}

/// The values of one path.
pub struct Values {
    pub ty: LogicalType,
    pub pages: Vec<Column>,
    /// Rows whose value is JSON null; empty when there are none.
    pub nulls: Vec<Column>,
}

/// Kinds of values met, as bits.
mod kind {
    pub const NULL: u8 = 1;
    pub const INT: u8 = 2;
    pub const DOUBLE: u8 = 4;
    pub const TEXT: u8 = 8;
    pub const BOOL: u8 = 16;
    pub const OTHER: u8 = 32;
}

/// Takes documents apart; `None` when one of them is not what a JSON column holds.
pub fn split(pages: &[Column], choice: &Choice, paths: usize) -> Option<Split> {
    let mut rest = Vec::with_capacity(pages.len());
    let mut texts: Vec<Vec<BinaryViewArray>> = vec![Vec::with_capacity(pages.len()); paths];
    let mut kinds = vec![0u8; paths];
    let mut left = Vec::new();
    for page in pages {
        let flat = page.flatten();
        let mut found: Vec<Option<&[u8]>> = Vec::new();
        let documents = flat.str_view()?;
        let nulls = flat.nulls();
        let mut rests = BinaryViewBuilder::with_capacity(page.len());
        let mut leaves: Vec<BinaryViewBuilder> = (0..paths).map(|_| BinaryViewBuilder::with_capacity(page.len())).collect();
        for row in 0..page.len() {
            found.clear();
            found.resize(paths, None);
            if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
                rests.append_null();
            } else {
                let document = documents.get(row);
                left.clear();
                if document.first() == Some(&b'{') {
                    if !take(document, choice, &mut found, &mut left) {
                        return None;
                    }
                } else {
                    left.extend_from_slice(document);
                }
                rests.append_value(&left);
            }
            for ((leaf, value), kinds) in leaves.iter_mut().zip(&found).zip(&mut kinds) {
                leaf.append_option(*value);
                *kinds |= value.map_or(0, kind_of);
            }
        }
        rest.push(texts_of(rests.finish()));
        leaves.into_iter().zip(&mut texts).for_each(|(mut leaf, pages)| pages.push(leaf.finish()));
    }
    let leaves = texts.into_iter().zip(kinds).map(|(pages, kinds)| typed(pages, kinds)).collect();
    Some(Split { rest, leaves })
}

fn texts_of(array: BinaryViewArray) -> Column {
    Column::flat(Arc::new(array), LogicalType::Varbinary(None))
}

/// Notes the values of picked paths and writes what is left of an object.
fn take<'a>(object: &'a [u8], choice: &Choice, found: &mut [Option<&'a [u8]>], left: &mut Vec<u8>) -> bool {
    let mut whole = true;
    left.push(b'{');
    let mut first = true;
    whole &= each_member(object, |key, value| {
        let branch = choice.get(key);
        if let Some(Branch::Leaf(number)) = branch {
            found[*number] = Some(value);
            return;
        }
        if !std::mem::take(&mut first) {
            left.extend_from_slice(b", ");
        }
        left.push(b'"');
        left.extend_from_slice(key);
        left.extend_from_slice(b"\": ");
        match branch {
            Some(Branch::Inner(below)) if value.first() == Some(&b'{') => whole &= take(value, below, found, left),
            _ => left.extend_from_slice(value),
        }
    });
    left.push(b'}');
    whole
}

fn kind_of(value: &[u8]) -> u8 {
    match value.first() {
        Some(b'"') => kind::TEXT,
        Some(b't' | b'f') => kind::BOOL,
        Some(b'n') => kind::NULL,
        Some(b'[' | b'{') | None => kind::OTHER,
        Some(_) if integer(value).is_some() => kind::INT,
        Some(_) if double(value).is_some() => kind::DOUBLE,
        Some(_) => kind::OTHER,
    }
}

/// A number that is written as this very text.
fn integer(text: &[u8]) -> Option<i64> {
    let canonical = match text {
        [b'-', digits @ ..] => !digits.is_empty() && digits[0] != b'0',
        [b'0'] => true,
        digits => digits.first().is_some_and(|d| *d != b'0'),
    };
    std::str::from_utf8(text).ok().filter(|_| canonical)?.parse().ok()
}

/// The same of a floating-point number.
fn double(text: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (Json::Double(value).to_text() == text).then_some(value)
}

/// Whether the text of a string is what writing its content gives.
fn content(text: &[u8]) -> Option<Vec<u8>> {
    let inner = text.get(1..text.len().checked_sub(1)?)?;
    if !inner.contains(&b'\\') {
        return inner.iter().all(|b| *b >= 0x20).then(|| inner.to_vec());
    }
    match json::parse(text)? {
        value @ Json::String(_) if value.to_text() == text => match value {
            Json::String(s) => Some(s.into_bytes()),
            _ => None,
        },
        _ => None,
    }
}

fn typed(pages: Vec<BinaryViewArray>, kinds: u8) -> Values {
    let column = |array: Arc<dyn Array>, ty: &LogicalType| Column::flat(array, ty.clone());
    let each = |ty: LogicalType, convert: &dyn Fn(&BinaryViewArray) -> Option<Arc<dyn Array>>| -> Option<Values> {
        let typed = pages.iter().map(|page| convert(page).map(|a| column(a, &ty))).collect::<Option<Vec<_>>>()?;
        let nulls = if kinds & kind::NULL != 0 { pages.iter().map(json_nulls).collect() } else { Vec::new() };
        Some(Values { ty, pages: typed, nulls })
    };
    let is_null = |value: &[u8]| value == b"null";
    let typed = match kinds & !kind::NULL {
        kind::INT => each(LogicalType::BigInt, &|page| {
            let mut out = Int64Builder::with_capacity(page.len());
            for value in page {
                match value.filter(|v| !is_null(v)) {
                    Some(v) => out.append_value(integer(v)?),
                    None => out.append_null(),
                }
            }
            Some(Arc::new(out.finish()))
        }),
        kinds if kinds & !(kind::INT | kind::DOUBLE) == 0 && kinds != 0 => each(LogicalType::Double, &|page| {
            let mut out = Float64Builder::with_capacity(page.len());
            for value in page {
                match value.filter(|v| !is_null(v)) {
                    Some(v) => out.append_value(double(v)?),
                    None => out.append_null(),
                }
            }
            Some(Arc::new(out.finish()))
        }),
        kind::TEXT => each(LogicalType::varchar(), &|page| {
            let mut out = BinaryViewBuilder::with_capacity(page.len());
            for value in page {
                match value.filter(|v| !is_null(v)) {
                    Some(v) => out.append_value(content(v)?),
                    None => out.append_null(),
                }
            }
            Some(Arc::new(out.finish()))
        }),
        kind::BOOL => each(LogicalType::Boolean, &|page| {
            let mut out = BooleanBuilder::with_capacity(page.len());
            for value in page {
                match value.filter(|v| !is_null(v)) {
                    Some(b"true") => out.append_value(true),
                    Some(b"false") => out.append_value(false),
                    Some(_) => return None,
                    None => out.append_null(),
                }
            }
            Some(Arc::new(out.finish()))
        }),
        _ => None,
    };
    typed.unwrap_or_else(|| Values { ty: LogicalType::Varbinary(None), pages: pages.into_iter().map(texts_of).collect(), nulls: Vec::new() })
}

fn json_nulls(page: &BinaryViewArray) -> Column {
    let mut out = BooleanBuilder::with_capacity(page.len());
    page.iter().for_each(|value| out.append_value(value == Some(b"null")));
    let array = out.finish();
    Column::flat(Arc::new(array), LogicalType::Boolean)
}
