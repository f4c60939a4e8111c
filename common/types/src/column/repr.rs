//! The physical representations a column may travel in, and the shared dictionary.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, BinaryViewArray};

use crate::scalar::Scalar;

/// How the values of a column are laid out. Every form of the same values is equal to every other.
#[derive(Clone, Debug)]
pub enum Repr {
    /// The canonical Arrow array of the type.
    Flat(ArrayRef),
    /// One value, maybe NULL, for all rows.
    Const(Scalar),
    /// Codes (UInt8, UInt16 or UInt32; NULLs here) into a dictionary; BinaryView types only.
    Dict { codes: ArrayRef, dict: Arc<Dict> },
    /// Integers narrower than (or as wide as) the canonical type (Int8 to Int64; NULLs here); integer-backed types only.
    Narrow { ints: ArrayRef, bounds: Bounds },
}

/// Inclusive bounds that hold for every non-NULL value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Bounds {
    pub min: i64,
    pub max: i64,
}

impl Bounds {
    /// Bounds from `min` to `max`.
    pub const fn new(min: i64, max: i64) -> Self {
        Self { min, max }
    }
    /// Bounds that hold for both.
    pub fn union(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
    /// Number of integers within, saturating.
    pub fn span(self) -> u64 {
        if self.max < self.min { 0 } else { self.max.abs_diff(self.min).saturating_add(1) }
    }
    /// Whether the value lies within.
    pub const fn contains(self, v: i64) -> bool {
        self.min <= v && v <= self.max
    }
}

static NEXT_DICT_ID: AtomicU64 = AtomicU64::new(1);

/// An immutable dictionary shared by columns; two columns of the same id may be compared by code.
#[derive(Debug)]
pub struct Dict {
    values: BinaryViewArray,
    sorted: bool,
    id: u64,
    hashes: OnceLock<Box<[u64]>>,
}

impl Dict {
    /// A dictionary of distinct non-NULL values; `sorted` promises strictly ascending bytes.
    pub fn new(values: BinaryViewArray, sorted: bool) -> Arc<Self> {
        assert_eq!(values.null_count(), 0, "a dictionary holds no NULL");
        Arc::new(Self { values, sorted, id: NEXT_DICT_ID.fetch_add(1, Ordering::Relaxed), hashes: OnceLock::new() })
    }
    /// The entries.
    pub fn values(&self) -> &BinaryViewArray {
        &self.values
    }
    /// One entry.
    #[inline]
    pub fn value(&self, code: usize) -> &[u8] {
        self.values.value(code)
    }
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.values.len()
    }
    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
    /// Whether code order is byte order.
    pub fn is_sorted(&self) -> bool {
        self.sorted
    }
    /// Identity within this process.
    pub fn id(&self) -> u64 {
        self.id
    }
    /// The code of a value: binary search when sorted, a scan otherwise.
    pub fn code_of(&self, value: &[u8]) -> Option<u32> {
        if self.sorted {
            let at = self.lower_bound(value);
            return (at < self.len() && self.value(at) == value).then_some(at as u32);
        }
        (0..self.len()).find(|&i| self.value(i) == value).map(|i| i as u32)
    }
    /// The first code whose value is not less; only for sorted dictionaries.
    pub fn lower_bound(&self, value: &[u8]) -> usize {
        debug_assert!(self.sorted);
        let (mut lo, mut hi) = (0, self.len());
        while lo < hi {
            let mid = (lo + hi) / 2;
            if self.value(mid) < value { lo = mid + 1 } else { hi = mid }
        }
        lo
    }
    /// Content hash of each entry, computed once.
    pub fn hashes(&self) -> &[u64] {
        self.hashes.get_or_init(|| (0..self.len()).map(|i| crate::hash::hash_bytes(self.value(i))).collect())
    }
}
