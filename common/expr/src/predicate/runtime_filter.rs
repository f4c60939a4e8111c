//! Filters a join (or TopN) builds from one side's keys for the other side's scan: bounds plus a membership test.
//!
//! Flow: every builder instance makes a [`RuntimeFilter`] of its keys, partial filters are merged (anywhere, in any order), the
//! result is tested against zones and rows. Invariant: a filter never refuses a key that was put in; it may let others pass.

use arrow::{array::Int64Array, buffer::BooleanBuffer};
use common_base::{Result, bail, ensure, err};
use common_types::{
    Bounds, Column, ColumnBuilder, LogicalType, Repr, Scalar,
    compare::{RowComparator, SortOrder},
    for_codes, for_ints, hash, wire,
};
use proto_messages::Message;
use std::{cmp::Ordering, sync::Arc};

use super::{bloom::Bloom, order::compare_scalars, set::ValueSet};
use crate::eval::{
    Selection,
    mask::{mask_of, retain_rows},
};

/// Bits of the largest bitmap kept (2 MiB).
const MAX_BITS: u64 = 1 << 24;
/// Most values kept one by one.
const MAX_SET: usize = 1024;
/// Seed of the key hashes; part of the format, both sides must agree.
const SEED: u64 = 0x5275_6e46;
/// Format version of [`RuntimeFilter::to_bytes`].
const VERSION: u8 = 1;

/// Membership beyond the bounds.
#[derive(Clone, Debug)]
enum Members {
    /// No key at all: nothing passes.
    Nothing,
    /// Anything within the bounds.
    Anything,
    /// Bit `v - base`.
    Bits { base: i64, words: Vec<u64> },
    Set(ValueSet),
    Bloom(Bloom),
}

/// Keys of one side, in a form that tests the other side.
#[derive(Clone, Debug)]
pub struct RuntimeFilter {
    ty: LogicalType,
    /// Inclusive bounds of the keys; NULL when there is no key.
    min: Scalar,
    max: Scalar,
    accepts_null: bool,
    /// Keys put in, repeats counted.
    keys: u64,
    members: Members,
}

impl RuntimeFilter {
    /// The filter of the keys in some columns of one type; `null_safe` lets NULL match NULL.
    pub fn build(ty: &LogicalType, columns: &[Column], null_safe: bool) -> Self {
        let mut filter = Self {
            ty: ty.clone(),
            min: Scalar::Null,
            max: Scalar::Null,
            accepts_null: false,
            keys: 0,
            members: Members::Nothing,
        };
        let nulls: usize = columns.iter().map(Column::null_count).sum();
        filter.accepts_null = null_safe && nulls > 0;
        filter.keys = (columns.iter().map(Column::len).sum::<usize>() - nulls) as u64;
        if filter.keys == 0 {
            return filter;
        }
        match collect_ints(ty, columns) {
            Some(ints) => filter.fill_ints(ints),
            None => filter.fill_hashed(columns),
        }
        filter
    }

    /// A filter of bounds alone (TopN's current worst row, a range join); NULL = open end. `accepts_null` keeps NULLs.
    pub fn bounds_only(ty: &LogicalType, min: Scalar, max: Scalar, accepts_null: bool) -> Self {
        Self { ty: ty.clone(), min, max, accepts_null, keys: 0, members: Members::Anything }
    }

