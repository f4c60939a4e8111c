//! Order-preserving key bytes: comparing the bytes of two keys with memcmp gives the order of the rows. Used by short-key and
//! primary-key indexes, partition bounds and sorts that spill.
//!
//! One column is a marker byte (0/2 around 1 for NULL placement) and the value: integers big-endian with the sign flipped in
//! the type's own width, floats by sign-flipped bits, bytes with 00 escaped as 00 FF and ended by 00 00. Descending inverts
//! the value bytes.

use arrow::datatypes::i256;
use bytes::Bytes;
use common_base::{Result, bail, ensure, err};

use crate::column::Column;
use crate::compare::{SortOrder, compare_scalars};
use crate::for_ints;
use crate::logical_type::{DecimalWidth, LogicalType};
use crate::scalar::Scalar;

const NULL_FIRST: u8 = 0;
const VALUE: u8 = 1;
const NULL_LAST: u8 = 2;

/// Marks within a nested value.
const LIST_END: u8 = 0;
const ITEM_NULL: u8 = 1;
const ITEM: u8 = 2;

/// Whether rows of a type can be ordered and told apart by key bytes; more types than those of keys that are stored.
pub fn is_comparable(ty: &LogicalType) -> bool {
    match ty {
        LogicalType::Array(item) => is_comparable(item),
        LogicalType::Map(key, value) => is_comparable(key) && is_comparable(value),
        LogicalType::Struct(fields) => fields.iter().all(|f| is_comparable(&f.ty)),
        _ => matches!(ty, LogicalType::Json) || is_encodable(ty),
    }
}

/// Whether keys of a type can be encoded and decoded.
pub fn is_encodable(ty: &LogicalType) -> bool {
    !ty.is_nested() && !ty.is_metric() && !matches!(ty, LogicalType::Json | LogicalType::Function)
}

/// Keys of many rows, end to end.
#[derive(Clone, Debug, Default)]
pub struct KeyRows {
    data: Vec<u8>,
    ends: Vec<u32>,
}

impl KeyRows {
    /// One key.
    #[inline]
    pub fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.data[start..self.ends[row] as usize]
    }
    /// Number of keys.
    pub fn len(&self) -> usize {
        self.ends.len()
    }
    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
    /// The keys in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|i| self.get(i))
    }
    /// Bytes of all keys.
    pub fn memory_size(&self) -> usize {
        self.data.len() + self.ends.len() * 4
    }
}

/// Keys of all rows of the columns.
pub fn encode_keys(cols: &[Column], orders: &[SortOrder], rows: usize) -> Result<KeyRows> {
    for c in cols {
        ensure!(is_comparable(c.ty()), NotSupported, "{} is no key type", c.ty());
    }
    if let Some(keys) = encode_fixed(cols, orders, rows) {
        return Ok(keys);
    }
    let nulls: Vec<_> = cols.iter().map(Column::nulls).collect();
    let mut out = KeyRows { data: Vec::with_capacity(rows * cols.len() * 9), ends: Vec::with_capacity(rows) };
    for row in 0..rows {
        for (i, c) in cols.iter().enumerate() {
            let order = orders.get(i).copied().unwrap_or(SortOrder::ASC);
            if nulls[i].as_ref().is_some_and(|n| n.is_null(row)) {
                out.data.push(if order.nulls_first { NULL_FIRST } else { NULL_LAST });
                continue;
            }
            out.data.push(VALUE);
            let start = out.data.len();
            append_value(c, row, &mut out.data);
            if order.descending {
                out.data[start..].iter_mut().for_each(|b| *b = !*b);
            }
        }
        let end = u32::try_from(out.data.len()).map_err(|_| err!(TooLarge, "the keys of one batch exceed 4 GiB"))?;
        out.ends.push(end);
    }
    Ok(out)
}

/// Keys of integer columns without NULLs: every key has the same length and columns are written one at a time.
fn encode_fixed(cols: &[Column], orders: &[SortOrder], rows: usize) -> Option<KeyRows> {
    let mut stride = 0;
    for c in cols {
        if c.has_nulls() || c.ints_i64().is_none() {
            return None;
        }
        stride += 1 + c.ty().fixed_width().filter(|w| *w <= 8)?;
    }
    u32::try_from(stride * rows).ok().filter(|_| stride > 0)?;
    let mut data = vec![VALUE; stride * rows];
    let mut at = 1;
    for (i, c) in cols.iter().enumerate() {
        let width = c.ty().fixed_width()?;
        let invert = if orders.get(i).is_some_and(|o| o.descending) { u64::MAX } else { 0 };
        let shift = 64 - 8 * width as u32;
        for_ints!(c.ints_i64()?, s => {
            let keys = data.chunks_exact_mut(stride).zip(s.iter().map(|&v| ((((v as i64) << shift) as u64) ^ 1 << 63) ^ invert));
            match width {
                1 => put::<1>(keys, at),
                2 => put::<2>(keys, at),
                4 => put::<4>(keys, at),
                _ => put::<8>(keys, at),
            }
        });
        at += width + 1;
    }
    Some(KeyRows { data, ends: (1..=rows).map(|i| (i * stride) as u32).collect() })
}

