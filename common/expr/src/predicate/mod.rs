//! Predicates on one column in a form that storage understands: zone maps, indexes, dictionaries and fast filters.
//!
//! Flow: [`extract`] turns a conjunct into a [`ColumnPredicate`] when it is exactly that; [`combine`] merges those of one column;
//! `may_match` / `all_match` judge a zone, `mask` and `retain` judge rows. A row passes when the predicate is TRUE (NULL does not).

mod bloom;
mod extract;
pub mod like;
pub mod order;
pub mod runtime_filter;
pub mod set;
mod test;
#[cfg(test)]
mod tests;

use std::{cmp::Ordering, fmt};

use arrow::buffer::BooleanBuffer;
use common_types::{Column, Dict, LogicalType, Scalar};

use self::{like::LikePattern, order::compare_scalars, test::Test};
use crate::expr::ColumnId;

pub use extract::{combine, extract, extract_all};
pub use runtime_filter::RuntimeFilter;

/// A comparison with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl CompareOp {
    /// The operator of a comparison function.
    pub fn from_function(name: &str) -> Option<Self> {
        Some(match name {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "lt" => Self::Lt,
            "le" => Self::Le,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            _ => return None,
        })
    }

    /// The operator with its sides exchanged.
    #[must_use]
    pub fn flip(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            same => same,
        }
    }

    /// Whether an order of left to right satisfies it.
    pub fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
        }
    }
}

/// One end of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    pub value: Scalar,
    pub inclusive: bool,
}

/// What is asked of the column's value. Values are never NULL.
#[derive(Clone, Debug, PartialEq)]
pub enum PredicateKind {
    /// No row passes (comparison with NULL, empty range).
    Never,
    Compare { op: CompareOp, value: Scalar },
    Range { low: Option<Bound>, high: Option<Bound> },
    /// Values sorted and distinct.
    In { values: Vec<Scalar>, negated: bool },
    IsNull,
    NotNull,
    /// The pattern's text.
    Like { pattern: Vec<u8>, negated: bool },
    All(Vec<PredicateKind>),
    Any(Vec<PredicateKind>),
}

/// A predicate on one column.
#[derive(Clone)]
pub struct ColumnPredicate {
    pub column: ColumnId,
    pub ty: LogicalType,
    pub kind: PredicateKind,
    test: Test,
}

impl fmt::Debug for ColumnPredicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {} {:?}", self.column, self.kind)
    }
}

impl PartialEq for ColumnPredicate {
    fn eq(&self, other: &Self) -> bool {
        self.column == other.column && self.ty == other.ty && self.kind == other.kind
    }
}

impl ColumnPredicate {
    /// A predicate whose values have the column's type.
    pub fn new(column: ColumnId, ty: LogicalType, kind: PredicateKind) -> Self {
        let test = Test::new(&ty, &kind);
        Self { column, ty, kind, test }
    }

    /// Whether a zone can hold a passing row. `min`/`max` bound its non-NULL values (NULL = unknown, or no such value).
    pub fn may_match(&self, min: &Scalar, max: &Scalar, null_count: u64, rows: u64) -> bool {
        may_match(&self.kind, min, max, null_count, rows)
    }

    /// Whether every row of a zone passes for sure.
    pub fn all_match(&self, min: &Scalar, max: &Scalar, null_count: u64, rows: u64) -> bool {
        all_match(&self.kind, min, max, null_count, rows)
    }

    /// Whether a NULL passes.
    pub fn accepts_null(&self) -> bool {
        accepts_null(&self.kind)
    }

    /// One bit per row: whether it passes.
    pub fn mask(&self, column: &Column) -> BooleanBuffer {
        self.test.mask(column)
    }

    /// Drops the rows that do not pass.
    pub fn retain(&self, column: &Column, rows: &mut Vec<u32>) {
        self.test.retain(column, rows);
    }

    /// One bit per dictionary entry: whether it passes.
    pub fn entries(&self, dict: &Dict) -> Vec<bool> {
        (0..dict.len()).map(|i| self.test.bytes(dict.value(i))).collect()
    }

    /// Whether one value passes.
    pub fn matches(&self, value: &Scalar) -> bool {
        self.test.mask(&Column::constant(value.clone(), self.ty.clone(), 1)).value(0)
    }

    /// The only values that can pass, when they are few and known: equality and IN (point lookups, bloom filters, bucket pruning).
    pub fn points(&self) -> Option<Vec<Scalar>> {
        points(&self.kind)
    }

