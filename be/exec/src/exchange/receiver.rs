//! The receiving side: one bounded buffer per exchange instance (per sender when merging sorted inputs), found by key.
//!
//! A chunk may arrive before its fragment is set up: the first comer, sender or receiver, creates the buffers; a query that never
//! arrives is dropped by [`ExchangeRegistry::forget`] when its node entry times out or the query ends.

use std::{sync::Arc, task::{Context, Poll}};

use common_base::{Error, Result, ids::QueryId, mem::{MemGuard, MemTracker}};
use common_types::Chunk;
use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::util::channel::Channel;

/// Bytes one exchange instance may hold before its senders wait.
const BUFFER_BYTES: usize = 10 << 20;

/// Which exchange instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExchangeKey {
    pub query: QueryId,
    pub exchange_id: u32,
    pub instance: u32,
}

/// The buffers of one exchange instance. What they hold counts in the query's memory; how much that can be is bounded here.
pub struct ExchangeReceiver {
    /// One shared queue, or one per sender for a merging exchange.
    queues: Vec<Arc<Channel<Held>>>,
    memory: Arc<MemTracker>,
}

/// A chunk in a buffer with its share of the query's memory.
struct Held {
    chunk: Chunk,
    memory: MemGuard,
}

impl ExchangeReceiver {
    fn new(senders: usize, merging: bool, memory: Arc<MemTracker>) -> Self {
        let queues = if merging {
            (0..senders.max(1)).map(|_| Channel::new(BUFFER_BYTES / senders.max(1), 1)).collect()
        } else {
            vec![Channel::new(BUFFER_BYTES, senders)]
        };
        Self { queues, memory }
    }

    /// How many separate (sorted) inputs there are.
    pub fn inputs(&self) -> usize {
        self.queues.len()
    }

    /// The next chunk of input `input`.
    pub fn poll_next(&self, input: usize, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        self.queues[input].poll_next(cx, |held| held.memory.bytes()).map_ok(|held| held.map(|h| h.chunk))
    }

    /// Room for a chunk of `sender`.
    pub fn poll_ready(&self, sender: u32, cx: &mut Context<'_>) -> Poll<()> {
        self.queue(sender).poll_ready(cx)
    }

    /// Takes a chunk of `sender`.
    pub fn deliver(&self, sender: u32, chunk: Chunk) {
        let weight = chunk.memory_size();
        let mut memory = self.memory.empty_guard();
        // The rows exist already; a query over its limit fails at its next reservation.
        memory.force(weight);
        self.queue(sender).push(Held { chunk, memory }, weight);
    }

    /// `sender` is done.
    pub fn close(&self, sender: u32) {
        self.queue(sender).close();
    }

    /// A sender failed: the whole exchange fails.
    pub fn fail(&self, error: &Error) {
        self.queues.iter().for_each(|q| q.fail(error.clone()));
    }

    /// No more rows are needed.
    pub fn abandon(&self) {
        self.queues.iter().for_each(|q| q.abandon());
    }

    /// Whether no more rows are needed from anyone.
    pub fn is_abandoned(&self) -> bool {
        self.queues.iter().all(|q| q.is_abandoned())
    }

    fn queue(&self, sender: u32) -> &Arc<Channel<Held>> {
        &self.queues[(sender as usize).min(self.queues.len() - 1)]
    }
}

#[derive(Default)]
struct Slots {
    ready: HashMap<ExchangeKey, Arc<ExchangeReceiver>>,
    /// Senders that came before their receiver wait here.
    waiting: HashMap<ExchangeKey, Vec<std::task::Waker>>,
}

/// All exchange buffers of the process.
#[derive(Default)]
pub struct ExchangeRegistry {
    slots: Mutex<Slots>,
}

impl ExchangeRegistry {
    /// Creates the buffers of an instance before its fragment starts; what they hold counts in `memory`.
    pub fn register(&self, key: ExchangeKey, senders: usize, merging: bool, memory: &Arc<MemTracker>) -> Arc<ExchangeReceiver> {
        let mut slots = self.slots.lock();
        let receiver = slots.ready.entry(key).or_insert_with(|| Arc::new(ExchangeReceiver::new(senders, merging, memory.clone()))).clone();
        for waker in slots.waiting.remove(&key).unwrap_or_default() {
            waker.wake();
        }
        receiver
    }

    /// The buffers, once registered.
    pub fn poll_get(&self, key: ExchangeKey, cx: &mut Context<'_>) -> Poll<Arc<ExchangeReceiver>> {
        let mut slots = self.slots.lock();
        if let Some(receiver) = slots.ready.get(&key) {
            return Poll::Ready(receiver.clone());
        }
        slots.waiting.entry(key).or_default().push(cx.waker().clone());
        Poll::Pending
    }

    /// Drops every buffer of a query; late chunks are refused by the caller, which knows the query is gone.
    pub fn forget(&self, query: QueryId) {
        let mut slots = self.slots.lock();
        slots.ready.retain(|key, receiver| {
            if key.query == query {
                receiver.abandon();
            }
            key.query != query
        });
        let woken: Vec<_> = slots.waiting.extract_if(|key, _| key.query == query).collect();
        for waker in woken.into_iter().flat_map(|(_, wakers)| wakers) {
            waker.wake();
        }
    }
}
