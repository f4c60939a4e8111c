//! Which groups have seen a value: a flag each, and no work left once every group has.

use std::ops::Range;

use arrow::buffer::NullBuffer;

/// Flags of groups `0..n`.
#[derive(Default)]
pub struct Seen {
    flags: Vec<bool>,
    missing: usize,
}

impl Seen {
    /// Makes room for more groups.
    pub fn resize(&mut self, groups: usize) {
        self.missing += groups - self.flags.len();
        self.flags.resize(groups, false);
    }

    /// Marks one group.
    #[inline]
    pub fn mark(&mut self, group: usize) {
        let flag = &mut self.flags[group];
        self.missing -= usize::from(!*flag);
        *flag = true;
    }

    /// Marks the group of every valid row.
    pub fn mark_rows(&mut self, groups: &[u32], nulls: Option<&NullBuffer>) {
        if self.missing == 0 {
            return;
        }
        match nulls {
            None => groups.iter().for_each(|&g| self.mark(g as usize)),
            Some(n) => n.valid_indices().for_each(|i| self.mark(groups[i] as usize)),
        }
    }

    /// The null mask of a range of groups: NULL is what has seen nothing.
    pub fn nulls(&self, groups: Range<usize>) -> Option<NullBuffer> {
        if self.missing == 0 {
            return None;
        }
        Some(NullBuffer::from(&self.flags[groups])).filter(|n| n.null_count() > 0)
    }

    /// Bytes held.
    pub fn memory_size(&self) -> usize {
        self.flags.capacity()
    }
}
