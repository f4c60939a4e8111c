//! gRPC of the backend.

pub mod be_peer;
pub mod be_service;
pub mod heartbeat;

/// Largest message taken or sent.
pub const MESSAGE_BYTES_MAX: usize = 512 << 20;
