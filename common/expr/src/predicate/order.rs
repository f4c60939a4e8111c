//! Order of single values of one type, as SQL compares them.

use std::cmp::Ordering;

use arrow::datatypes::i256;
use common_types::{DecimalWidth, LogicalType, Scalar};

/// The order of two non-NULL values; `None` when the types have no common order (or one is NULL).
pub fn compare_scalars(a: &Scalar, b: &Scalar) -> Option<Ordering> {
    match (a, b) {
        (Scalar::Null, _) | (_, Scalar::Null) => None,
        (Scalar::Boolean(x), Scalar::Boolean(y)) => Some(x.cmp(y)),
        (Scalar::Decimal(x, _, s), Scalar::Decimal(y, _, t)) if s == t => Some(x.cmp(y)),
        (Scalar::Decimal256(x, _, s), Scalar::Decimal256(y, _, t)) if s == t => Some(x.cmp(y)),
        (Scalar::Decimal(..) | Scalar::Decimal256(..), _) | (_, Scalar::Decimal(..) | Scalar::Decimal256(..)) => {
            let ((x, s), (y, t)) = (scaled(a)?, scaled(b)?);
            let scale = s.max(t);
            Some(rescale(x, scale - s)?.cmp(&rescale(y, scale - t)?))
        }
        _ => {
            if let (Some(x), Some(y)) = (a.as_bytes(), b.as_bytes()) {
                return Some(x.cmp(y));
            }
            if let (Some(x), Some(y)) = (a.as_i128(), b.as_i128()) {
                return Some(x.cmp(&y));
            }
            match (number(a), number(b)) {
                (Some(x), Some(y)) => x.partial_cmp(&y),
                _ => None,
            }
        }
    }
}

fn number(v: &Scalar) -> Option<f64> {
    v.as_f64().or_else(|| v.as_i128().map(|i| i as f64))
}

fn scaled(v: &Scalar) -> Option<(i256, i8)> {
    match v {
        Scalar::Decimal(x, _, s) => Some((i256::from_i128(*x), *s)),
        Scalar::Decimal256(x, _, s) => Some((*x, *s)),
        _ => Some((i256::from_i128(v.as_i128()?), 0)),
    }
}

fn rescale(v: i256, digits: i8) -> Option<i256> {
    (0..digits).try_fold(v, |v, _| v.checked_mul(i256::from_i128(10)))
}

/// The value in the form its type prescribes (right variant, right scale); `None` when it is a value of another type.
pub fn conform(value: &Scalar, ty: &LogicalType) -> Option<Scalar> {
    match (value, ty) {
        (Scalar::Null, _) => Some(Scalar::Null),
        (Scalar::Decimal(..) | Scalar::Decimal256(..), LogicalType::Decimal { width, precision, scale }) => {
            let (v, s) = scaled(value)?;
            let v = if s <= *scale {
                rescale(v, scale - s)?
            } else {
                let factor = rescale(i256::ONE, s - scale)?;
                if v.checked_rem(factor)? != i256::ZERO {
                    return None;
                }
                v.checked_div(factor)?
            };
            match width {
                DecimalWidth::W256 => Some(Scalar::Decimal256(v, *precision, *scale)),
                _ => Some(Scalar::Decimal(v.to_i128()?, *precision, *scale)),
            }
        }
        (Scalar::Decimal(..) | Scalar::Decimal256(..), _) => None,
        (Scalar::Date(_), t) => (*t == LogicalType::Date).then(|| value.clone()),
        (Scalar::Datetime(_), t) => (*t == LogicalType::Datetime).then(|| value.clone()),
        (Scalar::TinyInt(_) | Scalar::SmallInt(_) | Scalar::Int(_) | Scalar::BigInt(_) | Scalar::LargeInt(_), t) if t.is_integer() => {
            Scalar::from_i128(t, value.as_i128()?)
        }
        (Scalar::Float(v), LogicalType::Double) => Some(Scalar::Double(f64::from(*v))),
        (Scalar::Double(v), LogicalType::Float) => (f64::from(*v as f32) == *v).then_some(Scalar::Float(*v as f32)),
        (Scalar::String(_), t) => t.is_string().then(|| value.clone()),
        (Scalar::Binary(_), t) => (t.is_binary() || t.is_metric()).then(|| value.clone()),
        (Scalar::Array(_), LogicalType::Array(_)) | (Scalar::Map(_), LogicalType::Map(..)) | (Scalar::Struct(_), LogicalType::Struct(_)) => {
            Some(value.clone())
        }
        (v, t) => (v.ty() == *t).then(|| v.clone()),
    }
}
