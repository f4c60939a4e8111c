//! A rowset: the segment files (or the delete predicate) of one load, or of several merged by compaction.

pub mod id;
#[allow(clippy::module_inception)]
mod rowset;
pub mod writer;

pub use rowset::{Rowset, RowsetStatistics};
