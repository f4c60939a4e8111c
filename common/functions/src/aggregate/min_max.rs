//! `min(x)` and `max(x)` over any ordered scalar type.

use std::{marker::PhantomData, ops::Range};

use common_base::{Result, bail};
use common_expr::{
    aggregate_fn::{Accumulator, AggregateFunction, AggregateOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, DecimalWidth, LogicalType as T, StrView, compare::compare_rows, for_codes};

use arrow::{array::BooleanArray, buffer::NullBuffer};

use super::{
    def::{aggregate, idempotent, state_is_result},
    rows::RowStore,
    seen::Seen,
};
use crate::{
    kernels::{
        group,
        ints::{IntArg, Native, from_i64, from_i128},
        num::{F64Arg, from_f64},
        text::TextBuilder,
    },
    with_ints,
};

/// Which end is kept.
trait End: Send + 'static {
    const MAX: bool;
    /// Whether `a` replaces `b`.
    fn better<V: PartialOrd>(a: V, b: V) -> bool;
}
struct Min;
struct Max;
impl End for Min {
    const MAX: bool = false;
    #[inline(always)]
    fn better<V: PartialOrd>(a: V, b: V) -> bool {
        a < b
    }
}
impl End for Max {
    const MAX: bool = true;
    #[inline(always)]
    fn better<V: PartialOrd>(a: V, b: V) -> bool {
        a > b
    }
}

/// The rows of the function table.
pub fn functions() -> Vec<AggregateFunction> {
    let any = || vec![Signature::new(vec![TypePattern::Any], ResultRule::Arg(0))];
    vec![
        idempotent(aggregate(&["min"], any(), state_is_result, |call, _, _| create::<Min>(call))),
        idempotent(aggregate(&["max"], any(), state_is_result, |call, _, _| create::<Max>(call))),
    ]
}

fn create<E: End>(call: &AggregateOverload) -> Result<Box<dyn Accumulator>> {
    let ty = call.result.clone();
    Ok(match &ty {
        T::LargeInt | T::Decimal { width: DecimalWidth::W128, .. } => Box::new(IntEnd::<i128, E>::new(ty)),
        T::Boolean => Box::new(IntEnd::<i64, E>::new(ty)),
        t if t.is_integer_backed() => Box::new(IntEnd::<i64, E>::new(ty)),
        T::Float | T::Double | T::Time => Box::new(FloatEnd::<E> { ty, states: Vec::new(), seen: Seen::default(), end: PhantomData }),
        t if t.is_string() || t.is_binary() => Box::new(TextEnd::<E>::new(ty)),
        T::Null => Box::new(AnyEnd::<E> { ty, store: RowStore::new(), end: PhantomData }),
        t if t.is_orderable() => Box::new(AnyEnd::<E> { ty, store: RowStore::new(), end: PhantomData }),
        t => bail!(
            Analysis,
            "Type (nested) percentile/hll/bitmap/json/struct/map not support this aggregation function: {}",
            t.sql_name()
        ),
    })
}

/// Integer-backed types, kept in one width.
struct IntEnd<S, E> {
    ty: T,
    states: Vec<S>,
    seen: Seen,
    end: PhantomData<E>,
}

impl<S: Native, E: End> IntEnd<S, E> {
    fn new(ty: T) -> Self {
        Self { ty, states: Vec::new(), seen: Seen::default(), end: PhantomData }
    }

    /// What every value replaces.
    fn start() -> S {
        S::from_i128(if E::MAX { S::MIN } else { S::MAX })
    }

    fn better(a: S, b: S) -> S {
        if E::MAX { a.max(b) } else { a.min(b) }
    }
}

