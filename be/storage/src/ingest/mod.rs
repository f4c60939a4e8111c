//! Loads: rows → durable rowset of a transaction → visible version.

pub mod delta_writer;
pub mod publish;
pub mod txn;

pub use delta_writer::DeltaWriter;
pub use publish::{PublishItem, PublishOutcome};