    fn fill_ints(&mut self, mut ints: Vec<i64>) {
        let (min, max) = ints.iter().fold((i64::MAX, i64::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
        let scalar = |v: i64| Scalar::from_i128(&self.ty, i128::from(v)).unwrap_or(Scalar::Null);
        (self.min, self.max) = (scalar(min), scalar(max));
        let span = Bounds::new(min, max).span();
        if span <= MAX_BITS && span <= (ints.len() as u64 * 64).max(1 << 16) {
            let mut words = vec![0u64; (span as usize).div_ceil(64)];
            for v in &ints {
                let at = v.wrapping_sub(min) as usize;
                words[at / 64] |= 1 << (at % 64);
            }
            self.members = Members::Bits { base: min, words };
            return;
        }
        if ints.len() <= 64 * MAX_SET {
            ints.sort_unstable();
            ints.dedup();
        }
        if ints.len() <= MAX_SET {
            let values: Vec<Scalar> = ints.iter().map(|v| scalar(*v)).collect();
            self.members = Members::Set(ValueSet::new(&self.ty, &values));
            return;
        }
        let mut bloom = Bloom::with_capacity(ints.len());
        for v in ints {
            bloom.insert(hash::hash_i64(SEED, v));
        }
        self.members = Members::Bloom(bloom);
    }

    fn fill_hashed(&mut self, columns: &[Column]) {
        let order = [SortOrder { descending: false, nulls_first: true }];
        let mut distinct = Distinct::default();
        for column in columns {
            // Of a dictionary, the entries: some may be unused, which only lets more pass.
            let values = match column.repr() {
                Repr::Dict { dict, .. } if dict.len() < column.len() => {
                    Column::flat(Arc::new(dict.values().clone()), column.ty().clone())
                }
                Repr::Const(_) => column.slice(0, column.len().min(1)),
                _ => column.clone(),
            };
            let pair = std::slice::from_ref(&values);
            let comparator = RowComparator::new(pair, pair, &order);
            let view = values.str_view();
            let nulls = values.nulls();
            let (mut low, mut high): (Option<usize>, Option<usize>) = (None, None);
            for row in 0..values.len() {
                if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
                    continue;
                }
                if low.is_none_or(|at| comparator.compare(row, at).is_lt()) {
                    low = Some(row);
                }
                if high.is_none_or(|at| comparator.compare(at, row).is_lt()) {
                    high = Some(row);
                }
                if distinct.len() <= MAX_SET {
                    match &view {
                        Some(view) => distinct.add_bytes(view.get(row), || values.scalar(row)),
                        None => distinct.add(values.scalar(row)),
                    }
                }
            }
            if let (Some(low), Some(high)) = (low, high) {
                self.widen(&values.scalar(low), &values.scalar(high));
            }
        }
        if distinct.len() <= MAX_SET {
            self.members = Members::Set(ValueSet::new(&self.ty, &distinct.values));
            return;
        }
        let mut bloom = Bloom::with_capacity(self.keys as usize);
        columns.iter().for_each(|c| insert_hashes(&mut bloom, c));
        self.members = Members::Bloom(bloom);
    }

    fn widen(&mut self, min: &Scalar, max: &Scalar) {
        if self.min.is_null() || compare_scalars(min, &self.min) == Some(Ordering::Less) {
            self.min = min.clone();
        }
        if self.max.is_null() || compare_scalars(max, &self.max) == Some(Ordering::Greater) {
            self.max = max.clone();
        }
    }

    /// Adds another filter's keys.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        ensure!(self.ty.same_kind(&other.ty), Internal, "runtime filters over {} and {} cannot be merged", self.ty, other.ty);
        self.accepts_null |= other.accepts_null;
        if matches!(other.members, Members::Nothing) {
            return Ok(());
        }
        let open = |f: &Self| matches!(f.members, Members::Anything);
        if open(self) || open(other) {
            // An open end of either is an open end of both.
            let fresh = matches!(self.members, Members::Nothing);
            let min = if fresh { other.min.clone() } else { outer(&self.min, &other.min, Ordering::Less) };
            let max = if fresh { other.max.clone() } else { outer(&self.max, &other.max, Ordering::Greater) };
            (self.min, self.max, self.members) = (min, max, Members::Anything);
            return Ok(());
        }
        self.keys += other.keys;
        if let Members::Nothing = self.members {
            (self.min, self.max, self.members) = (other.min.clone(), other.max.clone(), other.members.clone());
            return Ok(());
        }
        self.widen(&other.min, &other.max);
        let mine = std::mem::replace(&mut self.members, Members::Nothing);
        self.members = match (mine, &other.members) {
            (Members::Set(a), Members::Set(b)) if a.values().len() + b.values().len() <= MAX_SET => {
                let all: Vec<Scalar> = a.values().iter().chain(b.values()).cloned().collect();
                Members::Set(ValueSet::new(&self.ty, &all))
            }
            (a, b) => match merge_bits(&a, b) {
                Some(bits) => bits,
                None => {
                    let mut bloom = self.bloom_of(&a);
                    bloom.merge(&self.bloom_of(b));
                    Members::Bloom(bloom)
                }
            },
        };
        if let Members::Bloom(bloom) = &self.members
            && bloom.fill() > 0.6
        {
            self.members = Members::Anything;
        }
        Ok(())
    }

