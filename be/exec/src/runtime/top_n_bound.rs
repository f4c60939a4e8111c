//! The current bound of a TopN, shared with the scan below it: rows beyond it cannot enter the result.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use common_types::Scalar;
use parking_lot::{Mutex, RwLock};

/// The worst value still in the heap of a full TopN, on its first sort key.
pub struct TopNBound {
    pub descending: bool,
    pub nulls_first: bool,
    version: AtomicU64,
    value: RwLock<Option<Scalar>>,
}

impl TopNBound {
    /// A bound that lets everything pass.
    pub fn new(descending: bool, nulls_first: bool) -> Self {
        Self { descending, nulls_first, version: AtomicU64::new(0), value: RwLock::new(None) }
    }

    /// Changes each time the bound tightens; 0 = no bound yet.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The bound: rows strictly worse than it may be skipped. `None` = nothing known.
    pub fn get(&self) -> Option<Scalar> {
        self.value.read().clone()
    }

    /// Offers a bound; `tighter(old, new)` says whether the new one is.
    pub fn offer(&self, value: &Scalar, tighter: impl FnOnce(&Scalar, &Scalar) -> bool) {
        let mut current = self.value.write();
        if current.as_ref().is_none_or(|old| tighter(old, value)) {
            *current = Some(value.clone());
            self.version.fetch_add(1, Ordering::Release);
        }
    }
}

/// The bounds of a query, by the plan node id of the sort.
#[derive(Default)]
pub struct TopNBounds {
    bounds: Mutex<HashMap<u32, Arc<TopNBound>>>,
}

impl TopNBounds {
    /// The bound of a sort node; scans and sorts that name it share it.
    pub fn get(&self, sort_node: u32, descending: bool, nulls_first: bool) -> Arc<TopNBound> {
        self.bounds.lock().entry(sort_node).or_insert_with(|| Arc::new(TopNBound::new(descending, nulls_first))).clone()
    }
}
