//! The recycle bin: what was dropped without FORCE, until it is recovered or erased.

use std::sync::Arc;

use common_base::ids::{DbId, PartitionId, TableId};
use serde::{Deserialize, Serialize};

use super::{Database, Partition, Table};

/// Something dropped that can come back. Its tablets stay known to the catalog until it is erased.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recycled {
    pub dropped_ms: i64,
    pub object: RecycledObject,
}

/// What was dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RecycledObject {
    /// With the tables and views it had.
    Database { database: Arc<Database>, tables: Vec<Arc<Table>> },
    Table(Arc<Table>),
    Partition { db_id: DbId, table: TableId, partition: Arc<Partition> },
}

impl Recycled {
    /// The id in the bin: that of the object.
    pub fn id(&self) -> u64 {
        match &self.object {
            RecycledObject::Database { database, .. } => database.id.0,
            RecycledObject::Table(table) => table.id.0,
            RecycledObject::Partition { partition, .. } => partition.id.0,
        }
    }

    /// The database it is or was in.
    pub fn db_id(&self) -> DbId {
        match &self.object {
            RecycledObject::Database { database, .. } => database.id,
            RecycledObject::Table(table) => table.db_id,
            RecycledObject::Partition { db_id, .. } => *db_id,
        }
    }

    /// Its tables: those of a database, or itself.
    pub fn tables(&self) -> &[Arc<Table>] {
        match &self.object {
            RecycledObject::Database { tables, .. } => tables,
            RecycledObject::Table(table) => std::slice::from_ref(table),
            RecycledObject::Partition { .. } => &[],
        }
    }

    /// All its partitions.
    pub fn partitions(&self) -> impl Iterator<Item = (TableId, PartitionId, &Arc<Partition>)> {
        let single = match &self.object {
            RecycledObject::Partition { table, partition, .. } => Some((*table, partition.id, partition)),
            _ => None,
        };
        let of_tables = self.tables().iter().flat_map(|t| t.as_olap().into_iter().flat_map(|o| o.partitions.iter().map(|(id, p)| (t.id, *id, p))));
        of_tables.chain(single)
    }
}
