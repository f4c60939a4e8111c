//! What the executor needs from any table: morsels that threads read independently. The server adapts storage to it.

use std::sync::Arc;

use common_base::{Result, ids::TableId, mem::MemTracker};
use common_expr::{expr::Expr, scalar_fn::EvalContext};
use common_types::{Bounds, Chunk, LogicalType, Scalar};
use proto_messages::{fragment::ScanRange, plan::FileTable};

use crate::runtime::{filter_hub::FilterSlot, top_n_bound::TopNBound};

/// One column to read.
#[derive(Clone, Debug)]
pub struct ScanColumn {
    pub uid: u64,
    pub name: String,
    pub ty: LogicalType,
    pub nullable: bool,
    /// What rows written before the column existed have.
    pub before: Scalar,
    /// One value of each document is wanted, as this expression over the JSON column (as column 0) says; `ty` is its type.
    pub json_path: Option<Expr>,
}

/// A runtime filter that applies to rows of the scan; `probe` is over the scan's columns. It may arrive mid-scan.
#[derive(Clone)]
pub struct ScanFilter {
    pub slot: Arc<FilterSlot>,
    pub probe: Expr,
}

/// What a scan node asks for.
#[derive(Clone)]
pub struct ScanRequest {
    pub table: TableId,
    pub index: u64,
    pub columns: Vec<ScanColumn>,
    /// Conjuncts over `columns`; every row that leaves satisfies them.
    pub predicates: Vec<Expr>,
    /// Ordinals of `columns` that leave, in order.
    pub output: Vec<u32>,
    pub filters: Vec<ScanFilter>,
    /// Rows that cannot enter a TopN above may be skipped: the bound and the ordinal of its column.
    pub top_n: Option<(Arc<TopNBound>, u32)>,
    /// Rows of equal key are combined before they leave (AGGREGATE and UNIQUE models); otherwise an operator above does it.
    pub merge: bool,
    /// At most this many rows are needed in all.
    pub limit: Option<u64>,
    pub ranges: Vec<ScanRange>,
    /// The ranges are parts of files of this kind, not tablets.
    pub files: Option<FileTable>,
    pub eval: Arc<EvalContext>,
    pub memory: Arc<MemTracker>,
}

/// Opens tables.
pub trait ScanProvider: Send + Sync {
    /// Resolves tablets and versions and prunes; no data is read yet beyond metadata.
    fn open(&self, request: ScanRequest) -> Result<Arc<dyn ScanSource>>;
}

/// An opened scan.
pub trait ScanSource: Send + Sync {
    /// Takes the counts since the last call: name and rows.
    fn take_counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
    /// How many pieces of work there are; each is read once by one thread.
    fn morsels(&self) -> usize;
    /// Starts reading a morsel.
    fn open_morsel(&self, index: usize) -> Result<Box<dyn MorselReader>>;
    /// Exact bounds of an output column (ordinal in `output`) over everything the scan may return, when known.
    fn bounds(&self, output: usize) -> Option<Bounds>;
    /// Upper bound of the rows the scan may return.
    fn max_rows(&self) -> u64;
}

/// Reads one morsel.
pub trait MorselReader: Send {
    /// The next chunk with at least one row, or `None`.
    fn next(&mut self) -> Result<Option<Chunk>>;
    /// (rows read before filtering, bytes read) so far.
    fn progress(&self) -> (u64, u64);
}
