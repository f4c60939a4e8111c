//! Integers: constant, frame of reference, delta, run length. One pass gathers what the choice needs; the sizes are exact, so
//! nothing is guessed from samples.

use common_base::{Result, bail, ensure};

use super::bitpack::{self, Int, bits_for, packed_len};
use super::node::{Encoding, Node};

/// What one pass over the values of a page tells.
#[derive(Clone, Copy, Debug)]
pub struct IntStats {
    pub min: i64,
    pub max: i64,
    min_delta: i64,
    max_delta: i64,
    runs: usize,
}

/// Gathers the statistics of at least one value.
pub fn stats(values: &[i64]) -> IntStats {
    let (mut min, mut max) = (i64::MAX, i64::MIN);
    for &v in values {
        min = min.min(v);
        max = max.max(v);
    }
    let (mut min_delta, mut max_delta, mut changes) = (i64::MAX, i64::MIN, 0usize);
    for pair in values.windows(2) {
        let delta = pair[1].wrapping_sub(pair[0]);
        min_delta = min_delta.min(delta);
        max_delta = max_delta.max(delta);
        changes += usize::from(delta != 0);
    }
    IntStats { min, max, min_delta, max_delta, runs: changes + 1 }
}

/// Bytes that precede the packed values of `For` (base, unit), `Delta` (first value, smallest difference) and `Rle`.
const PREFIX: usize = 16;

/// Appends the payload in the cheapest encoding.
pub fn encode(values: &[i64], out: &mut Vec<u8>) -> (Encoding, u8, u8) {
    if values.is_empty() {
        out.extend_from_slice(&0i64.to_le_bytes());
        return (Encoding::Const, 0, 0);
    }
    encode_known(values, stats(values), out)
}

/// The same when the statistics of the values are at hand; there is at least one value.
pub fn encode_known(values: &[i64], s: IntStats, out: &mut Vec<u8>) -> (Encoding, u8, u8) {
    let rows = values.len();
    if s.min == s.max {
        out.extend_from_slice(&s.min.to_le_bytes());
        return (Encoding::Const, 0, 0);
    }
    let width = bits_for(s.max.wrapping_sub(s.min) as u64);
    let for_size = packed_len(rows, width);
    // Differences are exact only when the whole range fits an i64.
    if s.max.checked_sub(s.min).is_some() && rows > 1 {
        let length_bits = bits_for(rows as u64 - 1);
        let rle_size = packed_len(s.runs, width) + packed_len(s.runs, length_bits);
        let delta_width = s.max_delta.checked_sub(s.min_delta).map_or(64, |range| bits_for(range as u64));
        let delta_size = packed_len(rows, delta_width);
        // Frame of reference decodes fastest; the others must save much.
        if rle_size * 2 < for_size && rle_size <= delta_size {
            return encode_rle(values, s, width, out);
        }
        if delta_size * 10 < for_size * 6 {
            let mut deltas = Vec::with_capacity(rows);
            deltas.push(s.min_delta);
            deltas.extend(values.windows(2).map(|p| p[1] - p[0]));
            out.extend_from_slice(&values[0].to_le_bytes());
            out.extend_from_slice(&s.min_delta.to_le_bytes());
            bitpack::pack(&deltas, s.min_delta, delta_width, out);
            return (Encoding::Delta, delta_width, 0);
        }
    }
    out.extend_from_slice(&s.min.to_le_bytes());
    let unit = common_unit(values, s);
    if unit > 1 {
        let scaled: Vec<i64> = values.iter().map(|v| (v.wrapping_sub(s.min) as u64 / unit) as i64).collect();
        let width = bits_for(s.max.wrapping_sub(s.min) as u64 / unit);
        out.extend_from_slice(&unit.to_le_bytes());
        bitpack::pack(&scaled, 0, width, out);
        return (Encoding::For, width, 0);
    }
    out.extend_from_slice(&0i64.to_le_bytes());
    bitpack::pack(values, s.min, width, out);
    (Encoding::For, width, 0)
}

