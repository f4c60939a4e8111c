//! What compactions run, were asked for and have happened.

use std::collections::{BTreeMap, VecDeque};

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
    running: Mutex<BTreeMap<TabletId, CompactionType>>,
    pub asked: Mutex<VecDeque<(TabletId, CompactionKind)>>,
}

impl Compactions {
    /// One runs until the guard is dropped; a tablet has one at a time.
    pub fn begin(&self, tablet: TabletId, of: CompactionType) -> Running<'_> {
        self.running.lock().insert(tablet, of);
        Running { all: self, tablet }
    }

    /// How many run.
    pub fn running(&self, of: CompactionType) -> u64 {
        self.running.lock().values().filter(|t| **t == of).count() as u64
    }

    /// Those that run.
    pub fn all_running(&self) -> Vec<(TabletId, CompactionType)> {
        self.running.lock().iter().map(|(id, of)| (*id, *of)).collect()
    }
}

/// A compaction that runs.
pub(crate) struct Running<'a> {
    all: &'a Compactions,
    tablet: TabletId,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.all.running.lock().remove(&self.tablet);
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
