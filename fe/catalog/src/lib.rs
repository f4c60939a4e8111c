//! The catalog as a value: `apply(state, op) -> reply` over persistent maps. Pure, synchronous, no I/O, no clock, no randomness.
//!
//! Flow: the leader proposes an op, Raft orders it, every FE applies it to its state; a reader takes an immutable
//! [`snapshot::CatalogSnapshot`] in O(1) and never locks.

pub mod model;
