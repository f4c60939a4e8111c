//! What a pure window function is. (Aggregates over frames use their accumulators; see `aggregate_fn`.)

use std::{fmt, sync::Arc};

use common_base::Result;
use common_types::{Column, LogicalType};

use crate::signature::Signature;

/// One partition, sorted, as a window function sees it.
pub struct WindowPartition<'a> {
    pub rows: usize,
    /// Evaluated arguments over the partition's rows.
    pub args: &'a [Column],
    /// `peer_starts[i]` is the first row of the peer group (equal ORDER BY keys) that row i belongs to; `peer_ends` one past its last.
    pub peer_starts: &'a [u32],
    pub peer_ends: &'a [u32],
    /// Per row the frame `[start, end)` within the partition.
    pub frame_starts: &'a [u32],
    pub frame_ends: &'a [u32],
    pub ignore_nulls: bool,
}

/// Computes the call for every row of one partition.
pub type WindowKernel = fn(call: &WindowOverload, partition: &WindowPartition<'_>) -> Result<Column>;

/// One window function: a row of a function table.
#[derive(Clone)]
pub struct WindowFunction {
    pub names: &'static [&'static str],
    pub signatures: Vec<Signature>,
    /// Whether a frame clause means anything to it (first_value, last_value) or is refused (rank, lead).
    pub uses_frame: bool,
    pub nullable: bool,
    pub kernel: WindowKernel,
}

/// A window function with one overload chosen.
#[derive(Clone)]
pub struct WindowOverload {
    pub function: Arc<WindowFunction>,
    pub args: Vec<LogicalType>,
    pub result: LogicalType,
}

impl WindowOverload {
    /// Canonical name.
    pub fn name(&self) -> &'static str {
        self.function.names[0]
    }
}

impl fmt::Debug for WindowOverload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.name(), self.args)
    }
}

impl PartialEq for WindowOverload {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.args == other.args && self.result == other.result
    }
}
