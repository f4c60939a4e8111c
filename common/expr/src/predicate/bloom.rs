//! Split-block bloom filter: a key touches one 32-byte block, one bit in each of its eight words.

/// Odd multipliers that spread a hash over the eight words.
const SALTS: [u32; 8] = [
    0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31,
];

/// Blocks, a power of two of them, so that a smaller filter is a larger one folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bloom {
    blocks: Vec<[u32; 8]>,
}

impl Bloom {
    /// Room for so many keys at about 1 % false positives.
    pub(super) fn with_capacity(keys: usize) -> Self {
        let blocks = (keys * 12).div_ceil(256).max(1).next_power_of_two();
        Self { blocks: vec![[0; 8]; blocks] }
    }

    fn block(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.blocks.len() - 1)
    }

    pub(super) fn insert(&mut self, hash: u64) {
        let at = self.block(hash);
        for (word, salt) in self.blocks[at].iter_mut().zip(SALTS) {
            *word |= 1 << ((hash as u32).wrapping_mul(salt) >> 27);
        }
    }

    #[inline]
    pub(super) fn contains(&self, hash: u64) -> bool {
        let block = &self.blocks[self.block(hash)];
        let mut missing = 0;
        for (word, salt) in block.iter().zip(SALTS) {
            missing |= !word & (1 << ((hash as u32).wrapping_mul(salt) >> 27));
        }
        missing == 0
    }

    /// Everything either holds; the smaller one is repeated up to the size of the larger.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.blocks.len() > self.blocks.len() {
            let mask = self.blocks.len() - 1;
            self.blocks = (0..other.blocks.len()).map(|i| self.blocks[i & mask]).collect();
        }
        let mask = other.blocks.len() - 1;
        for (i, block) in self.blocks.iter_mut().enumerate() {
            for (word, more) in block.iter_mut().zip(other.blocks[i & mask]) {
                *word |= more;
            }
        }
    }

    /// Share of bits set; above one half the filter lets most keys pass.
    pub(super) fn fill(&self) -> f64 {
        let set: u64 = self.blocks.iter().flatten().map(|w| u64::from(w.count_ones())).sum();
        set as f64 / (self.blocks.len() * 256) as f64
    }

    pub(super) fn size(&self) -> usize {
        self.blocks.len() * 32
    }

    pub(super) fn to_bytes(&self, out: &mut Vec<u8>) {
        for word in self.blocks.iter().flatten() {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let blocks = bytes.len() / 32;
        if !bytes.len().is_multiple_of(32) || !blocks.is_power_of_two() {
            return None;
        }
        let word = |b: &[u8]| u32::from_le_bytes(b.try_into().expect("four bytes"));
        let blocks = bytes.chunks_exact(32).map(|b| std::array::from_fn(|i| word(&b[4 * i..4 * i + 4]))).collect();
        Some(Self { blocks })
    }
}
