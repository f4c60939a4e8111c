//! Loops that fold rows into the states of their groups, and folds of a whole column into one state.
//!
//! The group numbers of a chunk are checked against the number of states once; the loops then index without checks.

use arrow::buffer::NullBuffer;

use super::ints::{Ints, Native};
use crate::with_ints;

/// Up to this many groups an addition alternates between private copies of the states: neighbouring rows of one group would
/// otherwise wait for each other's store.
const FEW_GROUPS: usize = 64;
const COPIES: usize = 4;

/// Panics if a group has no state: the caller must have resized first.
fn check(groups: &[u32], states: usize) {
    let most = groups.iter().copied().max();
    assert!(most.is_none_or(|g| (g as usize) < states), "group {most:?} has no state ({states} groups)");
}

/// `f(state of the row's group, row)` for every row.
#[inline(always)]
fn for_rows<S>(states: &mut [S], groups: &[u32], mut f: impl FnMut(&mut S, usize)) {
    check(groups, states.len());
    for (i, &g) in groups.iter().enumerate() {
        // SAFETY: `check` saw every group number below the length of `states`.
        f(unsafe { states.get_unchecked_mut(g as usize) }, i);
    }
}

/// `f(state of the row's group, row)` for every valid row.
#[inline(always)]
pub fn for_valid<S>(states: &mut [S], groups: &[u32], nulls: Option<&NullBuffer>, mut f: impl FnMut(&mut S, usize)) {
    match nulls {
        None => for_rows(states, groups, f),
        Some(n) => {
            check(groups, states.len());
            for i in n.valid_indices() {
                f(&mut states[groups[i] as usize], i);
            }
        }
    }
}

/// Adds a number per row to the states, through private copies when the groups are few.
#[inline(always)]
fn add_each<S: Copy + Default>(states: &mut [S], groups: &[u32], value: impl Fn(usize) -> S, plus: impl Fn(S, S) -> S) {
    check(groups, states.len());
    let n = states.len();
    if n > FEW_GROUPS || groups.len() < 4 * COPIES {
        for_rows(states, groups, |s, i| *s = plus(*s, value(i)));
        return;
    }
    let mut copies = [[S::default(); FEW_GROUPS]; COPIES];
    let mut rows = groups.chunks_exact(COPIES);
    let mut at = 0;
    for chunk in &mut rows {
        for (copy, &g) in copies.iter_mut().zip(chunk) {
            // Masking replaces the bounds check: the number is below FEW_GROUPS already.
            let s = &mut copy[g as usize & (FEW_GROUPS - 1)];
            *s = plus(*s, value(at));
            at += 1;
        }
    }
    for &g in rows.remainder() {
        let s = &mut copies[0][g as usize & (FEW_GROUPS - 1)];
        *s = plus(*s, value(at));
        at += 1;
    }
    for (g, state) in states.iter_mut().enumerate() {
        *state = copies.iter().fold(*state, |s, copy| plus(s, copy[g]));
    }
}

/// Adds one per valid row.
pub fn count(states: &mut [i64], groups: &[u32], nulls: Option<&NullBuffer>) {
    match nulls {
        None => add_each(states, groups, |_| 1i64, |a, b| a + b),
        Some(n) => {
            let bits = n.inner();
            add_each(states, groups, |i| i64::from(bits.value(i)), |a, b| a + b);
        }
    }
}

/// Adds values to 64-bit states, wrapping.
pub fn add_i64(states: &mut [i64], groups: &[u32], values: &Ints<'_>, nulls: Option<&NullBuffer>) {
    with_ints!(values, v => match nulls {
        None => {
            let v = &v[..groups.len()];
            // SAFETY: row numbers run over `groups`, and `v` has that length.
            add_each(states, groups, |i| unsafe { v.get_unchecked(i) }.to_i64(), i64::wrapping_add)
        }
        Some(n) => for_valid(states, groups, Some(n), |s, i| *s = s.wrapping_add(v[i].to_i64())),
    }, c => {
        let c = *c as i64;
        for_valid(states, groups, nulls, |s, _| *s = s.wrapping_add(c))
    });
}

/// Adds values to 128-bit states, wrapping.
pub fn add_i128(states: &mut [i128], groups: &[u32], values: &Ints<'_>, nulls: Option<&NullBuffer>) {
    with_ints!(values, v => for_valid(states, groups, nulls, |s, i| *s = s.wrapping_add(v[i].to_i128())),
        c => for_valid(states, groups, nulls, |s, _| *s = s.wrapping_add(*c)));
}

/// Adds doubles.
pub fn add_f64(states: &mut [f64], groups: &[u32], values: &[f64], nulls: Option<&NullBuffer>) {
    match nulls {
        None => {
            let v = &values[..groups.len()];
            // SAFETY: row numbers run over `groups`, and `v` has that length.
            add_each(states, groups, |i| unsafe { *v.get_unchecked(i) }, |a, b| a + b)
        }
        Some(n) => for_valid(states, groups, Some(n), |s, i| *s += values[i]),
    }
}