    /// The interval outside which no value passes; `(None, None)` when there is none.
    pub fn interval(&self) -> (Option<Bound>, Option<Bound>) {
        interval(&self.kind)
    }
}

fn points(kind: &PredicateKind) -> Option<Vec<Scalar>> {
    match kind {
        PredicateKind::Never => Some(Vec::new()),
        PredicateKind::Compare { op: CompareOp::Eq, value } => Some(vec![value.clone()]),
        PredicateKind::In { values, negated: false } => Some(values.clone()),
        PredicateKind::Like { pattern, negated: false } => {
            let like = LikePattern::new(pattern);
            like.is_equality().then(|| vec![Scalar::String(like.prefix())])
        }
        PredicateKind::All(items) => items.iter().filter_map(points).min_by_key(Vec::len),
        PredicateKind::Any(items) => {
            let mut all = Vec::new();
            for item in items {
                all.extend(points(item)?);
            }
            Some(all)
        }
        _ => None,
    }
}

fn interval(kind: &PredicateKind) -> (Option<Bound>, Option<Bound>) {
    let closed = |v: &Scalar| Some(Bound { value: v.clone(), inclusive: true });
    let open = |v: &Scalar| Some(Bound { value: v.clone(), inclusive: false });
    match kind {
        PredicateKind::Compare { op, value } => match op {
            CompareOp::Eq => (closed(value), closed(value)),
            CompareOp::Ne => (None, None),
            CompareOp::Lt => (None, open(value)),
            CompareOp::Le => (None, closed(value)),
            CompareOp::Gt => (open(value), None),
            CompareOp::Ge => (closed(value), None),
        },
        PredicateKind::Range { low, high } => (low.clone(), high.clone()),
        PredicateKind::In { values, negated: false } => match (values.first(), values.last()) {
            (Some(a), Some(b)) => (closed(a), closed(b)),
            _ => (None, None),
        },
        PredicateKind::Like { pattern, negated: false } => {
            let prefix = LikePattern::new(pattern).prefix();
            if prefix.is_empty() {
                return (None, None);
            }
            let high = next_prefix(&prefix).map(|end| Bound { value: Scalar::String(end.into()), inclusive: false });
            (Some(Bound { value: Scalar::String(prefix), inclusive: true }), high)
        }
        PredicateKind::All(items) => items.iter().map(interval).fold((None, None), |(a, b), (c, d)| {
            (tighter(a, c, Ordering::Greater), tighter(b, d, Ordering::Less))
        }),
        PredicateKind::Any(items) => {
            let mut ends = items.iter().map(interval);
            let Some(first) = ends.next() else { return (None, None) };
            ends.fold(first, |(a, b), (c, d)| (looser(a, c, Ordering::Less), looser(b, d, Ordering::Greater)))
        }
        PredicateKind::Never | PredicateKind::In { .. } | PredicateKind::Like { .. } | PredicateKind::IsNull | PredicateKind::NotNull => {
            (None, None)
        }
    }
}

/// The bound further in the wanted direction; absent bounds give way.
fn tighter(a: Option<Bound>, b: Option<Bound>, wanted: Ordering) -> Option<Bound> {
    match (a, b) {
        (Some(a), Some(b)) => Some(match compare_scalars(&a.value, &b.value) {
            Some(Ordering::Equal) => Bound { inclusive: a.inclusive && b.inclusive, ..a },
            Some(order) if order == wanted => a,
            Some(_) => b,
            None => a,
        }),
        (a, b) => a.or(b),
    }
}

/// The bound further in the wanted direction; an absent bound wins.
fn looser(a: Option<Bound>, b: Option<Bound>, wanted: Ordering) -> Option<Bound> {
    let (a, b) = (a?, b?);
    match compare_scalars(&a.value, &b.value)? {
        Ordering::Equal => Some(Bound { inclusive: a.inclusive || b.inclusive, ..a }),
        order if order == wanted => Some(a),
        _ => Some(b),
    }
}

/// The least string greater than every string with the prefix; `None` when there is none.
pub fn next_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|b| *b != 0xFF)?;
    let mut end = prefix[..=keep].to_vec();
    end[keep] += 1;
    Some(end)
}

fn accepts_null(kind: &PredicateKind) -> bool {
    match kind {
        PredicateKind::IsNull => true,
        PredicateKind::All(items) => items.iter().all(accepts_null),
        PredicateKind::Any(items) => items.iter().any(accepts_null),
        _ => false,
    }
}

