//! The cancel signal of a query: set once with a reason, seen by every driver between chunks and by every wait.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Waker},
};

use common_base::{Error, Result};
use parking_lot::Mutex;

/// Shared by everything that runs for one query on this node.
#[derive(Default)]
pub struct CancelToken {
    cancelled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    reason: Option<Error>,
    wakers: Vec<Waker>,
}

impl CancelToken {
    /// Cancels with a reason; the first one wins. Wakes every parked driver.
    pub fn cancel(&self, reason: Error) {
        let wakers = {
            let mut state = self.state.lock();
            state.reason.get_or_insert(reason);
            self.cancelled.store(true, Ordering::Release);
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The reason, once cancelled.
    pub fn check(&self) -> Result<()> {
        if !self.cancelled.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(self.state.lock().reason.clone().unwrap_or_else(|| Error::internal("cancelled without a reason")))
    }

    /// Whether cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Makes a parked driver wake on cancel.
    pub fn register(&self, cx: &Context<'_>) {
        let mut state = self.state.lock();
        if state.reason.is_some() {
            cx.waker().wake_by_ref();
        } else if !state.wakers.iter().any(|w| w.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
    }
}
