//! Rows of equal key become one: how each value column combines, and the merge of sorted runs.
//!
//! Used in the three places the AGGREGATE and UNIQUE models merge at: the flush of a memtable, compaction, and reading.

pub mod combine;
pub mod runs;

pub use combine::{Combine, Groups, combines_rows};
pub use runs::{RunMerger, SortedRun, Step};