    fn bloom_of(&self, members: &Members) -> Bloom {
        match members {
            Members::Bloom(bloom) => bloom.clone(),
            Members::Bits { base, words } => {
                let count = words.iter().map(|w| w.count_ones() as usize).sum();
                let mut bloom = Bloom::with_capacity(count);
                for v in bit_values(*base, words) {
                    bloom.insert(hash::hash_i64(SEED, v));
                }
                bloom
            }
            Members::Set(set) => {
                let mut bloom = Bloom::with_capacity(set.values().len());
                let mut builder = ColumnBuilder::new(&self.ty, set.values().len());
                let fits = set.values().iter().all(|v| builder.append(v).is_ok());
                debug_assert!(fits, "keys belong to the filter's type");
                insert_hashes(&mut bloom, &builder.finish());
                bloom
            }
            Members::Nothing | Members::Anything => Bloom::with_capacity(1),
        }
    }

    /// The keys' type.
    pub fn ty(&self) -> &LogicalType {
        &self.ty
    }

    /// Bounds of the keys; NULL for an open end.
    pub fn bounds(&self) -> (&Scalar, &Scalar) {
        (&self.min, &self.max)
    }

    /// Whether nothing can pass, so that the probe side need not be read.
    pub fn is_empty(&self) -> bool {
        matches!(self.members, Members::Nothing) && !self.accepts_null
    }

    /// Whether the filter tells more than its bounds.
    pub fn is_selective(&self) -> bool {
        !matches!(self.members, Members::Anything)
    }

    /// The exact keys, when they are few.
    pub fn values(&self) -> Option<&[Scalar]> {
        match &self.members {
            Members::Set(set) => Some(set.values()),
            Members::Nothing => Some(&[]),
            _ => None,
        }
    }

    /// Whether a zone can hold a passing row; NULL bounds are unknown.
    pub fn may_match(&self, min: &Scalar, max: &Scalar, null_count: u64, rows: u64) -> bool {
        if self.accepts_null && null_count > 0 {
            return true;
        }
        if null_count >= rows || matches!(self.members, Members::Nothing) {
            return false;
        }
        if compare_scalars(max, &self.min) == Some(Ordering::Less) || compare_scalars(min, &self.max) == Some(Ordering::Greater) {
            return false;
        }
        match &self.members {
            Members::Bits { base, words } => match (min.as_i128(), max.as_i128()) {
                (Some(low), Some(high)) => any_bit(words, low - i128::from(*base), high - i128::from(*base)),
                _ => true,
            },
            Members::Set(set) => set.values().iter().any(|v| {
                compare_scalars(v, min) != Some(Ordering::Less) && compare_scalars(v, max) != Some(Ordering::Greater)
            }),
            _ => true,
        }
    }

    /// The rows that may have a partner.
    pub fn test(&self, column: &Column) -> Selection {
        Selection::from_mask(&self.mask(column))
    }

