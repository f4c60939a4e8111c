//! What the optimizer asks about stored data. The FE keeps it from tablet reports and segment sketches.

use std::sync::Arc;

use common_base::ids::{ColumnUid, PartitionId};
use common_types::Scalar;
use fe_catalog::model::{Histogram, Table};

/// Statistics of one column over a whole table.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnStatistics {
    /// Distinct values, NULL not counted.
    pub ndv: f64,
    /// Share of NULLs, 0 to 1.
    pub null_fraction: f64,
    /// NULL = unknown.
    pub min: Scalar,
    pub max: Scalar,
    /// Bytes of one value.
    pub avg_size: f64,
}

/// Source of statistics. Answers come from memory: it is asked in the middle of planning.
pub trait StatisticsProvider {
    /// Rows of a partition; None = unknown.
    fn partition_rows(&self, table: &Table, partition: PartitionId) -> Option<f64>;
    /// Statistics of a column; None = unknown.
    fn column(&self, table: &Table, column: ColumnUid) -> Option<ColumnStatistics>;
    /// How often values of a column occur, when ANALYZE has counted them.
    fn histogram(&self, _table: &Table, _column: ColumnUid) -> Option<Arc<Histogram>> {
        None
    }
}

/// Knows nothing.
pub struct NoStatistics;

impl StatisticsProvider for NoStatistics {
    fn partition_rows(&self, _: &Table, _: PartitionId) -> Option<f64> {
        None
    }
    fn column(&self, _: &Table, _: ColumnUid) -> Option<ColumnStatistics> {
        None
    }
}
