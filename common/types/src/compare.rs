//! SQL order of values: NULL placement, direction, and typed comparisons that see through every physical form. NaN is greater
//! than every number and equal to itself; -0 equals 0; bytes compare unsigned.

use std::cmp::Ordering;

use arrow::array::BooleanArray;
use arrow::buffer::NullBuffer;
use arrow::datatypes::i256;

use crate::column::{CodeView, Column, FloatView, IntView, Repr, StrView};
use crate::for_ints;
use crate::logical_type::LogicalType;
use crate::scalar::Scalar;

/// Direction and NULL placement of one sort key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SortOrder {
    pub descending: bool,
    pub nulls_first: bool,
}

impl SortOrder {
    /// ASC NULLS FIRST: the default of ascending keys.
    pub const ASC: Self = Self { descending: false, nulls_first: true };
    /// DESC NULLS LAST: the default of descending keys.
    pub const DESC: Self = Self { descending: true, nulls_first: false };
}

/// Order of two rows of one key. For repeated use build a [`RowComparator`].
pub fn compare_rows(a: &Column, i: usize, b: &Column, j: usize, nulls_first: bool, desc: bool) -> Ordering {
    KeyComparator::new(a, b, SortOrder { descending: desc, nulls_first }).compare(i, j)
}

/// Order of doubles: NaN greatest, zeros equal.
#[inline(always)]
pub fn compare_f64(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Compares rows of a left side with rows of a right side over several keys.
pub struct RowComparator<'a> {
    keys: Vec<KeyComparator<'a>>,
}

impl<'a> RowComparator<'a> {
    /// A comparator of `left` rows with `right` rows (pass the same columns twice to sort one set).
    pub fn new(left: &'a [Column], right: &'a [Column], orders: &[SortOrder]) -> Self {
        Self { keys: left.iter().zip(right).zip(orders).map(|((a, b), o)| KeyComparator::new(a, b, *o)).collect() }
    }
    /// Order of left row `i` and right row `j`.
    #[inline]
    pub fn compare(&self, i: usize, j: usize) -> Ordering {
        for key in &self.keys {
            let order = key.compare(i, j);
            if order != Ordering::Equal {
                return order;
            }
        }
        Ordering::Equal
    }
}

/// Compares rows of two columns of one type.
pub struct KeyComparator<'a> {
    values: Pair<'a>,
    left_nulls: Option<NullBuffer>,
    right_nulls: Option<NullBuffer>,
    null_left: Ordering,
    descending: bool,
}

enum Pair<'a> {
    Equal,
    Ints(IntView<'a>, IntView<'a>),
    I64(&'a [i64], &'a [i64]),
    I32(&'a [i32], &'a [i32]),
    Wide(Wide<'a>, Wide<'a>),
    I256(Vec<i256>, Vec<i256>),
    Floats(FloatView<'a>, FloatView<'a>),
    Bools(&'a BooleanArray, &'a BooleanArray),
    Codes(CodeView<'a>, CodeView<'a>),
    Bytes(StrView<'a>, StrView<'a>),
    Scalars(&'a Column, &'a Column),
}

