//! What the executor needs to move chunks to other fragments, and the buffers that receive them.
//!
//! Inside one process a chunk moves as a pointer; between processes the server adapts [`ExchangeTransport`] to gRPC.

pub mod receiver;
pub mod transport;

pub use receiver::{ExchangeKey, ExchangeRegistry, ExchangeReceiver};
pub use transport::{ChunkSender, ExchangeTransport};
