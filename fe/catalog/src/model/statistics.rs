//! What the planner knows of a table's rows: kept per table, replaced whole by the leader as loads publish.

use common_base::ids::{ColumnUid, PartitionId};
use common_types::Scalar;
use serde::{Deserialize, Serialize};

/// Statistics of a table, merged from its segments' sketches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableStatistics {
    pub partitions: Vec<PartitionStatistics>,
    pub columns: Vec<ColumnStatistics>,
    pub updated_ms: i64,
}

/// Size of one partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartitionStatistics {
    pub partition: PartitionId,
    pub rows: u64,
    pub bytes: u64,
}

/// One column over the whole table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnStatistics {
    pub uid: ColumnUid,
    pub nulls: u64,
    /// Distinct values, estimated from merged HyperLogLog sketches.
    pub distinct: u64,
    #[serde(with = "crate::wire::scalar")]
    pub min: Scalar,
    #[serde(with = "crate::wire::scalar")]
    pub max: Scalar,
    pub bytes: u64,
}

impl TableStatistics {
    /// Rows of the whole table.
    pub fn rows(&self) -> u64 {
        self.partitions.iter().map(|p| p.rows).sum()
    }

    /// Bytes of the whole table.
    pub fn bytes(&self) -> u64 {
        self.partitions.iter().map(|p| p.bytes).sum()
    }
}
