//! `multi_distinct_count(x)` and `multi_distinct_sum(x)`: one hash set of (group, value) for all groups. State: ARRAY of the values.

use std::{hash::Hash, ops::Range};

use common_base::{Result, bail};
use common_expr::aggregate_fn::{Accumulator, AggregateFunction, AggregateOverload};
use common_types::{
    Column, ColumnBuilder, DecimalWidth, LogicalType as T, Scalar,
    hash::hash_columns,
    key_codec::{decode_key, encode_row},
};

use arrow::{buffer::OffsetBuffer, datatypes::i256};
use hashbrown::{HashTable, hash_table::Entry};

use super::{
    def::{aggregate, any_to, idempotent, total},
    sum,
};
use crate::kernels::{
    arith::from_i256,
    hll::mix64,
    ints::{IntArg, Native, from_i64, from_i128},
    num::{F64Arg, from_f64},
    text::TextBuilder,
};

fn array_state(args: &[T], _: &T) -> T {
    T::array(args[0].clone())
}

/// The rows of the function table.
pub fn functions() -> Vec<AggregateFunction> {
    vec![
        idempotent(total(aggregate(&["multi_distinct_count"], any_to(T::BigInt), array_state, |call, _, _| create(call)))),
        idempotent(aggregate(&["multi_distinct_sum"], sum::signatures(), array_state, |call, _, _| create(call))),
    ]
}

fn create(call: &AggregateOverload) -> Result<Box<dyn Accumulator>> {
    let arg = call.args[0].clone();
    let sum = (call.name() == "multi_distinct_sum").then(|| call.result.clone());
    Ok(match &arg {
        T::LargeInt | T::Decimal { width: DecimalWidth::W128, .. } => Box::new(Distinct::<i128>::new(arg, sum)),
        T::Decimal { width: DecimalWidth::W256, .. } => Box::new(DistinctBytes::new(arg, sum)),
        t if t.is_integer_backed() || t.is_float() || matches!(t, T::Boolean | T::Time) => Box::new(Distinct::<i64>::new(arg, sum)),
        t if t.is_groupable() => Box::new(DistinctBytes::new(arg, None)),
        t => bail!(Analysis, "DISTINCT can only be applied to comparable types : {}", t.sql_name()),
    })
}

