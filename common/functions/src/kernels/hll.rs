//! HyperLogLog sketch with 2^14 registers; the stored form of the HLL type and the state of ndv.
//!
//! Bytes, as in `common_types::hll`: nothing for an empty sketch · `01 n:u8 hash:u64×n` explicit (at most 160 hashes) ·
//! `02 n:u16 (register:u16 rank:u8)×n` sparse · `03 rank:u8×16384` full. Little-endian.

const INDEX_BITS: u32 = 14;
const REGISTERS: usize = 1 << INDEX_BITS;
const RANK_BITS: u32 = 64 - INDEX_BITS;
const EXPLICIT_MAX: usize = 160;
const SPARSE_MAX: usize = 4096;
const SEED: u64 = 0xadc8_3b19;

/// A cardinality sketch: exact hashes while small, registers afterwards.
#[derive(Clone, Debug)]
pub struct Hll(State);

#[derive(Clone, Debug)]
enum State {
    Explicit(Vec<u64>),
    Full(Box<[u8]>),
}

impl Default for Hll {
    fn default() -> Self {
        Self::new()
    }
}

impl Hll {
    /// An empty sketch; holds no memory.
    pub fn new() -> Self {
        Self(State::Explicit(Vec::new()))
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, State::Explicit(h) if h.is_empty())
    }

    /// Adds one hashed value; returns how many bytes the sketch grew.
    #[inline]
    pub fn add_hash(&mut self, hash: u64) -> usize {
        match &mut self.0 {
            State::Full(registers) => {
                put(registers, hash);
                0
            }
            State::Explicit(hashes) => {
                if hashes.contains(&hash) {
                    return 0;
                }
                if hashes.len() < EXPLICIT_MAX {
                    let before = hashes.capacity();
                    hashes.push(hash);
                    return (hashes.capacity() - before) * 8;
                }
                self.make_full();
                self.add_hash(hash);
                REGISTERS
            }
        }
    }

    fn make_full(&mut self) -> &mut [u8] {
        if let State::Explicit(hashes) = &self.0 {
            let mut registers = vec![0u8; REGISTERS].into_boxed_slice();
            for &h in hashes {
                put(&mut registers, h);
            }
            self.0 = State::Full(registers);
        }
        match &mut self.0 {
            State::Full(r) => r,
            State::Explicit(_) => unreachable!("made full just above"),
        }
    }

    /// Adds everything the other sketch has seen; returns how many bytes this one grew.
    pub fn merge(&mut self, other: &Hll) -> usize {
        match &other.0 {
            State::Explicit(hashes) => hashes.iter().map(|&h| self.add_hash(h)).sum(),
            State::Full(theirs) => {
                let grew = if matches!(self.0, State::Explicit(_)) { REGISTERS } else { 0 };
                for (mine, &their) in self.make_full().iter_mut().zip(theirs.iter()) {
                    *mine = (*mine).max(their);
                }
                grew
            }
        }
    }

    /// The estimated number of distinct values.
    pub fn cardinality(&self) -> i64 {
        let registers = match &self.0 {
            State::Explicit(hashes) => return hashes.len() as i64,
            State::Full(r) => r,
        };
        let m = REGISTERS as f64;
        let mut by_rank = [0u32; 64];
        for &r in registers.iter() {
            by_rank[usize::from(r & 63)] += 1;
        }
        let zeros = f64::from(by_rank[0]);
        let harmonic: f64 = by_rank.iter().enumerate().map(|(rank, &n)| f64::from(n) * 0.5f64.powi(rank as i32)).sum();
        let alpha = 0.7213 / (1.0 + 1.079 / m);
        let mut estimate = alpha * m * m / harmonic;
        if estimate <= m * 2.5 && zeros > 0.0 {
            estimate = m * (m / zeros).ln();
        } else if estimate < 72_000.0 {
            let e = estimate;
            let bias = 5.9119e-18 * e.powi(4) - 1.4253e-12 * e.powi(3) + 1.2940e-7 * e * e - 5.2921e-3 * e + 83.3216;
            estimate -= estimate * (bias / 100.0);
        }
        (estimate + 0.5) as i64
    }

    /// The stored form.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.0 {
            State::Explicit(hashes) => {
                let mut out = Vec::with_capacity(2 + hashes.len() * 8);
                out.extend([1, hashes.len() as u8]);
                hashes.iter().for_each(|h| out.extend(h.to_le_bytes()));
                out
            }
            State::Full(registers) => {
                let used = registers.iter().filter(|r| **r != 0).count();
                if used <= SPARSE_MAX {
                    let mut out = Vec::with_capacity(3 + used * 3);
                    out.push(2);
                    out.extend((used as u16).to_le_bytes());
                    for (i, &r) in registers.iter().enumerate().filter(|(_, r)| **r != 0) {
                        out.extend((i as u16).to_le_bytes());
                        out.push(r);
                    }
                    out
                } else {
                    let mut out = Vec::with_capacity(1 + REGISTERS);
                    out.push(3);
                    out.extend_from_slice(registers);
                    out
                }
            }
        }
    }

    /// Reads the stored form; `None` if it is not one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let Some((&kind, rest)) = bytes.split_first() else { return Some(Self::new()) };
        match kind {
            1 => {
                let (&n, rest) = rest.split_first()?;
                let hashes: Vec<u64> = rest.chunks_exact(8).map(|c| u64::from_le_bytes(c.try_into().expect("8 bytes"))).collect();
                (hashes.len() == usize::from(n) && rest.len() == hashes.len() * 8).then_some(Self(State::Explicit(hashes)))
            }
            2 => {
                let (n, rest) = rest.split_at_checked(2)?;
                let n = usize::from(u16::from_le_bytes(n.try_into().ok()?));
                if rest.len() != n * 3 {
                    return None;
                }
                let mut registers = vec![0u8; REGISTERS].into_boxed_slice();
                for c in rest.chunks_exact(3) {
                    *registers.get_mut(usize::from(u16::from_le_bytes([c[0], c[1]])))? = c[2];
                }
                Some(Self(State::Full(registers)))
            }
            3 => (rest.len() == REGISTERS).then(|| Self(State::Full(rest.into()))),
            _ => None,
        }
    }

    /// Heap bytes held.
    pub fn memory_size(&self) -> usize {
        match &self.0 {
            State::Explicit(h) => h.capacity() * 8,
            State::Full(_) => REGISTERS,
        }
    }
}

