//! A set of values of one type that tests whole columns: IN lists and runtime filters.

use arrow::buffer::BooleanBuffer;
use bytes::Bytes;
use common_types::{Column, LogicalType, Repr, Scalar, StrView, for_codes, for_ints};
use hashbrown::HashSet;

use super::order::compare_scalars;
use crate::eval::mask::{mask_by, mask_of};

/// Integers as a bitmap when they lie close together, else sorted (few) or hashed (many).
#[derive(Clone, Debug)]
pub struct IntSet {
    min: i64,
    max: i64,
    form: IntForm,
}

#[derive(Clone, Debug)]
enum IntForm {
    /// Bit `v - min`.
    Bits(Vec<u64>),
    Sorted(Vec<i64>),
    Hashed(HashSet<i64>),
}

impl IntSet {
    /// A set of the values, which may repeat.
    pub fn new(mut values: Vec<i64>) -> Self {
        values.sort_unstable();
        values.dedup();
        let (min, max) = match (values.first(), values.last()) {
            (Some(a), Some(b)) => (*a, *b),
            _ => (1, 0),
        };
        let span = (i128::from(max) - i128::from(min) + 1).max(0) as u128;
        let form = if span <= (values.len() as u128 * 64).max(4096) {
            let mut bits = vec![0u64; (span as usize).div_ceil(64)];
            for v in &values {
                let at = (*v - min) as usize;
                bits[at / 64] |= 1 << (at % 64);
            }
            IntForm::Bits(bits)
        } else if values.len() <= 8 {
            IntForm::Sorted(values)
        } else {
            IntForm::Hashed(values.into_iter().collect())
        };
        Self { min, max, form }
    }

    /// Membership.
    #[inline]
    pub fn contains(&self, v: i64) -> bool {
        if v < self.min || v > self.max {
            return false;
        }
        match &self.form {
            IntForm::Bits(bits) => {
                let at = v.wrapping_sub(self.min) as usize;
                bits[at / 64] >> (at % 64) & 1 == 1
            }
            IntForm::Sorted(values) => values.contains(&v),
            IntForm::Hashed(values) => values.contains(&v),
        }
    }

    fn mask<T: Copy + Into<i64>>(&self, values: &[T]) -> BooleanBuffer {
        match &self.form {
            IntForm::Bits(bits) => {
                let (min, span) = (self.min, (self.max.wrapping_sub(self.min)) as u64);
                if bits.is_empty() {
                    return BooleanBuffer::new_unset(values.len());
                }
                mask_of(values, |v| {
                    let at = v.into().wrapping_sub(min) as u64;
                    // One load whatever the value, then the range decides.
                    let at_safe = at.min(span);
                    at <= span && bits[(at_safe / 64) as usize] >> (at_safe % 64) & 1 == 1
                })
            }
            IntForm::Sorted(set) => mask_of(values, |v| {
                let v = v.into();
                set.iter().fold(false, |hit, s| hit | (*s == v))
            }),
            IntForm::Hashed(_) => mask_of(values, |v| self.contains(v.into())),
        }
    }
}

/// Values of one type.
#[derive(Clone, Debug)]
pub struct ValueSet {
    /// Sorted, distinct, no NULLs.
    values: Vec<Scalar>,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Ints { narrow: IntSet, wide: Vec<i128> },
    Floats(Vec<f64>),
    Bytes(HashSet<Bytes>),
    Booleans { yes: bool, no: bool },
    /// Anything else: by value.
    Scalars,
}

