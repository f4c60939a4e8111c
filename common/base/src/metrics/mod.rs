//! Metrics: counters, gauges and histograms as cheap handles, a registry that names them, and text for scrapers.
//!
//! A metric is one row: of a struct declared with [`crate::metrics!`] when somebody raises it, of a table of [`Row`]s when its value
//! is read from elsewhere. The registry is passed in, never global.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

mod declare;
mod rate;
mod render;
mod table;

pub use declare::{Outcomes, Register};
pub use rate::Rates;
pub use render::{Family, Sample, SampleKind};
pub use table::{Row, Values};

/// A number that only grows.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    /// Sets the value.
    pub fn set(&self, v: i64) {
        self.0.store(v, Ordering::Relaxed);
    }

    /// Adds `n` (which may be negative).
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Takes one away.
    pub fn dec(&self) {
        self.add(-1);
    }

    /// The value.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// One more until the guard is dropped.
    pub fn scope(&self) -> GaugeGuard {
        self.inc();
        GaugeGuard(self.clone())
    }
}

/// Takes one away from its gauge when dropped.
#[derive(Debug)]
pub struct GaugeGuard(Gauge);

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Buckets per power of two: values are kept with an error below 1/8.
const SUB_BITS: u32 = 3;
const BUCKETS: usize = ((64 - SUB_BITS as usize) + 1) << SUB_BITS;

/// A distribution of non-negative numbers (milliseconds, bytes) with quantiles.
#[derive(Clone)]
pub struct Histogram(Arc<HistogramInner>);

struct HistogramInner {
    buckets: [AtomicU64; BUCKETS],
    count: AtomicU64,
    sum: AtomicU64,
    max: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self(Arc::new(HistogramInner {
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            count: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            max: AtomicU64::new(0),
        }))
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Histogram(count={}, sum={})", self.count(), self.sum())
    }
}

fn bucket_of(v: u64) -> usize {
    if v < 1 << SUB_BITS {
        return v as usize;
    }
    let exp = 63 - v.leading_zeros();
    let sub = (v >> (exp - SUB_BITS)) & ((1 << SUB_BITS) - 1);
    (((exp - SUB_BITS + 1) as usize) << SUB_BITS) + sub as usize
}

/// The largest value of a bucket.
fn bucket_end(bucket: usize) -> u64 {
    let (row, sub) = (bucket >> SUB_BITS, (bucket & ((1 << SUB_BITS) - 1)) as u64);
    if row == 0 {
        return sub;
    }
    let shift = row as u32 - 1;
    let start = ((1 << SUB_BITS) + sub) << shift;
    start + ((1u64 << shift) - 1)
}

impl Histogram {
    /// Records a value.
    pub fn observe(&self, v: u64) {
        let h = &*self.0;
        h.buckets[bucket_of(v)].fetch_add(1, Ordering::Relaxed);
        h.count.fetch_add(1, Ordering::Relaxed);
        h.sum.fetch_add(v, Ordering::Relaxed);
        h.max.fetch_max(v, Ordering::Relaxed);
    }

    /// Records a span of time in milliseconds.
    pub fn observe_ms(&self, span: Duration) {
        self.observe(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }

    /// Their sum.
    pub fn sum(&self) -> u64 {
        self.0.sum.load(Ordering::Relaxed)
    }

    /// The largest.
    pub fn max(&self) -> u64 {
        self.0.max.load(Ordering::Relaxed)
    }

    /// The value below which the share `q` of the values lies; 0 without values.
    pub fn quantile(&self, q: f64) -> u64 {
        let counts: Vec<u64> = self.0.buckets.iter().map(|b| b.load(Ordering::Relaxed)).collect();
        let total: u64 = counts.iter().sum();
        let rank = ((total as f64 * q).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, n) in counts.iter().enumerate() {
            seen += n;
            if seen >= rank {
                return bucket_end(bucket).min(self.max());
            }
        }
        0
    }
}

#[derive(Clone)]
enum Metric {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

impl Metric {
    fn kind(&self) -> SampleKind {
        match self {
            Self::Counter(_) => SampleKind::Counter,
            Self::Gauge(_) => SampleKind::Gauge,
            Self::Histogram(_) => SampleKind::Summary,
        }
    }
}

type Labels = Vec<(String, String)>;

struct Kept {
    help: String,
    kind: SampleKind,
    metrics: BTreeMap<Labels, Metric>,
}

type Table = Arc<dyn Fn(&str, &mut Vec<Family>) + Send + Sync>;

/// Names metrics; clones share the names.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<RegistryInner>,
}

struct RegistryInner {
    prefix: String,
    kept: RwLock<BTreeMap<String, Kept>>,
    tables: RwLock<Vec<Table>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry({})", self.inner.prefix)
    }
}

