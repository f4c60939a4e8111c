//! Metrics: counters, gauges and histograms as cheap handles, a registry that names them, and text for scrapers.
//! A subsystem keeps its handles in a struct; the registry is passed in, never global.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

mod render;

pub use render::{Sample, SampleKind};

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
    Read(SampleKind, Arc<dyn Fn() -> f64 + Send + Sync>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Labels(Vec<(String, String)>);

impl Labels {
    fn new(labels: &[(&str, &str)]) -> Self {
        Self(labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }
}

struct Family {
    help: String,
    metrics: BTreeMap<Labels, Metric>,
}

type Collector = Arc<dyn Fn(&mut Vec<Sample>) + Send + Sync>;

/// Names metrics; clones share the names. Asking twice for the same name and labels gives the same metric.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<RegistryInner>,
}

struct RegistryInner {
    prefix: String,
    families: RwLock<BTreeMap<String, Family>>,
    collectors: RwLock<Vec<Collector>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry({})", self.inner.prefix)
    }
}

impl Registry {
    /// A registry whose names all begin with `prefix` (`starrocks_fe_`).
    pub fn new(prefix: impl Into<String>) -> Self {
        let inner = RegistryInner { prefix: prefix.into(), families: RwLock::default(), collectors: RwLock::default() };
        Self { inner: Arc::new(inner) }
    }

    /// The counter of that name and labels.
    pub fn counter(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Counter {
        match self.metric(name, help, labels, || Metric::Counter(Counter::default())) {
            Metric::Counter(c) => c,
            _ => Counter::default(),
        }
    }

    /// The gauge of that name and labels.
    pub fn gauge(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Gauge {
        match self.metric(name, help, labels, || Metric::Gauge(Gauge::default())) {
            Metric::Gauge(g) => g,
            _ => Gauge::default(),
        }
    }

    /// The histogram of that name and labels; rendered as a summary with quantiles.
    pub fn histogram(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Histogram {
        match self.metric(name, help, labels, || Metric::Histogram(Histogram::default())) {
            Metric::Histogram(h) => h,
            _ => Histogram::default(),
        }
    }

    /// A gauge whose value is computed when it is read.
    pub fn gauge_fn(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        self.metric(name, help, labels, || Metric::Read(SampleKind::Gauge, Arc::new(read)));
    }

    /// A counter whose value is kept elsewhere and read when asked for.
    pub fn counter_fn(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        self.metric(name, help, labels, || Metric::Read(SampleKind::Counter, Arc::new(read)));
    }

    /// A source of samples whose labels change at run time (per table, per node).
    pub fn collector(&self, collect: impl Fn(&mut Vec<Sample>) + Send + Sync + 'static) {
        self.inner.collectors.write().push(Arc::new(collect));
    }

    /// Forgets the metric of that name and labels (a dropped table, a removed node).
    pub fn remove(&self, name: &str, labels: &[(&str, &str)]) {
        let mut families = self.inner.families.write();
        if let Some(family) = families.get_mut(name) {
            family.metrics.remove(&Labels::new(labels));
        }
    }

    /// Prometheus text of everything.
    pub fn render(&self) -> String {
        render::prometheus(&self.samples())
    }

    /// Every value now, sorted by name, then labels; histograms as quantiles, sum and count.
    pub fn samples(&self) -> Vec<Sample> {
        let mut out = Vec::new();
        for (name, family) in self.inner.families.read().iter() {
            for (labels, metric) in &family.metrics {
                let name = format!("{}{name}", self.inner.prefix);
                render::sample_metric(&mut out, &name, &family.help, &labels.0, metric);
            }
        }
        let collectors: Vec<_> = self.inner.collectors.read().clone();
        for collect in collectors {
            let start = out.len();
            collect(&mut out);
            for sample in &mut out[start..] {
                sample.name.insert_str(0, &self.inner.prefix);
                sample.family.insert_str(0, &self.inner.prefix);
            }
        }
        // Stable: the order inside one metric (quantiles, sum, count) is kept.
        out.sort_by(|a, b| a.family.cmp(&b.family));
        out
    }

    fn metric(&self, name: &str, help: &str, labels: &[(&str, &str)], make: impl FnOnce() -> Metric) -> Metric {
        let labels = Labels::new(labels);
        if let Some(found) = self.inner.families.read().get(name).and_then(|f| f.metrics.get(&labels)) {
            return found.clone();
        }
        let mut families = self.inner.families.write();
        let family = families
            .entry(name.to_owned())
            .or_insert_with(|| Family { help: help.to_owned(), metrics: BTreeMap::new() });
        family.metrics.entry(labels).or_insert_with(make).clone()
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
