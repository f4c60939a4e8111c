//! A predicate prepared for rows: ranges clamped to the physical type, sets hashed, patterns compiled.

use arrow::buffer::BooleanBuffer;
use bytes::Bytes;
use common_types::{Column, IntView, LogicalType, Repr, Scalar, StrView, for_codes, for_ints};

use super::{Bound, CompareOp, PredicateKind, interval, like::LikePattern, order::compare_scalars, set::ValueSet};
use crate::eval::mask::{mask_by, mask_of, retain_rows};

/// How rows are judged; NULL rows never pass except `IsNull`.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Never,
    NotNull,
    IsNull,
    /// Inclusive.
    Ints { low: i128, high: i128 },
    NotInt(i128),
    Floats { low: Option<(f64, bool)>, high: Option<(f64, bool)> },
    BytesEqual { value: Bytes, negated: bool },
    Bytes { low: Option<(Bytes, bool)>, high: Option<(Bytes, bool)> },
    Like { pattern: Box<LikePattern>, negated: bool },
    Set { set: Box<ValueSet>, negated: bool },
    /// Whatever has no faster way.
    Scalars(Box<PredicateKind>),
    All(Vec<Test>),
    Any(Vec<Test>),
}

impl Test {
    pub(super) fn new(ty: &LogicalType, kind: &PredicateKind) -> Self {
        match kind {
            PredicateKind::Never => Self::Never,
            PredicateKind::IsNull => Self::IsNull,
            PredicateKind::NotNull => Self::NotNull,
            PredicateKind::All(items) => Self::All(items.iter().map(|k| Self::new(ty, k)).collect()),
            PredicateKind::Any(items) => Self::Any(items.iter().map(|k| Self::new(ty, k)).collect()),
            PredicateKind::In { values, negated } => Self::Set { set: Box::new(ValueSet::new(ty, values)), negated: *negated },
            PredicateKind::Like { pattern, negated } => {
                Self::Like { pattern: Box::new(LikePattern::new(pattern)), negated: *negated }
            }
            PredicateKind::Compare { op, value } if *op == CompareOp::Ne || *op == CompareOp::Eq => {
                let negated = *op == CompareOp::Ne;
                if ty.is_bytes_like() && !matches!(ty, LogicalType::Json) && let Some(b) = value.as_bytes() {
                    return Self::BytesEqual { value: Bytes::copy_from_slice(b), negated };
                }
                match value.as_i128() {
                    Some(v) if ty.is_integer_backed() && negated => Self::NotInt(v),
                    Some(v) if ty.is_integer_backed() => Self::Ints { low: v, high: v },
                    _ if *ty == LogicalType::Boolean => Self::Set { set: Box::new(ValueSet::new(ty, &[value.clone()])), negated },
                    _ => Self::ordered(ty, kind),
                }
            }
            PredicateKind::Compare { .. } | PredicateKind::Range { .. } => Self::ordered(ty, kind),
        }
    }

    fn ordered(ty: &LogicalType, kind: &PredicateKind) -> Self {
        let fallback = || Self::Scalars(Box::new(kind.clone()));
        if matches!(kind, PredicateKind::Compare { op: CompareOp::Ne, .. }) {
            return fallback();
        }
        let (low, high) = interval(kind);
        if ty.is_integer_backed() {
            // An exclusive end at the end of i128 leaves nothing.
            let end = |b: &Option<Bound>, open: i128, step: i128| match b {
                None => Some(Some(open)),
                Some(b) => b.value.as_i128().map(|v| if b.inclusive { Some(v) } else { v.checked_add(step) }),
            };
            return match (end(&low, i128::MIN, 1), end(&high, i128::MAX, -1)) {
                (Some(Some(low)), Some(Some(high))) if low <= high => Self::Ints { low, high },
                (Some(_), Some(_)) => Self::Never,
                _ => fallback(),
            };
        }
        if ty.is_float() || *ty == LogicalType::Time {
            let end = |b: &Option<Bound>| match b {
                None => Some(None),
                Some(b) => b.value.as_f64().map(|v| Some((v, b.inclusive))),
            };
            return match (end(&low), end(&high)) {
                (Some(low), Some(high)) => Self::Floats { low, high },
                _ => fallback(),
            };
        }
        if ty.is_bytes_like() && !matches!(ty, LogicalType::Json) {
            let end = |b: &Option<Bound>| match b {
                None => Some(None),
                Some(b) => b.value.as_bytes().map(|v| Some((Bytes::copy_from_slice(v), b.inclusive))),
            };
            return match (end(&low), end(&high)) {
                (Some(low), Some(high)) => Self::Bytes { low, high },
                _ => fallback(),
            };
        }
        fallback()
    }