#[inline]
fn put<'a, const W: usize>(keys: impl Iterator<Item = (&'a mut [u8], u64)>, at: usize) {
    for (key, bits) in keys {
        key[at..at + W].copy_from_slice(&bits.to_be_bytes()[..W]);
    }
}

/// Appends the key of one row, ascending with NULLs first.
pub fn encode_row(cols: &[Column], row: usize, out: &mut Vec<u8>) {
    for c in cols {
        if c.is_null(row) {
            out.push(NULL_FIRST);
        } else {
            out.push(VALUE);
            append_value(c, row, out);
        }
    }
}

/// Appends the key of values under their types, ascending with NULLs first; a prefix of the key columns gives a key prefix.
pub fn encode_scalars<'a>(
    values: impl IntoIterator<Item = (&'a Scalar, &'a LogicalType)>,
    out: &mut Vec<u8>,
) -> Result<()> {
    for (value, ty) in values {
        ensure!(is_encodable(ty), NotSupported, "{ty} is no key type");
        if value.is_null() {
            out.push(NULL_FIRST);
        } else {
            value.check_type(ty)?;
            out.push(VALUE);
            append_value(&value.to_column(ty, 1).flatten(), 0, out);
        }
    }
    Ok(())
}

#[inline]
fn append_value(c: &Column, row: usize, out: &mut Vec<u8>) {
    if let Some(view) = c.ints_i64() {
        return append_int(i128::from(for_ints!(view, s => s[row] as i64)), c.ty().fixed_width().unwrap_or(8), out);
    }
    if let Some(view) = c.str_view() {
        return append_bytes(view.get(row), out);
    }
    if let Some(s) = c.ints_i128() {
        return append_int(s[row], 16, out);
    }
    if let Some(s) = c.ints_i256() {
        return append_i256(s[row], out);
    }
    if let Some(s) = c.floats() {
        return append_float(s.get(row), out);
    }
    if let Some(b) = c.bools() {
        return out.push(u8::from(b.value(row)));
    }
    if c.ty().is_nested() || matches!(c.ty(), LogicalType::Json) {
        return append_scalar(&c.scalar(row), out);
    }
    if c.is_const() {
        append_value(&c.slice(0, 1).flatten(), 0, out);
    }
}

/// A value inside a nested one. Lists end with a mark below any item's, so that a prefix comes first.
fn append_scalar(value: &Scalar, out: &mut Vec<u8>) {
    fn items<'a>(values: impl IntoIterator<Item = &'a Scalar>, out: &mut Vec<u8>) {
        for value in values {
            if value.is_null() {
                out.push(ITEM_NULL);
            } else {
                out.push(ITEM);
                append_scalar(value, out);
            }
        }
        out.push(LIST_END);
    }
    match value {
        Scalar::Null => {}
        Scalar::Boolean(v) => out.push(u8::from(*v)),
        Scalar::TinyInt(v) => append_int(i128::from(*v), 1, out),
        Scalar::SmallInt(v) => append_int(i128::from(*v), 2, out),
        Scalar::Int(v) | Scalar::Date(v) => append_int(i128::from(*v), 4, out),
        Scalar::BigInt(v) | Scalar::Datetime(v) => append_int(i128::from(*v), 8, out),
        Scalar::LargeInt(v) | Scalar::Decimal(v, ..) => append_int(*v, 16, out),
        Scalar::Decimal256(v, ..) => append_i256(*v, out),
        Scalar::Float(v) => append_float(f64::from(*v), out),
        Scalar::Double(v) | Scalar::Time(v) => append_float(*v, out),
        Scalar::String(b) | Scalar::Json(b) | Scalar::Binary(b) => append_bytes(b, out),
        Scalar::Array(values) => items(values, out),
        Scalar::Struct(fields) => items(fields.iter().map(|(_, v)| v), out),
        Scalar::Map(entries) => {
            // Maps with the same entries are equal, whatever their order.
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|a, b| compare_scalars(&a.0, &b.0));
            items(entries.into_iter().flat_map(|(k, v)| [k, v]), out);
        }
    }
}