    /// One bit per row: whether it may have a partner.
    pub fn mask(&self, column: &Column) -> BooleanBuffer {
        let rows = column.len();
        if column.is_const() && rows > 1 {
            let pass = self.mask(&column.slice(0, 1)).value(0);
            return if pass { BooleanBuffer::new_set(rows) } else { BooleanBuffer::new_unset(rows) };
        }
        if let Repr::Dict { codes, dict } = column.repr()
            && dict.len() <= rows
        {
            let pass: Vec<bool> = self.values_mask(&Column::flat(Arc::new(dict.values().clone()), column.ty().clone())).iter().collect();
            let view = common_types::CodeView::new(codes);
            let mask = for_codes!(view, c => mask_of(c, |code| pass.get(code as usize).copied().unwrap_or(false)));
            return self.with_nulls(column, mask);
        }
        let mask = self.values_mask(column);
        self.with_nulls(column, mask)
    }

    fn with_nulls(&self, column: &Column, mask: BooleanBuffer) -> BooleanBuffer {
        match column.nulls() {
            None => mask,
            Some(valid) if self.accepts_null => &mask | &!valid.inner(),
            Some(valid) => &mask & valid.inner(),
        }
    }

    /// Drops the rows that have no partner.
    pub fn retain(&self, column: &Column, rows: &mut Vec<u32>) {
        if let (Members::Bits { base, words }, Some(view), None) = (&self.members, column.ints_i64(), column.nulls()) {
            for_ints!(view, values => retain_rows(rows, |row| has_bit(words, i64::from(values[row]).wrapping_sub(*base) as u64)));
            return;
        }
        if rows.len() * 4 < column.len() {
            let mask = self.mask(&column.gather(rows));
            let mut k = 0;
            rows.retain(|_| {
                k += 1;
                mask.value(k - 1)
            });
            return;
        }
        let mask = self.mask(column);
        retain_rows(rows, |row| mask.value(row));
    }

    /// One bit per row, any bit for NULL rows.
    fn values_mask(&self, column: &Column) -> BooleanBuffer {
        let rows = column.len();
        match &self.members {
            Members::Nothing => BooleanBuffer::new_unset(rows),
            Members::Anything => self.bounds_mask(column),
            Members::Bits { base, words } => {
                if let Some(view) = column.ints_i64() {
                    let base = *base;
                    return for_ints!(view, values => mask_of(values, |v| has_bit(words, i64::from(v).wrapping_sub(base) as u64)));
                }
                if let Some(values) = column.ints_i128() {
                    return mask_of(values, |v| {
                        i64::try_from(v).is_ok_and(|v| v >= *base && has_bit(words, v.wrapping_sub(*base) as u64))
                    });
                }
                BooleanBuffer::collect_bool(rows, |row| {
                    column.scalar(row).as_i64().is_some_and(|v| has_bit(words, v.wrapping_sub(*base) as u64))
                })
            }
            Members::Set(set) => set.mask(column),
            Members::Bloom(bloom) => {
                if let (Some(view), Some(min), Some(max)) = (column.ints_i64(), self.min.as_i64(), self.max.as_i64()) {
                    return for_ints!(view, values => mask_of(values, |v| {
                        let v = i64::from(v);
                        v >= min && v <= max && bloom.contains(hash::hash_i64(SEED, v))
                    }));
                }
                let mut hashes = Vec::new();
                hash::hash_columns(std::slice::from_ref(column), rows, SEED, &mut hashes);
                mask_of(&hashes, |h| bloom.contains(h))
            }
        }
    }

    fn bounds_mask(&self, column: &Column) -> BooleanBuffer {
        let end = |value: &Scalar| (!value.is_null()).then(|| super::Bound { value: value.clone(), inclusive: true });
        let kind = super::PredicateKind::Range { low: end(&self.min), high: end(&self.max) };
        super::ColumnPredicate::new(0, self.ty.clone(), kind).mask(column)
    }

    /// Bytes held.
    pub fn memory_size(&self) -> usize {
        size_of::<Self>()
            + match &self.members {
                Members::Bits { words, .. } => words.len() * 8,
                Members::Set(set) => set.values().iter().map(|v| 2 * (size_of::<Scalar>() + v.heap_size())).sum(),
                Members::Bloom(bloom) => bloom.size(),
                Members::Nothing | Members::Anything => 0,
            }
    }

