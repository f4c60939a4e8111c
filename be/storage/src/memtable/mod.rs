//! Rows of a load on their way into a segment: collected, sorted, encoded.

pub mod flush;
#[allow(clippy::module_inception)]
mod memtable;
pub mod sort;

pub use memtable::Memtable;