enum Wide<'a> {
    Narrow(IntView<'a>),
    Flat(&'a [i128]),
    Const(i128),
}

impl<'a> Wide<'a> {
    fn new(c: &'a Column) -> Option<Self> {
        if let Some(v) = c.ints_i64() {
            return Some(Self::Narrow(v));
        }
        match (c.ints_i128(), c.as_const()) {
            (Some(v), _) => Some(Self::Flat(v)),
            (None, Some(s)) if c.ty().is_integer_backed() => {
                let scale = match s {
                    Scalar::Decimal(_, _, s) => *s,
                    _ => 0,
                };
                crate::decimal::rescale_i128(s.as_i128()?, scale, c.ty().scale()).map(Self::Const)
            }
            _ => None,
        }
    }
    #[inline]
    fn get(&self, i: usize) -> i128 {
        match self {
            Self::Narrow(v) => i128::from(v.get(i)),
            Self::Flat(s) => s[i],
            Self::Const(v) => *v,
        }
    }
}

impl<'a> KeyComparator<'a> {
    /// A comparator of rows of `a` with rows of `b`.
    pub fn new(a: &'a Column, b: &'a Column, order: SortOrder) -> Self {
        Self {
            values: Pair::new(a, b),
            left_nulls: a.nulls(),
            right_nulls: b.nulls(),
            null_left: if order.nulls_first { Ordering::Less } else { Ordering::Greater },
            descending: order.descending,
        }
    }
    /// Order of left row `i` and right row `j`.
    #[inline]
    pub fn compare(&self, i: usize, j: usize) -> Ordering {
        let a = self.left_nulls.as_ref().is_some_and(|n| n.is_null(i));
        let b = self.right_nulls.as_ref().is_some_and(|n| n.is_null(j));
        match (a, b) {
            (false, false) => {
                let order = self.values.compare(i, j);
                if self.descending { order.reverse() } else { order }
            }
            (true, true) => Ordering::Equal,
            (true, false) => self.null_left,
            (false, true) => self.null_left.reverse(),
        }
    }
}

impl<'a> Pair<'a> {
    fn new(a: &'a Column, b: &'a Column) -> Self {
        if let (Repr::Const(x), Repr::Const(y)) = (a.repr(), b.repr())
            && x == y
        {
            return Self::Equal;
        }
        match (a.ints_i64(), b.ints_i64()) {
            (Some(IntView::I64(x)), Some(IntView::I64(y))) => return Self::I64(x, y),
            (Some(IntView::I32(x)), Some(IntView::I32(y))) => return Self::I32(x, y),
            (Some(x), Some(y)) => return Self::Ints(x, y),
            _ => {}
        }
        if let (Some(x), Some(y)) = (Wide::new(a), Wide::new(b)) {
            return Self::Wide(x, y);
        }
        if a.ty().decimal_parts().is_some() && a.ty().fixed_width() == Some(32) {
            let all = |c: &Column| c.flatten().ints_i256().map(<[i256]>::to_vec);
            if let (Some(x), Some(y)) = (all(a), all(b)) {
                return Self::I256(x, y);
            }
        }
        if let (Some(x), Some(y)) = (a.floats(), b.floats()) {
            return Self::Floats(x, y);
        }
        if let (Some(x), Some(y)) = (a.bools(), b.bools()) {
            return Self::Bools(x, y);
        }
        if let (Some((x, d)), Some((y, e))) = (a.dict_parts(), b.dict_parts())
            && d.id() == e.id()
            && d.is_sorted()
        {
            return Self::Codes(x, y);
        }
        if !matches!(a.ty(), LogicalType::Json)
            && let (Some(x), Some(y)) = (a.str_view(), b.str_view())
        {
            return Self::Bytes(x, y);
        }
        Self::Scalars(a, b)
    }
    #[inline]
    fn compare(&self, i: usize, j: usize) -> Ordering {
        match self {
            Self::Equal => Ordering::Equal,
            Self::I64(a, b) => a[i].cmp(&b[j]),
            Self::I32(a, b) => a[i].cmp(&b[j]),
            Self::Ints(a, b) => for_ints!(a, s => s[i] as i64).cmp(&for_ints!(b, s => s[j] as i64)),
            Self::Wide(a, b) => a.get(i).cmp(&b.get(j)),
            Self::I256(a, b) => a[i].cmp(&b[j]),
            Self::Floats(a, b) => compare_f64(a.get(i), b.get(j)),
            Self::Bools(a, b) => a.value(i).cmp(&b.value(j)),
            Self::Codes(a, b) => a.get(i).cmp(&b.get(j)),
            Self::Bytes(a, b) => a.get(i).cmp(b.get(j)),
            Self::Scalars(a, b) => compare_scalars(&a.scalar(i), &b.scalar(j)),
        }
    }
}

/// Order of two values; NULL is smallest. Numbers of different types compare by value; other mixtures by a fixed order of kinds.
pub fn compare_scalars(a: &Scalar, b: &Scalar) -> Ordering {
    match (a, b) {
        (Scalar::Null, Scalar::Null) => Ordering::Equal,
        (Scalar::Null, _) => Ordering::Less,
        (_, Scalar::Null) => Ordering::Greater,
        (Scalar::Boolean(x), Scalar::Boolean(y)) => x.cmp(y),
        (Scalar::Json(x), Scalar::Json(y)) => crate::json::compare_text(x, y),
        (Scalar::Array(x), Scalar::Array(y)) => compare_lists(x.iter(), y.iter()),
        (Scalar::Struct(x), Scalar::Struct(y)) => compare_lists(x.iter().map(|f| &f.1), y.iter().map(|f| &f.1)),
        (Scalar::Map(x), Scalar::Map(y)) => compare_maps(x, y),
        (Scalar::Decimal256(x, _, s), Scalar::Decimal256(y, _, t)) if s == t => x.cmp(y),
        _ => {
            if let (Some(x), Some(y)) = (a.as_bytes(), b.as_bytes()) {
                return x.cmp(y);
            }
            if let (Some((x, s)), Some((y, t))) = (number(a), number(b)) {
                if s == t {
                    return x.cmp(&y);
                }
                let scale = s.max(t);
                if let (Some(x), Some(y)) =
                    (crate::decimal::rescale_i128(x, s, scale), crate::decimal::rescale_i128(y, t, scale))
                {
                    return x.cmp(&y);
                }
            }
            match (approximate(a), approximate(b)) {
                (Some(x), Some(y)) => compare_f64(x, y),
                _ => kind(a).cmp(&kind(b)),
            }
        }
    }
}

fn compare_lists<'a>(mut a: impl Iterator<Item = &'a Scalar>, mut b: impl Iterator<Item = &'a Scalar>) -> Ordering {
    loop {
        match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => match compare_scalars(x, y) {
                Ordering::Equal => {}
                order => return order,
            },
        }
    }
}