    /// Encoded for another node.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION, u8::from(self.accepts_null)];
        out.extend_from_slice(&self.keys.to_le_bytes());
        let put = |bytes: Vec<u8>, out: &mut Vec<u8>| {
            out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            out.extend_from_slice(&bytes);
        };
        put(wire::type_to_proto(&self.ty).encode_to_vec(), &mut out);
        put(wire::scalar_to_proto(&self.min, &self.ty).encode_to_vec(), &mut out);
        put(wire::scalar_to_proto(&self.max, &self.ty).encode_to_vec(), &mut out);
        match &self.members {
            Members::Nothing => out.push(0),
            Members::Anything => out.push(1),
            Members::Bits { base, words } => {
                out.push(2);
                out.extend_from_slice(&base.to_le_bytes());
                words.iter().for_each(|w| out.extend_from_slice(&w.to_le_bytes()));
            }
            Members::Set(set) => {
                out.push(3);
                for value in set.values() {
                    put(wire::scalar_to_proto(value, &self.ty).encode_to_vec(), &mut out);
                }
            }
            Members::Bloom(bloom) => {
                out.push(4);
                bloom.to_bytes(&mut out);
            }
        }
        out
    }

    /// From [`RuntimeFilter::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader(bytes);
        let version = input.take(1)?[0];
        ensure!(version == VERSION, Corruption, "runtime filter of unknown version {version}");
        let accepts_null = input.take(1)?[0] != 0;
        let keys = u64::from_le_bytes(input.take(8)?.try_into().expect("eight bytes"));
        let bad = |e: proto_messages::prost::DecodeError| err!(Corruption, "runtime filter: {e}");
        let ty = wire::type_from_proto(&proto_messages::types::LogicalType::decode(input.block()?).map_err(bad)?)?;
        let scalar = |bytes: &[u8]| wire::scalar_from_proto(&proto_messages::types::Scalar::decode(bytes).map_err(bad)?);
        let min = scalar(input.block()?)?;
        let max = scalar(input.block()?)?;
        let members = match input.take(1)?[0] {
            0 => Members::Nothing,
            1 => Members::Anything,
            2 => {
                let base = i64::from_le_bytes(input.take(8)?.try_into().expect("eight bytes"));
                let words = input.0.chunks_exact(8).map(|w| u64::from_le_bytes(w.try_into().expect("eight bytes"))).collect();
                Members::Bits { base, words }
            }
            3 => {
                let mut values = Vec::new();
                while !input.0.is_empty() {
                    values.push(scalar(input.block()?)?);
                }
                Members::Set(ValueSet::new(&ty, &values))
            }
            4 => Members::Bloom(Bloom::from_bytes(input.0).ok_or_else(|| err!(Corruption, "runtime filter: bloom of a wrong size"))?),
            kind => bail!(Corruption, "runtime filter of unknown kind {kind}"),
        };
        Ok(Self { ty, min, max, accepts_null, keys, members })
    }
}

/// The distinct values of a column, bytes looked up without copying.
#[derive(Default)]
struct Distinct {
    values: Vec<Scalar>,
    bytes: hashbrown::HashSet<Vec<u8>>,
    others: hashbrown::HashSet<Scalar>,
}

impl Distinct {
    fn len(&self) -> usize {
        self.values.len()
    }

    fn add_bytes(&mut self, text: &[u8], value: impl FnOnce() -> Scalar) {
        if !self.bytes.contains(text) {
            self.bytes.insert(text.to_vec());
            self.values.push(value());
        }
    }

    fn add(&mut self, value: Scalar) {
        if self.others.insert(value.clone()) {
            self.values.push(value);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        ensure!(self.0.len() >= n, Corruption, "runtime filter is cut short");
        let (head, rest) = self.0.split_at(n);
        self.0 = rest;
        Ok(head)
    }

    fn block(&mut self) -> Result<&'a [u8]> {
        let len = u32::from_le_bytes(self.take(4)?.try_into().expect("four bytes"));
        self.take(len as usize)
    }
}

