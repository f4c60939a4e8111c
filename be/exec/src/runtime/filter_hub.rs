//! Runtime filters of a query on this node: slots that joins fill and scans read.
//!
//! A slot is filled once. Local builders publish directly; a remote filter is merged on one node and delivered by the server.
//! A scan may wait a short time for its filters before it starts and applies late ones mid-scan.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    task::Context,
};

use common_base::Result;
use common_expr::predicate::runtime_filter::RuntimeFilter;
use parking_lot::Mutex;

/// One filter's place. Empty until published.
#[derive(Default)]
pub struct FilterSlot {
    filter: OnceLock<Option<Arc<RuntimeFilter>>>,
    wakers: Mutex<Vec<std::task::Waker>>,
}

impl FilterSlot {
    /// The filter, once there. `None` also when the builder decided not to build one.
    pub fn get(&self) -> Option<&Arc<RuntimeFilter>> {
        self.filter.get().and_then(Option::as_ref)
    }

    /// Whether the builder has decided.
    pub fn is_settled(&self) -> bool {
        self.filter.get().is_some()
    }

    /// Fills the slot; `None` = there will be no filter. Later calls are ignored.
    pub fn publish(&self, filter: Option<Arc<RuntimeFilter>>) {
        if self.filter.set(filter).is_ok() {
            for waker in self.wakers.lock().drain(..) {
                waker.wake();
            }
        }
    }

    /// Wakes the context's task when the slot settles.
    pub fn register(&self, cx: &Context<'_>) {
        let mut wakers = self.wakers.lock();
        if self.is_settled() {
            cx.waker().wake_by_ref();
        } else if !wakers.iter().any(|w| w.will_wake(cx.waker())) {
            wakers.push(cx.waker().clone());
        }
    }
}

/// Sends a local part of a remote filter to the node that merges it.
pub trait FilterSender: Send + Sync {
    /// Fire and forget; a lost filter only costs speed.
    fn send(&self, filter_id: u32, filter: &RuntimeFilter) -> Result<()>;
}

/// The slots of one query.
#[derive(Default)]
pub struct FilterHub {
    slots: Mutex<HashMap<u32, Arc<FilterSlot>>>,
    sender: OnceLock<Arc<dyn FilterSender>>,
}

impl FilterHub {
    /// The slot of a filter id.
    pub fn slot(&self, filter_id: u32) -> Arc<FilterSlot> {
        self.slots.lock().entry(filter_id).or_default().clone()
    }

    /// How remote filters leave this node.
    pub fn set_sender(&self, sender: Arc<dyn FilterSender>) {
        let _ = self.sender.set(sender);
    }

    /// The sender, when this query has remote filters.
    pub fn sender(&self) -> Option<&Arc<dyn FilterSender>> {
        self.sender.get()
    }
}
