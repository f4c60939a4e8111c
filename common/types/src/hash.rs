//! Hashes of values. `hash_columns` is the executor's 64-bit hash: equal values hash equal in every physical form and integer
//! width (decimals: at equal scale). `bucket_hash` is the storage bucket hash: chained CRC-32 over canonical little-endian bytes.

use arrow::array::BinaryViewArray;
use arrow::buffer::NullBuffer;
use arrow::datatypes::i256;

use crate::column::{Column, FloatView, Repr, StrView};
use crate::logical_type::LogicalType;
use crate::scalar::Scalar;
use crate::{for_codes, for_ints};

const K0: u64 = 0x9e37_79b9_7f4a_7c15;
const K1: u64 = 0xd6e8_feb8_6659_fd93;
const K2: u64 = 0xa076_1d64_78bd_642f;
const NULL_TAG: u64 = 0x5bd1_e995_7b93_1c2d;

/// 64×64→128-bit multiply folded to 64 bits: every input bit reaches every output bit.
#[inline(always)]
const fn fold(a: u64, b: u64) -> u64 {
    let m = (a as u128).wrapping_mul(b as u128);
    (m as u64) ^ ((m >> 64) as u64)
}

/// Adds a 64-bit value to a running hash.
#[inline(always)]
pub const fn combine(h: u64, v: u64) -> u64 {
    fold(h ^ v ^ K1, K0)
}

/// Hash of one integer under a running hash; what `hash_columns` does for integer columns.
#[inline(always)]
pub const fn hash_i64(h: u64, v: i64) -> u64 {
    combine(h, v as u64)
}

#[inline(always)]
const fn hash_i128(h: u64, v: i128) -> u64 {
    // What fits 64 bits hashes like 64 bits.
    if v as i64 as i128 == v { combine(h, v as u64) } else { combine(combine(h, v as u64), (v >> 64) as u64) }
}

fn hash_i256(h: u64, v: i256) -> u64 {
    match v.to_i128() {
        Some(v) => hash_i128(h, v),
        None => {
            let (low, high) = v.to_parts();
            hash_i128(hash_i128(h, low as i128), high)
        }
    }
}

#[inline(always)]
fn float_bits(v: f64) -> u64 {
    // -0 and 0 are one value, and all NaNs.
    if v == 0.0 {
        0
    } else if v.is_nan() {
        f64::NAN.to_bits()
    } else {
        v.to_bits()
    }
}

#[inline(always)]
fn word(b: &[u8]) -> u64 {
    u64::from_le_bytes(b[..8].try_into().expect("eight bytes"))
}

/// Content hash of bytes.
#[inline]
pub fn hash_bytes(b: &[u8]) -> u64 {
    let n = b.len();
    if n <= 12 {
        // The same two words as an inlined BinaryView: length and four bytes, then eight bytes, zero-padded.
        let mut raw = [0_u8; 16];
        raw[..4].copy_from_slice(&(n as u32).to_le_bytes());
        raw[4..4 + n].copy_from_slice(b);
        return hash_words(word(&raw), word(&raw[8..]));
    }
    let mut h = K2 ^ n as u64;
    let mut rest = b;
    while rest.len() > 16 {
        h = fold(word(rest) ^ K0, word(&rest[8..]) ^ h);
        rest = &rest[16..];
    }
    // The last 16 bytes overlap what came before unless the text is shorter.
    if n >= 16 {
        let tail = &b[n - 16..];
        fold(word(tail) ^ K1, word(&tail[8..]) ^ h)
    } else {
        fold(word(b) ^ K1, word(&b[n - 8..]) ^ h)
    }
}

#[inline(always)]
const fn hash_words(low: u64, high: u64) -> u64 {
    fold(low ^ K1, high ^ K2)
}

#[inline(always)]
fn hash_view(array: &BinaryViewArray, views: &[u128], i: usize) -> u64 {
    let v = views[i];
    if v as u32 <= 12 { hash_words(v as u64, (v >> 64) as u64) } else { hash_bytes(array.value(i)) }
}

