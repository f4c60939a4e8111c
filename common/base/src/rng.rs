//! Injected randomness: a small seedable generator (xoshiro256++). Same seed, same sequence, on every machine.
//! Not for secrets: those come from [`secure_bytes`].

use std::fmt;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::{Result, ResultExt};

/// A seedable random generator.
#[derive(Clone)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The generator whose whole future is decided by `seed`.
    pub fn from_seed(seed: u64) -> Self {
        // SplitMix64 spreads a small seed over the state, which must not be all zero.
        let mut z = seed;
        let state = std::array::from_fn(|_| {
            z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut x = z;
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^ (x >> 31)
        });
        Self { state }
    }

    /// A generator seeded by the operating system.
    pub fn from_entropy() -> Self {
        let mut seed = [0u8; 8];
        if secure_bytes(&mut seed).is_err() {
            // No random device: the hasher keys of the standard library are random too.
            use std::hash::BuildHasher;
            seed = std::hash::RandomState::new().hash_one(0u64).to_le_bytes();
        }
        Self::from_seed(u64::from_le_bytes(seed))
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// A number in `[range.start, range.end)`; the start when the range is empty.
    pub fn range(&mut self, range: Range<u64>) -> u64 {
        let width = range.end.saturating_sub(range.start);
        if width == 0 {
            return range.start;
        }
        // Multiply-shift; the bias is below 2^-64 * width, invisible for our widths.
        range.start + ((u128::from(self.next_u64()) * u128::from(width)) >> 64) as u64
    }

    /// An index below `len`; 0 when `len` is 0.
    pub fn index(&mut self, len: usize) -> usize {
        self.range(0..len as u64) as usize
    }

    /// A number in `[0, 1)`.
    pub fn next_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.next_f64() < probability
    }

    /// Puts the items into random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.index(i + 1));
        }
    }

    /// One of the items; `None` when there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.index(items.len()))
    }

    /// Fills the buffer with random bytes.
    pub fn fill(&mut self, buf: &mut [u8]) {
        for chunk in buf.chunks_mut(8) {
            let bytes = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }

    /// A random (version 4) UUID as a number.
    pub fn uuid(&mut self) -> u128 {
        let v = (u128::from(self.next_u64()) << 64) | u128::from(self.next_u64());
        let version = v & !(0xf << 76) | (0x4 << 76);
        version & !(0x3 << 62) | (0x2 << 62)
    }

    /// An independent generator for a component, decided by this one's state.
    pub fn fork(&mut self) -> Self {
        Self::from_seed(self.next_u64())
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng")
    }
}

/// A generator several owners draw from.
#[derive(Clone, Debug)]
pub struct SharedRng(Arc<Mutex<Rng>>);

impl SharedRng {
    /// Shares a generator.
    pub fn new(rng: Rng) -> Self {
        Self(Arc::new(Mutex::new(rng)))
    }

    /// A shared generator decided by `seed`.
    pub fn from_seed(seed: u64) -> Self {
        Self::new(Rng::from_seed(seed))
    }

    /// A shared generator seeded by the operating system.
    pub fn from_entropy() -> Self {
        Self::new(Rng::from_entropy())
    }

    /// Draws with the generator locked.
    pub fn with<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.0.lock())
    }

    /// The next 64 random bits.
    pub fn next_u64(&self) -> u64 {
        self.0.lock().next_u64()
    }

    /// A number in `[range.start, range.end)`.
    pub fn range(&self, range: Range<u64>) -> u64 {
        self.0.lock().range(range)
    }

    /// A random (version 4) UUID as a number.
    pub fn uuid(&self) -> u128 {
        self.0.lock().uuid()
    }

    /// Fills the buffer with random bytes.
    pub fn fill(&self, buf: &mut [u8]) {
        self.0.lock().fill(buf);
    }

    /// An independent generator for a component.
    pub fn fork(&self) -> Rng {
        self.0.lock().fork()
    }
}

/// Fills the buffer with bytes fit for secrets (tokens, salts).
pub fn secure_bytes(buf: &mut [u8]) -> Result<()> {
    let mut file = std::fs::File::open("/dev/urandom").context("opening the random device")?;
    file.read_exact(buf).context("reading the random device")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_sequence() {
        let (mut a, mut b) = (Rng::from_seed(7), Rng::from_seed(7));
        assert!((0..100).all(|_| a.next_u64() == b.next_u64()));
        assert_ne!(Rng::from_seed(8).next_u64(), Rng::from_seed(7).next_u64());
    }

    #[test]
    fn ranges_shuffles_and_uuids_are_well_formed() {
        let mut rng = Rng::from_seed(1);
        assert!((0..1000).all(|_| (10..20).contains(&rng.range(10..20))));
        assert_eq!(rng.range(5..5), 5);
        let mut items: Vec<u32> = (0..50).collect();
        rng.shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
        let uuid = rng.uuid();
        assert_eq!(((uuid >> 76) & 0xf, (uuid >> 62) & 0x3), (4, 2));
        let mut odd = [0u8; 13];
        rng.fill(&mut odd);
        assert!(odd.iter().any(|b| *b != 0));
    }
}
