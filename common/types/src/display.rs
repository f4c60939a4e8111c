//! The text of values as a MySQL client sees it. One encoder per column picks the typed path once; nested values recurse.

use arrow::array::cast::AsArray;
use arrow::array::{BinaryViewArray, BooleanArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::i256;

use crate::column::{Column, FloatView, IntView, Repr, StrView};
use crate::logical_type::LogicalType;
use crate::scalar::Scalar;
use crate::{date, datetime, decimal};

/// Appends the text of one value; nothing for NULL (the caller writes its own marker). For columns, prefer [`TextEncoder`].
pub fn append_text(col: &Column, row: usize, out: &mut Vec<u8>) {
    TextEncoder::new(col).append(row, out);
}

/// Writes the values of one column as text.
pub struct TextEncoder<'a> {
    nulls: Option<NullBuffer>,
    kind: Kind<'a>,
}

enum Kind<'a> {
    /// Every row the same bytes; `None` = NULL (also metric types, which show as NULL).
    Const(Option<Vec<u8>>),
    Bool(&'a BooleanArray),
    Int(IntView<'a>),
    Decimal64(IntView<'a>, i8),
    I128(&'a [i128], i8),
    I256(&'a [i256], i8),
    F32(&'a [f32]),
    F64(&'a [f64]),
    Time(&'a [f64]),
    Date(IntView<'a>),
    Datetime(IntView<'a>),
    Views(&'a BinaryViewArray),
    Bytes(StrView<'a>),
    Nested(&'a Column),
}

impl<'a> TextEncoder<'a> {
    /// An encoder for a column.
    pub fn new(col: &'a Column) -> Self {
        Self { nulls: col.nulls(), kind: Self::kind(col) }
    }

    fn kind(col: &'a Column) -> Kind<'a> {
        use LogicalType as T;
        if col.ty().is_metric() || matches!(col.ty(), T::Null | T::Function) {
            return Kind::Const(None);
        }
        if let Repr::Const(s) = col.repr() {
            return Kind::Const((!s.is_null()).then(|| {
                let mut out = Vec::new();
                append_scalar_as(s, col.ty(), &mut out);
                out
            }));
        }
        if let Some(v) = col.ints_i64() {
            return match col.ty() {
                T::Date => Kind::Date(v),
                T::Datetime => Kind::Datetime(v),
                T::Decimal { scale, .. } if *scale > 0 => Kind::Decimal64(v, *scale),
                _ => Kind::Int(v),
            };
        }
        if let Some(v) = col.ints_i128() {
            return Kind::I128(v, col.ty().scale());
        }
        if let Some(v) = col.ints_i256() {
            return Kind::I256(v, col.ty().scale());
        }
        match col.floats() {
            Some(FloatView::F32(s)) => return Kind::F32(s),
            Some(FloatView::F64(s)) if matches!(col.ty(), T::Time) => return Kind::Time(s),
            Some(FloatView::F64(s)) => return Kind::F64(s),
            None => {}
        }
        if let Some(v) = col.str_view() {
            return match v {
                StrView::Flat(a) => Kind::Views(a),
                v => Kind::Bytes(v),
            };
        }
        match col.bools() {
            Some(b) => Kind::Bool(b),
            None => Kind::Nested(col),
        }
    }

    /// Whether a row shows as NULL.
    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        matches!(self.kind, Kind::Const(None)) || self.nulls.as_ref().is_some_and(|n| n.is_null(row))
    }

    /// Appends the text of a row; false and nothing appended when it is NULL.
    #[inline]
    pub fn append(&self, row: usize, out: &mut Vec<u8>) -> bool {
        if self.nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            return false;
        }
        match &self.kind {
            Kind::Const(None) => return false,
            Kind::Const(Some(text)) => out.extend_from_slice(text),
            Kind::Bool(b) => out.push(b'0' + u8::from(b.value(row))),
            Kind::Int(v) => out.extend_from_slice(itoa::Buffer::new().format(v.get(row)).as_bytes()),
            Kind::Decimal64(v, scale) => decimal::append_i64(v.get(row), *scale, out),
            Kind::I128(v, scale) => decimal::append_i128(v[row], *scale, out),
            Kind::I256(v, scale) => decimal::append_i256(v[row], *scale, out),
            Kind::F32(v) => append_f32(v[row], out),
            Kind::F64(v) => append_f64(v[row], out),
            Kind::Time(v) => datetime::append_time(v[row], out),
            Kind::Date(v) => date::append_date(v.get(row) as i32, out),
            Kind::Datetime(v) => datetime::append_datetime(v.get(row), out),
            Kind::Views(a) => out.extend_from_slice(a.value(row)),
            Kind::Bytes(v) => out.extend_from_slice(v.get(row)),
            Kind::Nested(col) => append_nested_column(col, row, out),
        }
        true
    }
}

/// Appends a DOUBLE: shortest digits, plain within exponents -4..=15.
#[inline]
pub fn append_f64(v: f64, out: &mut Vec<u8>) {
    // Integers of up to 15 digits are most of what queries return; -0 keeps its sign and takes the long way.
    if v.abs() < 1e15 && v.trunc() == v && (v != 0.0 || v.is_sign_positive()) {
        out.extend_from_slice(itoa::Buffer::new().format(v as i64).as_bytes());
        return;
    }
    if !v.is_finite() {
        return append_special(v, out);
    }
    append_shortest(ryu::Buffer::new().format_finite(v), 15, out);
}

/// Appends a FLOAT: shortest digits, plain within exponents -4..=7.
#[inline]
pub fn append_f32(v: f32, out: &mut Vec<u8>) {
    if !v.is_finite() {
        return append_special(f64::from(v), out);
    }
    append_shortest(ryu::Buffer::new().format_finite(v), 7, out);
}

fn append_special(v: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(if v.is_nan() {
        b"nan"
    } else if v > 0.0 {
        b"inf"
    } else {
        b"-inf"
    });
}

/// Lays out shortest digits (in any notation) by the exponent rule.
fn append_shortest(text: &str, max_plain: i32, out: &mut Vec<u8>) {
    let text = text.as_bytes();
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if negative {
        out.push(b'-');
    }
    let mut digits = [0_u8; 24];
    let mut n = 0;
    let mut point: Option<i32> = None;
    let mut exponent = 0_i32;
    for (i, &c) in text.iter().enumerate() {
        match c {
            b'.' => point = Some(n as i32),
            b'e' => {
                exponent = std::str::from_utf8(&text[i + 1..]).ok().and_then(|s| s.parse().ok()).unwrap_or(0);
                break;
            }
            _ => {
                digits[n] = c;
                n += 1;
            }
        }
    }
    // The value is 0.d1d2… × 10^scale before leading zeros are dropped.
    let mut scale = point.unwrap_or(n as i32) + exponent;
    let lead = digits[..n].iter().take_while(|&&c| c == b'0').count();
    if lead == n {
        out.push(b'0');
        return;
    }
    scale -= lead as i32;
    let trail = digits[..n].iter().rev().take_while(|&&c| c == b'0').count();
    let d = &digits[lead..n - trail];
    let exp10 = scale - 1;
    if (-4..=max_plain).contains(&exp10) {
        if scale <= 0 {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + (-scale) as usize, b'0');
            out.extend_from_slice(d);
        } else if d.len() <= scale as usize {
            out.extend_from_slice(d);
            out.resize(out.len() + scale as usize - d.len(), b'0');
        } else {
            out.extend_from_slice(&d[..scale as usize]);
            out.push(b'.');
            out.extend_from_slice(&d[scale as usize..]);
        }
    } else {
        out.push(d[0]);
        if d.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&d[1..]);
        }
        out.push(b'e');
        out.push(if exp10 < 0 { b'-' } else { b'+' });
        let e = exp10.unsigned_abs();
        if e < 10 {
            out.push(b'0');
        }
        out.extend_from_slice(itoa::Buffer::new().format(e).as_bytes());
    }
}

/// Appends the top-level text of a scalar; nothing for NULL.
pub fn append_scalar(s: &Scalar, out: &mut Vec<u8>) {
    match s {
        Scalar::Null => {}
        Scalar::Boolean(v) => out.push(b'0' + u8::from(*v)),
        Scalar::TinyInt(_) | Scalar::SmallInt(_) | Scalar::Int(_) | Scalar::BigInt(_) | Scalar::LargeInt(_) => {
            decimal::append_i128(s.as_i128().unwrap_or(0), 0, out);
        }
        Scalar::Float(v) => append_f32(*v, out),
        Scalar::Double(v) => append_f64(*v, out),
        Scalar::Decimal(v, _, scale) => decimal::append_i128(*v, *scale, out),
        Scalar::Decimal256(v, _, scale) => decimal::append_i256(*v, *scale, out),
        Scalar::Date(v) => date::append_date(*v, out),
        Scalar::Datetime(v) => datetime::append_datetime(*v, out),
        Scalar::Time(v) => datetime::append_time(*v, out),
        Scalar::String(b) | Scalar::Json(b) | Scalar::Binary(b) => out.extend_from_slice(b),
        Scalar::Array(items) => {
            out.push(b'[');
            for (i, v) in items.iter().enumerate() {
                separate(i, out);
                append_inner_scalar(v, out);
            }
            out.push(b']');
        }
        Scalar::Map(pairs) => {
            out.push(b'{');
            for (i, (k, v)) in pairs.iter().enumerate() {
                separate(i, out);
                append_inner_scalar(k, out);
                out.push(b':');
                append_inner_scalar(v, out);
            }
            out.push(b'}');
        }
        Scalar::Struct(fields) => {
            out.push(b'{');
            for (i, (name, v)) in fields.iter().enumerate() {
                separate(i, out);
                append_quoted(name.as_bytes(), b'"', out);
                out.push(b':');
                append_inner_scalar(v, out);
            }
            out.push(b'}');
        }
    }
}

/// The text of a scalar shown under a column type: a decimal of another scale is rescaled first.
fn append_scalar_as(s: &Scalar, ty: &LogicalType, out: &mut Vec<u8>) {
    match (s, ty) {
        (Scalar::Decimal(v, _, from), LogicalType::Decimal { scale, .. }) if from != scale => {
            match decimal::rescale_i128(*v, *from, *scale) {
                Some(v) => decimal::append_i128(v, *scale, out),
                None => append_scalar(s, out),
            }
        }
        _ => append_scalar(s, out),
    }
}

fn append_inner_scalar(s: &Scalar, out: &mut Vec<u8>) {
    match s {
        Scalar::Null => out.extend_from_slice(b"null"),
        Scalar::String(b) | Scalar::Binary(b) => append_quoted(b, b'"', out),
        Scalar::Json(b) => append_quoted(b, b'\'', out),
        Scalar::Date(_) | Scalar::Datetime(_) | Scalar::Time(_) => {
            out.push(b'"');
            append_scalar(s, out);
            out.push(b'"');
        }
        _ => append_scalar(s, out),
    }
}

#[inline]
fn separate(i: usize, out: &mut Vec<u8>) {
    if i > 0 {
        out.push(b',');
    }
}

/// Appends bytes between quotes, the quote and the backslash escaped by a backslash.
fn append_quoted(b: &[u8], quote: u8, out: &mut Vec<u8>) {
    out.push(quote);
    for &c in b {
        if c == quote || c == b'\\' {
            out.push(b'\\');
        }
        out.push(c);
    }
    out.push(quote);
}

/// Appends one value as an element of a nested value: quoted where needed, `null` for NULL.
fn append_inner(enc: &TextEncoder<'_>, ty: &LogicalType, row: usize, out: &mut Vec<u8>) {
    if enc.is_null(row) {
        out.extend_from_slice(b"null");
        return;
    }
    match ty {
        LogicalType::Json | LogicalType::Char(_) | LogicalType::Varchar(_) | LogicalType::Varbinary(_) => {
            let quote = if matches!(ty, LogicalType::Json) { b'\'' } else { b'"' };
            match &enc.kind {
                Kind::Views(a) => append_quoted(a.value(row), quote, out),
                _ => {
                    let mut text = Vec::new();
                    enc.append(row, &mut text);
                    append_quoted(&text, quote, out);
                }
            }
        }
        t if t.is_temporal() => {
            out.push(b'"');
            enc.append(row, out);
            out.push(b'"');
        }
        _ => {
            enc.append(row, out);
        }
    }
}

fn append_nested_column(col: &Column, row: usize, out: &mut Vec<u8>) {
    let Repr::Flat(array) = col.repr() else { return };
    match col.ty() {
        LogicalType::Array(element) => {
            let child = Column::flat(array.as_list::<i32>().value(row), (**element).clone());
            let enc = TextEncoder::new(&child);
            out.push(b'[');
            for i in 0..child.len() {
                separate(i, out);
                append_inner(&enc, element, i, out);
            }
            out.push(b']');
        }
        LogicalType::Map(kt, vt) => {
            let entries = array.as_map().value(row);
            let keys = Column::flat(entries.column(0).clone(), (**kt).clone());
            let values = Column::flat(entries.column(1).clone(), (**vt).clone());
            let (ke, ve) = (TextEncoder::new(&keys), TextEncoder::new(&values));
            out.push(b'{');
            for i in 0..keys.len() {
                separate(i, out);
                append_inner(&ke, kt, i, out);
                out.push(b':');
                append_inner(&ve, vt, i, out);
            }
            out.push(b'}');
        }
        LogicalType::Struct(fields) => {
            out.push(b'{');
            for (i, (f, c)) in fields.iter().zip(array.as_struct().columns()).enumerate() {
                separate(i, out);
                append_quoted(f.name.as_bytes(), b'"', out);
                out.push(b':');
                let child = Column::flat(c.slice(row, 1), f.ty.clone());
                append_inner(&TextEncoder::new(&child), &f.ty, 0, out);
            }
            out.push(b'}');
        }
        _ => {}
    }
}
