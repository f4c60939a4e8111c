//! HLL objects: HyperLogLog with 2^14 registers. Up to 160 distinct hashes are kept exactly, then registers; the stored form is
//! the hashes, the non-zero registers, or all registers, whichever applies.
//!
//! The hash function behind stored sketches is part of their format: `hash::hash_bytes` must not change.

use common_base::{Result, bail, ensure};

const INDEX_BITS: u32 = 14;
const REGISTERS: usize = 1 << INDEX_BITS;
const MAX_RANK: u8 = 64 - INDEX_BITS as u8 + 1;
const EXPLICIT_LIMIT: usize = 160;
const SPARSE_LIMIT: usize = 4096;

const TAG_EXPLICIT: u8 = 1;
const TAG_SPARSE: u8 = 2;
const TAG_FULL: u8 = 3;

/// A sketch of the number of distinct values.
#[derive(Clone, Debug, PartialEq)]
pub struct Hll(Form);

#[derive(Clone, Debug, PartialEq)]
enum Form {
    /// Sorted hashes.
    Explicit(Vec<u64>),
    Registers(Box<[u8; REGISTERS]>),
}

impl Default for Hll {
    fn default() -> Self {
        Self(Form::Explicit(Vec::new()))
    }
}

impl Hll {
    /// An empty sketch.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds a value by its bytes.
    pub fn insert(&mut self, value: &[u8]) {
        self.insert_hash(crate::hash::hash_bytes(value));
    }
    /// Adds a value by its 64-bit hash.
    #[inline]
    pub fn insert_hash(&mut self, hash: u64) {
        self.add(mix(hash));
    }
    #[inline]
    fn add(&mut self, hash: u64) {
        match &mut self.0 {
            Form::Registers(r) => update(r, hash),
            Form::Explicit(v) => {
                if let Err(at) = v.binary_search(&hash) {
                    v.insert(at, hash);
                    if v.len() > EXPLICIT_LIMIT {
                        self.to_registers();
                    }
                }
            }
        }
    }
    fn to_registers(&mut self) -> &mut [u8; REGISTERS] {
        if let Form::Explicit(v) = &self.0 {
            let mut r = Box::new([0; REGISTERS]);
            v.iter().for_each(|&h| update(&mut r, h));
            self.0 = Form::Registers(r);
        }
        match &mut self.0 {
            Form::Registers(r) => r,
            Form::Explicit(_) => unreachable!("the explicit form was just replaced"),
        }
    }
    /// Adds everything another sketch has seen.
    pub fn merge(&mut self, other: &Hll) {
        match &other.0 {
            Form::Explicit(v) => v.iter().for_each(|&h| self.add(h)),
            Form::Registers(theirs) => {
                for (mine, theirs) in self.to_registers().iter_mut().zip(theirs.iter()) {
                    *mine = (*mine).max(*theirs);
                }
            }
        }
    }
    /// Estimated number of distinct values; exact while few.
    pub fn estimate(&self) -> u64 {
        match &self.0 {
            Form::Explicit(v) => v.len() as u64,
            Form::Registers(r) => estimate(r),
        }
    }
    /// The stored form.
    pub fn serialize(&self) -> Vec<u8> {
        match &self.0 {
            Form::Explicit(v) => {
                let mut out = Vec::with_capacity(2 + v.len() * 8);
                out.extend_from_slice(&[TAG_EXPLICIT, v.len() as u8]);
                v.iter().for_each(|h| out.extend_from_slice(&h.to_le_bytes()));
                out
            }
            Form::Registers(r) => {
                let used = r.iter().filter(|&&v| v != 0).count();
                if used > SPARSE_LIMIT {
                    let mut out = Vec::with_capacity(1 + REGISTERS);
                    out.push(TAG_FULL);
                    out.extend_from_slice(&r[..]);
                    return out;
                }
                let mut out = Vec::with_capacity(3 + used * 3);
                out.push(TAG_SPARSE);
                out.extend_from_slice(&(used as u16).to_le_bytes());
                for (i, &v) in r.iter().enumerate().filter(|(_, v)| **v != 0) {
                    out.extend_from_slice(&(i as u16).to_le_bytes());
                    out.push(v);
                }
                out
            }
        }
    }
    /// The sketch from its stored form; no bytes are the empty sketch.
    pub fn deserialize(bytes: &[u8]) -> Result<Hll> {
        match bytes {
            [] => Ok(Self::new()),
            [TAG_EXPLICIT, n, rest @ ..] => {
                ensure!(
                    rest.len() == *n as usize * 8 && *n as usize <= EXPLICIT_LIMIT,
                    Corruption,
                    "an hll of {n} hashes has {} bytes",
                    rest.len()
                );
                let mut out = Self::new();
                rest.chunks_exact(8).for_each(|c| out.add(u64::from_le_bytes(c.try_into().expect("eight bytes"))));
                Ok(out)
            }
            [TAG_SPARSE, a, b, rest @ ..] => {
                ensure!(
                    rest.len() == usize::from(u16::from_le_bytes([*a, *b])) * 3,
                    Corruption,
                    "a sparse hll has {} bytes",
                    rest.len()
                );
                let mut r = Box::new([0_u8; REGISTERS]);
                for c in rest.chunks_exact(3) {
                    let i = usize::from(u16::from_le_bytes([c[0], c[1]]));
                    ensure!(i < REGISTERS && c[2] <= MAX_RANK, Corruption, "register {i} of an hll");
                    r[i] = c[2];
                }
                Ok(Self(Form::Registers(r)))
            }
            [TAG_FULL, rest @ ..] => {
                ensure!(
                    rest.len() == REGISTERS && rest.iter().all(|&v| v <= MAX_RANK),
                    Corruption,
                    "a full hll has {} bytes",
                    rest.len()
                );
                let mut r = Box::new([0_u8; REGISTERS]);
                r.copy_from_slice(rest);
                Ok(Self(Form::Registers(r)))
            }
            [tag, ..] => bail!(Corruption, "hll form {tag}"),
        }
    }
    /// Bytes in memory.
    pub fn memory_size(&self) -> usize {
        size_of::<Self>()
            + match &self.0 {
                Form::Explicit(v) => v.capacity() * 8,
                Form::Registers(_) => REGISTERS,
            }
    }
}

