//! What indexes know values by: integers and byte strings, whatever form a column has, and the hashes of both.
//!
//! Part of the format: an integer-like value is its unscaled integer, hashed by `hash_u64` of its 64 bits (beyond 64 bits: as the 16
//! bytes of the integer, little-endian); a string is its bytes, hashed by XXH3; a gram of up to eight bytes is the integer of its
//! bytes (little-endian) mixed with its length, a longer one is hashed as a string.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Decimal128Type};
use common_base::hll::hash_u64;
use common_types::{Column, LogicalType, Scalar, StrView};

use crate::column::dict_builder::hash_bytes;
use crate::encoding::array::int_values;

/// A value that is not NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key<'a> {
    Int(i128),
    Bytes(&'a [u8]),
}

impl<'a> Key<'a> {
    /// The key of a value; `None` for NULL and for types without index.
    pub fn of(value: &'a Scalar) -> Option<Self> {
        match value {
            Scalar::Decimal256(..) | Scalar::Boolean(_) => None,
            _ => value.as_i128().map(Self::Int).or_else(|| value.as_bytes().map(Self::Bytes)),
        }
    }

    /// Its hash.
    pub fn hash(self) -> u64 {
        match self {
            Self::Bytes(bytes) => hash_bytes(bytes),
            Self::Int(v) => i64::try_from(v).map_or_else(|_| hash_bytes(&v.to_le_bytes()), |v| hash_u64(v as u64)),
        }
    }
}

/// Whether columns of the type can have an index.
pub fn indexable(ty: &LogicalType) -> bool {
    use LogicalType as T;
    match ty {
        T::TinyInt | T::SmallInt | T::Int | T::BigInt | T::LargeInt | T::Date | T::Datetime | T::Char(_) | T::Varchar(_) | T::Varbinary(_) => true,
        T::Decimal { .. } => !matches!(ty.arrow(), DataType::Decimal256(..)),
        _ => false,
    }
}

/// Calls for every row that is not NULL, in order; `None` when the column has no keys.
pub fn each_key(page: &Column, mut visit: impl FnMut(usize, Key<'_>)) -> Option<()> {
    let rows = page.len();
    let nulls = page.nulls();
    if nulls.as_ref().is_some_and(|n| n.null_count() == rows) || page.null_count() == rows {
        return Some(());
    }
    let valid = |row: usize| nulls.as_ref().is_none_or(|n| n.is_valid(row));
    if let Some(view) = page.str_view() {
        for row in (0..rows).filter(|row| valid(*row)) {
            let value = match &view {
                StrView::Const(value) => value,
                StrView::Dict { codes, dict } => dict.value(codes.get(row)),
                StrView::Flat(array) => array.value(row),
            };
            visit(row, Key::Bytes(value));
        }
        return Some(());
    }
    let flat = page.to_flat();
    if let Some(values) = int_values(&flat) {
        (0..rows).filter(|row| valid(*row)).for_each(|row| visit(row, Key::Int(values[row].into())));
        return Some(());
    }
    let wide = flat.as_primitive_opt::<Decimal128Type>()?;
    (0..rows).filter(|row| valid(*row)).for_each(|row| visit(row, Key::Int(wide.value(row))));
    Some(())
}

/// The hash of a gram.
fn hash_gram(gram: &[u8]) -> u64 {
    if gram.len() > 8 {
        return hash_bytes(gram);
    }
    let mut word = [0; 8];
    word[..gram.len()].copy_from_slice(gram);
    hash_u64(u64::from_le_bytes(word) ^ (gram.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Calls with the hash of every run of `len` bytes. Bytes, not characters: then a match inside text that is not UTF-8 has its grams too.
pub fn each_gram(text: &[u8], len: usize, ignore_case: bool, mut visit: impl FnMut(u64)) {
    if len == 0 {
        return;
    }
    let lower;
    let text = if ignore_case && text.iter().any(u8::is_ascii_uppercase) {
        lower = text.to_ascii_lowercase();
        &lower
    } else {
        text
    };
    text.windows(len).for_each(|gram| visit(hash_gram(gram)));
}