/// The greatest unit all values are multiples of apart from the smallest (whole seconds in microseconds, `.00` in decimals); 1 when
/// it would not save two bits a value.
fn common_unit(values: &[i64], s: IntStats) -> u64 {
    let mut unit = s.max.wrapping_sub(s.min) as u64;
    for v in values {
        let v = v.wrapping_sub(s.min) as u64;
        // Most values are multiples of the unit so far, or end the search.
        if v % unit != 0 {
            unit = gcd(v, unit);
            if unit < 4 {
                return 1;
            }
        }
    }
    unit
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn encode_rle(values: &[i64], s: IntStats, width: u8, out: &mut Vec<u8>) -> (Encoding, u8, u8) {
    let (mut run_values, mut lengths) = (Vec::with_capacity(s.runs), Vec::with_capacity(s.runs));
    for run in values.chunk_by(|a, b| a == b) {
        run_values.push(run[0]);
        lengths.push(run.len() as i64 - 1);
    }
    let length_width = bits_for(lengths.iter().copied().max().unwrap_or(0) as u64);
    out.extend_from_slice(&s.min.to_le_bytes());
    out.extend_from_slice(&(run_values.len() as u64).to_le_bytes());
    bitpack::pack(&run_values, s.min, width, out);
    bitpack::pack(&lengths, 0, length_width, out);
    (Encoding::Rle, width, length_width)
}

/// Decodes into any integer type that holds every value.
pub fn decode<T: Int>(node: &Node) -> Result<Vec<T>> {
    let rows = node.head.rows;
    let bytes = node.payload.as_slice();
    let word = |i: usize| -> Result<i64> {
        ensure!(bytes.len() >= i + 8, Corruption, "integer payload of {} bytes is too short", bytes.len());
        Ok(i64::from_le_bytes(bytes[i..i + 8].try_into().expect("eight bytes")))
    };
    let width = node.head.aux;
    ensure!(width <= 64 && node.head.aux2 <= 64, Corruption, "bit width {width} is over 64");
    match node.head.encoding {
        Encoding::AllNull => Ok(vec![T::default(); rows]),
        Encoding::Const => Ok(vec![T::from_u64(word(0)? as u64); rows]),
        Encoding::For => {
            let base = word(0)?;
            need(bytes, PREFIX + packed_len(rows, width))?;
            let unit = word(8)? as u64;
            if unit > 1 {
                let mut out = bitpack::unpack::<T>(&bytes[PREFIX..], rows, 0, width);
                let (base, unit) = (T::from_u64(base as u64), T::from_u64(unit));
                out.iter_mut().for_each(|v| *v = v.times(unit).plus(base));
                return Ok(out);
            }
            Ok(bitpack::unpack(&bytes[PREFIX..], rows, base, width))
        }
        Encoding::Delta => {
            let (first, min_delta) = (word(0)?, word(8)?);
            need(bytes, PREFIX + packed_len(rows, width))?;
            let mut out = bitpack::unpack::<T>(&bytes[PREFIX..], rows, min_delta, width);
            let mut sum = T::from_u64(first.wrapping_sub(min_delta) as u64);
            for v in &mut out {
                sum = sum.plus(*v);
                *v = sum;
            }
            Ok(out)
        }
        Encoding::Rle => {
            let (base, runs) = (word(0)?, word(8)? as usize);
            ensure!(runs <= rows, Corruption, "{runs} runs in {rows} rows");
            let split = PREFIX + packed_len(runs, width);
            need(bytes, split + packed_len(runs, node.head.aux2))?;
            let values = bitpack::unpack::<T>(&bytes[PREFIX..split], runs, base, width);
            let lengths = bitpack::unpack::<u32>(&bytes[split..], runs, 1, node.head.aux2);
            let mut out = Vec::with_capacity(rows);
            for (v, n) in values.iter().zip(lengths) {
                ensure!(out.len() + n as usize <= rows, Corruption, "runs are longer than {rows} rows");
                out.resize(out.len() + n as usize, *v);
            }
            ensure!(out.len() == rows, Corruption, "runs of {} rows, not {rows}", out.len());
            Ok(out)
        }
        other => bail!(Corruption, "{} payload where integers belong", other.name()),
    }
}

fn need(bytes: &[u8], len: usize) -> Result<()> {
    ensure!(bytes.len() >= len, Corruption, "integer payload of {} bytes, {len} needed", bytes.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::node::{read_node, write_node};
    use super::*;

    fn round_trip(values: &[i64]) -> Encoding {
        let mut out = Vec::new();
        write_node(&mut out, values.len(), None, |out| Ok(encode(values, out))).unwrap();
        let node = read_node(&out.into(), &mut 0).unwrap();
        assert_eq!(decode::<i64>(&node).unwrap(), values);
        node.head.encoding
    }

    #[test]
    fn the_shape_of_the_data_picks_the_encoding() {
        assert_eq!(round_trip(&[5; 1000]), Encoding::Const);
        assert_eq!(round_trip(&(0..16384).map(|i| i * 7 + 1_000_000).collect::<Vec<_>>()), Encoding::Delta);
        assert_eq!(round_trip(&(0..16384).map(|i| (i / 500) % 7).collect::<Vec<_>>()), Encoding::Rle);
        assert_eq!(round_trip(&(0..16384).map(|i: i64| i.wrapping_mul(0x9e37_79b9) % 1000).collect::<Vec<_>>()), Encoding::For);
        assert_eq!(round_trip(&[i64::MIN, i64::MAX, 0, -1]), Encoding::For);
        assert_eq!(round_trip(&[]), Encoding::Const);
    }
}
