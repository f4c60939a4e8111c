//! The catalog, replicated: Raft orders the ops, every FE applies them, readers take snapshots.
//!
//! Flow: [`handle::MetaHandle::propose`] → (forwarded to the leader if this is not it) → [`log_store`] on a quorum, fsynced →
//! [`state_machine`] applies on every node → the new state is published to readers and waiters.
//!
//! Invariants: a proposal is answered only after it is applied here or on the leader; a refused op is an answer, not a failure; the
//! only crate that names openraft.

pub mod bootstrap;
pub mod handle;
mod id_gen;
mod log_store;
mod metrics;
mod network;
pub mod service;
mod state_machine;
mod types;

pub use bootstrap::{MetaOptions, open};
pub use handle::MetaHandle;
pub use metrics::MetaMetrics;
