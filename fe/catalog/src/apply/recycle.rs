//! The recycle bin: dropping into it, recovering from it, erasing. A bin keeps several objects of one name; the newest comes back.

use std::sync::Arc;

use common_base::{Result, bail, err, ids::{DbId, PartitionId, TableId}};

use crate::{
    Reply,
    model::{Database, IndexState, Partition, Recycled, RecycledObject, Table, TableKind},
    state::CatalogState,
};

impl CatalogState {
    /// Refuses while a committed load is not yet visible: its version would be missing when the object comes back.
    pub(super) fn check_settled(&self, what: &str, touches: impl Fn(TableId, PartitionId) -> bool) -> Result<()> {
        for txn in self.committed.keys().filter_map(|id| self.txns.get(id)) {
            if txn.versions.iter().any(|(table, partition, _)| touches(*table, *partition)) {
                bail!(User, "There are still some transactions in the COMMITTED state waiting to be completed. The {what} cannot be dropped. If you want to forcibly drop(cannot be recovered), please use \"DROP ... FORCE\".");
            }
        }
        Ok(())
    }

    pub(super) fn recycle(&mut self, object: RecycledObject, dropped_ms: i64) {
        let entry = Recycled { dropped_ms, object };
        self.recycled.insert(entry.id(), Arc::new(entry));
    }

    /// The table as it can come back: without the index that an unfinished change was building.
    pub(super) fn settled(&mut self, table: &Arc<Table>) -> Arc<Table> {
        let building = |o: &crate::model::OlapTable| o.further.iter().any(|i| i.state == IndexState::Building);
        if !table.as_olap().is_some_and(|o| building(o)) {
            return table.clone();
        }
        let mut table = Table::clone(table);
        if let TableKind::Olap(olap) = &mut table.kind {
            let olap = Arc::make_mut(olap);
            olap.further.retain(|i| i.state != IndexState::Building);
            let ids: Vec<_> = olap.index_ids().collect();
            for (id, partition) in olap.partitions.clone() {
                let mut partition = Partition::clone(&partition);
                let (keep, gone) = std::mem::take(&mut partition.indexes).into_iter().partition(|i| ids.contains(&i.index_id));
                partition.indexes = gone;
                self.unindex_partition(&partition);
                partition.indexes = keep;
                olap.partitions.insert(id, Arc::new(partition));
            }
        }
        Arc::new(table)
    }

    /// Removes entries from the bin for good. Tablets the catalog no longer knows are dropped by their backends.
    pub(super) fn erase_recycled(&mut self, ids: &[u64]) -> Result<Reply> {
        for id in ids {
            let Some(entry) = self.recycled.remove(id) else { continue };
            for (_, _, partition) in entry.partitions() {
                self.unindex_partition(partition);
            }
            for table in entry.tables() {
                self.statistics.remove(&table.id);
                self.collected.remove(&table.id);
                self.erase_partitions_of(table.id);
            }
            if let RecycledObject::Database { database, .. } = &entry.object {
                self.erase_all_of(database.id);
            }
        }
        Ok(Reply::Done)
    }

    /// Erases what the bin holds of a table that is gone for good.
    pub(super) fn erase_partitions_of(&mut self, table: TableId) {
        let of_table = |r: &Recycled| matches!(&r.object, RecycledObject::Partition { table: of, .. } if *of == table);
        let gone: Vec<u64> = self.recycled.iter().filter(|(_, r)| of_table(r)).map(|(id, _)| *id).collect();
        for id in gone {
            if let Some(entry) = self.recycled.remove(&id) {
                entry.partitions().for_each(|(_, _, p)| self.unindex_partition(p));
            }
        }
    }

    /// Erases what the bin holds of a database that is gone for good.
    pub(super) fn erase_all_of(&mut self, db: DbId) {
        let gone: Vec<u64> = self.recycled.iter().filter(|(_, r)| r.db_id() == db && !matches!(r.object, RecycledObject::Database { .. })).map(|(id, _)| *id).collect();
        for id in gone {
            if let Some(entry) = self.recycled.remove(&id) {
                entry.partitions().for_each(|(_, _, p)| self.unindex_partition(p));
            }
        }
    }

    pub(super) fn recover(&mut self, id: u64) -> Result<Reply> {
        let entry = self.recycled.get(&id).cloned().ok_or_else(|| err!(NotFound, "nothing with id {id} is in the recycle bin"))?;
        match &entry.object {
            RecycledObject::Database { database, tables } => self.recover_database(database, tables)?,
            RecycledObject::Table(table) => {
                if !self.databases.contains_key(&table.db_id) {
                    bail!(UnknownDatabase, "Unknown database '{}'", table.db_id);
                }
                self.create_table(table)?;
            }
            RecycledObject::Partition { table, partition, .. } => {
                self.add_partitions(*table, vec![Partition::clone(partition)])?;
            }
        }
        self.recycled.remove(&id);
        Ok(Reply::Done)
    }

    fn recover_database(&mut self, database: &Arc<Database>, tables: &[Arc<Table>]) -> Result<()> {
        self.create_database(Database::clone(database))?;
        // Nothing else is in the database, so no name is taken.
        tables.iter().try_for_each(|t| self.create_table(t).map(|_| ()))
    }

    /// The newest dropped database of a name.
    pub fn recycled_database(&self, name: &str) -> Option<&Arc<Recycled>> {
        self.newest(|r| matches!(&r.object, RecycledObject::Database { database, .. } if database.name == name))
    }

    /// The newest dropped table of a name.
    pub fn recycled_table(&self, db: DbId, name: &str) -> Option<&Arc<Recycled>> {
        self.newest(|r| matches!(&r.object, RecycledObject::Table(table) if table.db_id == db && table.name == name))
    }

    /// The newest dropped partition of a name.
    pub fn recycled_partition(&self, table: TableId, name: &str) -> Option<&Arc<Recycled>> {
        self.newest(|r| matches!(&r.object, RecycledObject::Partition { table: of, partition, .. } if *of == table && partition.name.eq_ignore_ascii_case(name)))
    }

    fn newest(&self, wanted: impl Fn(&Recycled) -> bool) -> Option<&Arc<Recycled>> {
        self.recycled.values().filter(|r| wanted(r)).max_by_key(|r| (r.dropped_ms, r.id()))
    }
}

#[cfg(test)]
mod tests;
