//! Groups whose keys pack into one integer. While the keys' domain is small an array maps it to groups directly (a perfect
//! hash); when it grows past a bound the array gives way to a hash index over the same dense keys.

use std::ops::Range;

use common_base::Result;
use common_types::Column;

use super::{Index, NO_GROUP, key::{KeyLayout, KeyValues}};

/// An integer that holds a packed key.
pub trait Packed: Copy + Eq + Default {
    /// Ors bits in at an offset.
    fn put(&mut self, bits: u64, offset: u32);
    /// Reads bits at an offset.
    fn take(self, offset: u32, width: u32) -> u64;
    /// A 64-bit hash whose upper half is well mixed.
    fn hash(self) -> u64;
}

impl Packed for u64 {
    #[inline(always)]
    fn put(&mut self, bits: u64, offset: u32) {
        *self |= bits << offset;
    }
    #[inline(always)]
    fn take(self, offset: u32, width: u32) -> u64 {
        let v = self >> offset;
        if width == 64 { v } else { v & ((1 << width) - 1) }
    }
    #[inline(always)]
    fn hash(self) -> u64 {
        common_types::hash::combine(0, self)
    }
}

impl Packed for u128 {
    #[inline(always)]
    fn put(&mut self, bits: u64, offset: u32) {
        *self |= u128::from(bits) << offset;
    }
    #[inline(always)]
    fn take(self, offset: u32, width: u32) -> u64 {
        let v = (self >> offset) as u64;
        if width == 64 { v } else { v & ((1 << width) - 1) }
    }
    #[inline(always)]
    fn hash(self) -> u64 {
        common_types::hash::combine(common_types::hash::combine(0, self as u64), (self >> 64) as u64)
    }
}

/// Groups with packed keys.
pub struct FixedTable<K> {
    layout: KeyLayout,
    /// By group number.
    keys: Vec<K>,
    direct: Option<Direct>,
    direct_domain_max: u64,
    index: Index,
    scratch: Vec<K>,
    positions: Vec<u32>,
}

/// The direct-mapped index: per key a minimum and a stride; position 0 of each key is NULL.
struct Direct {
    mins: Vec<i64>,
    spans: Vec<u64>,
    /// Group number plus one; 0 = no group.
    groups: Vec<u32>,
}