    /// One bit per row.
    pub(super) fn mask(&self, column: &Column) -> BooleanBuffer {
        let rows = column.len();
        match self {
            Self::Never => return BooleanBuffer::new_unset(rows),
            Self::All(items) => {
                return items.iter().fold(BooleanBuffer::new_set(rows), |mask, t| &mask & &t.mask(column));
            }
            Self::Any(items) => {
                return items.iter().fold(BooleanBuffer::new_unset(rows), |mask, t| &mask | &t.mask(column));
            }
            _ => {}
        }
        if let Repr::Const(value) = column.repr() {
            return if self.scalar(value) { BooleanBuffer::new_set(rows) } else { BooleanBuffer::new_unset(rows) };
        }
        let nulls = column.nulls();
        match self {
            Self::IsNull => return nulls.map_or_else(|| BooleanBuffer::new_unset(rows), |n| !n.inner()),
            Self::NotNull => return nulls.map_or_else(|| BooleanBuffer::new_set(rows), |n| n.inner().clone()),
            _ => {}
        }
        let mask = self.values_mask(column);
        match nulls {
            Some(valid) => &mask & valid.inner(),
            None => mask,
        }
    }

    /// One bit per row, any bit for NULL rows.
    fn values_mask(&self, column: &Column) -> BooleanBuffer {
        let rows = column.len();
        match self {
            Self::Ints { low, high } => {
                if let Some(view) = column.ints_i64() {
                    return range_mask(view, *low, *high);
                }
                if let Some(values) = column.ints_i128() {
                    return mask_of(values, |v| v >= *low && v <= *high);
                }
            }
            Self::NotInt(value) => {
                if let Some(view) = column.ints_i64() {
                    return !&range_mask(view, *value, *value);
                }
                if let Some(values) = column.ints_i128() {
                    return mask_of(values, |v| v != *value);
                }
            }
            Self::Floats { low, high } => match column.floats() {
                Some(common_types::FloatView::F64(values)) => return mask_of(values, |v| float_within(v, *low, *high)),
                Some(common_types::FloatView::F32(values)) => return mask_of(values, |v| float_within(f64::from(v), *low, *high)),
                None => {}
            },
            Self::Set { set, negated } => {
                let mask = set.mask(column);
                return if *negated { !&mask } else { mask };
            }
            Self::BytesEqual { .. } | Self::Bytes { .. } | Self::Like { .. } => match column.str_view() {
                Some(StrView::Dict { codes, dict }) if dict.len() <= rows => {
                    let hits: Vec<bool> = (0..dict.len()).map(|i| self.bytes(dict.value(i))).collect();
                    return for_codes!(codes, c => mask_of(c, |code| hits.get(code as usize).copied().unwrap_or(false)));
                }
                Some(StrView::Flat(array)) => {
                    if let Self::BytesEqual { value, negated } = self {
                        let (head, negated, views) = (view_head(value), *negated, array.views());
                        if value.len() <= 12 {
                            let want = inline_view(value);
                            return mask_of(views, |view| (view == want) != negated);
                        }
                        // Length and first bytes settle most rows without a look at the text.
                        return mask_by(rows, |row| (views[row] as u64 == head && array.value(row) == &value[..]) != negated);
                    }
                    return mask_by(rows, |row| self.bytes(array.value(row)));
                }
                Some(view) => return mask_by(rows, |row| self.bytes(view.get(row))),
                None => {}
            },
            _ => {}
        }
        mask_by(rows, |row| !column.is_null(row) && self.scalar(&column.scalar(row)))
    }

    /// Drops the rows that do not pass.
    pub(super) fn retain(&self, column: &Column, rows: &mut Vec<u32>) {
        if let Repr::Const(value) = column.repr() {
            if !self.scalar(value) {
                rows.clear();
            }
            return;
        }
        if let Self::All(items) = self {
            items.iter().for_each(|t| t.retain(column, rows));
            return;
        }
        let nulls = column.nulls();
        if let Some(valid) = &nulls
            && !matches!(self, Self::IsNull | Self::Any(_))
        {
            retain_rows(rows, |row| valid.is_valid(row));
        }
        match (self, column.ints_i64(), column.str_view()) {
            (Self::NotNull, ..) => {}
            (Self::Never, ..) => rows.clear(),
            (Self::Ints { low, high }, Some(view), _) => {
                let outside = *low > i128::from(i64::MAX) || *high < i128::from(i64::MIN);
                let (low, high) = (clamp(*low), clamp(*high));
                if outside || low > high {
                    rows.clear();
                    return;
                }
                let span = high.wrapping_sub(low) as u64;
                for_ints!(view, values => retain_rows(rows, |row| (i64::from(values[row]).wrapping_sub(low) as u64) <= span));
            }
            (Self::Set { set, negated }, Some(view), _) => {
                for_ints!(view, values => retain_rows(rows, |row| set.contains_i128(i128::from(values[row])) != *negated));
            }
            (Self::BytesEqual { .. } | Self::Bytes { .. } | Self::Like { .. }, _, Some(view)) => {
                // A short list of rows does not pay for judging a whole dictionary.
                if let StrView::Dict { codes, dict } = view
                    && dict.len() <= rows.len()
                {
                    let hits: Vec<bool> = (0..dict.len()).map(|i| self.bytes(dict.value(i))).collect();
                    for_codes!(codes, c => retain_rows(rows, |row| hits[c[row] as usize]));
                } else {
                    retain_rows(rows, |row| self.bytes(view.get(row)));
                }
            }
            _ => {
                let mask = self.mask(column);
                retain_rows(rows, |row| mask.value(row));
            }
        }
    }

