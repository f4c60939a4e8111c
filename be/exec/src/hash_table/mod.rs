//! Group tables: rows of key columns → dense group numbers.
//!
//! Flow: [`GroupTable::choose`] looks at the key types (and the first chunk's forms) and picks a layout; `assign` numbers the rows
//! of a chunk; `keys` gives key columns back for a range of groups.
//!
//! Layouts: keys that pack into 64 or 128 bits ([`fixed`], with a direct-mapped index while their domain is small); strings by a
//! 16-byte view ([`bytes`]); everything else serialized to bytes ([`rows`]). Strings that arrive dictionary-coded are packed as
//! interned ids, so that they group as integers.

pub mod bytes;
pub mod fixed;
pub mod key;
pub mod rows;

use std::ops::Range;

use common_base::Result;
use common_types::{Column, LogicalType};

use self::{bytes::StringTable, fixed::FixedTable, key::KeyLayout, rows::RowTable};

/// What [`GroupTable::find`] gives for a row whose key is not in the table.
pub const NO_GROUP: u32 = u32::MAX;

/// A set of groups.
pub enum GroupTable {
    Fixed64(FixedTable<u64>),
    Fixed128(FixedTable<u128>),
    String(StringTable),
    Rows(RowTable),
}

impl GroupTable {
    /// The layout for these key columns; `keys` is the first chunk's. Domains up to `direct_domain_max` are mapped by an array.
    pub fn choose(keys: &[Column], direct_domain_max: u64) -> Self {
        let types: Vec<LogicalType> = keys.iter().map(|k| k.ty().clone()).collect();
        match KeyLayout::new(keys) {
            Some(layout) if layout.bits() <= 64 => Self::Fixed64(FixedTable::new(layout, direct_domain_max)),
            Some(layout) if layout.bits() <= 128 => Self::Fixed128(FixedTable::new(layout, direct_domain_max)),
            _ if keys.len() == 1 && types[0].is_string() => Self::String(StringTable::new(types[0].clone())),
            _ => Self::Rows(RowTable::new(types)),
        }
    }

    /// Appends the group number of each row; new groups get the next numbers.
    pub fn assign(&mut self, keys: &[Column], rows: usize, groups: &mut Vec<u32>) -> Result<()> {
        match self {
            Self::Fixed64(t) => t.assign(keys, rows, groups),
            Self::Fixed128(t) => t.assign(keys, rows, groups),
            Self::String(t) => t.assign(&keys[0], rows, groups),
            Self::Rows(t) => t.assign(keys, rows, groups),
        }
    }

    /// Appends the group of each row, [`NO_GROUP`] where there is none. Reads only: any number of threads at once.
    pub fn find(&self, keys: &[Column], rows: usize, groups: &mut Vec<u32>) -> Result<()> {
        match self {
            Self::Fixed64(t) => t.find(keys, rows, groups),
            Self::Fixed128(t) => t.find(keys, rows, groups),
            Self::String(t) => t.find(&keys[0], rows, groups),
            Self::Rows(t) => t.find(keys, rows, groups),
        }
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Fixed64(t) => t.len(),
            Self::Fixed128(t) => t.len(),
            Self::String(t) => t.len(),
            Self::Rows(t) => t.len(),
        }
    }

    /// Whether there are no groups.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key columns of a range of groups.
    pub fn keys(&mut self, groups: Range<usize>) -> Result<Vec<Column>> {
        match self {
            Self::Fixed64(t) => t.keys(groups),
            Self::Fixed128(t) => t.keys(groups),
            Self::String(t) => Ok(vec![t.keys(groups)]),
            Self::Rows(t) => Ok(t.keys(groups)),
        }
    }

    /// Bytes that `more` further rows may take at once, beside what grows with each new key.
    pub fn growth(&self, more: usize) -> usize {
        match self {
            Self::Fixed64(t) => t.growth(more),
            Self::Fixed128(t) => t.growth(more),
            Self::String(t) => t.growth(more),
            Self::Rows(t) => t.growth(more),
        }
    }

    /// Bytes held.
    pub fn memory_size(&self) -> usize {
        match self {
            Self::Fixed64(t) => t.memory_size(),
            Self::Fixed128(t) => t.memory_size(),
            Self::String(t) => t.memory_size(),
            Self::Rows(t) => t.memory_size(),
        }
    }
}

/// Bytes that a list takes anew to hold `more` further items.
pub(crate) fn list_growth<T>(list: &Vec<T>, more: usize) -> usize {
    if list.len() + more <= list.capacity() { 0 } else { (list.len() + more).max(list.capacity() * 2) * size_of::<T>() }
}

/// Slots of an open-addressing index: the upper half of the hash beside the group number plus one; 0 = empty. Comparing the
/// upper half first saves most reads of keys that differ.
pub(crate) struct Index {
    slots: Vec<u64>,
    mask: usize,
    used: usize,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self { slots: vec![0; 1024], mask: 1023, used: 0 }
    }

    pub(crate) fn memory_size(&self) -> usize {
        self.slots.len() * 8
    }

    /// Bytes that making room for `more` further groups takes; the old slots exist beside the new ones for a moment.
    pub(crate) fn growth(&self, more: usize) -> usize {
        let needed = (self.used + more) * 2;
        if needed <= self.slots.len() { 0 } else { needed.next_power_of_two() * 8 }
    }

    /// Makes room for `more` further groups, so that probes of a chunk need not check.
    pub(crate) fn reserve(&mut self, more: usize) {
        let needed = (self.used + more) * 2;
        if needed <= self.slots.len() {
            return;
        }
        let size = needed.next_power_of_two();
        let old = std::mem::replace(&mut self.slots, vec![0; size]);
        self.mask = size - 1;
        for slot in old.into_iter().filter(|s| *s != 0) {
            // The low bits of the hash are gone, so positions come from the stored upper half: see `position`.
            let mut at = self.position((slot >> 32) as u32);
            while self.slots[at] != 0 {
                at = (at + 1) & self.mask;
            }
            self.slots[at] = slot;
        }
    }

    /// Where a probe starts: a multiplicative spread of the 32 hash bits kept in the slot, so that growing needs no rehash.
    #[inline(always)]
    fn position(&self, tag: u32) -> usize {
        (u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as usize & self.mask
    }

    /// The group of a hash for which `same` holds.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u64, same: impl Fn(u32) -> bool) -> u32 {
        let tag = (hash >> 32) as u32;
        let mut at = self.position(tag);
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return NO_GROUP;
            }
            if (slot >> 32) as u32 == tag && same(slot as u32 - 1) {
                return slot as u32 - 1;
            }
            at = (at + 1) & self.mask;
        }
    }

    /// The group of a hash for which `same` holds, or the number of a new one (`next`, entered here).
    #[inline(always)]
    pub(crate) fn find_or_insert(&mut self, hash: u64, next: u32, same: impl Fn(u32) -> bool) -> (u32, bool) {
        let tag = (hash >> 32) as u32;
        let mut at = self.position(tag);
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                self.slots[at] = (u64::from(tag) << 32) | u64::from(next + 1);
                self.used += 1;
                return (next, true);
            }
            if (slot >> 32) as u32 == tag {
                let group = slot as u32 - 1;
                if same(group) {
                    return (group, false);
                }
            }
            at = (at + 1) & self.mask;
        }
    }
}
