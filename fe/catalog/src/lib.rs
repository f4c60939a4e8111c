//! The catalog as a value: `apply(state, op) -> reply` over persistent maps. Pure, synchronous, no I/O, no clock, no randomness:
//! whatever an op needs of the outside world (time, ids, placement) its proposer put into it.
//!
//! Flow: the leader proposes an [`op::Op`], Raft orders it, every FE applies it to its [`state::CatalogState`]; a reader takes a
//! clone of the state — O(1), the maps share structure — and never locks.
//!
//! Records (ops in the log, the image) are MessagePack with named fields: a field is added with `#[serde(default)]`, never
//! renamed or given another meaning.

mod apply;
pub mod calendar;
pub mod image;
pub mod model;
pub mod op;
pub mod state;
pub mod wire;

pub use op::{Op, Reply};
pub use state::{CatalogSnapshot, CatalogState};
