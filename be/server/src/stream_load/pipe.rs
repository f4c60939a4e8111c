//! The body on its way to the parsers: a bounded queue of pieces.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use be_exec::util::channel::Channel;
use bytes::Bytes;
use common_base::{Error, Result};

/// Bytes of a body that may wait.
const PIPE_BYTES: usize = 32 << 20;

/// One body.
pub struct Pipe {
    pieces: Arc<Channel<Bytes>>,
}

impl Pipe {
    /// An empty pipe.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { pieces: Channel::new(PIPE_BYTES, 1) })
    }

    /// Adds a piece when there is room; false = nobody reads any more.
    pub async fn push(&self, piece: Bytes) -> bool {
        std::future::poll_fn(|cx| self.pieces.poll_ready(cx)).await;
        let weight = piece.len();
        self.pieces.push(piece, weight);
        !self.pieces.is_abandoned()
    }

    /// The body is complete.
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

    /// The next piece; `None` at the end.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        self.pieces.poll_next(cx, Bytes::len)
    }
}
