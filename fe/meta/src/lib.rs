//! The catalog, replicated: Raft orders the ops, every FE applies them, readers take snapshots.
//!
//! Flow: [`handle::MetaHandle::propose`] → (forwarded to the leader if this is not it) → [`log_store`] on a quorum, fsynced →
//! [`state_machine`] applies on every node → the new state is published to readers and waiters.
//!
//! Invariants: a proposal is answered only after it is applied here or on the leader; a refused op is an answer, not a failure; the
//! only crate that names openraft.

mod batch;
pub mod bootstrap;
pub mod dump;
pub mod group;
pub mod handle;
mod id_gen;
mod log_store;
mod metrics;
mod network;
pub mod recovery;
pub mod service;
mod state_machine;
#[cfg(test)]
mod tests;
mod types;

pub use bootstrap::{MetaOptions, Until, open};
pub use handle::MetaHandle;
pub use log_store::Identity;
pub use metrics::MetaMetrics;
