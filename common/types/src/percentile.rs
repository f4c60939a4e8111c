//! PERCENTILE objects: t-digests. Values wait in a buffer and are merged into centroids whose size is bounded by the arcsine
//! scale, so that the tails stay exact. The stored form is the compression, the extremes and the centroids.

use common_base::{Result, ensure};

/// Compression when none is asked for.
pub const DEFAULT_COMPRESSION: f64 = 2048.0;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Centroid {
    mean: f64,
    weight: f64,
}

/// A sketch of a distribution.
#[derive(Clone, Debug)]
pub struct Percentile {
    compression: f64,
    centroids: Vec<Centroid>,
    buffer: Vec<Centroid>,
    total: f64,
    min: f64,
    max: f64,
}

impl Default for Percentile {
    fn default() -> Self {
        Self::new(DEFAULT_COMPRESSION)
    }
}

impl Percentile {
    /// An empty sketch; compression is clamped to 20..=10000.
    pub fn new(compression: f64) -> Self {
        Self {
            compression: if compression.is_finite() { compression.clamp(20.0, 10_000.0) } else { DEFAULT_COMPRESSION },
            centroids: Vec::new(),
            buffer: Vec::new(),
            total: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
    /// Adds a value; NaN is ignored.
    pub fn insert(&mut self, value: f64) {
        self.insert_weighted(value, 1.0);
    }
    /// Adds a value with a weight.
    pub fn insert_weighted(&mut self, value: f64, weight: f64) {
        if value.is_nan() || weight.is_nan() || weight <= 0.0 {
            return;
        }
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.total += weight;
        self.buffer.push(Centroid { mean: value, weight });
        if self.buffer.len() >= 8 * self.compression as usize {
            self.compress();
        }
    }
    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.total == 0.0
    }
    /// Adds everything another sketch has seen.
    pub fn merge(&mut self, other: &Percentile) {
        if other.is_empty() {
            return;
        }
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.total += other.total;
        self.buffer.extend_from_slice(&other.centroids);
        self.buffer.extend_from_slice(&other.buffer);
        if self.buffer.len() >= 8 * self.compression as usize {
            self.compress();
        }
    }
    /// Merges waiting values into the centroids.
    pub fn compress(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let mut all = std::mem::take(&mut self.centroids);
        all.append(&mut self.buffer);
        all.sort_by(|a, b| a.mean.total_cmp(&b.mean));
        let scale = self.compression / (2.0 * std::f64::consts::PI);
        let k = |q: f64| scale * (2.0 * q.clamp(0.0, 1.0) - 1.0).asin();
        let limit_after = |q: f64| ((k(q) + 1.0) / scale).min(std::f64::consts::FRAC_PI_2).sin().mul_add(0.5, 0.5);
        let mut out: Vec<Centroid> = Vec::with_capacity(self.compression as usize);
        let mut current = all[0];
        let mut before = 0.0;
        let mut limit = limit_after(0.0);
        for c in &all[1..] {
            let q = (before + current.weight + c.weight) / self.total;
            if q <= limit {
                current.weight += c.weight;
                current.mean += (c.mean - current.mean) * c.weight / current.weight;
            } else {
                before += current.weight;
                limit = limit_after(before / self.total);
                out.push(current);
                current = *c;
            }
        }
        out.push(current);
        self.centroids = out;
    }
    /// The value below which the fraction `q` of the values lies; `None` when empty.
    pub fn quantile(&mut self, q: f64) -> Option<f64> {
        self.compress();
        let c = &self.centroids;
        if c.is_empty() || q.is_nan() {
            return None;
        }
        if c.len() == 1 {
            return Some(c[0].mean);
        }
        let target = q.clamp(0.0, 1.0) * self.total;
        // Half of a centroid's weight lies on each side of its mean; singletons are exact.
        let first = c[0].weight / 2.0;
        if target < first {
            return Some(if c[0].weight <= 1.0 {
                self.min
            } else {
                self.min + (c[0].mean - self.min) * (target / first)
            });
        }
        let mut at = first;
        for pair in c.windows(2) {
            let step = (pair[0].weight + pair[1].weight) / 2.0;
            if target < at + step {
                return Some(pair[0].mean + (pair[1].mean - pair[0].mean) * ((target - at) / step));
            }
            at += step;
        }
        let last = c[c.len() - 1];
        let rest = self.total - at;
        if rest <= 0.0 || last.weight <= 1.0 {
            return Some(self.max);
        }
        Some(last.mean + (self.max - last.mean) * ((target - at) / rest).clamp(0.0, 1.0))
    }
    /// The stored form.
    pub fn serialize(&mut self) -> Vec<u8> {
        self.compress();
        let mut out = Vec::with_capacity(28 + self.centroids.len() * 16);
        for v in [self.compression, self.min, self.max] {
            out.extend_from_slice(&v.to_le_bytes());
        }
        out.extend_from_slice(&(self.centroids.len() as u32).to_le_bytes());
        for c in &self.centroids {
            out.extend_from_slice(&c.mean.to_le_bytes());
            out.extend_from_slice(&c.weight.to_le_bytes());
        }
        out
    }
    /// The sketch from its stored form; no bytes are the empty sketch.
    pub fn deserialize(bytes: &[u8]) -> Result<Percentile> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        ensure!(bytes.len() >= 28 && (bytes.len() - 28) % 16 == 0, Corruption, "a percentile of {} bytes", bytes.len());
        let f = |at: usize| f64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let n = u32::from_le_bytes(bytes[24..28].try_into().expect("four bytes")) as usize;
        ensure!(n == (bytes.len() - 28) / 16, Corruption, "a percentile of {n} centroids has {} bytes", bytes.len());
        let mut out = Self::new(f(0));
        (out.min, out.max) = (f(8), f(16));
        out.centroids = (0..n).map(|i| Centroid { mean: f(28 + i * 16), weight: f(36 + i * 16) }).collect();
        ensure!(
            out.centroids.iter().all(|c| c.weight > 0.0 && !c.mean.is_nan()),
            Corruption,
            "a percentile has a bad centroid"
        );
        out.total = out.centroids.iter().map(|c| c.weight).sum();
        Ok(out)
    }
    /// Bytes in memory.
    pub fn memory_size(&self) -> usize {
        size_of::<Self>() + (self.centroids.capacity() + self.buffer.capacity()) * size_of::<Centroid>()
    }
}
