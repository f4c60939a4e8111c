//! What operators cost, in units of about a nanosecond of one core. Only the order of costs matters.

/// Rows and bytes of a row.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub rows: f64,
    pub width: f64,
}

impl Size {
    /// All bytes.
    pub fn bytes(self) -> f64 {
        self.rows * self.width
    }
}

/// Rows of a hash table that still fit a cache.
const CACHED_ROWS: f64 = 100_000.0;

/// Probing or filling a table of many rows misses caches.
fn miss_factor(rows: f64) -> f64 {
    1.0 + ((rows / CACHED_ROWS).max(1.0).log2() * 0.35).min(3.0)
}

/// Reading columns of a table.
pub fn scan(size: Size) -> f64 {
    size.rows * (0.5 + size.width * 0.05)
}

/// Evaluating conditions or expressions.
pub fn compute(rows: f64, exprs: usize) -> f64 {
    rows * 0.5 * exprs as f64
}

/// A hash join; the right side is built.
pub fn hash_join(probe: Size, build: Size, out: Size) -> f64 {
    let miss = miss_factor(build.rows);
    build.rows * (4.0 + build.width * 0.05) * miss + probe.rows * 2.0 * miss + out.rows * (1.0 + out.width * 0.02)
}

/// Every pair of rows is looked at.
pub fn nested_loop(left: Size, right: Size, out: Size) -> f64 {
    left.rows * right.rows * 1.0 + right.rows * 4.0 + left.rows + out.rows * (1.0 + out.width * 0.02)
}

/// Hash aggregation.
pub fn aggregate(input: Size, groups: f64, calls: usize) -> f64 {
    input.rows * (2.0 * miss_factor(groups) + calls as f64) + groups * 4.0
}

/// Sorting all rows.
pub fn sort(size: Size) -> f64 {
    size.rows * (size.rows.max(2.0).log2() * 2.0 + size.width * 0.1)
}

/// Keeping the first `limit` rows.
pub fn top_n(size: Size, limit: f64) -> f64 {
    size.rows + limit * limit.max(2.0).log2() * 4.0
}

/// Sending rows once over the network.
pub fn network(size: Size) -> f64 {
    size.bytes() * 1.0 + size.rows * 4.0
}
