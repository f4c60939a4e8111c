//! The sending side, as a trait.

use std::task::{Context, Poll};

use common_base::{Error, Result, ids::QueryId};
use common_types::Chunk;
use proto_messages::fragment::Destination;

/// Opens channels to instances of other fragments, here or elsewhere.
pub trait ExchangeTransport: Send + Sync {
    /// A channel from sender number `sender` to one instance. Opening does no I/O; failures show on use.
    fn open(&self, query: QueryId, exchange_id: u32, destination: &Destination, sender: u32) -> Result<Box<dyn ChunkSender>>;
}

/// One channel, used by one driver at a time.
pub trait ChunkSender: Send {
    /// Room for another chunk (credits of the receiver).
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;
    /// Sends a chunk; only after `poll_ready`.
    fn send(&mut self, chunk: Chunk) -> Result<()>;
    /// Ends the channel and waits until the receiver has everything; with a failure the receiver's query fails with it.
    fn poll_close(&mut self, cx: &mut Context<'_>, failure: Option<&Error>) -> Poll<Result<()>>;
    /// The receiver needs no more rows.
    fn is_abandoned(&self) -> bool;
}