/// All keys as i64, when the type is integer-backed and they fit.
fn collect_ints(ty: &LogicalType, columns: &[Column]) -> Option<Vec<i64>> {
    if !ty.is_integer_backed() {
        return None;
    }
    let mut out = Vec::with_capacity(columns.iter().map(Column::len).sum());
    for column in columns {
        if let Some(value) = column.as_const() {
            if !value.is_null() && !column.is_empty() {
                out.push(value.as_i64()?);
            }
            continue;
        }
        let nulls = column.nulls();
        let valid = |row: usize| nulls.as_ref().is_none_or(|n| n.is_valid(row));
        if let Some(view) = column.ints_i64() {
            match &nulls {
                None => view.extend_into(&mut out),
                Some(n) => out.extend(n.valid_indices().map(|row| view.get(row))),
            }
        } else {
            let values = column.ints_i128()?;
            for (row, v) in values.iter().enumerate() {
                if valid(row) {
                    out.push(i64::try_from(*v).ok()?);
                }
            }
        }
    }
    Some(out)
}

fn insert_hashes(bloom: &mut Bloom, column: &Column) {
    let mut hashes = Vec::new();
    hash::hash_columns(std::slice::from_ref(column), column.len(), SEED, &mut hashes);
    let nulls = column.nulls();
    for (row, h) in hashes.iter().enumerate() {
        if nulls.as_ref().is_none_or(|n| n.is_valid(row)) {
            bloom.insert(*h);
        }
    }
}

/// The bound further out; an open (NULL) one wins.
fn outer(a: &Scalar, b: &Scalar, side: Ordering) -> Scalar {
    match compare_scalars(a, b) {
        None => Scalar::Null,
        Some(order) if order == side => a.clone(),
        Some(_) => b.clone(),
    }
}

#[inline(always)]
fn has_bit(words: &[u64], at: u64) -> bool {
    words.get((at / 64) as usize).is_some_and(|w| w >> (at % 64) & 1 == 1)
}

/// Whether a bit in `low..=high` is set.
fn any_bit(words: &[u64], low: i128, high: i128) -> bool {
    let last = words.len() as i128 * 64 - 1;
    let (low, high) = (low.max(0), high.min(last));
    if low > high {
        return false;
    }
    let (low, high) = (low as usize, high as usize);
    let (first, end) = (low / 64, high / 64);
    (first..=end).any(|i| {
        let mut word = words[i];
        if i == first {
            word &= !0 << (low % 64);
        }
        if i == end {
            word &= !0 >> (63 - high % 64);
        }
        word != 0
    })
}

fn bit_values(base: i64, words: &[u64]) -> impl Iterator<Item = i64> + '_ {
    words.iter().enumerate().flat_map(move |(i, word)| {
        (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| base.wrapping_add((i * 64 + bit) as i64))
    })
}

/// The union as one bitmap, when both are integers that lie close enough together.
fn merge_bits(a: &Members, b: &Members) -> Option<Members> {
    let ends = |m: &Members| -> Option<(i64, i64)> {
        match m {
            Members::Bits { base, words } => Some((*base, base.saturating_add(words.len() as i64 * 64 - 1))),
            Members::Set(set) => Some((set.values().first()?.as_i64()?, set.values().last()?.as_i64()?)),
            _ => None,
        }
    };
    if !matches!(a, Members::Bits { .. }) && !matches!(b, Members::Bits { .. }) {
        return None;
    }
    let ((a_min, a_max), (b_min, b_max)) = (ends(a)?, ends(b)?);
    let bounds = Bounds::new(a_min.min(b_min), a_max.max(b_max));
    if bounds.span() > MAX_BITS {
        return None;
    }
    let mut words = vec![0u64; (bounds.span() as usize).div_ceil(64)];
    let mut set = |v: i64| {
        let at = v.wrapping_sub(bounds.min) as usize;
        words[at / 64] |= 1 << (at % 64);
    };
    for members in [a, b] {
        match members {
            Members::Bits { base, words } => bit_values(*base, words).for_each(&mut set),
            Members::Set(values) => values.values().iter().filter_map(Scalar::as_i64).for_each(&mut set),
            _ => return None,
        }
    }
    Some(Members::Bits { base: bounds.min, words })
}

