//! Merging t-digest: the stored form of the PERCENTILE type and the state of percentile_approx.
//!
//! Bytes, as in `common_types::percentile`: `compression:f64 min:f64 max:f64 n:u32 (mean:f64 weight:f64)×n`, little-endian;
//! centroids ascend by mean; no bytes are an empty digest.

use std::f64::consts::PI;

/// A quantile sketch.
#[derive(Clone, Debug)]
pub struct TDigest {
    compression: f64,
    centroids: Vec<(f64, f64)>,
    buffer: Vec<(f64, f64)>,
    min: f64,
    max: f64,
}

impl TDigest {
    /// An empty digest; larger compression is more exact and larger.
    pub fn new(compression: f64) -> Self {
        Self { compression, centroids: Vec::new(), buffer: Vec::new(), min: f64::INFINITY, max: f64::NEG_INFINITY }
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.centroids.is_empty() && self.buffer.is_empty()
    }

    /// Adds a value with a weight; NaN and weights that are not positive are ignored.
    pub fn add(&mut self, value: f64, weight: f64) {
        if value.is_nan() || weight.is_nan() || weight <= 0.0 {
            return;
        }
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.buffer.push((value, weight));
        if self.buffer.len() >= self.buffer_limit() {
            self.compress();
        }
    }

    fn buffer_limit(&self) -> usize {
        (self.compression as usize).clamp(256, 8192)
    }

    /// Adds everything of another digest.
    pub fn merge(&mut self, other: &TDigest) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.buffer.extend_from_slice(&other.centroids);
        self.buffer.extend_from_slice(&other.buffer);
        if self.buffer.len() >= self.buffer_limit() {
            self.compress();
        }
    }

    /// Folds the buffered values into the centroids.
    pub fn compress(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let mut all = std::mem::take(&mut self.centroids);
        all.append(&mut self.buffer);
        all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = all.iter().map(|c| c.1).sum();
        let scale = self.compression / (2.0 * PI);
        let k = |q: f64| scale * (2.0 * q.clamp(0.0, 1.0) - 1.0).asin();
        let mut merged: Vec<(f64, f64)> = Vec::with_capacity(all.len().min(self.compression as usize + 8));
        let mut done = 0.0;
        let mut lower = k(0.0);
        let (mut sum, mut weight) = (0.0, 0.0);
        for (mean, w) in all {
            if weight > 0.0 && k((done + weight + w) / total) - lower > 1.0 {
                merged.push((sum / weight, weight));
                done += weight;
                lower = k(done / total);
                (sum, weight) = (0.0, 0.0);
            }
            // A lone value keeps its exact bits.
            sum = if weight == 0.0 { mean * w } else { sum + mean * w };
            weight += w;
        }
        if weight > 0.0 {
            merged.push((sum / weight, weight));
        }
        self.centroids = merged;
    }

    /// The value below which a fraction `q` of the weight lies; NaN when empty.
    pub fn quantile(&mut self, q: f64) -> f64 {
        self.compress();
        let c = &self.centroids;
        match c.len() {
            0 => return f64::NAN,
            1 => return c[0].0,
            _ => {}
        }
        let total: f64 = c.iter().map(|c| c.1).sum();
        let target = q.clamp(0.0, 1.0) * total;
        let mut cumulative = 0.0;
        let mut previous = (self.min, 0.0);
        for &(mean, w) in c {
            let middle = cumulative + w / 2.0;
            if target < middle {
                return interpolate(previous, (mean, middle), target);
            }
            previous = (mean, middle);
            cumulative += w;
        }
        interpolate(previous, (self.max, total), target)
    }

    /// The stored form.
    pub fn to_bytes(&mut self) -> Vec<u8> {
        self.compress();
        let mut out = Vec::with_capacity(28 + self.centroids.len() * 16);
        for v in [self.compression, self.min, self.max] {
            out.extend(v.to_le_bytes());
        }
        out.extend((self.centroids.len() as u32).to_le_bytes());
        for (mean, w) in &self.centroids {
            out.extend(mean.to_le_bytes());
            out.extend(w.to_le_bytes());
        }
        out
    }

    /// Reads the stored form; `None` if it is not one.
    pub fn from_bytes(body: &[u8]) -> Option<Self> {
        if body.is_empty() {
            return Some(Self::new(1000.0));
        }
        let f = |at: usize| Some(f64::from_le_bytes(body.get(at..at + 8)?.try_into().ok()?));
        let n = u32::from_le_bytes(body.get(24..28)?.try_into().ok()?) as usize;
        if body.len() != 28 + n * 16 {
            return None;
        }
        let centroids = (0..n).map(|i| Some((f(28 + i * 16)?, f(36 + i * 16)?))).collect::<Option<Vec<_>>>()?;
        Some(Self { compression: f(0)?, centroids, buffer: Vec::new(), min: f(8)?, max: f(16)? })
    }

    /// Heap bytes held.
    pub fn memory_size(&self) -> usize {
        (self.centroids.capacity() + self.buffer.capacity()) * 16
    }
}

fn interpolate(a: (f64, f64), b: (f64, f64), target: f64) -> f64 {
    let span = b.1 - a.1;
    if span <= 0.0 { b.0 } else { a.0 + (b.0 - a.0) * ((target - a.1) / span) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_ramp() {
        let mut a = TDigest::new(2048.0);
        let mut b = TDigest::new(2048.0);
        for i in 0..100_000 {
            if i % 2 == 0 { a.add(f64::from(i), 1.0) } else { b.add(f64::from(i), 1.0) }
        }
        let bytes = b.to_bytes();
        a.merge(&TDigest::from_bytes(&bytes).unwrap());
        for q in [0.01, 0.5, 0.9, 0.999] {
            let got = a.quantile(q);
            assert!((got - q * 100_000.0).abs() < 200.0, "{q}: {got}");
        }
        assert_eq!(a.quantile(1.0), 99_999.0);
        assert!(TDigest::new(100.0).quantile(0.5).is_nan());
    }
}
