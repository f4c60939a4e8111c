//! Split-block bloom filters of pages: a key sets one bit in each of the eight words of one 32-byte block.
//!
//! After F. Putze, P. Sanders, J. Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007. The body of a filter page is its
//! blocks, words little-endian. Block `((hash >> 32) · blocks) >> 32`; bit `((hash mod 2^32) · salt) >> 27` of the word with that salt.
//! Hashes: [`super::keys`].

use arrow::buffer::Buffer;
use common_base::{Result, ensure};

/// Odd multipliers that spread a hash over the eight words.
const SALTS: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];
const BLOCK: usize = 32;
/// Most bytes of one filter; with more keys it only lets more pass.
const MAX_BYTES: usize = 4 << 20;

fn block(hash: u64, blocks: usize) -> usize {
    (((hash >> 32) * blocks as u64) >> 32) as usize
}

/// The filter of some keys, given by their distinct hashes.
pub fn build(hashes: &[u64], false_positives: f64) -> Vec<u8> {
    // Eight bits in a filter of m bits with n keys: each is set with probability 1 - e^(-8n/m).
    let bits = -8.0 * hashes.len() as f64 / (1.0 - false_positives.clamp(1e-6, 0.5).powf(0.125)).ln();
    let blocks = ((bits / (8 * BLOCK) as f64).ceil() as usize).clamp(1, MAX_BYTES / BLOCK);
    let mut words = vec![[0u32; 8]; blocks];
    for &hash in hashes {
        for (word, salt) in words[block(hash, blocks)].iter_mut().zip(SALTS) {
            *word |= 1 << ((hash as u32).wrapping_mul(salt) >> 27);
        }
    }
    words.iter().flatten().flat_map(|w| w.to_le_bytes()).collect()
}

/// A filter as read.
#[derive(Clone, Debug)]
pub struct Bloom(Buffer);

impl Bloom {
    /// Takes the body of a filter page.
    pub fn parse(body: Buffer) -> Result<Self> {
        ensure!(!body.is_empty() && body.len().is_multiple_of(BLOCK), Corruption, "bloom filter of {} bytes", body.len());
        Ok(Self(body))
    }

    /// Whether the key may be there; false is certain.
    pub fn contains(&self, hash: u64) -> bool {
        let at = block(hash, self.0.len() / BLOCK) * BLOCK;
        let words = self.0[at..at + BLOCK].chunks_exact(4);
        words.zip(SALTS).all(|(word, salt)| {
            let word = u32::from_le_bytes(word.try_into().expect("four bytes"));
            word & (1 << ((hash as u32).wrapping_mul(salt) >> 27)) != 0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common_base::hll::hash_u64;

    #[test]
    fn every_key_is_found_and_few_others() {
        for wanted in [0.05, 0.001] {
            for keys in [0u64, 1, 100, 16_384] {
                let hashes: Vec<u64> = (0..keys).map(hash_u64).collect();
                let filter = Bloom::parse(build(&hashes, wanted).into()).unwrap();
                assert!(hashes.iter().all(|h| filter.contains(*h)));
                let wrong = (0..20_000u64).filter(|i| filter.contains(hash_u64(i + 1_000_000))).count() as f64 / 20_000.0;
                assert!(wrong <= wanted * 2.0 + 0.001, "{keys} keys: {wrong} instead of {wanted}");
            }
        }
    }
}
