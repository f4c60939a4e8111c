//! Segment files: bytes ⇄ columns. Knows no tablet. FORMAT.md draws the file.
//!
//! Flow: sorted rows come in column by column, page by page ([`SegmentWriter`]); an open [`Segment`] answers metadata questions
//! from memory and gives scans ([`SegmentScan`]) that decode only what survives zone maps and filters. Invariants: a file never
//! changes once written; every byte read is covered by a checksum; all columns of a segment have the same page boundaries.

pub mod column;
pub mod dump;
pub mod encoding;
pub mod index;
pub mod page;
pub mod segment;
pub mod version;

pub use column::flat_json::{Access, FlatJson, values_as_json};
pub use column::meta::{ColumnMeta, Kind, Zone};
pub use column::{ColumnSpec, EncodeOptions, EncodedColumn, encode_column};
pub use index::IndexSpec;
pub use page::Compression;
pub use page::cache::PageCache;
pub use segment::writer::SHORT_KEY_ROWS;
pub use segment::{
    ChunkFilter, ColumnFilter, Compute, DynamicFilter, ScanColumn, ScanFilter, ScanMetrics, ScanResidual, ScanSpec, Segment, SegmentOptions,
    SegmentScan, SegmentSummary, SegmentWriter, SortKeys, relabel,
};

/// Rows of a page when values are of ordinary size.
pub const PAGE_ROWS: usize = 16_384;

/// Rows of a page for rows of this many bytes on average: wide rows take shorter pages, so that a page stays a few MiB.
pub fn page_rows_for(row_bytes: usize) -> usize {
    const MAX_PAGE_BYTES: usize = 8 << 20;
    let mut rows = PAGE_ROWS;
    while rows > 256 && rows * row_bytes > MAX_PAGE_BYTES * 4 {
        rows /= 2;
    }
    rows
}

#[cfg(test)]
mod frozen;
#[cfg(test)]
mod laws;
