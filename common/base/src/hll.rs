//! HyperLogLog sketch of 2,048 one-byte registers (standard error 2.3 %): how many distinct values were seen.
//!
//! Segments write one a column, tablets merge them, the FE estimates from the merged bytes. Serialized: nothing for an empty
//! sketch; else the registers, one byte each.

use crate::{Result, ensure};

const PRECISION: u32 = 11;
const REGISTERS: usize = 1 << PRECISION;

/// A distinct-count sketch over 64-bit hashes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct HllSketch {
    /// Empty or `REGISTERS` long.
    registers: Vec<u8>,
}

impl HllSketch {
    /// A sketch of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value by its hash; equal values must hash equal.
    #[inline]
    pub fn add(&mut self, hash: u64) {
        if self.registers.is_empty() {
            self.registers = vec![0; REGISTERS];
        }
        let index = (hash >> (64 - PRECISION)) as usize;
        // A set guard bit bounds the rank by the bits left.
        let rank = ((hash << PRECISION) | (1 << (PRECISION - 1))).leading_zeros() as u8 + 1;
        let register = &mut self.registers[index];
        *register = (*register).max(rank);
    }

    /// Makes this the sketch of both sets together.
    pub fn merge(&mut self, other: &Self) {
        if self.registers.is_empty() {
            self.registers.clone_from(&other.registers);
            return;
        }
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            *mine = (*mine).max(*theirs);
        }
    }

    /// How many distinct values were added, about.
    pub fn estimate(&self) -> f64 {
        if self.registers.is_empty() {
            return 0.0;
        }
        let m = REGISTERS as f64;
        let sum: f64 = self.registers.iter().map(|r| 1.0 / (1u64 << (*r).min(63)) as f64).sum();
        let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
        let zeros = self.registers.iter().filter(|r| **r == 0).count();
        if raw <= 2.5 * m && zeros > 0 { m * (m / zeros as f64).ln() } else { raw }
    }

    /// The serialized form.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.registers.clone()
    }

    /// Reads the serialized form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        ensure!(bytes.is_empty() || bytes.len() == REGISTERS, Corruption, "distinct-count sketch of {} bytes", bytes.len());
        Ok(Self { registers: bytes.to_vec() })
    }
}

/// Mixes a 64-bit value into a hash fit for [`HllSketch::add`].
#[inline]
pub fn hash_u64(v: u64) -> u64 {
    let mut x = v.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_close_and_merging_is_union() {
        for n in [0u64, 1, 100, 5_000, 1_000_000] {
            let (mut left, mut right) = (HllSketch::new(), HllSketch::new());
            for i in 0..n {
                if i % 2 == 0 { left.add(hash_u64(i)) } else { right.add(hash_u64(i)) }
                left.add(hash_u64(i / 2 * 2));
            }
            left.merge(&right);
            let back = HllSketch::from_bytes(&left.to_bytes()).unwrap();
            let error = (back.estimate() - n as f64).abs();
            assert!(error <= n as f64 * 0.08 + 0.5, "{n}: {}", back.estimate());
        }
        assert!(HllSketch::from_bytes(&[1]).is_err());
    }
}
