//! Whole segment files: the writer, the open segment, and the scan.

pub mod filter;
mod pruning;
pub mod reader;
pub mod scan;
mod verify;
pub mod writer;

pub use filter::{ChunkFilter, ColumnFilter, DynamicFilter};
pub use reader::{Segment, SegmentOptions};
pub use scan::{Compute, ScanColumn, ScanFilter, ScanMetrics, ScanResidual, ScanSpec, SegmentScan, relabel};
pub use writer::{SegmentSummary, SegmentWriter, SortKeys};