/// Hashes rows over several columns: `out` is replaced by one hash per row.
pub fn hash_columns(cols: &[Column], rows: usize, seed: u64, out: &mut Vec<u64>) {
    out.clear();
    out.resize(rows, seed);
    for c in cols {
        hash_column(c, out);
    }
}

/// Adds a column to the running hashes of its rows.
pub fn hash_column(col: &Column, hashes: &mut [u64]) {
    debug_assert_eq!(col.len(), hashes.len());
    let nulls = col.nulls();
    let nulls = nulls.as_ref();
    if let Repr::Const(s) = col.repr() {
        return hash_const(s, col, hashes);
    }
    if let Some(view) = col.ints_i64() {
        return for_ints!(view, s => each(hashes, nulls, |i, h| combine(h, s[i] as i64 as u64)));
    }
    if let Some((codes, dict)) = col.dict_parts() {
        if dict.len() <= hashes.len().max(1024) {
            let entries = dict.hashes();
            // A NULL row's code may be anything.
            return for_codes!(codes, s => each(hashes, nulls, |i, h| combine(h, entries.get(s[i] as usize).copied().unwrap_or(0))));
        }
        return for_codes!(codes, s => each(hashes, nulls, |i, h| combine(h, hash_bytes(dict.value(s[i] as usize)))));
    }
    if let Some(s) = col.ints_i128() {
        return each(hashes, nulls, |i, h| hash_i128(h, s[i]));
    }
    if let Some(s) = col.ints_i256() {
        return each(hashes, nulls, |i, h| hash_i256(h, s[i]));
    }
    match col.floats() {
        Some(FloatView::F32(s)) => return each(hashes, nulls, |i, h| combine(h, float_bits(f64::from(s[i])))),
        Some(FloatView::F64(s)) => return each(hashes, nulls, |i, h| combine(h, float_bits(s[i]))),
        None => {}
    }
    if let Some(StrView::Flat(a)) = col.str_view() {
        let views: &[u128] = a.views();
        return each(hashes, nulls, |i, h| combine(h, hash_view(a, views, i)));
    }
    if let Some(b) = col.bools() {
        let bits = b.values();
        return each(hashes, nulls, |i, h| combine(h, u64::from(bits.value(i))));
    }
    if let Some(parts) = col.array_parts() {
        let elements = element_hashes(&[parts.values]);
        return each(hashes, nulls, |i, h| {
            let range = parts.offsets[i] as usize..parts.offsets[i + 1] as usize;
            elements[range.clone()].iter().fold(combine(h, range.len() as u64), |h, &e| combine(h, e))
        });
    }
    if let Some(parts) = col.map_parts() {
        let elements = element_hashes(&[parts.keys, parts.values]);
        return each(hashes, nulls, |i, h| {
            // Pair order does not matter to equality.
            let range = parts.offsets[i] as usize..parts.offsets[i + 1] as usize;
            combine(h, elements[range].iter().fold(0, |a: u64, &e| a.wrapping_add(e)))
        });
    }
    if let Some(children) = col.struct_children() {
        let elements = element_hashes(&children);
        return each(hashes, nulls, |i, h| combine(h, elements.get(i).copied().unwrap_or(0)));
    }
    each(hashes, None, |_, h| combine(h, NULL_TAG));
}

fn element_hashes(cols: &[Column]) -> Vec<u64> {
    let mut out = Vec::new();
    hash_columns(cols, cols.first().map_or(0, Column::len), K2, &mut out);
    out
}

fn hash_const(s: &Scalar, col: &Column, hashes: &mut [u64]) {
    if s.is_null() {
        return each(hashes, None, |_, h| combine(h, NULL_TAG));
    }
    // The scalar may be of another scale than the column: let the builder bring it to the column's type.
    if let Some(b) = s.as_bytes() {
        let v = hash_bytes(b);
        return each(hashes, None, |_, h| combine(h, v));
    }
    let one = Column::constant(s.clone(), col.ty().clone(), 1).flatten();
    if let Some(v) = one.ints_i64() {
        let v = v.get(0) as u64;
        return each(hashes, None, |_, h| combine(h, v));
    }
    for h in hashes {
        hash_column(&one, std::slice::from_mut(h));
    }
}