#[inline(always)]
fn hash_pair(group: u32, value: u64) -> u64 {
    mix64(value ^ u64::from(group).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Values that are integers of one width; doubles by their bits.
struct Distinct<K> {
    ty: T,
    /// Result type when the values are to be summed.
    sum: Option<T>,
    set: HashTable<(u32, K)>,
    counts: Vec<i64>,
    /// Values by group with group starts; computed again after changes.
    sorted: Option<(Vec<u32>, Vec<K>)>,
}

impl<K: Native + Hash> Distinct<K> {
    fn new(ty: T, sum: Option<T>) -> Self {
        Self { ty, sum, set: HashTable::new(), counts: Vec::new(), sorted: None }
    }

    fn hash(group: u32, key: K) -> u64 {
        let wide = key.to_i128();
        hash_pair(group, wide as u64 ^ ((wide >> 64) as u64).wrapping_mul(u64::from(size_of::<K>() == 16)))
    }

    #[inline]
    fn insert(&mut self, group: u32, key: K) {
        let entry = self.set.entry(Self::hash(group, key), |e| *e == (group, key), |e| Self::hash(e.0, e.1));
        if let Entry::Vacant(slot) = entry {
            slot.insert((group, key));
            self.counts[group as usize] += 1;
        }
    }

    fn each(&mut self, col: &Column, rows: usize, group: impl Fn(usize) -> u32) -> Result<()> {
        self.sorted = None;
        let nulls = col.nulls();
        if nulls.as_ref().is_some_and(|n| n.null_count() == rows) {
            return Ok(());
        }
        let keys: Vec<K> = if self.ty.is_float() || self.ty == T::Time {
            // Equal doubles have equal bits once -0.0 is gone.
            F64Arg::new(col, rows)?.values.iter().map(|v| K::from_i128(i128::from((v + 0.0).to_bits() as i64))).collect()
        } else {
            let Some(arg) = IntArg::new(col) else { bail!(Internal, "distinct values of {}", col.ty()) };
            crate::with_ints!(&arg.values, v => v.iter().map(|x| K::from_i128(x.to_i128())).collect(), c => vec![K::from_i128(*c); rows])
        };
        let mut last = None;
        for i in (0..rows).filter(|i| nulls.as_ref().is_none_or(|n| n.is_valid(*i))) {
            // Runs of equal rows are common in sorted data.
            let pair = (group(i), keys[i]);
            if last != Some(pair) {
                self.insert(pair.0, pair.1);
                last = Some(pair);
            }
        }
        Ok(())
    }

    fn sorted(&mut self) -> &(Vec<u32>, Vec<K>) {
        let Self { set, counts, sorted, .. } = self;
        sorted.get_or_insert_with(|| {
            let mut starts = vec![0u32; counts.len() + 1];
            for (g, c) in counts.iter().enumerate() {
                starts[g + 1] = starts[g] + *c as u32;
            }
            let mut next = starts.clone();
            let mut values = vec![K::default(); set.len()];
            for &(g, k) in set.iter() {
                let at = &mut next[g as usize];
                values[*at as usize] = k;
                *at += 1;
            }
            (starts, values)
        })
    }

    fn column(&self, keys: &[K]) -> Column {
        let ints = || keys.iter().map(|k| k.to_i64()).collect::<Vec<i64>>();
        match &self.ty {
            T::Float | T::Double | T::Time => {
                from_f64(&self.ty, keys.iter().map(|k| f64::from_bits(k.to_i64() as u64)).collect(), None)
            }
            T::Boolean => crate::kernels::num::from_bools(keys.iter().map(|k| k.to_i64() != 0).collect(), None),
            _ if size_of::<K>() == 16 => from_i128(&self.ty, keys.iter().map(|k| k.to_i128()).collect(), None),
            _ => from_i64(&self.ty, ints(), None),
        }
    }
}

impl<K: Native + Hash> Accumulator for Distinct<K> {
    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
        self.sorted = None;
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        self.each(&args[0], groups.len(), |i| groups[i])
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.each(&args[0], rows, |_| group)
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        let Some((owners, values)) = unnest(groups, states) else { return Ok(()) };
        self.each(&values, owners.len(), |i| owners[i])
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        self.sorted();
        let (starts, values) = self.sorted.as_ref().expect("computed just above");
        let (from, to) = (starts[groups.start], starts[groups.end]);
        let offsets: Vec<i32> = starts[groups.start..=groups.end].iter().map(|s| (s - from) as i32).collect();
        Column::from_array_parts(OffsetBuffer::new(offsets.into()), self.column(&values[from as usize..to as usize]), None)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let Some(result) = self.sum.clone() else {
            return Ok(from_i64(&T::BigInt, self.counts[groups].to_vec(), None));
        };
        let nulls = self.counts[groups.clone()].contains(&0);
        let nulls = nulls.then(|| self.counts[groups.clone()].iter().map(|c| *c > 0).collect());
        let float = self.ty.is_float();
        let (starts, values) = self.sorted();
        let of = |g: usize| &values[starts[g] as usize..starts[g + 1] as usize];
        if float {
            let sums = groups.map(|g| of(g).iter().map(|k| f64::from_bits(k.to_i64() as u64)).sum()).collect();
            return Ok(from_f64(&result, sums, nulls));
        }
        let sums = groups.map(|g| of(g).iter().fold(0i128, |s, k| s.wrapping_add(k.to_i128()))).collect();
        Ok(from_i128(&result, sums, nulls))
    }

    fn memory_size(&self) -> usize {
        self.set.capacity() * (size_of::<(u32, K)>() + 1) + self.counts.capacity() * 8
    }
}

/// The elements of an ARRAY column with the group of each.
pub fn unnest(groups: &[u32], arrays: &Column) -> Option<(Vec<u32>, Column)> {
    let parts = arrays.array_parts()?;
    let mut owners = Vec::with_capacity(parts.values.len());
    let mut rows = Vec::with_capacity(parts.values.len());
    for (i, &g) in groups.iter().enumerate() {
        if parts.nulls.as_ref().is_none_or(|n| n.is_valid(i)) {
            let range = parts.offsets[i] as u32..parts.offsets[i + 1] as u32;
            owners.extend(std::iter::repeat_n(g, range.len()));
            rows.extend(range);
        }
    }
    Some((owners, parts.values.gather(&rows)))
}

/// Values kept as bytes: text as it is, other types as their key encoding.
struct DistinctBytes {
    ty: T,
    /// Result type when the values, 256-bit decimals, are to be summed.
    sum: Option<T>,
    text: bool,
    /// Group, hash, start and length in the arena.
    set: HashTable<(u32, u64, usize, u32)>,
    arena: Vec<u8>,
    counts: Vec<i64>,
    sorted: Option<(Vec<u32>, Vec<(usize, u32)>)>,
}

impl DistinctBytes {
    fn new(ty: T, sum: Option<T>) -> Self {
        let text = ty.is_string() || ty.is_binary();
        Self { ty, sum, text, set: HashTable::new(), arena: Vec::new(), counts: Vec::new(), sorted: None }
    }

    fn insert(&mut self, group: u32, hash: u64, value: &[u8]) {
        let Self { set, arena, .. } = self;
        let same = |e: &(u32, u64, usize, u32)| e.0 == group && e.1 == hash && arena[e.2..e.2 + e.3 as usize] == *value;
        if let Entry::Vacant(slot) = set.entry(hash, same, |e| e.1) {
            slot.insert((group, hash, arena.len(), value.len() as u32));
            arena.extend_from_slice(value);
            self.counts[group as usize] += 1;
        }
    }

    fn each(&mut self, col: &Column, rows: usize, group: impl Fn(usize) -> u32) {
        self.sorted = None;
        let nulls = col.nulls();
        if nulls.as_ref().is_some_and(|n| n.null_count() == rows) {
            return;
        }
        let mut hashes = Vec::new();
        hash_columns(std::slice::from_ref(col), rows, 0, &mut hashes);
        let view = if self.text { col.str_view() } else { None };
        let mut key = Vec::new();
        for i in (0..rows).filter(|i| nulls.as_ref().is_none_or(|n| n.is_valid(*i))) {
            let g = group(i);
            let hash = hash_pair(g, hashes[i]);
            match &view {
                Some(v) => self.insert(g, hash, v.get(i)),
                None => {
                    key.clear();
                    encode_row(std::slice::from_ref(col), i, &mut key);
                    self.insert(g, hash, &key);
                }
            }
        }
    }

    fn sorted(&mut self) {
        if self.sorted.is_some() {
            return;
        }
        let mut starts = vec![0u32; self.counts.len() + 1];
        for (g, c) in self.counts.iter().enumerate() {
            starts[g + 1] = starts[g] + *c as u32;
        }
        let mut next = starts.clone();
        let mut values = vec![(0, 0); self.set.len()];
        for &(g, _, start, len) in &self.set {
            let at = &mut next[g as usize];
            values[*at as usize] = (start, len);
            *at += 1;
        }
        self.sorted = Some((starts, values));
    }
}

impl DistinctBytes {
    /// The sums of the groups' values; NULL for groups without any.
    fn sums(&mut self, result: &T, groups: Range<usize>) -> Result<Column> {
        self.sorted();
        let (starts, values) = self.sorted.as_ref().expect("computed just above");
        let mut sums = Vec::with_capacity(groups.len());
        for g in groups.clone() {
            let mut sum = i256::ZERO;
            for (start, len) in &values[starts[g] as usize..starts[g + 1] as usize] {
                let key = &self.arena[*start..*start + *len as usize];
                if let Some(Scalar::Decimal256(v, ..)) = decode_key(key, std::slice::from_ref(&self.ty))?.first() {
                    sum = sum.wrapping_add(*v);
                }
            }
            sums.push(sum);
        }
        let nulls = self.counts[groups.clone()].contains(&0);
        let nulls = nulls.then(|| self.counts[groups].iter().map(|c| *c > 0).collect());
        Ok(from_i256(result, sums, nulls))
    }
}

impl Accumulator for DistinctBytes {
    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
        self.sorted = None;
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        self.each(&args[0], groups.len(), |i| groups[i]);
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.each(&args[0], rows, |_| group);
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        if let Some((owners, values)) = unnest(groups, states) {
            self.each(&values, owners.len(), |i| owners[i]);
        }
        Ok(())
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        self.sorted();
        let (starts, values) = self.sorted.as_ref().expect("computed just above");
        let (from, to) = (starts[groups.start], starts[groups.end]);
        let offsets: Vec<i32> = starts[groups.start..=groups.end].iter().map(|s| (s - from) as i32).collect();
        let bytes = values[from as usize..to as usize].iter().map(|(s, l)| &self.arena[*s..*s + *l as usize]);
        let column = if self.text {
            let mut out = TextBuilder::new(bytes.len());
            bytes.for_each(|b| out.push(b));
            out.finish(&self.ty)
        } else {
            let mut out = ColumnBuilder::new(&self.ty, bytes.len());
            for b in bytes {
                let value = decode_key(b, std::slice::from_ref(&self.ty))?.pop().unwrap_or(Scalar::Null);
                out.append(&value)?;
            }
            out.finish()
        };
        Column::from_array_parts(OffsetBuffer::new(offsets.into()), column, None)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        if let Some(result) = self.sum.clone() {
            return self.sums(&result, groups);
        }
        Ok(from_i64(&T::BigInt, self.counts[groups].to_vec(), None))
    }

    fn memory_size(&self) -> usize {
        self.set.capacity() * 33 + self.arena.capacity() + self.counts.capacity() * 8
    }
}