#[inline]
fn append_int(v: i128, width: usize, out: &mut Vec<u8>) {
    match width {
        1 => out.push(v as u8 ^ 0x80),
        2 => out.extend_from_slice(&(v as u16 ^ 0x8000).to_be_bytes()),
        4 => out.extend_from_slice(&(v as u32 ^ 0x8000_0000).to_be_bytes()),
        8 => out.extend_from_slice(&(v as u64 ^ 1 << 63).to_be_bytes()),
        _ => out.extend_from_slice(&(v as u128 ^ 1 << 127).to_be_bytes()),
    }
}

fn append_i256(v: i256, out: &mut Vec<u8>) {
    let mut bytes = v.to_be_bytes();
    bytes[0] ^= 0x80;
    out.extend_from_slice(&bytes);
}

#[inline]
fn append_float(v: f64, out: &mut Vec<u8>) {
    // -0 and 0 are one value, and all NaNs.
    let bits = if v == 0.0 {
        0
    } else if v.is_nan() {
        f64::NAN.to_bits()
    } else {
        v.to_bits()
    };
    let key = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    out.extend_from_slice(&key.to_be_bytes());
}

#[inline]
fn append_bytes(b: &[u8], out: &mut Vec<u8>) {
    let mut rest = b;
    while let Some(at) = memchr::memchr(0, rest) {
        out.extend_from_slice(&rest[..=at]);
        out.push(0xff);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(&[0, 0]);
}

/// The values of a key encoded ascending with NULLs first.
pub fn decode_key(mut key: &[u8], types: &[LogicalType]) -> Result<Vec<Scalar>> {
    types.iter().map(|ty| decode_value(&mut key, ty)).collect()
}

fn take<'a>(key: &mut &'a [u8], n: usize) -> Result<&'a [u8]> {
    ensure!(key.len() >= n, Corruption, "an encoded key ends early");
    let (head, rest) = key.split_at(n);
    *key = rest;
    Ok(head)
}

fn decode_value(key: &mut &[u8], ty: &LogicalType) -> Result<Scalar> {
    match take(key, 1)?[0] {
        NULL_FIRST | NULL_LAST => return Ok(Scalar::Null),
        VALUE => {}
        other => bail!(Corruption, "marker {other} in an encoded key"),
    }
    if ty.is_bytes_like() {
        let mut out = Vec::new();
        loop {
            let at = memchr::memchr(0, key).ok_or_else(|| err!(Corruption, "an encoded key ends early"))?;
            out.extend_from_slice(&key[..at]);
            match key.get(at + 1) {
                Some(0) => {
                    *key = &key[at + 2..];
                    break;
                }
                Some(0xff) => {
                    out.push(0);
                    *key = &key[at + 2..];
                }
                _ => bail!(Corruption, "a bad escape in an encoded key"),
            }
        }
        let bytes = Bytes::from(out);
        return Ok(if ty.is_string() { Scalar::String(bytes) } else { Scalar::Binary(bytes) });
    }
    Ok(match ty {
        LogicalType::Boolean => Scalar::Boolean(take(key, 1)?[0] != 0),
        LogicalType::Float | LogicalType::Double | LogicalType::Time => {
            let bits = u64::from_be_bytes(take(key, 8)?.try_into().expect("eight bytes"));
            let v = f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits });
            match ty {
                LogicalType::Float => Scalar::Float(v as f32),
                LogicalType::Time => Scalar::Time(v),
                _ => Scalar::Double(v),
            }
        }
        LogicalType::Decimal { width: DecimalWidth::W256, precision, scale } => {
            let mut b: [u8; 32] = take(key, 32)?.try_into().expect("32 bytes");
            b[0] ^= 0x80;
            Scalar::Decimal256(i256::from_be_bytes(b), *precision, *scale)
        }
        _ => {
            let width = ty
                .fixed_width()
                .filter(|_| ty.is_integer_backed())
                .ok_or_else(|| err!(NotSupported, "{ty} is no key type"))?;
            let bytes = take(key, width)?;
            let unsigned = bytes.iter().fold(0_u128, |v, &b| v << 8 | u128::from(b));
            let shift = 128 - 8 * width as u32;
            let v = ((unsigned << shift) ^ (1 << 127)) as i128 >> shift;
            Scalar::from_i128(ty, v).ok_or_else(|| err!(Corruption, "an encoded key holds {v} for {ty}"))?
        }
    })
}