/// Keys as a column, for callers that have plain integers.
pub fn int_keys(ty: &LogicalType, keys: Vec<i64>) -> Column {
    let bounds = keys.iter().fold(Bounds::new(i64::MAX, i64::MIN), |b, v| Bounds::new(b.min.min(*v), b.max.max(*v)));
    Column::narrow(Arc::new(Int64Array::from(keys)), bounds, ty.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ints(values: impl IntoIterator<Item = i64>) -> Column {
        int_keys(&LogicalType::BigInt, values.into_iter().collect())
    }

    fn strings(values: impl IntoIterator<Item = String>) -> Column {
        let mut b = ColumnBuilder::new(&LogicalType::varchar(), 0);
        values.into_iter().for_each(|v| b.append_bytes(v.as_bytes()).expect("a string"));
        b.finish()
    }

    fn round_trip(f: &RuntimeFilter) -> RuntimeFilter {
        RuntimeFilter::from_bytes(&f.to_bytes()).expect("decodes")
    }

    #[test]
    fn every_kind_accepts_its_keys_and_survives_the_wire() {
        let ty = LogicalType::BigInt;
        let dense = RuntimeFilter::build(&ty, &[ints(0..5000)], false);
        let sparse = RuntimeFilter::build(&ty, &[ints((0..50).map(|v| v * 1_000_000_007))], false);
        let many = RuntimeFilter::build(&ty, &[ints((0..5000).map(|v| v * 1_000_000_007))], false);
        assert!(matches!(dense.members, Members::Bits { .. }));
        assert!(matches!(sparse.members, Members::Set(_)));
        assert!(matches!(many.members, Members::Bloom(_)));
        for (f, keys) in [(&dense, ints(0..5000)), (&sparse, ints((0..50).map(|v| v * 1_000_000_007))), (&many, ints((0..5000).map(|v| v * 1_000_000_007)))] {
            assert!(f.test(&keys).is_all());
            assert!(round_trip(f).test(&keys).is_all());
            let strangers = ints((0..1000).map(|v| v * 1_000_000_007 + 500_000_011));
            assert!(f.test(&strangers).len() < 60);
        }
        let mut all = dense.clone();
        all.merge(&many).expect("merges");
        all.merge(&sparse).expect("merges");
        assert!(all.test(&ints(0..5000)).is_all());
        assert!(all.test(&ints((0..5000).map(|v| v * 1_000_000_007))).is_all());
    }

    #[test]
    fn strings_and_zones() {
        let ty = LogicalType::varchar();
        let few = RuntimeFilter::build(&ty, &[strings(["b".to_owned(), "d".to_owned()])], false);
        assert_eq!(few.test(&strings(["a", "b", "c", "d"].map(str::to_owned))), Selection::Rows(vec![1, 3]));
        assert!(!few.may_match(&Scalar::string("e"), &Scalar::string("f"), 0, 10));
        assert!(!few.may_match(&Scalar::string("c"), &Scalar::string("cc"), 0, 10));
        let mut many = RuntimeFilter::build(&ty, &[strings((0..3000).map(|i| format!("key {i}")))], true);
        many.merge(&few).expect("merges");
        let back = round_trip(&many);
        assert!(back.test(&strings((0..3000).map(|i| format!("key {i}")))).is_all());
        assert_eq!(back.test(&strings(["b".to_owned()])).len(), 1);
        let empty = RuntimeFilter::build(&ty, &[], false);
        assert!(empty.is_empty() && round_trip(&empty).is_empty());
        let mut merged = empty;
        merged.merge(&few).expect("merges");
        assert_eq!(merged.test(&strings(["b".to_owned(), "x".to_owned()])).len(), 1);
    }
}