impl Registry {
    /// A registry whose names all begin with `prefix` (`starrocks_fe_`).
    pub fn new(prefix: impl Into<String>) -> Self {
        let inner = RegistryInner { prefix: prefix.into(), kept: RwLock::default(), tables: RwLock::default() };
        Self { inner: Arc::new(inner) }
    }

    fn put(&self, name: &str, help: &str, labels: &[(&str, &str)], metric: Metric) {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut kept = self.inner.kept.write();
        let family = kept.entry(name.to_owned()).or_insert_with(|| Kept { help: help.to_owned(), kind: metric.kind(), metrics: BTreeMap::new() });
        family.metrics.insert(labels, metric);
    }

    /// A table of metrics over a view that is taken for each reading; nothing is shown when there is none (any more).
    pub fn table<V>(&self, rows: &'static [Row<V>], view: impl Fn() -> Option<V> + Send + Sync + 'static) {
        let read = move |prefix: &str, out: &mut Vec<Family>| {
            if let Some(view) = view() {
                out.extend(rows.iter().map(|row| row.family(prefix, &view)));
            }
        };
        self.inner.tables.write().push(Arc::new(read));
    }

    /// Prometheus text of everything.
    pub fn render(&self) -> String {
        render::prometheus(&self.families())
    }

    /// Every value now, sorted by name; histograms as quantiles, sum and count.
    pub fn samples(&self) -> Vec<Sample> {
        self.families().into_iter().flat_map(|family| family.samples).collect()
    }

    /// Every metric with its values now, sorted by name.
    pub fn families(&self) -> Vec<Family> {
        let mut out = Vec::new();
        for (name, kept) in self.inner.kept.read().iter() {
            let name = format!("{}{name}", self.inner.prefix);
            let mut samples = Vec::new();
            for (labels, metric) in &kept.metrics {
                render::sample_metric(&mut samples, &name, labels, metric);
            }
            out.push(Family { help: kept.help.clone(), kind: kept.kind, samples, name });
        }
        let tables: Vec<_> = self.inner.tables.read().clone();
        for table in tables {
            table(&self.inner.prefix, &mut out);
        }
        out.sort_by(|a, b| a.name.cmp(&b.name));
        // Rows of one name in two places are one metric with several labels.
        out.dedup_by(|later, first| {
            let same = later.name == first.name;
            if same {
                first.samples.append(&mut later.samples);
            }
            same
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_every_value_in_order() {
        for v in (0..2000).chain([1 << 20, (1 << 20) + 12345, u64::MAX / 2, u64::MAX]) {
            let b = bucket_of(v);
            assert!(bucket_end(b) >= v, "{v}");
            assert!(b == 0 || bucket_end(b - 1) < v, "{v}");
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_close() {
        let h = Histogram::default();
        (1..=1000).for_each(|v| h.observe(v));
        let median = h.quantile(0.5);
        assert!((500..=563).contains(&median), "{median}");
        assert_eq!((h.quantile(1.0), h.count(), h.sum()), (1000, 1000, 500_500));
        assert_eq!(Histogram::default().quantile(0.99), 0);
    }
}
