//! Databases.

use std::sync::Arc;

use common_base::{Result, err, ids::DbId};

use crate::{Reply, model::{Database, RecycledObject, Table}, state::CatalogState};

impl CatalogState {
    fn db(&self, db: DbId) -> Result<&Arc<Database>> {
        self.databases.get(&db).ok_or_else(|| err!(UnknownDatabase, "Unknown database '{db}'"))
    }

    pub(super) fn create_database(&mut self, db: Database) -> Result<Reply> {
        if self.database_names.contains_key(&db.name) {
            return Err(err!(DatabaseExists, "Can't create database '{}'; database exists", db.name));
        }
        self.database_names.insert(db.name.clone(), db.id);
        self.databases.insert(db.id, Arc::new(db));
        Ok(Reply::Done)
    }

    pub(super) fn drop_database(&mut self, id: DbId, force: bool, recycle_ms: Option<i64>) -> Result<Reply> {
        let db = self.db(id)?.clone();
        let running = self.txns.values().find(|t| t.db_id == id && t.is_running());
        if let (Some(txn), false) = (running, force) {
            return Err(err!(User, "There are still some transactions in the COMMITTED or PREPARE state waiting to be completed, such as transaction {}. The database [{}] cannot be dropped. If you want to forcibly drop (cannot be recovered), please use \"DROP DATABASE <database> FORCE\".", txn.id, db.name));
        }
        let temporary: Vec<Arc<Table>> =
            self.temporary_tables.iter().filter(|((_, db, _), _)| *db == id).filter_map(|(_, t)| self.tables.get(&t.table).cloned()).collect();
        if !temporary.is_empty() && !force {
            return Err(err!(User, "The database [{}] cannot be dropped because there are still some temporary tables in it. If you want to forcibly drop(cannot be recovered), please use \"DROP DATABASE <database> FORCE\".", db.name));
        }
        let tables: Vec<Arc<Table>> = self.tables_of(id).cloned().chain(temporary).collect();
        for table in &tables {
            if !self.remove_temporary_name(table.id) {
                self.table_names.remove(&(id, table.name.clone()));
            }
            self.tables.remove(&table.id);
        }
        match recycle_ms {
            Some(dropped_ms) => {
                let tables = tables.iter().map(|t| self.settled(t)).collect();
                self.recycle(RecycledObject::Database { database: db.clone(), tables }, dropped_ms);
            }
            None => {
                tables.iter().for_each(|t| self.forget_table(t));
                self.erase_all_of(id);
            }
        }
        self.database_names.remove(&db.name);
        self.databases.remove(&id);
        Ok(Reply::Done)
    }

    pub(super) fn rename_database(&mut self, id: DbId, name: String) -> Result<Reply> {
        if self.database_names.contains_key(&name) {
            return Err(err!(DatabaseExists, "Database name[{name}] is already used"));
        }
        let mut db = Database::clone(self.db(id)?);
        self.database_names.remove(&db.name);
        self.database_names.insert(name.clone(), id);
        db.name = name;
        self.databases.insert(id, Arc::new(db));
        Ok(Reply::Done)
    }

    pub(super) fn alter_database_properties(&mut self, id: DbId, properties: Vec<(String, String)>) -> Result<Reply> {
        let mut db = Database::clone(self.db(id)?);
        merge_properties(&mut db.properties, properties);
        self.databases.insert(id, Arc::new(db));
        Ok(Reply::Done)
    }
}

/// Sets keys that exist, appends the others.
pub(super) fn merge_properties(mine: &mut Vec<(String, String)>, changes: Vec<(String, String)>) {
    for (key, value) in changes {
        match mine.iter_mut().find(|(k, _)| *k == key) {
            Some(entry) => entry.1 = value,
            None => mine.push((key, value)),
        }
    }
}
