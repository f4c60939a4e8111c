//! What compactions run, were asked for and have happened.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use common_base::ids::TabletId;
use parking_lot::Mutex;

use crate::tablet::Tablet;

/// Which rowsets a compaction by hand merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompactionKind {
    /// All.
    Base,
    /// Those behind the first.
    Cumulative,
}

/// How compactions are told apart in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompactionType {
    /// From the first version on.
    Base,
    /// Of versions behind the first.
    Cumulative,
    /// Of a tablet with a primary key.
    Update,
}

impl CompactionType {
    /// The type of a compaction of a tablet, whether it begins with the first version.
    pub(crate) fn of(tablet: &Tablet, from_first: bool) -> Self {
        match (tablet.primary(), from_first) {
            (Some(_), _) => Self::Update,
            (None, true) => Self::Base,
            (None, false) => Self::Cumulative,
        }
    }
}

/// Compactions of an engine.
#[derive(Debug, Default)]
pub(crate) struct Compactions {
    base: AtomicUsize,
    cumulative: AtomicUsize,
    update: AtomicUsize,
    pub asked: Mutex<VecDeque<(TabletId, CompactionKind)>>,
}

impl Compactions {
    /// Counts one as running until the guard is dropped.
    pub fn begin(&self, of: CompactionType) -> Running<'_> {
        let counter = self.counter(of);
        counter.fetch_add(1, Ordering::Relaxed);
        Running(counter)
    }

    /// How many run.
    pub fn running(&self, of: CompactionType) -> u64 {
        self.counter(of).load(Ordering::Relaxed) as u64
    }

    fn counter(&self, of: CompactionType) -> &AtomicUsize {
        match of {
            CompactionType::Base => &self.base,
            CompactionType::Cumulative => &self.cumulative,
            CompactionType::Update => &self.update,
        }
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
    pub base: Workload,
    pub cumulative: Workload,
    pub update: Workload,
    /// Asked for by hand and not begun.
    pub asked: u64,
}

/// Compactions of one type.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Workload {
    /// The highest score of the tablets that need one.
    pub max_score: f64,
    /// Tablets that need one and whose turn has not come.
    pub waiting: u64,
    pub running: u64,
}

/// When a tablet was compacted last, in milliseconds since the epoch; 0 = never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactionTimes {
    pub base_success_ms: i64,
    pub base_failure_ms: i64,
    pub cumulative_success_ms: i64,
    pub cumulative_failure_ms: i64,
}
