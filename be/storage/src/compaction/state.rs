//! What compactions run, were asked for and have happened.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use common_base::ids::TabletId;
use parking_lot::Mutex;

/// Which rowsets a compaction by hand merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompactionKind {
    /// All.
    Base,
    /// Those behind the first.
    Cumulative,
}

/// Compactions of an engine.
#[derive(Debug, Default)]
pub(crate) struct Compactions {
    pub base: AtomicUsize,
    pub cumulative: AtomicUsize,
    pub asked: Mutex<VecDeque<(TabletId, CompactionKind)>>,
}

impl Compactions {
    /// Counts one as running until the guard is dropped.
    pub fn begin(&self, base: bool) -> Running<'_> {
        let counter = if base { &self.base } else { &self.cumulative };
        counter.fetch_add(1, Ordering::Relaxed);
        Running(counter)
    }
}

/// A compaction that runs.
pub(crate) struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Figures for operators.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CompactionState {
    /// Tablets worth compacting.
    pub candidates: u64,
    /// The highest of their scores.
    pub max_score: f64,
    pub running_base: u64,
    pub running_cumulative: u64,
    /// Asked for by hand and not begun.
    pub asked: u64,
}

/// When a tablet was compacted last, in milliseconds since the epoch; 0 = never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactionTimes {
    pub base_success_ms: i64,
    pub base_failure_ms: i64,
    pub cumulative_success_ms: i64,
    pub cumulative_failure_ms: i64,
}