impl<S: Native, E: End> Accumulator for IntEnd<S, E> {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, Self::start());
        self.seen.resize(groups);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let Some(arg) = IntArg::new(&args[0]) else { return Ok(()) };
        let nulls = args[0].nulls();
        let nulls = nulls.as_ref();
        with_ints!(&arg.values, v => {
            group::keep(&mut self.states, groups, v, nulls, |x| S::from_i128(x.to_i128()), Self::better)
        }, c => {
            let c = S::from_i128(*c);
            group::for_valid(&mut self.states, groups, nulls, |s, _| *s = Self::better(*s, c))
        });
        self.seen.mark_rows(groups, nulls);
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        let nulls = args[0].nulls();
        let Some(arg) = IntArg::new(&args[0]) else { return Ok(()) };
        if nulls.as_ref().map_or(0, NullBuffer::null_count) == rows {
            return Ok(());
        }
        let found = with_ints!(&arg.values, v => {
            fn end_of<V: Native>(v: &[V], nulls: Option<&NullBuffer>, max: bool) -> i128 {
                let start = V::from_i128(if max { V::MIN } else { V::MAX });
                if max { group::best(v, nulls, start, Ord::max) } else { group::best(v, nulls, start, Ord::min) }.to_i128()
            }
            end_of(v, nulls.as_ref(), E::MAX)
        }, c => *c);
        let state = &mut self.states[group as usize];
        *state = Self::better(*state, S::from_i128(found));
        self.seen.mark(group as usize);
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        self.update(groups, std::slice::from_ref(states))
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        self.finish(groups)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let nulls = self.seen.nulls(groups.clone());
        let values = &self.states[groups];
        if self.ty == T::Boolean {
            let bits = values.iter().map(|v| v.to_i64() == 1).collect();
            return Ok(Column::flat(std::sync::Arc::new(BooleanArray::new(bits, nulls)), T::Boolean));
        }
        Ok(if size_of::<S>() == 16 {
            from_i128(&self.ty, values.iter().map(|v| v.to_i128()).collect(), nulls)
        } else {
            from_i64(&self.ty, values.iter().map(|v| v.to_i64()).collect(), nulls)
        })
    }

    fn memory_size(&self) -> usize {
        self.states.capacity() * size_of::<S>() + self.seen.memory_size()
    }
}

/// FLOAT, DOUBLE and TIME.
struct FloatEnd<E> {
    ty: T,
    states: Vec<f64>,
    seen: Seen,
    end: PhantomData<E>,
}

impl<E: End> Accumulator for FloatEnd<E> {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, if E::MAX { f64::NEG_INFINITY } else { f64::INFINITY });
        self.seen.resize(groups);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let arg = F64Arg::new(&args[0], groups.len())?;
        let nulls = args[0].nulls();
        let v = &arg.values;
        group::for_valid(&mut self.states, groups, nulls.as_ref(), |s, i| {
            if E::better(v[i], *s) {
                *s = v[i];
            }
        });
        self.seen.mark_rows(groups, nulls.as_ref());
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        let nulls = args[0].nulls();
        if nulls.as_ref().map_or(0, NullBuffer::null_count) == rows {
            return Ok(());
        }
        let arg = F64Arg::new(&args[0], rows)?;
        let state = &mut self.states[group as usize];
        for i in (0..rows).filter(|i| nulls.as_ref().is_none_or(|n| n.is_valid(*i))) {
            if E::better(arg.values[i], *state) {
                *state = arg.values[i];
            }
        }
        self.seen.mark(group as usize);
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        self.update(groups, std::slice::from_ref(states))
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        self.finish(groups)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let nulls = self.seen.nulls(groups.clone());
        Ok(from_f64(&self.ty, self.states[groups].to_vec(), nulls))
    }

    fn memory_size(&self) -> usize {
        self.states.capacity() * 8 + self.seen.memory_size()
    }
}

/// Strings: the kept bytes lie in one arena, which is rewritten when most of it is garbage.
struct TextEnd<E> {
    ty: T,
    arena: Vec<u8>,
    /// Start, length (`u32::MAX` is none) and the first bytes as a big-endian number, which decide most comparisons.
    states: Vec<(usize, u32, u32)>,
    live: usize,
    end: PhantomData<E>,
}

const NO_TEXT: (usize, u32, u32) = (0, u32::MAX, 0);

/// The first four bytes, zero-padded, so that their order as numbers never contradicts that of the texts.
#[inline(always)]
fn head(text: &[u8]) -> u32 {
    match text.first_chunk::<4>() {
        Some(four) => u32::from_be_bytes(*four),
        None => text.iter().enumerate().fold(0, |h, (i, b)| h | u32::from(*b) << (24 - 8 * i)),
    }
}

impl<E: End> TextEnd<E> {
    fn new(ty: T) -> Self {
        Self { ty, arena: Vec::new(), states: Vec::new(), live: 0, end: PhantomData }
    }

    fn get(&self, group: usize) -> Option<&[u8]> {
        let (start, len, _) = self.states[group];
        (len != u32::MAX).then(|| &self.arena[start..start + len as usize])
    }