#[inline(always)]
fn each(hashes: &mut [u64], nulls: Option<&NullBuffer>, f: impl Fn(usize, u64) -> u64) {
    match nulls {
        None => {
            for (i, h) in hashes.iter_mut().enumerate() {
                *h = f(i, *h);
            }
        }
        Some(n) => {
            let bits = n.inner();
            for (i, h) in hashes.iter_mut().enumerate() {
                *h = if bits.value(i) { f(i, *h) } else { combine(*h, NULL_TAG) };
            }
        }
    }
}

/// Eight tables: table `k` advances a byte that stands `k` bytes before the end.
static CRC: [[u32; 256]; 8] = {
    let mut t = [[0_u32; 256]; 8];
    let mut i = 0;
    while i < 256 {
        let mut c = i as u32;
        let mut k = 0;
        while k < 8 {
            c = if c & 1 == 1 { (c >> 1) ^ 0xedb8_8320 } else { c >> 1 };
            k += 1;
        }
        t[0][i] = c;
        i += 1;
    }
    let mut k = 1;
    while k < 8 {
        let mut i = 0;
        while i < 256 {
            t[k][i] = (t[k - 1][i] >> 8) ^ t[0][(t[k - 1][i] & 0xff) as usize];
            i += 1;
        }
        k += 1;
    }
    t
};

#[inline(always)]
fn crc_word(state: u32, v: u64) -> u32 {
    let v = v ^ u64::from(state);
    let byte = |k: u32| ((v >> (8 * k)) & 0xff) as usize;
    CRC[7][byte(0)]
        ^ CRC[6][byte(1)]
        ^ CRC[5][byte(2)]
        ^ CRC[4][byte(3)]
        ^ CRC[3][byte(4)]
        ^ CRC[2][byte(5)]
        ^ CRC[1][byte(6)]
        ^ CRC[0][byte(7)]
}

#[inline(always)]
fn crc_half(state: u32, v: u32) -> u32 {
    let v = v ^ state;
    CRC[3][(v & 0xff) as usize]
        ^ CRC[2][(v >> 8 & 0xff) as usize]
        ^ CRC[1][(v >> 16 & 0xff) as usize]
        ^ CRC[0][(v >> 24) as usize]
}

#[inline(always)]
fn crc_byte(state: u32, b: u8) -> u32 {
    (state >> 8) ^ CRC[0][((state ^ u32::from(b)) & 0xff) as usize]
}

/// CRC-32 of bytes that continues a previous CRC-32 (zlib's `crc32(seed, …)`).
#[inline]
pub fn crc32(seed: u32, b: &[u8]) -> u32 {
    if b.len() >= 128 {
        let mut hasher = crc32fast::Hasher::new_with_initial(seed);
        hasher.update(b);
        return hasher.finalize();
    }
    let mut state = !seed;
    let mut chunks = b.chunks_exact(8);
    for c in &mut chunks {
        state = crc_word(state, word(c));
    }
    for &c in chunks.remainder() {
        state = crc_byte(state, c);
    }
    !state
}

/// Bucket hashes of rows: `out` is replaced. NULL hashes as four zero bytes; each column continues the previous one's hash.
pub fn bucket_hash(cols: &[Column], rows: usize, out: &mut Vec<u32>) {
    out.clear();
    out.resize(rows, 0);
    for c in cols {
        bucket_hash_column(c, out);
    }
}

