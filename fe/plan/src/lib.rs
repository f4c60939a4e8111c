//! Plans as values: the logical tree the analyzer builds, the physical tree the optimizer chooses.
//!
//! Invariants: every column of a query has one id, made by [`columns::ColumnFactory`]; an expression names columns by id only; a
//! node's output is a function of its operator and its children's output.

pub mod columns;
pub mod files;
pub mod logical;
pub mod physical;
pub mod print;
pub mod props;
pub mod stats;

pub use columns::{ColumnFactory, ColumnInfo};
pub use logical::{LogicalNode, LogicalOp};
pub use physical::{PhysicalNode, PhysicalOp};
pub use stats::{ColumnStatistics, StatisticsProvider};
