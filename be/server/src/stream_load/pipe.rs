//! Bodies on their way to the parsers: a bounded queue of pieces; an empty piece stands between two bodies. All bodies together hold a
//! share of the memory of loads.

use std::{
    sync::{Arc, atomic::{AtomicUsize, Ordering}},
    task::{Context, Poll},
};

use be_exec::util::channel::Channel;
use bytes::Bytes;
use common_base::{Error, MemTracker, Result};

/// Bytes of a body that may wait, and of a body among very many.
const PIPE_BYTES: usize = 32 << 20;
const PIPE_BYTES_MIN: usize = 128 << 10;
/// All bodies together hold one in so many bytes of the memory of loads.
const SHARE: usize = 8;

/// What all bodies that wait have in common.
pub struct Pipes {
    memory: Arc<MemTracker>,
    open: AtomicUsize,
}

impl Pipes {
    /// None are open; `memory` is that of loads.
    pub fn new(memory: Arc<MemTracker>) -> Arc<Self> {
        Arc::new(Self { memory, open: AtomicUsize::new(0) })
    }

    /// An empty pipe.
    pub fn open(self: &Arc<Self>) -> Arc<Pipe> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Arc::new(Pipe { pieces: Channel::new(PIPE_BYTES_MIN, 1), all: self.clone(), held: AtomicUsize::new(0) })
    }

    fn bytes_max(&self) -> usize {
        let limit = usize::try_from(self.memory.limit()).unwrap_or(usize::MAX);
        (limit / SHARE / self.open.load(Ordering::Relaxed).max(1)).clamp(PIPE_BYTES_MIN, PIPE_BYTES)
    }
}

/// One body.
pub struct Pipe {
    pieces: Arc<Channel<Bytes>>,
    all: Arc<Pipes>,
    /// Bytes that count among those of loads.
    held: AtomicUsize,
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.all.open.fetch_sub(1, Ordering::Relaxed);
        self.all.memory.release(self.held.load(Ordering::Relaxed));
    }
}

impl Pipe {
    /// Adds a piece when there is room; false = nobody reads any more.
    pub async fn push(&self, piece: Bytes) -> bool {
        if piece.is_empty() {
            return !self.pieces.is_abandoned();
        }
        self.pieces.set_capacity(self.all.bytes_max());
        std::future::poll_fn(|cx| self.pieces.poll_ready(cx)).await;
        let weight = piece.len();
        self.all.memory.consume(weight);
        self.held.fetch_add(weight, Ordering::Relaxed);
        self.pieces.push(piece, weight);
        !self.pieces.is_abandoned()
    }

    /// The body is complete, another one follows.
    pub fn next_body(&self) {
        self.pieces.push(Bytes::new(), 1);
    }

    /// The last body is complete.
    pub fn end(&self) {
        self.pieces.close();
    }

    /// The body broke off.
    pub fn fail(&self, error: Error) {
        self.pieces.fail(error);
    }

    /// The readers have gone.
    pub fn abandon(&self) {
        self.pieces.abandon();
    }

    /// Whether the readers have gone.
    pub fn is_abandoned(&self) -> bool {
        self.pieces.is_abandoned()
    }

    /// The next piece, an empty one between two bodies; `None` at the end.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        let next = self.pieces.poll_next(cx, Bytes::len);
        if let Poll::Ready(Ok(Some(piece))) = &next {
            self.held.fetch_sub(piece.len(), Ordering::Relaxed);
            self.all.memory.release(piece.len());
        }
        next
    }
}