    /// One string value.
    pub(super) fn bytes(&self, text: &[u8]) -> bool {
        match self {
            Self::Never | Self::IsNull => false,
            Self::NotNull => true,
            Self::BytesEqual { value, negated } => (text == value) != *negated,
            Self::Bytes { low, high } => {
                low.as_ref().is_none_or(|(b, inclusive)| text > &b[..] || *inclusive && text == &b[..])
                    && high.as_ref().is_none_or(|(b, inclusive)| text < &b[..] || *inclusive && text == &b[..])
            }
            Self::Like { pattern, negated } => pattern.matches(text) != *negated,
            Self::Set { set, negated } => set.contains_bytes(text) != *negated,
            Self::All(items) => items.iter().all(|t| t.bytes(text)),
            Self::Any(items) => items.iter().any(|t| t.bytes(text)),
            Self::Ints { .. } | Self::NotInt(_) | Self::Floats { .. } | Self::Scalars(_) => {
                self.scalar(&Scalar::String(Bytes::copy_from_slice(text)))
            }
        }
    }

    /// One value.
    fn scalar(&self, value: &Scalar) -> bool {
        if value.is_null() {
            return match self {
                Self::IsNull => true,
                Self::All(items) => items.iter().all(|t| t.scalar(value)),
                Self::Any(items) => items.iter().any(|t| t.scalar(value)),
                _ => false,
            };
        }
        match self {
            Self::Never | Self::IsNull => false,
            Self::NotNull => true,
            Self::Ints { low, high } => value.as_i128().is_some_and(|v| v >= *low && v <= *high),
            Self::NotInt(other) => value.as_i128().is_some_and(|v| v != *other),
            Self::Floats { low, high } => value.as_f64().is_some_and(|v| float_within(v, *low, *high)),
            Self::BytesEqual { .. } | Self::Bytes { .. } | Self::Like { .. } => value.as_bytes().is_some_and(|b| self.bytes(b)),
            Self::Set { set, negated } => set.contains(value) != *negated,
            Self::Scalars(kind) => holds(kind, value),
            Self::All(items) => items.iter().all(|t| t.scalar(value)),
            Self::Any(items) => items.iter().any(|t| t.scalar(value)),
        }
    }
}

fn clamp(v: i128) -> i64 {
    v.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

fn float_within(v: f64, low: Option<(f64, bool)>, high: Option<(f64, bool)>) -> bool {
    low.is_none_or(|(b, inclusive)| v > b || inclusive && v == b) && high.is_none_or(|(b, inclusive)| v < b || inclusive && v == b)
}

/// Range test in the view's own width: one wrapping subtraction and one unsigned comparison per value.
fn range_mask(view: IntView<'_>, low: i128, high: i128) -> BooleanBuffer {
    macro_rules! in_width {
        ($values:expr, $signed:ty, $unsigned:ty) => {{
            let (min, max) = (i128::from(<$signed>::MIN), i128::from(<$signed>::MAX));
            if low > max || high < min {
                return BooleanBuffer::new_unset($values.len());
            }
            if low <= min && high >= max {
                return BooleanBuffer::new_set($values.len());
            }
            let (low, high) = (low.max(min) as $signed, high.min(max) as $signed);
            let span = high.wrapping_sub(low) as $unsigned;
            mask_of($values, |v| v.wrapping_sub(low) as $unsigned <= span)
        }};
    }
    match view {
        IntView::I8(values) => in_width!(values, i8, u8),
        IntView::I16(values) => in_width!(values, i16, u16),
        IntView::I32(values) => in_width!(values, i32, u32),
        IntView::I64(values) => in_width!(values, i64, u64),
    }
}

/// The view of a string of at most 12 bytes, which holds all of it: equal strings have equal views.
fn inline_view(text: &[u8]) -> u128 {
    let mut bytes = [0u8; 16];
    bytes[..4].copy_from_slice(&(text.len() as u32).to_le_bytes());
    bytes[4..4 + text.len()].copy_from_slice(text);
    u128::from_le_bytes(bytes)
}

/// The low half of any string's view: length and the first four bytes.
fn view_head(text: &[u8]) -> u64 {
    let mut bytes = [0u8; 8];
    bytes[..4].copy_from_slice(&(text.len() as u32).to_le_bytes());
    let n = text.len().min(4);
    bytes[4..4 + n].copy_from_slice(&text[..n]);
    u64::from_le_bytes(bytes)
}

/// The general way: by value.
fn holds(kind: &PredicateKind, value: &Scalar) -> bool {
    match kind {
        PredicateKind::Compare { op, value: other } => compare_scalars(value, other).is_some_and(|o| op.holds(o)),
        PredicateKind::Range { .. } => {
            let (low, high) = interval(kind);
            let side = |b: Option<Bound>, less: bool| {
                b.is_none_or(|b| compare_scalars(value, &b.value).is_some_and(|o| o.is_eq() && b.inclusive || o.is_ne() && o.is_lt() == less))
            };
            side(low, false) && side(high, true)
        }
        _ => false,
    }
}
