//! Temporary tables: seen by one session under a name of its own, gone with it.

use std::sync::Arc;

use common_base::{Result, bail, ids::{NodeId, TableId}};

use crate::{Reply, model::{Table, TemporaryTable}, state::{CatalogSnapshot, CatalogState}};

impl CatalogState {
    pub(super) fn create_temporary_table(&mut self, session: String, frontend: NodeId, table: &Arc<Table>) -> Result<Reply> {
        if !self.databases.contains_key(&table.db_id) {
            bail!(UnknownDatabase, "Unknown database '{}'", table.db_id);
        }
        let key = (session, table.db_id, table.name.clone());
        if self.temporary_tables.contains_key(&key) {
            bail!(TableExists, "Table '{}' already exists", table.name);
        }
        self.temporary_tables.insert(key, TemporaryTable { table: table.id, frontend });
        self.tables.insert(table.id, table.clone());
        for partition in table.as_olap().iter().flat_map(|o| o.partitions.values()) {
            self.index_partition(table.id, partition);
        }
        Ok(Reply::Done)
    }

    /// Forgets the name of a temporary table; false when the table is none.
    pub(super) fn remove_temporary_name(&mut self, table: TableId) -> bool {
        let found = self.temporary_tables.iter().find(|(_, t)| t.table == table).map(|(key, _)| key.clone());
        found.is_some_and(|key| self.temporary_tables.remove(&key).is_some())
    }

    /// Temporary tables of a session: database, name, table.
    pub fn temporary_tables_of<'a>(&'a self, session: &'a str) -> impl Iterator<Item = &'a Arc<Table>> {
        let from = (session.to_owned(), common_base::ids::DbId(0), String::new());
        self.temporary_tables.range(from..).take_while(move |((s, _, _), _)| s == session).filter_map(|(_, t)| self.tables.get(&t.table))
    }

    /// The catalog as a session sees it: its temporary tables stand before others of their names.
    pub fn seen_by(snapshot: &CatalogSnapshot, session: &str) -> CatalogSnapshot {
        let mut own = snapshot.temporary_tables_of(session).map(|t| ((t.db_id, t.name.clone()), t.id)).peekable();
        if own.peek().is_none() {
            return snapshot.clone();
        }
        let mut names = snapshot.table_names.clone();
        names.extend(own);
        Arc::new(CatalogState { table_names: names, ..CatalogState::clone(snapshot) })
    }
}