fn compare_maps(a: &[(Scalar, Scalar)], b: &[(Scalar, Scalar)]) -> Ordering {
    let sorted = |m: &[(Scalar, Scalar)]| {
        let mut m = m.to_vec();
        m.sort_by(|x, y| compare_scalars(&x.0, &y.0));
        m
    };
    let (a, b) = (sorted(a), sorted(b));
    compare_lists(a.iter().flat_map(|(k, v)| [k, v]), b.iter().flat_map(|(k, v)| [k, v]))
}

fn number(s: &Scalar) -> Option<(i128, i8)> {
    match s {
        Scalar::Boolean(v) => Some((i128::from(*v), 0)),
        Scalar::Decimal(v, _, scale) => Some((*v, *scale)),
        Scalar::Decimal256(v, _, scale) => v.to_i128().map(|v| (v, *scale)),
        _ => s.as_i128().map(|v| (v, 0)),
    }
}

fn approximate(s: &Scalar) -> Option<f64> {
    match s {
        Scalar::Decimal256(v, _, scale) => Some(crate::decimal::to_f64_256(*v, *scale)),
        _ => s.as_f64().or_else(|| number(s).map(|(v, scale)| crate::decimal::to_f64(v, scale))),
    }
}

const fn kind(s: &Scalar) -> u8 {
    match s {
        Scalar::Null => 0,
        Scalar::Boolean(_) => 1,
        Scalar::String(_) | Scalar::Json(_) | Scalar::Binary(_) => 3,
        Scalar::Array(_) => 4,
        Scalar::Map(_) => 5,
        Scalar::Struct(_) => 6,
        _ => 2,
    }
}
