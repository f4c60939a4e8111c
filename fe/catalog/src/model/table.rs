//! Databases, tables and views.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use common_base::ids::{ColumnUid, DbId, IndexId, PartitionId, TableId};

use super::{Column, Distribution, Partition, PartitionInfo, TableIndex};

/// A database. Tables are found through the catalog state by `(DbId, name)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Database {
    pub id: DbId,
    pub name: String,
    pub properties: Vec<(String, String)>,
    pub created_ms: i64,
}

/// Anything that can stand in a FROM clause by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub id: TableId,
    pub db_id: DbId,
    pub name: String,
    pub comment: String,
    pub created_ms: i64,
    pub updated_ms: i64,
    /// Visible columns in declaration order (views: the output columns).
    pub columns: Vec<Column>,
    pub kind: TableKind,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TableKind {
    Olap(Arc<OlapTable>),
    View(Arc<View>),
    /// information_schema, sys: rows are made by the FE on demand; the name is the key of the provider.
    System,
}

/// The key model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeysModel {
    Duplicate,
    Aggregate,
    Unique,
    Primary,
}

/// The storage side of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OlapTable {
    pub keys: KeysModel,
    pub partition_info: PartitionInfo,
    pub distribution: Distribution,
    /// ORDER BY columns when they differ from the key.
    pub sort_key: Vec<ColumnUid>,
    pub schema_version: u32,
    pub short_key_columns: u32,
    pub base_index: IndexId,
    /// Ordered by id; look-ups by name through [`OlapTable::partition_by_name`].
    pub partitions: imbl::OrdMap<PartitionId, Arc<Partition>>,
    /// As given, lower-case keys, with defaults filled in (`replication_num`, `compression`, …), in declaration order.
    pub properties: Vec<(String, String)>,
    pub indexes_ddl: Vec<String>,
    pub colocate_group: Option<String>,
    /// Indexes beside the base index (rollups, synchronous materialized views, what a schema change is building), in the order of
    /// [`Partition::indexes`] after the base index.
    #[serde(default)]
    pub further: Vec<Arc<TableIndex>>,
    pub next_column_uid: u64,
    #[serde(default)]
    pub sequence: Sequence,
}

/// Numbers of an AUTO_INCREMENT column: each is given away once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// The next number to give away.
    pub next: u64,
    /// Changes when numbers that were given away but not used yet must not be used any more.
    pub epoch: u64,
}

impl Default for Sequence {
    fn default() -> Self {
        Self { next: 1, epoch: 0 }
    }
}

/// A view: its text is analyzed again at every use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The SELECT with fully qualified names.
    pub definition: String,
    pub sql_mode: u64,
}

impl Table {
    /// A table without a comment, made at time 0.
    pub fn new(id: TableId, db_id: DbId, name: impl Into<String>, columns: Vec<Column>, kind: TableKind) -> Self {
        Self { id, db_id, name: name.into(), comment: String::new(), created_ms: 0, updated_ms: 0, columns, kind }
    }

    /// The storage side, if it has one.
    pub fn as_olap(&self) -> Option<&Arc<OlapTable>> {
        match &self.kind {
            TableKind::Olap(t) => Some(t),
            _ => None,
        }
    }

    /// A column by name, case-insensitively.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// A column by uid.
    pub fn column_by_uid(&self, uid: ColumnUid) -> Option<&Column> {
        self.columns.iter().find(|c| c.uid == uid)
    }
}

impl OlapTable {
    /// A table without partitions, properties and further indexes, its rows spread at random over one bucket.
    pub fn new(keys: KeysModel, base_index: IndexId) -> Self {
        Self {
            keys,
            partition_info: PartitionInfo::Unpartitioned,
            distribution: Distribution::Random { buckets: 1 },
            sort_key: Vec::new(),
            schema_version: 0,
            short_key_columns: 0,
            base_index,
            partitions: imbl::OrdMap::new(),
            properties: Vec::new(),
            indexes_ddl: Vec::new(),
            colocate_group: None,
            further: Vec::new(),
            next_column_uid: 1,
            sequence: Sequence::default(),
        }
    }

    /// A partition by name, case-insensitively; temporary ones only when asked for.
    pub fn partition_by_name(&self, name: &str, temporary: bool) -> Option<&Arc<Partition>> {
        self.partitions.values().find(|p| p.temporary == temporary && p.name.eq_ignore_ascii_case(name))
    }

    /// A further index by name, case-insensitively.
    pub fn index_by_name(&self, name: &str) -> Option<&Arc<TableIndex>> {
        self.further.iter().find(|i| i.name.eq_ignore_ascii_case(name))
    }

    /// Whether a schema change or an index build runs.
    pub fn is_changing(&self) -> bool {
        self.further.iter().any(|i| i.state == super::IndexState::Building)
    }

    /// Ids of all indexes, the base index first.
    pub fn index_ids(&self) -> impl Iterator<Item = IndexId> + '_ {
        std::iter::once(self.base_index).chain(self.further.iter().map(|i| i.id))
    }

    /// A table property by its lower-case key.
    pub fn property(&self, key: &str) -> Option<&str> {
        self.properties.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }
}
