//! Exact sums of integers and unscaled decimals per group.
//!
//! Values are added in 64 bits for as long as what was added so far cannot have overflowed them; then the 64-bit parts are
//! moved into 128-bit ones and counting starts over.

use arrow::buffer::NullBuffer;

use crate::kernels::{
    group,
    ints::{IntArg, max_abs},
};

/// Sums of groups `0..n`.
#[derive(Default)]
pub struct IntSums {
    low: Vec<i64>,
    /// Empty until the first carry.
    high: Vec<i128>,
    /// No group's `low` can exceed this magnitude.
    used: u128,
    groups: usize,
}

impl IntSums {
    /// Makes room for more groups.
    pub fn resize(&mut self, groups: usize) {
        self.groups = groups;
        self.low.resize(groups, 0);
        if !self.high.is_empty() {
            self.high.resize(groups, 0);
        }
    }

    fn carry(&mut self) {
        self.high.resize(self.groups, 0);
        for (h, l) in self.high.iter_mut().zip(&mut self.low) {
            *h = h.wrapping_add(i128::from(*l));
            *l = 0;
        }
        self.used = 0;
    }

    /// Whether `rows` more values of the argument may be added in 64 bits.
    fn fits(&mut self, arg: &IntArg<'_>, rows: usize) -> bool {
        let most = max_abs(arg).saturating_mul(rows as u128);
        if most > i64::MAX as u128 {
            return false;
        }
        if self.used + most > i64::MAX as u128 {
            self.carry();
        }
        self.used += most;
        true
    }

    /// Adds every valid row to its group.
    pub fn add(&mut self, groups: &[u32], arg: &IntArg<'_>, nulls: Option<&NullBuffer>) {
        if self.fits(arg, groups.len()) {
            group::add_i64(&mut self.low, groups, &arg.values, nulls);
        } else {
            self.high.resize(self.groups, 0);
            group::add_i128(&mut self.high, groups, &arg.values, nulls);
        }
    }

    /// Adds every valid row to one group.
    pub fn add_all(&mut self, group: usize, arg: &IntArg<'_>, nulls: Option<&NullBuffer>, rows: usize) {
        if self.fits(arg, rows) {
            self.low[group] = self.low[group].wrapping_add(group::sum_i64(&arg.values, nulls, rows));
        } else {
            let sum = group::sum_i128(&arg.values, nulls, rows);
            self.high.resize(self.groups, 0);
            self.high[group] = self.high[group].wrapping_add(sum);
        }
    }

    /// One group's sum.
    #[inline]
    pub fn get(&self, group: usize) -> i128 {
        self.high.get(group).copied().unwrap_or(0).wrapping_add(i128::from(self.low[group]))
    }

    /// Bytes held.
    pub fn memory_size(&self) -> usize {
        self.low.capacity() * 8 + self.high.capacity() * 16
    }
}