#[inline]
fn put(registers: &mut [u8], hash: u64) {
    let index = (hash as usize) & (REGISTERS - 1);
    let rest = (hash >> INDEX_BITS) | (1 << RANK_BITS);
    let rank = (rest.trailing_zeros() + 1) as u8;
    let slot = &mut registers[index];
    *slot = (*slot).max(rank);
}

/// The hash of a value's bytes that sketches use (MurmurHash64A with the sketch's seed).
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    murmur_hash64a(bytes, SEED)
}

/// A cheap well-mixed hash of a 64-bit value, for sketches whose hash never leaves this product.
#[inline]
pub fn mix64(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// MurmurHash64A.
pub fn murmur_hash64a(bytes: &[u8], seed: u64) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let mut h = seed ^ (bytes.len() as u64).wrapping_mul(M);
    let mut chunks = bytes.chunks_exact(8);
    for c in &mut chunks {
        let mut k = u64::from_le_bytes(c.try_into().expect("8 bytes")).wrapping_mul(M);
        k ^= k >> 47;
        h = (h ^ k.wrapping_mul(M)).wrapping_mul(M);
    }
    let tail = chunks.remainder();
    if !tail.is_empty() {
        let mut last = [0u8; 8];
        last[..tail.len()].copy_from_slice(tail);
        h = (h ^ u64::from_le_bytes(last)).wrapping_mul(M);
    }
    h ^= h >> 47;
    h = h.wrapping_mul(M);
    h ^ (h >> 47)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_within_two_percent_and_survives_bytes() {
        let mut all = Hll::new();
        let mut half = Hll::new();
        for i in 0..100_000u64 {
            all.add_hash(mix64(i));
            if i % 2 == 0 {
                half.add_hash(mix64(i));
            }
        }
        let close = |got: i64, want: f64| ((got as f64 - want) / want).abs() < 0.02;
        assert!(close(all.cardinality(), 100_000.0), "{}", all.cardinality());
        assert!(close(half.cardinality(), 50_000.0), "{}", half.cardinality());
        half.merge(&all);
        assert_eq!(half.cardinality(), all.cardinality());
        let back = Hll::from_bytes(&all.to_bytes()).unwrap();
        assert_eq!(back.cardinality(), all.cardinality());
    }

    #[test]
    fn small_sets_are_exact() {
        let mut h = Hll::new();
        for i in 0..100 {
            h.add_hash(hash_bytes(format!("v{}", i % 50).as_bytes()));
        }
        assert_eq!(h.cardinality(), 50);
        assert_eq!(Hll::from_bytes(&h.to_bytes()).unwrap().cardinality(), 50);
        assert!(Hll::from_bytes(&[9]).is_none());
    }
}