impl ValueSet {
    /// The non-NULL values as a set.
    pub fn new(ty: &LogicalType, values: &[Scalar]) -> Self {
        let mut values: Vec<Scalar> = values.iter().filter(|v| !v.is_null()).cloned().collect();
        values.sort_by(|a, b| compare_scalars(a, b).unwrap_or(std::cmp::Ordering::Equal));
        values.dedup();
        let form = if ty.is_integer_backed() && values.iter().all(|v| v.as_i128().is_some()) {
            let all = values.iter().filter_map(Scalar::as_i128);
            let (narrow, wide): (Vec<i128>, Vec<i128>) = all.partition(|v| i64::try_from(*v).is_ok());
            Form::Ints { narrow: IntSet::new(narrow.into_iter().map(|v| v as i64).collect()), wide }
        } else if (ty.is_float() || *ty == LogicalType::Time) && values.iter().all(|v| v.as_f64().is_some()) {
            Form::Floats(values.iter().filter_map(Scalar::as_f64).collect())
        } else if ty.is_bytes_like() && !matches!(ty, LogicalType::Json) && values.iter().all(|v| v.as_bytes().is_some()) {
            Form::Bytes(values.iter().filter_map(Scalar::as_bytes).map(Bytes::copy_from_slice).collect())
        } else if *ty == LogicalType::Boolean && values.iter().all(|v| v.as_bool().is_some()) {
            let has = |b| values.iter().any(|v| v.as_bool() == Some(b));
            Form::Booleans { yes: has(true), no: has(false) }
        } else {
            Form::Scalars
        };
        Self { values, form }
    }

    /// The values, sorted and distinct.
    pub fn values(&self) -> &[Scalar] {
        &self.values
    }

    /// Membership of one value of the set's type.
    pub fn contains(&self, value: &Scalar) -> bool {
        match (&self.form, value) {
            (_, Scalar::Null) => false,
            (Form::Bytes(set), v) => v.as_bytes().is_some_and(|b| set.contains(b)),
            (_, v) => self.values.iter().any(|own| compare_scalars(own, v).map_or_else(|| own == v, |o| o.is_eq())),
        }
    }

    /// Membership of bytes.
    #[inline]
    pub fn contains_bytes(&self, value: &[u8]) -> bool {
        matches!(&self.form, Form::Bytes(set) if set.contains(value))
    }

    /// Membership of an integer-backed value.
    #[inline]
    pub fn contains_i128(&self, value: i128) -> bool {
        match &self.form {
            Form::Ints { narrow, wide } => match i64::try_from(value) {
                Ok(v) => narrow.contains(v),
                Err(_) => wide.binary_search(&value).is_ok(),
            },
            _ => false,
        }
    }

    /// Membership per row; rows of NULL give any bit.
    pub fn mask(&self, column: &Column) -> BooleanBuffer {
        let rows = column.len();
        if let Repr::Const(value) = column.repr() {
            let hit = self.contains(value);
            return if hit { BooleanBuffer::new_set(rows) } else { BooleanBuffer::new_unset(rows) };
        }
        match &self.form {
            Form::Ints { narrow, .. } => {
                if let Some(view) = column.ints_i64() {
                    return for_ints!(view, values => narrow.mask(values));
                }
                if let Some(values) = column.ints_i128() {
                    return mask_of(values, |v| self.contains_i128(v));
                }
            }
            Form::Floats(set) => {
                if let Some(view) = column.floats() {
                    return mask_by(rows, |row| set.contains(&view.get(row)));
                }
            }
            Form::Bytes(set) => match column.str_view() {
                Some(StrView::Dict { codes, dict }) if dict.len() <= rows => {
                    let hits: Vec<bool> = (0..dict.len()).map(|i| set.contains(dict.value(i))).collect();
                    return for_codes!(codes, c => mask_of(c, |code| hits.get(code as usize).copied().unwrap_or(false)));
                }
                Some(view) => {
                    return match self.values.as_slice() {
                        [one] => {
                            let one = one.as_bytes().unwrap_or_default();
                            mask_by(rows, |row| view.get(row) == one)
                        }
                        _ => mask_by(rows, |row| set.contains(view.get(row))),
                    };
                }
                None => {}
            },
            Form::Booleans { yes, no } => {
                if let Some(array) = column.bools() {
                    return mask_by(rows, |row| if array.value(row) { *yes } else { *no });
                }
            }
            Form::Scalars => {}
        }
        mask_by(rows, |row| !column.is_null(row) && self.contains(&column.scalar(row)))
    }
}
