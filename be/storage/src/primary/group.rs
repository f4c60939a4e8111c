//! Applies one transaction to many tablets at once. The states stay locked until the publication is settled or given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common_base::Result;
use common_base::ids::TxnId;
use parking_lot::{Mutex, MutexGuard};

use super::PrimaryState;
use super::apply::{Applied, apply};
use crate::tablet::Tablet;

/// A tablet's share of a publication. Dropped without [`Applying::settle`], the index is forgotten: it may be ahead.
#[derive(Debug)]
pub(crate) struct Applying<'a> {
    state: MutexGuard<'a, PrimaryState>,
    outcome: Option<Result<Applied>>,
    tablet: &'a Tablet,
    settled: bool,
}

impl Applying<'_> {
    /// What was applied; `None` when nothing of the transaction was there.
    pub fn outcome(&self) -> Result<Option<&Applied>> {
        match &self.outcome {
            None => Ok(None),
            Some(Ok(applied)) => Ok(Some(applied)),
            Some(Err(e)) => Err(e.clone()),
        }
    }

    /// The metadata is written. The state stays locked until this is dropped, which must not be before the tablet has its new
    /// versions: a compaction that came in between would take the old ones for the newest.
    pub fn settle(&mut self, version: i64) {
        if let Some(Ok(applied)) = self.outcome.take() {
            applied.settle(self.tablet, version);
            self.settled = true;
        }
    }
}

impl Drop for Applying<'_> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        match self.outcome.take() {
            None => {}
            Some(outcome) => {
                self.state.invalidate();
                if let Ok(applied) = outcome {
                    self.tablet.dir().end_writing(applied.rowset.id());
                }
            }
        }
    }
}

/// Applies the transaction to the tablets of the group that have a primary key; the group is in the order of locking.
pub(crate) fn apply_group<'a>(txn: TxnId, group: &'a [(Arc<Tablet>, i64)]) -> Vec<Option<Applying<'a>>> {
    let mut locked: Vec<Option<Applying<'a>>> = group
        .iter()
        .map(|(tablet, _)| Some(Applying { state: tablet.primary()?.lock(), outcome: None, tablet, settled: false }))
        .collect();
    let jobs: Vec<_> = locked
        .iter_mut()
        .zip(group)
        .filter_map(|(applying, (tablet, version))| {
            let applying = applying.as_mut()?;
            if tablet.is_converting() {
                // The rows it is about may be still to come.
                return None;
            }
            let rowset = tablet.pending.lock().get(&txn).cloned()?;
            // A publication that is told twice has nothing left to do.
            let applied = tablet.versions().current().iter().any(|r| r.txn() == txn);
            (!applied).then(|| Mutex::new((&mut *applying.state, &mut applying.outcome, tablet, rowset, *version)))
        })
        .collect();
    let next = AtomicUsize::new(0);
    let run = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (state, outcome, tablet, rowset, version) = &mut *job.lock();
            **outcome = Some(apply(tablet, state, rowset, *version));
        }
    };
    let threads = common_base::runtime::cores().min(jobs.len());
    if threads <= 1 {
        run();
    } else {
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(run))));
    }
    drop(jobs);
    locked
}
