//! A bounded queue between drivers (or a driver and the network) that never blocks a thread: both ends wait on wakers.
//!
//! Invariants: an item is delivered once and in order per sender; `close` with an error reaches the receiver before any end;
//! dropping the receiver makes every sender see `is_abandoned`.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::{AtomicUsize, Ordering}},
    task::{Context, Poll, Waker},
};

use common_base::{Error, Result};
use parking_lot::Mutex;

struct State<T> {
    items: VecDeque<T>,
    weight: usize,
    open_senders: usize,
    failure: Option<Error>,
    abandoned: bool,
    receivers: Vec<Waker>,
    senders: Vec<Waker>,
}

/// The shared queue. Any number of senders (counted) and receivers (each item goes to one of them).
pub struct Channel<T> {
    state: Mutex<State<T>>,
    capacity: AtomicUsize,
}

impl<T> Channel<T> {
    /// A queue that holds up to `capacity` weight and ends when `senders` senders have closed.
    pub fn new(capacity: usize, senders: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                weight: 0,
                open_senders: senders,
                failure: None,
                abandoned: false,
                receivers: Vec::new(),
                senders: Vec::new(),
            }),
            capacity: AtomicUsize::new(capacity.max(1)),
        })
    }

    fn capacity(&self) -> usize {
        self.capacity.load(Ordering::Relaxed)
    }

    /// Changes how much it holds; what is in it already stays.
    pub fn set_capacity(&self, capacity: usize) {
        self.capacity.store(capacity.max(1), Ordering::Relaxed);
    }

    /// Ready when there is room. An abandoned queue is always ready (pushes are dropped).
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.weight < self.capacity() || state.abandoned || state.failure.is_some() {
            return Poll::Ready(());
        }
        register(&mut state.senders, cx);
        Poll::Pending
    }

    /// Adds an item of a weight (at least 1). Callers ask `poll_ready` first; a push beyond the capacity is still taken.
    pub fn push(&self, item: T, weight: usize) {
        let mut state = self.state.lock();
        if state.abandoned {
            return;
        }
        state.weight += weight.max(1);
        state.items.push_back(item);
        wake_all(&mut state.receivers);
    }

    /// One sender is done.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.open_senders = state.open_senders.saturating_sub(1);
        if state.open_senders == 0 {
            wake_all(&mut state.receivers);
        }
    }

    /// Ends the queue with a failure; the first one wins.
    pub fn fail(&self, error: Error) {
        let mut state = self.state.lock();
        state.failure.get_or_insert(error);
        wake_all(&mut state.receivers);
        wake_all(&mut state.senders);
    }

    /// The next item, `None` when all senders have closed. `weigh` must give the weight it was pushed with.
    pub fn poll_next(&self, cx: &mut Context<'_>, weigh: impl FnOnce(&T) -> usize) -> Poll<Result<Option<T>>> {
        let mut state = self.state.lock();
        if let Some(error) = &state.failure {
            return Poll::Ready(Err(error.clone()));
        }
        if let Some(item) = state.items.pop_front() {
            state.weight = state.weight.saturating_sub(weigh(&item).max(1));
            if state.weight < self.capacity() {
                wake_all(&mut state.senders);
            }
            return Poll::Ready(Ok(Some(item)));
        }
        if state.open_senders == 0 {
            return Poll::Ready(Ok(None));
        }
        register(&mut state.receivers, cx);
        Poll::Pending
    }

    /// The receiving side needs no more; queued items are dropped, senders are released.
    pub fn abandon(&self) {
        let mut state = self.state.lock();
        state.abandoned = true;
        state.items.clear();
        state.weight = 0;
        wake_all(&mut state.senders);
        wake_all(&mut state.receivers);
    }

    /// Whether the receiving side needs no more.
    pub fn is_abandoned(&self) -> bool {
        self.state.lock().abandoned
    }
}

fn register(list: &mut Vec<Waker>, cx: &Context<'_>) {
    if !list.iter().any(|w| w.will_wake(cx.waker())) {
        list.push(cx.waker().clone());
    }
}

fn wake_all(list: &mut Vec<Waker>) {
    for waker in list.drain(..) {
        waker.wake();
    }
}