fn may_match(kind: &PredicateKind, min: &Scalar, max: &Scalar, null_count: u64, rows: u64) -> bool {
    let any_value = null_count < rows;
    match kind {
        PredicateKind::Never => false,
        PredicateKind::IsNull => null_count > 0,
        PredicateKind::NotNull => any_value,
        PredicateKind::All(items) => items.iter().all(|k| may_match(k, min, max, null_count, rows)),
        PredicateKind::Any(items) => items.iter().any(|k| may_match(k, min, max, null_count, rows)),
        _ if !any_value => false,
        PredicateKind::Compare { op: CompareOp::Ne, value } => {
            let same = |v: &Scalar| compare_scalars(v, value) == Some(Ordering::Equal);
            !(same(min) && same(max))
        }
        PredicateKind::In { values, negated: false } => values.iter().any(|v| within(v, min, max)),
        PredicateKind::In { values, negated: true } => {
            let one = compare_scalars(min, max) == Some(Ordering::Equal);
            !(one && values.iter().any(|v| compare_scalars(v, min) == Some(Ordering::Equal)))
        }
        PredicateKind::Like { pattern, negated: true } => {
            let like = LikePattern::new(pattern);
            let one = compare_scalars(min, max) == Some(Ordering::Equal);
            !(one && min.as_bytes().is_some_and(|b| like.matches(b)))
        }
        PredicateKind::Compare { .. } | PredicateKind::Range { .. } | PredicateKind::Like { .. } => {
            let (low, high) = interval(kind);
            let below = low.is_some_and(|b| beyond(max, &b, Ordering::Less));
            let above = high.is_some_and(|b| beyond(min, &b, Ordering::Greater));
            !below && !above
        }
    }
}

/// Whether a zone end lies on the wrong side of a bound.
fn beyond(end: &Scalar, bound: &Bound, side: Ordering) -> bool {
    match compare_scalars(end, &bound.value) {
        Some(Ordering::Equal) => !bound.inclusive,
        Some(order) => order == side,
        None => false,
    }
}

/// Whether a value can lie in a zone; unknown ends do not exclude it.
fn within(value: &Scalar, min: &Scalar, max: &Scalar) -> bool {
    compare_scalars(value, min) != Some(Ordering::Less) && compare_scalars(value, max) != Some(Ordering::Greater)
}

fn all_match(kind: &PredicateKind, min: &Scalar, max: &Scalar, null_count: u64, rows: u64) -> bool {
    if rows == 0 {
        return true;
    }
    match kind {
        PredicateKind::IsNull => null_count == rows,
        PredicateKind::NotNull => null_count == 0,
        PredicateKind::All(items) => items.iter().all(|k| all_match(k, min, max, null_count, rows)),
        PredicateKind::Any(items) => items.iter().any(|k| all_match(k, min, max, null_count, rows)),
        _ if null_count > 0 || min.is_null() || max.is_null() => false,
        PredicateKind::Never => false,
        PredicateKind::Compare { op: CompareOp::Ne, value } => outside(value, min, max),
        PredicateKind::In { values, negated: true } => values.iter().all(|v| outside(v, min, max)),
        PredicateKind::In { values, negated: false } => {
            compare_scalars(min, max) == Some(Ordering::Equal)
                && values.iter().any(|v| compare_scalars(v, min) == Some(Ordering::Equal))
        }
        PredicateKind::Like { pattern, negated } => {
            let one = compare_scalars(min, max) == Some(Ordering::Equal);
            one && min.as_bytes().is_some_and(|b| LikePattern::new(pattern).matches(b) != *negated)
        }
        PredicateKind::Compare { .. } | PredicateKind::Range { .. } => {
            let (low, high) = interval(kind);
            let inside = |end: &Scalar, bound: &Bound, side: Ordering| match compare_scalars(end, &bound.value) {
                Some(Ordering::Equal) => bound.inclusive,
                Some(order) => order == side,
                None => false,
            };
            low.is_none_or(|b| inside(min, &b, Ordering::Greater)) && high.is_none_or(|b| inside(max, &b, Ordering::Less))
        }
    }
}

fn outside(value: &Scalar, min: &Scalar, max: &Scalar) -> bool {
    compare_scalars(value, min) == Some(Ordering::Less) || compare_scalars(value, max) == Some(Ordering::Greater)
}