/// The sketch needs bits that look random; hashes of consecutive integers are merely well spread.
#[inline]
const fn mix(mut h: u64) -> u64 {
    h ^= h >> 33;
    h = h.wrapping_mul(0xff51_afd7_ed55_8ccd);
    h ^= h >> 33;
    h = h.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 33)
}

#[inline]
fn update(registers: &mut [u8; REGISTERS], hash: u64) {
    let index = (hash & (REGISTERS as u64 - 1)) as usize;
    // The sentinel bit bounds the rank when all remaining bits are zero.
    let rank = ((hash >> INDEX_BITS) | 1 << (64 - INDEX_BITS)).trailing_zeros() as u8 + 1;
    if registers[index] < rank {
        registers[index] = rank;
    }
}

/// The improved raw estimator over the histogram of registers: unbiased at every cardinality without tables.
fn estimate(registers: &[u8; REGISTERS]) -> u64 {
    let mut histogram = [0_u32; MAX_RANK as usize + 1];
    registers.iter().for_each(|&v| histogram[v as usize] += 1);
    let m = REGISTERS as f64;
    let mut z = m * tau(1.0 - f64::from(histogram[MAX_RANK as usize]) / m);
    for k in (1..MAX_RANK as usize).rev() {
        z = 0.5 * (z + f64::from(histogram[k]));
    }
    z += m * sigma(f64::from(histogram[0]) / m);
    (m * m / (2.0 * std::f64::consts::LN_2 * z)).round() as u64
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}