/// Keeps the better of state and value, by `better(value, state)`.
pub fn keep<T: Native, S: Native>(
    states: &mut [S],
    groups: &[u32],
    values: &[T],
    nulls: Option<&NullBuffer>,
    widen: impl Fn(T) -> S,
    better: impl Fn(S, S) -> S,
) {
    let values = &values[..groups.len()];
    for_valid(states, groups, nulls, |s, i| *s = better(*s, widen(values[i])));
}

/// Calls `full` for runs of 64 valid rows and `one` for the other valid rows.
#[inline(always)]
fn valid_runs(rows: usize, nulls: Option<&NullBuffer>, mut full: impl FnMut(std::ops::Range<usize>), mut one: impl FnMut(usize)) {
    let Some(n) = nulls else {
        full(0..rows);
        return;
    };
    let chunks = n.inner().bit_chunks();
    for (w, word) in chunks.iter().enumerate() {
        if word == u64::MAX {
            full(w * 64..w * 64 + 64);
        } else {
            let mut bits = word;
            while bits != 0 {
                one(w * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }
    let base = chunks.chunk_len() * 64;
    let mut bits = chunks.remainder_bits();
    while bits != 0 {
        one(base + bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}

/// The wrapping 64-bit sum of the valid values.
pub fn sum_i64(values: &Ints<'_>, nulls: Option<&NullBuffer>, rows: usize) -> i64 {
    let valid = (rows - nulls.map_or(0, NullBuffer::null_count)) as i64;
    with_ints!(values, v => {
        let (mut runs, mut single) = (0i64, 0i64);
        valid_runs(rows, nulls, |r| runs = runs.wrapping_add(sum_slice(&v[r])), |i| single = single.wrapping_add(v[i].to_i64()));
        runs.wrapping_add(single)
    }, c => (*c as i64).wrapping_mul(valid))
}

#[inline(always)]
fn sum_slice<T: Native>(v: &[T]) -> i64 {
    v.iter().fold(0i64, |s, x| s.wrapping_add(x.to_i64()))
}

/// The wrapping 128-bit sum of the valid values.
pub fn sum_i128(values: &Ints<'_>, nulls: Option<&NullBuffer>, rows: usize) -> i128 {
    let valid = (rows - nulls.map_or(0, NullBuffer::null_count)) as i128;
    with_ints!(values, v => {
        let (mut runs, mut single) = (0i128, 0i128);
        valid_runs(rows, nulls, |r| runs = v[r].iter().fold(runs, |s, x| s.wrapping_add(x.to_i128())), |i| single = single.wrapping_add(v[i].to_i128()));
        runs.wrapping_add(single)
    }, c => c.wrapping_mul(valid))
}

/// The sum of the valid doubles, in four lanes so that it vectorises.
pub fn sum_f64(values: &[f64], nulls: Option<&NullBuffer>) -> f64 {
    let (mut runs, mut single) = (0.0, 0.0);
    valid_runs(
        values.len(),
        nulls,
        |r| {
            let mut lanes = [0.0; 8];
            let mut chunks = values[r].chunks_exact(8);
            for c in &mut chunks {
                for (lane, v) in lanes.iter_mut().zip(c) {
                    *lane += v;
                }
            }
            runs += lanes.iter().sum::<f64>() + chunks.remainder().iter().sum::<f64>();
        },
        |i| single += values[i],
    );
    runs + single
}

/// The best valid value under `better`, starting from `start`.
pub fn best<T: Native>(values: &[T], nulls: Option<&NullBuffer>, start: T, better: impl Fn(T, T) -> T) -> T {
    let (mut runs, mut single) = (start, start);
    valid_runs(values.len(), nulls, |r| runs = values[r].iter().fold(runs, |a, &b| better(a, b)), |i| single = better(single, values[i]));
    better(runs, single)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_by_group_with_and_without_nulls() {
        let values: Vec<i32> = (0..1000).collect();
        for n in [3usize, 300] {
            let groups: Vec<u32> = (0..1000).map(|i| (i * 7 % n) as u32).collect();
            let nulls = NullBuffer::from_iter((0..1000).map(|i| i % 5 != 0));
            for nulls in [None, Some(&nulls)] {
                let mut want = vec![0i64; n];
                let mut rows = vec![0i64; n];
                for i in (0..1000).filter(|i| nulls.is_none_or(|n| n.is_valid(*i))) {
                    want[groups[i] as usize] += i64::from(values[i]);
                    rows[groups[i] as usize] += 1;
                }
                let mut got = vec![0i64; n];
                add_i64(&mut got, &groups, &Ints::I32(&values), nulls);
                assert_eq!(got, want);
                let mut counted = vec![0i64; n];
                count(&mut counted, &groups, nulls);
                assert_eq!(counted, rows);
                assert_eq!(sum_i64(&Ints::I32(&values), nulls, 1000), want.iter().sum::<i64>());
                let doubles: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
                assert_eq!(sum_f64(&doubles, nulls), want.iter().sum::<i64>() as f64);
                assert_eq!(best(&values, nulls, i32::MIN, Ord::max), 999);
            }
        }
    }
}
