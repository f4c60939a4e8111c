//! The whole catalog. Maps are persistent: a clone is O(1) and shares everything, so a snapshot for readers is a clone.

use std::sync::Arc;

use common_base::ids::{DbId, NodeId, PartitionId, TableId, TabletId, TxnId};
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use crate::model::{AlterJob, Backend, Database, Frontend, OlapTable, Partition, Table, TableStatistics, Transaction, User};
use crate::model::{AnalyzeJob, AnalyzeStatus, Collected, Recycled, ResourceGroup, Role, Task, TaskRun, TemporaryTable};

/// An immutable view: what readers hold.
pub type CatalogSnapshot = Arc<CatalogState>;

/// Ids below this are reserved for built-in objects (information_schema and the like).
pub const FIRST_ID: u64 = 10_000;

/// Everything that is replicated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CatalogState {
    pub cluster_id: u64,
    pub token: String,
    pub created_ms: i64,
    pub next_id: u64,
    pub databases: OrdMap<DbId, Arc<Database>>,
    pub database_names: OrdMap<String, DbId>,
    pub tables: OrdMap<TableId, Arc<Table>>,
    pub table_names: OrdMap<(DbId, String), TableId>,
    /// Which partition a tablet belongs to.
    pub tablets: OrdMap<TabletId, (TableId, PartitionId)>,
    pub frontends: OrdMap<NodeId, Arc<Frontend>>,
    /// The highest id any frontend has had.
    pub last_frontend: u64,
    pub backends: OrdMap<NodeId, Arc<Backend>>,
    pub txns: OrdMap<TxnId, Arc<Transaction>>,
    /// Label → its transaction that is not aborted.
    pub labels: OrdMap<(DbId, String), TxnId>,
    /// Committed, not yet visible: what the publisher works on.
    pub committed: OrdMap<TxnId, ()>,
    pub statistics: OrdMap<TableId, Arc<TableStatistics>>,
    pub variables: OrdMap<String, String>,
    pub users: OrdMap<(String, String), Arc<User>>,
    /// Schema changes and index builds, also finished ones for a while.
    pub alter_jobs: OrdMap<u64, Arc<AlterJob>>,
    /// (session, database, name) → a table that only this session sees.
    pub temporary_tables: OrdMap<(String, DbId, String), TemporaryTable>,
    pub roles: OrdMap<String, Arc<Role>>,
    /// External group → its roles.
    pub group_roles: OrdMap<String, Vec<String>>,
    /// FE settings changed by ADMIN SET FRONTEND CONFIG.
    pub frontend_config: OrdMap<String, String>,
    pub resource_groups: OrdMap<String, Arc<ResourceGroup>>,
    /// (kind, name) → properties.
    pub named_objects: OrdMap<(String, String), Vec<(String, String)>>,
    pub tasks: OrdMap<String, Arc<Task>>,
    pub task_runs: OrdMap<u64, Arc<TaskRun>>,
    pub analyze_statuses: OrdMap<u64, Arc<AnalyzeStatus>>,
    pub analyze_jobs: OrdMap<u64, Arc<AnalyzeJob>>,
    /// What ANALYZE found of tables.
    pub collected: OrdMap<TableId, Arc<Vec<Collected>>>,
    pub sql_blacklist: OrdMap<u64, String>,
    /// Dropped without FORCE, by the object's id.
    pub recycled: OrdMap<u64, Arc<Recycled>>,
    /// Where the buckets of colocate groups are to be, by database and name.
    pub colocate_buckets: OrdMap<(DbId, String), Arc<Vec<Vec<NodeId>>>>,
}

impl CatalogState {
    /// A database by name (case-sensitive, as in the reference).
    pub fn database(&self, name: &str) -> Option<&Arc<Database>> {
        self.databases.get(self.database_names.get(name)?)
    }

    /// A table or view by name within a database.
    pub fn table(&self, db: DbId, name: &str) -> Option<&Arc<Table>> {
        self.tables.get(self.table_names.get(&(db, name.to_owned()))?)
    }

    /// Tables of a database, by name.
    pub fn tables_of(&self, db: DbId) -> impl Iterator<Item = &Arc<Table>> {
        self.table_names.range((db, String::new())..(DbId(db.0 + 1), String::new())).filter_map(|(_, id)| self.tables.get(id))
    }

    /// The partition a tablet is in, with its table.
    pub fn partition_of_tablet(&self, tablet: TabletId) -> Option<(&Arc<Table>, &Arc<Partition>)> {
        let (table, partition) = self.tablets.get(&tablet)?;
        let table = self.tables.get(table)?;
        Some((table, table.as_olap()?.partitions.get(partition)?))
    }

    /// The transaction a label stands for, if it is not aborted.
    pub fn txn_by_label(&self, db: DbId, label: &str) -> Option<&Arc<Transaction>> {
        self.txns.get(self.labels.get(&(db, label.to_owned()))?)
    }

    /// The account a user from a host logs in to: the exact host first, then `%`.
    pub fn user(&self, name: &str, host: &str) -> Option<&Arc<User>> {
        let exact = self.users.get(&(name.to_owned(), host.to_owned()));
        exact.or_else(|| self.users.get(&(name.to_owned(), "%".to_owned())))
    }

    /// Statistics of a table, if any load has published.
    pub fn statistics_of(&self, table: TableId) -> Option<&Arc<TableStatistics>> {
        self.statistics.get(&table)
    }

    pub(crate) fn put_table(&mut self, table: Table) {
        self.tables.insert(table.id, Arc::new(table));
    }

    pub(crate) fn index_partition(&mut self, table: TableId, partition: &Partition) {
        for tablet in partition.indexes.iter().flat_map(|i| &i.tablets) {
            self.tablets.insert(tablet.id, (table, partition.id));
        }
    }

    pub(crate) fn unindex_partition(&mut self, partition: &Partition) {
        for tablet in partition.indexes.iter().flat_map(|i| &i.tablets) {
            self.tablets.remove(&tablet.id);
        }
    }

    /// Changes the storage side of a table copy-on-write.
    pub(crate) fn change_olap(&mut self, id: TableId, change: impl FnOnce(&mut OlapTable)) -> bool {
        let Some(table) = self.tables.get(&id) else { return false };
        let mut table = Table::clone(table);
        let crate::model::TableKind::Olap(olap) = &mut table.kind else { return false };
        change(Arc::make_mut(olap));
        self.put_table(table);
        true
    }
}