fn bucket_hash_column(col: &Column, hashes: &mut [u32]) {
    let nulls = col.nulls();
    let nulls = nulls.as_ref();
    if let Repr::Const(s) = col.repr() {
        if s.is_null() {
            return each_crc(hashes, None, |_, h| !crc_half(!h, 0));
        }
        let mut bytes = Vec::new();
        canonical_bytes(s, col.ty(), &mut bytes);
        return each_crc(hashes, None, |_, h| crc32(h, &bytes));
    }
    if let Some(view) = col.ints_i64() {
        let width = col.ty().fixed_width().unwrap_or(8);
        return for_ints!(view, s => match width {
            1 => each_crc(hashes, nulls, |i, h| !crc_byte(!h, s[i] as u8)),
            2 => each_crc(hashes, nulls, |i, h| crc32(h, &(s[i] as i16).to_le_bytes())),
            4 => each_crc(hashes, nulls, |i, h| !crc_half(!h, s[i] as u32)),
            8 => each_crc(hashes, nulls, |i, h| !crc_word(!h, s[i] as i64 as u64)),
            _ => each_crc(hashes, nulls, |i, h| crc32(h, &i128::from(s[i]).to_le_bytes())),
        });
    }
    if let Some(s) = col.ints_i128() {
        return each_crc(hashes, nulls, |i, h| crc32(h, &s[i].to_le_bytes()));
    }
    if let Some(s) = col.ints_i256() {
        return each_crc(hashes, nulls, |i, h| crc32(h, &s[i].to_le_bytes()));
    }
    if let Some(view) = col.str_view() {
        // All rows of a chunk's first bucket column start from 0: a dictionary entry is hashed once.
        if let (StrView::Dict { codes, dict }, true) =
            (view, hashes.iter().all(|&h| h == 0) && hashes.len() > dict_len(&view))
        {
            let entries: Vec<u32> = (0..dict.len()).map(|i| crc32(0, dict.value(i))).collect();
            return for_codes!(codes, s => each_crc(hashes, nulls, |i, _| entries.get(s[i] as usize).copied().unwrap_or(0)));
        }
        return each_crc(hashes, nulls, |i, h| crc32(h, view.get(i)));
    }
    match col.floats() {
        Some(FloatView::F32(s)) => return each_crc(hashes, nulls, |i, h| crc32(h, &s[i].to_le_bytes())),
        Some(FloatView::F64(s)) => return each_crc(hashes, nulls, |i, h| crc32(h, &s[i].to_le_bytes())),
        None => {}
    }
    if let Some(b) = col.bools() {
        return each_crc(hashes, nulls, |i, h| !crc_byte(!h, u8::from(b.value(i))));
    }
    // Nested types are no bucket columns; hash their text so that the function stays total.
    let enc = crate::display::TextEncoder::new(col);
    each_crc(hashes, nulls, |i, h| {
        let mut text = Vec::new();
        enc.append(i, &mut text);
        crc32(h, &text)
    });
}

fn dict_len(view: &StrView<'_>) -> usize {
    match view {
        StrView::Dict { dict, .. } => dict.len(),
        _ => 0,
    }
}

fn canonical_bytes(s: &Scalar, ty: &LogicalType, out: &mut Vec<u8>) {
    match s {
        Scalar::Boolean(v) => out.push(u8::from(*v)),
        Scalar::Float(v) => out.extend_from_slice(&v.to_le_bytes()),
        Scalar::Double(v) | Scalar::Time(v) => out.extend_from_slice(&v.to_le_bytes()),
        Scalar::String(b) | Scalar::Json(b) | Scalar::Binary(b) => out.extend_from_slice(b),
        Scalar::Decimal256(v, ..) => out.extend_from_slice(&v.to_le_bytes()),
        _ => match (s.as_i128(), ty.fixed_width()) {
            (Some(v), Some(32)) => out.extend_from_slice(&i256::from_i128(v).to_le_bytes()),
            (Some(v), Some(width)) => {
                let v = match (s, ty) {
                    (Scalar::Decimal(v, _, from), LogicalType::Decimal { scale, .. }) => {
                        crate::decimal::rescale_i128(*v, *from, *scale).unwrap_or(*v)
                    }
                    _ => v,
                };
                out.extend_from_slice(&v.to_le_bytes()[..width.min(16)]);
            }
            _ => crate::display::append_scalar(s, out),
        },
    }
}

#[inline(always)]
fn each_crc(hashes: &mut [u32], nulls: Option<&NullBuffer>, f: impl Fn(usize, u32) -> u32) {
    match nulls {
        None => {
            for (i, h) in hashes.iter_mut().enumerate() {
                *h = f(i, *h);
            }
        }
        Some(n) => {
            let bits = n.inner();
            for (i, h) in hashes.iter_mut().enumerate() {
                *h = if bits.value(i) { f(i, *h) } else { !crc_half(!*h, 0) };
            }
        }
    }
}
