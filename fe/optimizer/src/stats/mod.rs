//! Estimates: how many rows leave an operator, and what its columns hold.
//!
//! A column has one id from where it is made to where it is last used, so estimates of columns are kept once per query, by id;
//! nodes carry rows only. `domain` is the number of values a column could have as restricted by conditions on itself; `ndv` is
//! what is left of them. Joins divide by domains: a filter on another column of one side must not look like a smaller domain.

pub mod derive;
pub mod filter;
pub mod histogram;
pub mod join;

use std::sync::Arc;

use common_types::{LogicalType, Scalar, decimal};
use fe_catalog::model::Histogram;

/// What is believed of a column's values.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnEstimate {
    pub ndv: f64,
    pub domain: f64,
    pub null_fraction: f64,
    /// As a number; infinite = unknown.
    pub min: f64,
    pub max: f64,
    pub avg_size: f64,
    /// False when nothing was measured.
    pub known: bool,
    /// How often values occur in the whole table; what a condition has left is between `min` and `max`.
    pub histogram: Option<Arc<Histogram>>,
}

impl ColumnEstimate {
    /// When nothing is known: a tenth of the rows are distinct.
    pub fn unknown(rows: f64, ty: &LogicalType) -> Self {
        let ndv = match ty {
            LogicalType::Boolean => 2.0,
            LogicalType::TinyInt => (rows / 10.0).clamp(1.0, 256.0),
            _ => (rows / 10.0).max(1.0),
        };
        Self {
            ndv,
            domain: ndv,
            null_fraction: 0.0,
            min: f64::NEG_INFINITY,
            max: f64::INFINITY,
            avg_size: type_size(ty),
            known: false,
            histogram: None,
        }
    }

    /// A single value.
    pub fn constant(value: &Scalar, ty: &LogicalType) -> Self {
        let at = numeric(value).unwrap_or(f64::NAN);
        let (min, max) = if at.is_nan() { (f64::NEG_INFINITY, f64::INFINITY) } else { (at, at) };
        Self {
            ndv: 1.0,
            domain: 1.0,
            null_fraction: if value.is_null() { 1.0 } else { 0.0 },
            min,
            max,
            avg_size: type_size(ty),
            known: true,
            histogram: None,
        }
    }

    /// Distinct values among `rows` rows.
    pub fn ndv_in(&self, rows: f64) -> f64 {
        self.ndv.min(rows).max(1.0)
    }
}

/// Bytes of a value when nothing was measured.
pub fn type_size(ty: &LogicalType) -> f64 {
    match ty.fixed_width() {
        Some(n) => n as f64,
        None => 16.0,
    }
}

/// A value on a number line: integers, decimals at scale, days, microseconds. Strings have no place on it.
pub fn numeric(value: &Scalar) -> Option<f64> {
    Some(match value {
        Scalar::Boolean(v) => f64::from(u8::from(*v)),
        Scalar::Decimal(v, _, scale) => decimal::to_f64(*v, *scale),
        Scalar::Decimal256(v, _, scale) => decimal::to_f64_256(*v, *scale),
        other => match other.as_i64() {
            Some(v) => v as f64,
            None => other.as_f64().or_else(|| other.as_i128().map(|v| v as f64))?,
        },
    })
}
