//! gRPC between the processes of a cluster, and the loop of their HTTP ports: channels over the network seam, servers that demand the cluster's token, and the one
//! mapping between our errors and the wire.
//!
//! Flow: a caller asks [`pool::RpcPool`] for a client of an address; the pool keeps one HTTP/2 channel per address and adds the
//! token to every call; [`server::serve`] checks it before any handler runs.

pub mod http;
pub mod pool;
pub mod server;
pub mod status;

pub use pool::{Channel, RpcPool};
pub use server::{TOKEN_HEADER, TokenSource, serve};