    #[inline]
    fn offer(&mut self, group: usize, value: &[u8]) {
        let first = head(value);
        let (_, len, kept) = self.states[group];
        if len != u32::MAX && first != kept && !E::better(first, kept) {
            return;
        }
        match self.get(group) {
            Some(old) if !E::better(value, old) => {}
            old => {
                let (start, len, _) = self.states[group];
                let old_len = old.map_or(0, <[u8]>::len);
                self.live = self.live + value.len() - old_len;
                if len != u32::MAX && value.len() <= old_len {
                    self.arena[start..start + value.len()].copy_from_slice(value);
                    self.states[group] = (start, value.len() as u32, first);
                } else {
                    self.states[group] = (self.arena.len(), value.len() as u32, first);
                    self.arena.extend_from_slice(value);
                    if self.arena.len() > 2 * self.live + (1 << 16) {
                        self.rewrite();
                    }
                }
            }
        }
    }

    fn rewrite(&mut self) {
        let mut arena = Vec::with_capacity(self.live + self.live / 2);
        for (start, len, _) in &mut self.states {
            if *len != u32::MAX {
                let at = arena.len();
                arena.extend_from_slice(&self.arena[*start..*start + *len as usize]);
                *start = at;
            }
        }
        self.arena = arena;
    }
}

impl<E: End> Accumulator for TextEnd<E> {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, NO_TEXT);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let Some(view) = args[0].str_view() else { return Ok(()) };
        match args[0].nulls() {
            None => groups.iter().enumerate().for_each(|(i, &g)| self.offer(g as usize, view.get(i))),
            Some(n) => n.valid_indices().for_each(|i| self.offer(groups[i] as usize, view.get(i))),
        }
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        let Some(view) = args[0].str_view() else { return Ok(()) };
        let nulls = args[0].nulls();
        let group = group as usize;
        match view {
            StrView::Const(v) if rows > 0 => self.offer(group, v),
            StrView::Const(_) => {}
            // Each dictionary entry in use is offered once.
            StrView::Dict { codes, dict } if dict.len() <= rows => {
                let mut used = vec![false; dict.len()];
                for_codes!(codes, c => match &nulls {
                    None => c.iter().for_each(|&code| used[code as usize] = true),
                    Some(n) => n.valid_indices().for_each(|i| used[c[i] as usize] = true),
                });
                (0..dict.len()).filter(|i| used[*i]).for_each(|i| self.offer(group, dict.value(i)));
            }
            view => {
                let mut best: Option<&[u8]> = None;
                let mut kept = 0;
                for i in (0..rows).filter(|i| nulls.as_ref().is_none_or(|n| n.is_valid(*i))) {
                    let v = view.get(i);
                    let first = head(v);
                    let better = match best {
                        Some(b) if first == kept => E::better(v, b),
                        Some(_) => E::better(first, kept),
                        None => true,
                    };
                    if better {
                        (best, kept) = (Some(v), first);
                    }
                }
                if let Some(v) = best {
                    self.offer(group, v);
                }
            }
        }
        Ok(())
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        self.update(groups, std::slice::from_ref(states))
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        self.finish(groups)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let mut out = TextBuilder::new(groups.len());
        groups.for_each(|g| out.push_opt(self.get(g)));
        Ok(out.finish(&self.ty))
    }

    fn memory_size(&self) -> usize {
        self.arena.capacity() + self.states.capacity() * size_of::<(usize, u32, u32)>()
    }
}

/// Everything else that has an order: 256-bit decimals, arrays, structs.
struct AnyEnd<E> {
    ty: T,
    store: RowStore,
    end: PhantomData<E>,
}

impl<E: End> AnyEnd<E> {
    fn better(a: &Column, i: usize, b: &Column, j: usize) -> bool {
        let o = compare_rows(a, i, b, j, true, false);
        if E::MAX { o.is_gt() } else { o.is_lt() }
    }
}

impl<E: End> Accumulator for AnyEnd<E> {
    fn resize(&mut self, groups: usize) {
        self.store.resize(groups);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let chosen = super::max_by::choose(&self.store, groups, &args[0], 0, Self::better);
        self.store.put(&args[..1], &chosen);
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.update(&vec![group; rows], args)
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        self.update(groups, std::slice::from_ref(states))
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        self.finish(groups)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        Ok(self.store.column(0, &self.ty, groups))
    }

    fn memory_size(&self) -> usize {
        self.store.memory_size()
    }
}
