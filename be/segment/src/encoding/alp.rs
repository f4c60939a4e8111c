//! Floating-point numbers that were decimals: integers after scaling, and exceptions.
//!
//! After A. Afroozeh, L. Kuffo, P. Boncz, "ALP: Adaptive Lossless floating-Point Compression", SIGMOD 2023. A value `v` becomes
//! `d = round(v · 10^e · 10^-f)` and comes back as `d · 10^f · 10^-e`; exponent and factor are those of the page that bring most of a
//! sample back bit by bit. What does not come back is kept beside. FLOAT goes through the same arithmetic in double precision.
//!
//! ```text
//! payload: e u8 │ f u8 │ integers encoding u8 │ aux u8 │ aux2 u8 │ 1 = integers fit 32 bits u8 │ 0 u16 │ integers len u32 │ exceptions u32
//!          integers (padded to 16) │ row u32 of each exception (padded to 16) │ value of each exception
//! ```

use common_base::{Result, ensure};

use super::bitpack::Int;
use super::ints;
use super::node::{Encoding, Node, NodeHead, pad};

const PREFIX: usize = 16;
/// Values looked at to choose exponent and factor.
const SAMPLE: usize = 64;
/// Largest exponent: 10^18 is the last power below 2^63.
const MAX_EXPONENT: usize = 18;

const POWERS: [f64; MAX_EXPONENT + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];
const FRACTIONS: [f64; MAX_EXPONENT + 1] =
    [1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15, 1e-16, 1e-17, 1e-18];

/// FLOAT or DOUBLE.
pub trait Float: Copy + Default + PartialEq {
    fn to_f64(self) -> f64;
    fn from_f64(v: f64) -> Self;
    fn bits(self) -> u64;
    fn from_le(bytes: &[u8]) -> Self;
}

impl Float for f64 {
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn from_f64(v: f64) -> Self {
        v
    }
    #[inline(always)]
    fn bits(self) -> u64 {
        self.to_bits()
    }
    fn from_le(bytes: &[u8]) -> Self {
        Self::from_le_bytes(bytes.try_into().expect("eight bytes"))
    }
}

impl Float for f32 {
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn from_f64(v: f64) -> Self {
        v as f32
    }
    #[inline(always)]
    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }
    fn from_le(bytes: &[u8]) -> Self {
        Self::from_le_bytes(bytes.try_into().expect("four bytes"))
    }
}

/// The integer nearest to a scaled value. Adding and taking away 3·2^51 rounds values below 2^51, which is all that can come back.
#[inline(always)]
fn scale(v: f64, power: f64, fraction: f64) -> i64 {
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    ((v * power * fraction + MAGIC) - MAGIC) as i64
}

#[inline(always)]
fn unscale(d: i64, power: f64, fraction: f64) -> f64 {
    d as f64 * power * fraction
}

/// Exponent and factor that suit a sample, and the values of the sample they fail for.
fn choose<T: Float>(sample: &[T]) -> (usize, usize, usize) {
    let mut best = (0, 0, usize::MAX, u64::MAX);
    for e in (0..=MAX_EXPONENT).rev() {
        for f in (0..=e).rev() {
            let (mut failures, mut low, mut high) = (0, i64::MAX, i64::MIN);
            for v in sample {
                let d = scale(v.to_f64(), POWERS[e], FRACTIONS[f]);
                if T::from_f64(unscale(d, POWERS[f], FRACTIONS[e])).bits() == v.bits() {
                    low = low.min(d);
                    high = high.max(d);
                } else {
                    failures += 1;
                    if failures > best.2 {
                        break;
                    }
                }
            }
            let span = if low <= high { high.wrapping_sub(low) as u64 } else { 0 };
            if (failures, span) < (best.2, best.3) {
                best = (e, f, failures, span);
            }
        }
    }
    (best.0, best.1, best.2)
}