impl<K: Packed> FixedTable<K> {
    /// No groups yet.
    pub fn new(layout: KeyLayout, direct_domain_max: u64) -> Self {
        Self {
            layout,
            keys: Vec::new(),
            direct: Some(Direct { mins: Vec::new(), spans: Vec::new(), groups: Vec::new() }),
            direct_domain_max,
            index: Index::new(),
            scratch: Vec::new(),
            positions: Vec::new(),
        }
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Bytes held.
    pub fn memory_size(&self) -> usize {
        let direct = self.direct.as_ref().map_or(0, |d| d.groups.len() * 4);
        self.keys.capacity() * size_of::<K>() + self.index.memory_size() + direct + self.layout.memory_size()
    }

    /// See [`super::GroupTable::growth`].
    pub fn growth(&self, more: usize) -> usize {
        super::list_growth(&self.keys, more) + if self.direct.is_some() { 0 } else { self.index.growth(more) }
    }

    /// See [`super::GroupTable::assign`].
    pub fn assign(&mut self, keys: &[Column], rows: usize, groups: &mut Vec<u32>) -> Result<()> {
        let values = self.layout.read(keys, rows)?;
        if self.direct.is_some() && !self.fit_direct(&values) {
            self.leave_direct();
        }
        if self.direct.is_some() {
            self.assign_direct(&values, rows, groups);
        } else {
            self.assign_hashed(&values, rows, groups);
        }
        Ok(())
    }

    /// Makes the direct index cover the chunk's values; false when the domain is unknown or too large.
    fn fit_direct(&mut self, values: &[KeyValues]) -> bool {
        let Some(direct) = &mut self.direct else { return false };
        let first = direct.mins.is_empty();
        let mut mins = Vec::with_capacity(values.len());
        let mut spans = Vec::with_capacity(values.len());
        let mut domain = 1_u64;
        let mut changed = first;
        for (i, value) in values.iter().enumerate() {
            let Some((mut min, mut max)) = value.bounds else { return false };
            if max < min {
                (min, max) = (0, 0); // no non-NULL value
            }
            if !first {
                let old_max = direct.mins[i] as i128 + direct.spans[i] as i128 - 2;
                if min < direct.mins[i] || i128::from(max) > old_max {
                    changed = true;
                }
                min = min.min(direct.mins[i]);
                max = (i128::from(max).max(old_max)) as i64;
            }
            let Some(span) = (max as i128 - min as i128 + 2).try_into().ok().filter(|s: &u64| *s <= self.direct_domain_max) else { return false };
            mins.push(min);
            spans.push(span);
            domain = domain.saturating_mul(span);
        }
        if domain > self.direct_domain_max {
            return false;
        }
        if changed {
            direct.mins = mins;
            direct.spans = spans;
            direct.groups = vec![0; domain as usize];
            for (group, key) in self.keys.iter().enumerate() {
                let at = position_of(direct, &self.layout, *key);
                direct.groups[at] = group as u32 + 1;
            }
        }
        true
    }

    fn leave_direct(&mut self) {
        self.direct = None;
        self.index.reserve(self.keys.len());
        let keys = &self.keys;
        for (group, key) in keys.iter().enumerate() {
            self.index.find_or_insert(key.hash(), group as u32, |other| keys[other as usize] == *key);
        }
    }

    fn assign_direct(&mut self, values: &[KeyValues], rows: usize, groups: &mut Vec<u32>) {
        let Some(direct) = &mut self.direct else { return };
        let positions = &mut self.positions;
        positions.clear();
        positions.resize(rows, 0);
        let mut stride = 1_u32;
        for (i, value) in values.iter().enumerate() {
            let min = direct.mins[i];
            match &value.nulls {
                None => value.for_each_signed(|row, v| positions[row] += (v.wrapping_sub(min) as u32).wrapping_add(1).wrapping_mul(stride)),
                Some(nulls) => value.for_each_signed(|row, v| {
                    if nulls.is_valid(row) {
                        positions[row] += (v.wrapping_sub(min) as u32).wrapping_add(1).wrapping_mul(stride);
                    }
                }),
            }
            stride = stride.wrapping_mul(direct.spans[i] as u32);
        }
        groups.reserve(rows);
        for (row, position) in positions.iter().enumerate() {
            let slot = &mut direct.groups[*position as usize];
            if *slot == 0 {
                self.keys.push(pack_row(&self.layout, values, row));
                *slot = self.keys.len() as u32;
            }
            groups.push(*slot - 1);
        }
    }

    /// See [`super::GroupTable::find`].
    pub fn find(&self, keys: &[Column], rows: usize, groups: &mut Vec<u32>) -> Result<()> {
        let values = self.layout.read_only(keys, rows)?;
        groups.reserve(rows);
        if let Some(direct) = &self.direct {
            self.find_direct(direct, &values, rows, groups);
            return Ok(());
        }
        let mut packed = vec![K::default(); rows];
        pack(&self.layout, &values, &mut packed);
        groups.extend(packed.iter().map(|key| self.index.find(key.hash(), |g| self.keys[g as usize] == *key)));
        Ok(())
    }

    fn find_direct(&self, direct: &Direct, values: &[KeyValues], rows: usize, groups: &mut Vec<u32>) {
        if direct.groups.is_empty() {
            groups.resize(groups.len() + rows, NO_GROUP);
            return;
        }
        // u32::MAX marks a row outside the domain; it survives because positions stay far below.
        let mut positions = vec![0_u32; rows];
        let mut stride = 1_u32;
        for (i, value) in values.iter().enumerate() {
            let (min, span) = (direct.mins[i], direct.spans[i]);
            value.for_each_signed(|row, v| {
                let at = v.wrapping_sub(min) as u64;
                let valid = value.nulls.as_ref().is_none_or(|n| n.is_valid(row));
                let step = if !valid { 0 } else if at < span - 1 { (at as u32 + 1) * stride } else { u32::MAX };
                let sum = positions[row];
                positions[row] = if sum == u32::MAX || step == u32::MAX { u32::MAX } else { sum + step };
            });
            stride = stride.wrapping_mul(span as u32);
        }
        groups.extend(positions.iter().map(|p| direct.groups.get(*p as usize).map_or(NO_GROUP, |g| g.wrapping_sub(1))));
    }

    fn assign_hashed(&mut self, values: &[KeyValues], rows: usize, groups: &mut Vec<u32>) {
        let packed = &mut self.scratch;
        packed.clear();
        packed.resize(rows, K::default());
        pack(&self.layout, values, packed);
        self.index.reserve(rows);
        groups.reserve(rows);
        for key in packed.iter() {
            let keys = &mut self.keys;
            let (group, new) = self.index.find_or_insert(key.hash(), keys.len() as u32, |g| keys[g as usize] == *key);
            if new {
                keys.push(*key);
            }
            groups.push(group);
        }
    }

    /// See [`super::GroupTable::keys`].
    pub fn keys(&mut self, groups: Range<usize>) -> Result<Vec<Column>> {
        let keys = &self.keys[groups];
        (0..self.layout.fields.len())
            .map(|f| {
                let field = &self.layout.fields[f];
                let bits = keys.iter().map(|k| (k.take(field.offset + field.bits, 1) == 0).then(|| k.take(field.offset, field.bits)));
                self.layout.rebuild(f, bits, keys.len())
            })
            .collect()
    }
}

/// Packs the keys of every row; `packed` starts zeroed.
fn pack<K: Packed>(layout: &KeyLayout, values: &[KeyValues], packed: &mut [K]) {
    for (field, value) in layout.fields.iter().zip(values) {
        value.for_each(field.bits, |row, bits| packed[row].put(bits, field.offset));
        if let Some(nulls) = &value.nulls {
            for (row, key) in packed.iter_mut().enumerate() {
                if nulls.is_null(row) {
                    key.put(1, field.offset + field.bits);
                }
            }
        }
    }
}

fn pack_row<K: Packed>(layout: &KeyLayout, values: &[KeyValues], row: usize) -> K {
    let mut key = K::default();
    for (field, value) in layout.fields.iter().zip(values) {
        match value.bits_at(row, field.bits) {
            Some(bits) => key.put(bits, field.offset),
            None => key.put(1, field.offset + field.bits),
        }
    }
    key
}

fn position_of<K: Packed>(direct: &Direct, layout: &KeyLayout, key: K) -> usize {
    let mut at = 0_u64;
    let mut stride = 1_u64;
    for (i, field) in layout.fields.iter().enumerate() {
        if key.take(field.offset + field.bits, 1) == 0 {
            let shift = 64 - field.bits;
            let value = ((key.take(field.offset, field.bits) << shift) as i64) >> shift;
            at += (value.wrapping_sub(direct.mins[i]) as u64 + 1) * stride;
        }
        stride *= direct.spans[i];
    }
    at as usize
}
