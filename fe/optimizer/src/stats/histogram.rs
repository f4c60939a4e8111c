//! Shares of rows by a histogram: exact for common values, even within a bucket for the rest.

use std::sync::Arc;

use common_types::{Scalar, compare::compare_scalars};
use fe_catalog::model::Histogram;

use super::numeric;

/// Of the rows within `within`, the share in `range`; `None` when the values are on no number line.
pub fn between(histogram: &Arc<Histogram>, range: (f64, f64), within: (f64, f64)) -> Option<f64> {
    let whole = rows_in(histogram, within)?;
    let part = rows_in(histogram, (range.0.max(within.0), range.1.min(within.1)))?;
    Some(if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 })
}

/// Of the rows within `within`, the share that is equal to a value.
pub fn equal(histogram: &Arc<Histogram>, value: &Scalar, within: (f64, f64)) -> Option<f64> {
    if value.is_null() || histogram.buckets.is_empty() {
        return None;
    }
    let all: f64 = histogram.buckets.iter().map(|b| b.rows as f64).sum();
    let whole = rows_in(histogram, within).unwrap_or(all).max(1.0);
    let at = numeric(value);
    let same = |other: &Scalar| match (at, numeric(other)) {
        (Some(a), Some(b)) => a == b,
        _ => other.ty().same_kind(&value.ty()) && compare_scalars(value, other).is_eq(),
    };
    if let Some(common) = histogram.common.iter().find(|c| same(&c.value)) {
        return Some((common.rows as f64 / whole).min(1.0));
    }
    // What is left of its bucket without the common values in it, shared by the other values.
    let inside = |low: &Scalar, high: &Scalar, v: &Scalar| match (numeric(low), numeric(v), numeric(high)) {
        (Some(low), Some(v), Some(high)) => low <= v && v <= high,
        _ => v.ty().same_kind(&low.ty()) && compare_scalars(low, v).is_le() && compare_scalars(v, high).is_le(),
    };
    let Some(bucket) = histogram.buckets.iter().find(|b| inside(&b.lower, &b.upper, value)) else { return Some(0.0) };
    let (mut rows, mut distinct) = (bucket.rows as f64, bucket.distinct as f64);
    for common in histogram.common.iter().filter(|c| inside(&bucket.lower, &bucket.upper, &c.value)) {
        rows -= common.rows as f64;
        distinct -= 1.0;
    }
    Some((rows.max(1.0) / distinct.max(1.0) / whole).min(1.0))
}

/// Rows with values in a closed range; a bucket that is cut gives its share of the way, at least that of one value.
fn rows_in(histogram: &Arc<Histogram>, (low, high): (f64, f64)) -> Option<f64> {
    let mut rows = 0.0;
    for bucket in &histogram.buckets {
        let (from, to) = (numeric(&bucket.lower)?, numeric(&bucket.upper)?);
        let (lo, hi) = (low.max(from), high.min(to));
        if lo > hi {
            continue;
        }
        let one = 1.0 / (bucket.distinct as f64).max(1.0);
        let share = if to > from { ((hi - lo) / (to - from)).clamp(one, 1.0) } else { 1.0 };
        rows += bucket.rows as f64 * share;
    }
    (!histogram.buckets.is_empty()).then_some(rows)
}

#[cfg(test)]
mod tests {
    use fe_catalog::model::{CommonValue, HistogramBucket};

    use super::*;

    #[test]
    fn skew_is_seen() {
        let bucket = |lower, upper, rows, distinct| HistogramBucket { lower: Scalar::Int(lower), upper: Scalar::Int(upper), rows, distinct };
        let histogram = Arc::new(Histogram {
            buckets: vec![bucket(0, 0, 900, 1), bucket(1, 100, 100, 100)],
            common: vec![CommonValue { value: Scalar::Int(0), rows: 900 }],
        });
        let all = (f64::NEG_INFINITY, f64::INFINITY);
        let near = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 0.01, "{a:?} is not {b}");
        near(equal(&histogram, &Scalar::BigInt(0), all), 0.9);
        near(equal(&histogram, &Scalar::Int(50), all), 0.001);
        near(equal(&histogram, &Scalar::Int(500), all), 0.0);
        near(between(&histogram, (1.0, f64::INFINITY), all), 0.1);
        near(between(&histogram, (51.0, 100.0), (1.0, 100.0)), 0.5);
        near(between(&histogram, (f64::NEG_INFINITY, 0.0), all), 0.9);
        assert_eq!(between(&Arc::default(), (0.0, 1.0), all), None);
    }
}
