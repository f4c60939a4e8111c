//! Loads: rows → durable rowset of a transaction → visible version.

pub mod delta_writer;
mod load_memory;
pub mod publish;
pub mod txn;

pub use delta_writer::DeltaWriter;
pub use load_memory::{LoadMemory, RoomWait};
pub use publish::{PublishItem, PublishOutcome};
pub use txn::TabletLoad;
