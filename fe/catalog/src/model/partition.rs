//! Partitions, their tablets and replicas.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use common_base::ids::{ColumnUid, IndexId, NodeId, PartitionId, ReplicaId, TabletId};
use common_types::Scalar;

use super::OlapTable;

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
    /// Where its replicas are to be (`SSD`, `HDD`); empty = as the table says.
    #[serde(default)]
    pub medium: String,
    /// When data on SSD is to move to HDD; 0 = never.
    #[serde(default)]
    pub cooldown_ms: i64,
}

impl Partition {
    /// A partition of all rows in one bucket of one replica, as it is after its first version.
    pub fn new(id: PartitionId, name: impl Into<String>, indexes: Vec<Arc<TabletIndex>>) -> Self {
        Self {
            id,
            name: name.into(),
            item: PartitionItem::All,
            buckets: 1,
            replication_num: 1,
            visible_version: 1,
            next_version: 2,
            visible_time_ms: 0,
            indexes,
            temporary: false,
            medium: String::new(),
            cooldown_ms: 0,
        }
    }
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
    /// An operator says it is bad, whatever its backend says.
    #[serde(default)]
    pub declared_bad: bool,
    /// Transactions with lower ids may have been planned without it.
    #[serde(default)]
    pub since: u64,
}

impl Replica {
    /// A replica as it is made.
    pub fn new(id: ReplicaId, node: NodeId, version: i64) -> Self {
        Self { id, node, version, bad: false, declared_bad: false, since: 0 }
    }
}

impl Tablet {
    /// The replica on a node.
    pub fn replica(&self, node: NodeId) -> Option<&Replica> {
        self.replicas.iter().find(|r| r.node == node)
    }

    /// How many replicas have to have what a load wrote. While replicas move there are more of them than wanted: those do not count.
    pub fn quorum(&self, replication_num: u16) -> usize {
        self.replicas.len().min(usize::from(replication_num.max(1))) / 2 + 1
    }
}

/// On how many replicas of each tablet a load must be before it is acknowledged: `write_quorum` of its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteQuorum {
    Majority,
    One,
    All,
}

impl WriteQuorum {
    /// Of a table.
    pub fn of(table: &OlapTable) -> Self {
        match table.property("write_quorum").map(str::to_ascii_uppercase).as_deref() {
            Some("ONE") => Self::One,
            Some("ALL") => Self::All,
            _ => Self::Majority,
        }
    }

    /// Replicas that must have what a load wrote.
    pub fn to_write(self, tablet: &Tablet, replication_num: u16) -> usize {
        match self {
            Self::Majority => tablet.quorum(replication_num),
            Self::One => 1,
            Self::All => tablet.replicas.len().min(usize::from(replication_num.max(1))),
        }
    }

    /// Replicas that must have a version before queries see it: what all have written is not held up by one that has gone since.
    pub fn to_publish(self, tablet: &Tablet, replication_num: u16) -> usize {
        self.to_write(tablet, replication_num).min(tablet.quorum(replication_num))
    }

    /// As messages name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Majority => "a majority",
            Self::One => "one",
            Self::All => "all of them",
        }
    }
}

impl Partition {
    /// A tablet of any of its indexes.
    pub fn tablet(&self, id: TabletId) -> Option<&Tablet> {
        self.indexes.iter().flat_map(|i| &i.tablets).find(|t| t.id == id)
    }
}
