//! Partitions, their tablets and replicas.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use common_base::ids::{ColumnUid, IndexId, NodeId, PartitionId, ReplicaId, TabletId};
use common_types::Scalar;

/// PARTITION BY.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PartitionInfo {
    /// One partition, named like the table.
    Unpartitioned,
    Range { columns: Vec<ColumnUid> },
    List { columns: Vec<ColumnUid> },
    /// Expressions as SQL text (`date_trunc('day', dt)`) over these columns.
    Expression {
        columns: Vec<ColumnUid>,
        exprs: Vec<String>,
        key: ExpressionKey,
    },
}

/// What partitions by expressions hold, and whether loads make them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExpressionKey {
    /// Ranges of the column itself, as wide as the unit of `date_trunc` or `time_slice`; made by loads.
    Unit,
    /// Declared ranges of the expression's value.
    Value,
    /// One tuple of values of the expressions each; made by loads.
    Tuple,
}

impl PartitionInfo {
    /// Whether loads make the partitions that their rows lack.
    pub fn automatic(&self) -> bool {
        matches!(self, PartitionInfo::Expression { key: ExpressionKey::Unit | ExpressionKey::Tuple, .. })
    }

    /// Whether partitions hold tuples, not ranges.
    pub fn is_list(&self) -> bool {
        matches!(self, PartitionInfo::List { .. } | PartitionInfo::Expression { key: ExpressionKey::Tuple, .. })
    }
}

/// One end of a range, per partition column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PartitionBound {
    Min,
    Max,
    Values(#[serde(with = "crate::wire::scalars")] Vec<Scalar>),
}

/// Which rows a partition holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PartitionItem {
    All,
    /// `[lower, upper)`
    Range { lower: PartitionBound, upper: PartitionBound },
    /// Any of these tuples.
    List(#[serde(with = "crate::wire::tuples")] Vec<Vec<Scalar>>),
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Partition {
    pub id: PartitionId,
    pub name: String,
    pub item: PartitionItem,
    pub buckets: u32,
    pub replication_num: u16,
    /// Queries read this version; loads publish the next.
    pub visible_version: i64,
    pub next_version: i64,
    pub visible_time_ms: i64,
    /// One entry per index of the table, base index first.
    pub indexes: Vec<Arc<TabletIndex>>,
    pub temporary: bool,
}

/// The tablets of one index within one partition, in bucket order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TabletIndex {
    pub index_id: IndexId,
    pub tablets: Vec<Tablet>,
}

/// One bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tablet {
    pub id: TabletId,
    pub replicas: Vec<Replica>,
}

/// One copy of a tablet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replica {
    pub id: ReplicaId,
    pub node: NodeId,
    /// Highest version published on it without a gap.
    pub version: i64,
    pub bad: bool,
}