/// Appends the payload; `None`, and nothing is appended, when plain values are not much larger.
pub fn encode<T: Float>(values: &[T], out: &mut Vec<u8>) -> Option<(Encoding, u8, u8)> {
    let width = size_of::<T>();
    let step = (values.len() / SAMPLE).max(1);
    let sample: Vec<T> = values.iter().copied().step_by(step).take(SAMPLE).collect();
    let (e, f, failures) = choose(&sample);
    if values.is_empty() || failures * 4 > sample.len() {
        return None;
    }
    let mut exceptions: Vec<u32> = Vec::new();
    let mut scaled: Vec<i64> = Vec::with_capacity(values.len());
    for (row, v) in values.iter().enumerate() {
        let d = scale(v.to_f64(), POWERS[e], FRACTIONS[f]);
        if T::from_f64(unscale(d, POWERS[f], FRACTIONS[e])).bits() != v.bits() {
            exceptions.push(row as u32);
        }
        scaled.push(d);
    }
    // An exception repeats a neighbour, so that it costs no width.
    let mut wrong = exceptions.iter().peekable();
    let mut last = (0..values.len()).zip(exceptions.iter().map(|r| *r as usize).chain([usize::MAX])).find(|(i, r)| i != r).map_or(0, |(i, _)| scaled[i]);
    for (row, d) in scaled.iter_mut().enumerate() {
        if wrong.next_if(|r| **r as usize == row).is_some() {
            *d = last;
        } else {
            last = *d;
        }
    }
    let at = out.len();
    out.resize(at + PREFIX, 0);
    let (encoding, aux, aux2) = ints::encode(&scaled, out);
    let len = out.len() - at - PREFIX;
    let fits = scaled.iter().all(|d| i32::try_from(*d).is_ok());
    pad(out);
    if !exceptions.is_empty() {
        exceptions.iter().for_each(|row| out.extend_from_slice(&row.to_le_bytes()));
        pad(out);
        exceptions.iter().for_each(|row| out.extend_from_slice(&values[*row as usize].bits().to_le_bytes()[..width]));
    }
    if (out.len() - at) * 10 > values.len() * width * 9 {
        out.truncate(at);
        return None;
    }
    out[at..at + 6].copy_from_slice(&[e as u8, f as u8, encoding as u8, aux, aux2, u8::from(fits)]);
    out[at + 8..at + 12].copy_from_slice(&(len as u32).to_le_bytes());
    out[at + 12..at + 16].copy_from_slice(&(exceptions.len() as u32).to_le_bytes());
    Some((Encoding::Alp, width as u8, 0))
}

/// Decodes a node of this encoding.
pub fn decode<T: Float>(node: &Node) -> Result<Vec<T>> {
    let (rows, width) = (node.head.rows, size_of::<T>());
    let bytes = node.payload.as_slice();
    ensure!(bytes.len() >= PREFIX, Corruption, "scaled floats of {} bytes", bytes.len());
    ensure!(usize::from(node.head.aux) == width, Corruption, "values of {} bytes, not {width}", node.head.aux);
    let (e, f) = (usize::from(bytes[0]), usize::from(bytes[1]));
    ensure!(f <= e && e <= MAX_EXPONENT, Corruption, "scale of 10^{e} by 10^-{f}");
    let u32_at = |i: usize| u32::from_le_bytes(bytes[i..i + 4].try_into().expect("four bytes")) as usize;
    let (len, exceptions) = (u32_at(8), u32_at(12));
    let rows_at = (PREFIX + len).next_multiple_of(16);
    let values_at = (rows_at + 4 * exceptions).next_multiple_of(16);
    let wanted = if exceptions == 0 { PREFIX + len } else { values_at + exceptions * width };
    ensure!(bytes.len() >= wanted, Corruption, "scaled floats of {} bytes, {wanted} needed", bytes.len());
    let head = NodeHead { encoding: Encoding::from_byte(bytes[2])?, has_nulls: false, aux: bytes[3], aux2: bytes[4], rows, nulls: 0, len };
    let scaled = Node { head, nulls: None, payload: node.payload.slice_with_length(PREFIX, len) };
    fn values<D: Int, T: Float>(scaled: &Node, to_f64: impl Fn(D) -> f64, e: usize, f: usize) -> Result<Vec<T>> {
        let (power, fraction) = (POWERS[f], FRACTIONS[e]);
        Ok(ints::decode::<D>(scaled)?.into_iter().map(|d| T::from_f64(to_f64(d) * power * fraction)).collect())
    }
    let mut out: Vec<T> =
        if bytes[5] == 1 { values::<i32, T>(&scaled, f64::from, e, f)? } else { values::<i64, T>(&scaled, |d| d as f64, e, f)? };
    for i in 0..exceptions {
        let row = u32_at(rows_at + 4 * i);
        ensure!(row < rows, Corruption, "exception at row {row} of {rows}");
        out[row] = T::from_le(&bytes[values_at + i * width..values_at + (i + 1) * width]);
    }
    Ok(out)
}
