//! Bitmap aggregates: `bitmap_union`, `bitmap_union_count`, `bitmap_intersect`, `bitmap_agg`, `bitmap_union_int`,
//! `intersect_count`.

use std::ops::Range;

use common_base::Result;
use common_expr::{
    aggregate_fn::{Accumulator, AggregateFunction},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T, Scalar};

use roaring::RoaringTreemap;

use super::def::{aggregate, idempotent, opaque_state, total};
use crate::kernels::{
    bitmap::{decode, encode},
    def::{INTEGERS, sig},
    ints::{IntArg, from_i64},
    text::{TextArg, TextBuilder},
};

fn bitmap_state(_: &[T], _: &T) -> T {
    T::Bitmap
}

/// The rows of the function table.
pub fn functions() -> Vec<AggregateFunction> {
    let of_bitmap = |result: T| vec![sig([T::Bitmap], result)];
    let of_ints = |result: T| {
        let types = std::iter::once(T::Boolean).chain(INTEGERS).chain([T::varchar()]);
        types.map(|t| sig([t], result.clone())).collect::<Vec<Signature>>()
    };
    let mut all: Vec<AggregateFunction> = vec![
        aggregate(&["bitmap_union"], of_bitmap(T::Bitmap), bitmap_state, |_, _, _| new(Input::Sets, false, false)),
        aggregate(&["bitmap_intersect"], of_bitmap(T::Bitmap), bitmap_state, |_, _, _| new(Input::Sets, false, true)),
        aggregate(&["bitmap_agg"], of_ints(T::Bitmap), bitmap_state, |_, _, _| new(Input::Ints, false, false)),
        total(aggregate(&["bitmap_union_count"], of_bitmap(T::BigInt), bitmap_state, |_, _, _| new(Input::Sets, true, false))),
        total(aggregate(&["bitmap_union_int"], of_ints(T::BigInt), bitmap_state, |_, _, _| new(Input::Ints, true, false))),
    ];
    let dims = Signature::new(vec![TypePattern::Exact(T::Bitmap), TypePattern::Same(0), TypePattern::Same(0)], ResultRule::Exact(T::BigInt));
    all.push(total(aggregate(&["intersect_count"], vec![dims.variadic()], opaque_state, |_, _, constants| {
        let wanted = constants[2..].iter().map(|c| c.clone().unwrap_or_default()).collect();
        Ok(Box::new(IntersectCount { wanted, states: Vec::new(), bytes: 0 }))
    })));
    all.into_iter().map(idempotent).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Input {
    Sets,
    Ints,
}

fn new(input: Input, count: bool, intersect: bool) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(Bitmap { input, count, intersect, states: Vec::new(), bytes: 0 }))
}

/// Rough heap bytes of a set, for accounting.
fn heap(set: &RoaringTreemap) -> usize {
    set.bitmaps().map(|(_, b)| b.serialized_size()).sum::<usize>() + 48
}

struct Bitmap {
    input: Input,
    count: bool,
    intersect: bool,
    states: Vec<Option<RoaringTreemap>>,
    bytes: usize,
}

impl Bitmap {
    fn merge_each(&mut self, col: &Column, rows: usize, group: impl Fn(usize) -> usize) {
        let sets = TextArg::new(col);
        for i in 0..rows {
            let Some(set) = sets.get(i).and_then(decode) else { continue };
            let state = &mut self.states[group(i)];
            match state {
                None => {
                    self.bytes += heap(&set);
                    *state = Some(set);
                }
                Some(s) if self.intersect => *s &= set,
                Some(s) => {
                    self.bytes += heap(&set);
                    *s |= set;
                }
            }
        }
    }

    fn each(&mut self, col: &Column, rows: usize, group: impl Fn(usize) -> usize) {
        if self.input == Input::Sets {
            return self.merge_each(col, rows, group);
        }
        let nulls = col.nulls();
        let text = TextArg::new(col);
        let ints = IntArg::new(col).map(|a| a.to_i128(rows).into_owned());
        for i in (0..rows).filter(|i| nulls.as_ref().is_none_or(|n| n.is_valid(*i))) {
            let value = match &ints {
                Some(v) => u64::try_from(v[i]).ok(),
                None => text.get(i).and_then(|t| std::str::from_utf8(t).ok()?.trim().parse().ok()),
            };
            let state = self.states[group(i)].get_or_insert_with(RoaringTreemap::new);
            if let Some(v) = value
                && state.insert(v)
            {
                self.bytes += 3;
            }
        }
    }

    fn sets(&self, groups: Range<usize>) -> Column {
        let mut out = TextBuilder::new(groups.len());
        for g in groups {
            match &self.states[g] {
                Some(s) => out.push(&encode(s)),
                None => out.push_null(),
            }
        }
        out.finish(&T::Bitmap)
    }
}

impl Accumulator for Bitmap {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, None);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        self.each(&args[0], groups.len(), |i| groups[i] as usize);
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.each(&args[0], rows, |_| group as usize);
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        self.merge_each(states, groups.len(), |i| groups[i] as usize);
        Ok(())
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        Ok(self.sets(groups))
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        if self.count {
            let counts = self.states[groups].iter().map(|s| s.as_ref().map_or(0, |s| s.len() as i64)).collect();
            return Ok(from_i64(&T::BigInt, counts, None));
        }
        Ok(self.sets(groups))
    }

    fn memory_size(&self) -> usize {
        self.states.capacity() * size_of::<Option<RoaringTreemap>>() + self.bytes
    }
}

/// The size of the intersection of the unions per dimension value.
struct IntersectCount {
    wanted: Vec<Scalar>,
    states: Vec<Vec<RoaringTreemap>>,
    bytes: usize,
}

impl Accumulator for IntersectCount {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, vec![RoaringTreemap::new(); self.wanted.len()]);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let sets = TextArg::new(&args[0]);
        for (i, &g) in groups.iter().enumerate() {
            let dim = args[1].scalar(i);
            let Some(at) = self.wanted.iter().position(|w| *w == dim) else { continue };
            if let Some(set) = sets.get(i).and_then(decode) {
                self.bytes += heap(&set);
                self.states[g as usize][at] |= set;
            }
        }
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.update(&vec![group; rows], args)
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        let bytes = TextArg::new(states);
        for (i, &g) in groups.iter().enumerate() {
            let mut rest = bytes.get(i).unwrap_or_default();
            for set in &mut self.states[g as usize] {
                let Some((len, tail)) = rest.split_at_checked(4) else { break };
                let len = u32::from_le_bytes(len.try_into().expect("4 bytes")) as usize;
                let Some((one, tail)) = tail.split_at_checked(len) else { break };
                rest = tail;
                if let Some(other) = decode(one) {
                    self.bytes += heap(&other);
                    *set |= other;
                }
            }
        }
        Ok(())
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        let mut out = TextBuilder::new(groups.len());
        for g in groups {
            for set in &self.states[g] {
                let one = encode(set);
                out.buffer.extend((one.len() as u32).to_le_bytes());
                out.buffer.extend(one);
            }
            out.commit();
        }
        Ok(out.finish(&T::Varbinary(None)))
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let count = |sets: &Vec<RoaringTreemap>| {
            let mut sets = sets.iter();
            let first = sets.next().cloned().unwrap_or_default();
            sets.fold(first, |a, b| a & b).len() as i64
        };
        Ok(from_i64(&T::BigInt, self.states[groups].iter().map(count).collect(), None))
    }

    fn memory_size(&self) -> usize {
        self.states.capacity() * size_of::<Vec<RoaringTreemap>>() + self.bytes
    }
}
