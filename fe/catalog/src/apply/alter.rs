//! Changes of a table's columns and indexes: at once where no stored row notices, else as a job that builds an index beside the
//! base index and swaps it in, for the base index or a rollup.

use std::{collections::{BTreeMap, BTreeSet}, sync::Arc};

use common_base::{Result, bail, err, ids::{IndexId, NodeId, PartitionId, TableId, TabletId}};

use crate::{
    Reply,
    model::{AlterJob, AlterState, ColumnSource, IndexState, OlapTable, Partition, Table, TableIndex, TableKind},
    op::IndexBuild,
    state::CatalogState,
};

/// What [`crate::Op::ChangeColumns`] carries.
pub(super) struct ColumnChange {
    pub base_version: u32,
    pub columns: Vec<crate::model::Column>,
    pub sort_key: Vec<common_base::ids::ColumnUid>,
    pub indexes_ddl: Vec<String>,
    pub properties: Vec<(String, String)>,
    pub next_column_uid: u64,
    pub job: Option<Box<AlterJob>>,
}

impl CatalogState {
    /// The job, which must exist.
    fn alter_job(&self, id: u64) -> Result<AlterJob> {
        self.alter_jobs.get(&id).map(|j| AlterJob::clone(j)).ok_or_else(|| err!(NotFound, "Alter job {id} does not exist"))
    }

    fn put_job(&mut self, job: AlterJob) {
        self.alter_jobs.insert(job.id, Arc::new(job));
    }

    fn unchanged(&self, id: TableId, base_version: u32) -> Result<(Table, Arc<OlapTable>)> {
        let table = self.tables.get(&id).ok_or_else(|| err!(UnknownTable, "Unknown table '{id}'"))?;
        let olap = table.as_olap().ok_or_else(|| err!(User, "'{}' is not a native table", table.name))?;
        if olap.is_changing() {
            bail!(User, "Table[{}]'s state(SCHEMA_CHANGE) is not NORMAL. Do not allow doing ALTER ops", table.name);
        }
        if olap.schema_version != base_version {
            bail!(User, "the columns of table '{}' were changed by another statement meanwhile, try again", table.name);
        }
        Ok((Table::clone(table), olap.clone()))
    }

    pub(super) fn change_columns(&mut self, id: TableId, change: ColumnChange) -> Result<Reply> {
        let (mut table, olap) = self.unchanged(id, change.base_version)?;
        let mut olap = OlapTable::clone(&olap);
        // Backends write by the newest schema they know: indexes are part of it.
        if table.columns != change.columns || olap.indexes_ddl != change.indexes_ddl || olap.properties != change.properties {
            olap.schema_version += 1;
        }
        table.columns = change.columns;
        olap.sort_key = change.sort_key;
        olap.indexes_ddl = change.indexes_ddl;
        olap.properties = change.properties;
        olap.next_column_uid = olap.next_column_uid.max(change.next_column_uid);
        table.kind = TableKind::Olap(Arc::new(olap));
        self.put_table(table);
        if let Some(job) = change.job {
            self.put_job(*job);
        }
        Ok(Reply::Done)
    }

    pub(super) fn begin_alters(&mut self, base_version: u32, builds: Vec<IndexBuild>) -> Result<Reply> {
        let Some(id) = builds.first().map(|b| b.job.table_id) else { return Ok(Reply::Done) };
        let (table, olap) = self.unchanged(id, base_version)?;
        let mut names = BTreeSet::new();
        for IndexBuild { job, index, tablets } in &builds {
            if job.table_id != id {
                bail!(Internal, "indexes of different tables are not begun together");
            }
            if olap.index_by_name(&index.name).is_some() || !names.insert(index.name.to_lowercase()) {
                bail!(User, "Materialized view[{}] already exists", index.name);
            }
            let complete = olap.partitions.len() == tablets.len() && tablets.iter().all(|(p, _)| olap.partitions.contains_key(p));
            if !complete {
                bail!(User, "the partitions of table '{}' were changed by another statement meanwhile, try again", table.name);
            }
            // A rollup that is dropped and a column that is renamed leave the schema's version as it is.
            let replaced = index.replaces.is_none_or(|old| olap.index_ids().any(|i| i == old));
            let columns = &job.change.columns;
            if !replaced || !(columns.is_empty() || table.columns.iter().all(|c| columns.contains(c))) {
                bail!(User, "the columns of table '{}' were changed by another statement meanwhile, try again", table.name);
            }
        }
        for build in builds {
            self.begin_alter(build);
        }
        Ok(Reply::Done)
    }

    fn begin_alter(&mut self, IndexBuild { job, index, tablets }: IndexBuild) {
        let id = job.table_id;
        let waiting = self.txns.values().filter(|t| t.is_running() && t.tables.contains(&id)).map(|t| t.id).collect();
        for (partition, added) in &tablets {
            for tablet in &added.tablets {
                self.tablets.insert(tablet.id, (id, *partition));
            }
        }
        self.change_olap(id, |o| {
            let highest = index.columns.iter().map(|c| c.column.uid.0 + 1).max().unwrap_or(0);
            o.next_column_uid = o.next_column_uid.max(highest);
            o.further.push(Arc::new(index));
            for (id, added) in tablets {
                if let Some(old) = o.partitions.get(&id) {
                    let mut partition = Partition::clone(old);
                    partition.indexes.push(Arc::new(added));
                    o.partitions.insert(id, Arc::new(partition));
                }
            }
        });
        self.put_job(AlterJob { waiting, state: AlterState::WaitingTxn, ..job });
    }

    pub(super) fn start_conversion(&mut self, id: u64) -> Result<Reply> {
        let mut job = self.alter_job(id)?;
        if job.state == AlterState::WaitingTxn {
            job.state = AlterState::Running;
            job.waiting.clear();
            self.put_job(job);
        }
        Ok(Reply::Done)
    }

    pub(super) fn note_alter(&mut self, id: u64, message: String) -> Result<Reply> {
        let mut job = self.alter_job(id)?;
        if job.is_running() {
            job.message = message;
            self.put_job(job);
        }
        Ok(Reply::Done)
    }

    pub(super) fn finish_alter(&mut self, id: u64, converted: &[(TabletId, NodeId, i64)], lost: &[(TabletId, NodeId)], now_ms: i64) -> Result<Reply> {
        let mut job = self.alter_job(id)?;
        if !job.is_running() {
            return Ok(Reply::Done);
        }
        let index = job.index;
        let olap = self.tables.get(&job.table_id).and_then(|t| t.as_olap());
        let found = olap.and_then(|o| Some((o.base_index, o.further.iter().find(|i| i.id == index).cloned()?)));
        let Some((base, found)) = found else { return self.cancel_alter(id, "the table is gone".to_owned(), now_ms) };
        self.settle_replicas(job.table_id, index, converted, lost);
        match found.replaces {
            None => {
                self.change_olap(job.table_id, |o| {
                    for i in o.further.iter_mut().filter(|i| i.id == index) {
                        Arc::make_mut(i).state = IndexState::Normal;
                    }
                });
            }
            Some(old) if old == base => self.swap_base(&mut job, &found, now_ms),
            Some(old) => self.swap_rollup(&mut job, old, now_ms),
        }
        job.state = AlterState::Finished;
        job.finished_ms = now_ms;
        job.message.clear();
        self.put_job(job);
        Ok(Reply::Done)
    }

    /// The new index takes the base index's place; the old tablets are the job's garbage.
    fn swap_base(&mut self, job: &mut AlterJob, index: &TableIndex, now_ms: i64) {
        let Some(table) = self.tables.get(&job.table_id) else { return };
        let mut table = Table::clone(table);
        let Some(olap) = table.as_olap() else { return };
        let mut olap = OlapTable::clone(olap);
        let old = olap.base_index;
        for (id, partition) in olap.partitions.clone() {
            let mut partition = Partition::clone(&partition);
            for gone in partition.indexes.iter().filter(|i| i.index_id == old) {
                for tablet in &gone.tablets {
                    self.tablets.remove(&tablet.id);
                    job.garbage.push((tablet.id, tablet.replicas.iter().map(|r| r.node).collect()));
                }
            }
            partition.indexes.retain(|i| i.index_id != old);
            if let Some(at) = partition.indexes.iter().position(|i| i.index_id == index.id) {
                let new = partition.indexes.remove(at);
                partition.indexes.insert(0, new);
            }
            olap.partitions.insert(id, Arc::new(partition));
        }
        olap.further.retain(|i| i.id != index.id);
        olap.base_index = index.id;
        olap.schema_version = index.schema_version;
        olap.short_key_columns = index.short_key_columns;
        olap.sort_key.clone_from(&index.sort_key);
        olap.indexes_ddl.clone_from(&job.change.indexes_ddl);
        olap.properties.clone_from(&job.change.properties);
        olap.next_column_uid = olap.next_column_uid.max(job.change.next_column_uid);
        table.columns = index.columns.iter().map(|c| c.column.clone()).collect();
        table.updated_ms = now_ms;
        table.kind = TableKind::Olap(Arc::new(olap));
        self.put_table(table);
    }

    /// The new index takes a rollup's place and name, and the table gets the columns that the rollup got with it; the old tablets are
    /// the job's garbage.
    fn swap_rollup(&mut self, job: &mut AlterJob, old: IndexId, now_ms: i64) {
        let name = self.tables.get(&job.table_id).and_then(|t| t.as_olap()?.further.iter().find(|i| i.id == old).map(|i| i.name.clone()));
        job.garbage.extend(self.remove_index(job.table_id, old));
        let Some(table) = self.tables.get(&job.table_id) else { return };
        let mut table = Table::clone(table);
        if let TableKind::Olap(olap) = &mut table.kind {
            let olap = Arc::make_mut(olap);
            for index in olap.further.iter_mut().filter(|i| i.id == job.index) {
                let index = Arc::make_mut(index);
                index.state = IndexState::Normal;
                index.replaces = None;
                if let Some(name) = &name {
                    index.name.clone_from(name);
                }
                for column in index.columns.iter_mut().filter(|c| c.source == ColumnSource::Default) {
                    column.source = ColumnSource::Column(column.column.uid);
                }
            }
            if !job.change.columns.is_empty() {
                table.columns.clone_from(&job.change.columns);
                olap.schema_version += 1;
                olap.next_column_uid = olap.next_column_uid.max(job.change.next_column_uid);
            }
        }
        table.updated_ms = now_ms;
        self.put_table(table);
    }

    fn settle_replicas(&mut self, table: TableId, index: IndexId, converted: &[(TabletId, NodeId, i64)], lost: &[(TabletId, NodeId)]) {
        let converted: BTreeMap<(TabletId, NodeId), i64> = converted.iter().map(|(tablet, node, version)| ((*tablet, *node), *version)).collect();
        let lost: BTreeSet<(TabletId, NodeId)> = lost.iter().copied().collect();
        self.change_olap(table, |o| {
            for (id, partition) in o.partitions.clone() {
                let mut partition = Partition::clone(&partition);
                for tablets in partition.indexes.iter_mut().filter(|i| i.index_id == index) {
                    for tablet in &mut Arc::make_mut(tablets).tablets {
                        let id = tablet.id;
                        for replica in &mut tablet.replicas {
                            replica.bad |= lost.contains(&(id, replica.node));
                            let version = converted.get(&(id, replica.node)).copied().unwrap_or(0);
                            replica.version = replica.version.max(version);
                        }
                    }
                }
                o.partitions.insert(id, Arc::new(partition));
            }
        });
    }

    pub(super) fn cancel_alter(&mut self, id: u64, reason: String, now_ms: i64) -> Result<Reply> {
        let mut job = self.alter_job(id)?;
        if !job.is_running() {
            bail!(User, "Job {id} is already {}", job.state_name());
        }
        job.garbage = self.remove_index(job.table_id, job.index);
        job.state = AlterState::Cancelled;
        job.message = reason;
        job.finished_ms = now_ms;
        job.waiting.clear();
        self.put_job(job);
        Ok(Reply::Done)
    }

    /// Takes a further index out of a table; gives its tablets.
    fn remove_index(&mut self, table: TableId, index: IndexId) -> Vec<(TabletId, Vec<NodeId>)> {
        let mut garbage = Vec::new();
        self.change_olap(table, |o| {
            if !o.further.iter().any(|i| i.id == index) {
                return;
            }
            o.further.retain(|i| i.id != index);
            for (id, partition) in o.partitions.clone() {
                let mut partition = Partition::clone(&partition);
                for gone in partition.indexes.iter().filter(|i| i.index_id == index) {
                    garbage.extend(gone.tablets.iter().map(|t| (t.id, t.replicas.iter().map(|r| r.node).collect())));
                }
                partition.indexes.retain(|i| i.index_id != index);
                o.partitions.insert(id, Arc::new(partition));
            }
        });
        for (tablet, _) in &garbage {
            self.tablets.remove(tablet);
        }
        garbage
    }

    pub(super) fn optimize_partitions(
        &mut self,
        id: TableId,
        pairs: &[(PartitionId, PartitionId, i64)],
        distribution: Option<crate::model::Distribution>,
        job: Option<Box<AlterJob>>,
        now_ms: i64,
    ) -> Result<Reply> {
        let table = self.tables.get(&id).ok_or_else(|| err!(UnknownTable, "Unknown table '{id}'"))?;
        let olap = table.as_olap().ok_or_else(|| err!(User, "'{}' is not a native table", table.name))?.clone();
        if let Some(txn) = self.txns.values().find(|t| t.is_running() && t.tables.contains(&id)) {
            bail!(User, "load {} of table '{}' is running", txn.id, table.name);
        }
        let unchanged = |(old, new, version): &(PartitionId, PartitionId, i64)| {
            let old = olap.partitions.get(old).is_some_and(|p| p.visible_version == *version && p.next_version == *version + 1);
            old && olap.partitions.contains_key(new)
        };
        let all = distribution.is_none() || pairs.len() * 2 == olap.partitions.len();
        if !all || !pairs.iter().all(unchanged) {
            bail!(User, "the rows of table '{}' changed while they were distributed anew", table.name);
        }
        for (old, _, _) in pairs {
            if let Some(old) = olap.partitions.get(old) {
                self.unindex_partition(old);
            }
        }
        self.change_olap(id, |o| {
            for (old, new, _) in pairs {
                let (Some(old), Some(new)) = (o.partitions.remove(old), o.partitions.remove(new)) else { continue };
                let placed = Partition { name: old.name.clone(), item: old.item.clone(), temporary: old.temporary, ..Partition::clone(&new) };
                o.partitions.insert(placed.id, Arc::new(placed));
            }
            if let Some(distribution) = distribution {
                o.distribution = distribution;
            }
        });
        if let Some(table) = self.tables.get(&id) {
            let table = Table { updated_ms: now_ms, ..Table::clone(table) };
            self.put_table(table);
        }
        if let Some(job) = job {
            self.put_job(*job);
        }
        Ok(Reply::Done)
    }

    /// The index goes at once; its build job, when there is one, keeps its tablets as garbage.
    pub(super) fn drop_index(&mut self, table: TableId, index: IndexId) -> Result<Reply> {
        let job = self.alter_jobs.values().find(|j| j.table_id == table && j.index == index).cloned();
        if job.as_ref().is_some_and(|j| j.is_running()) {
            bail!(User, "the index is still being built; use CANCEL ALTER TABLE ROLLUP");
        }
        let olap = self.tables.get(&table).and_then(|t| t.as_olap());
        if olap.is_some_and(|o| o.further.iter().any(|i| i.replaces == Some(index))) {
            bail!(User, "the columns of the index are being changed; use CANCEL ALTER TABLE COLUMN");
        }
        let garbage = self.remove_index(table, index);
        if let Some(job) = job {
            let mut job = AlterJob::clone(&job);
            job.garbage.extend(garbage);
            self.put_job(job);
        }
        Ok(Reply::Done)
    }

    pub(super) fn rename_index(&mut self, table: TableId, index: IndexId, name: String) -> Result<Reply> {
        let olap = self.tables.get(&table).and_then(|t| t.as_olap()).ok_or_else(|| err!(UnknownTable, "Unknown table '{table}'"))?;
        if olap.index_by_name(&name).is_some_and(|i| i.id != index) {
            bail!(User, "Rollup name[{name}] is already used");
        }
        self.change_olap(table, |o| {
            for i in o.further.iter_mut().filter(|i| i.id == index) {
                Arc::make_mut(i).name.clone_from(&name);
            }
        });
        Ok(Reply::Done)
    }

    pub(super) fn forget_alter_garbage(&mut self, id: u64) -> Result<Reply> {
        let mut job = self.alter_job(id)?;
        job.garbage.clear();
        self.put_job(job);
        Ok(Reply::Done)
    }

    pub(super) fn forget_alter_jobs(&mut self, jobs: &[u64]) -> Result<Reply> {
        for id in jobs {
            if self.alter_jobs.get(id).is_some_and(|j| !j.is_running()) {
                self.alter_jobs.remove(id);
            }
        }
        Ok(Reply::Done)
    }

    /// Partitions that come into a table must have tablets for every index it has by now.
    pub(super) fn check_indexes<'a>(&self, table: TableId, mut partitions: impl Iterator<Item = &'a Partition>) -> Result<()> {
        let Some(olap) = self.tables.get(&table).and_then(|t| t.as_olap()) else { return Ok(()) };
        let fits = partitions.all(|p| p.indexes.iter().map(|i| i.index_id).eq(olap.index_ids()));
        if !fits {
            bail!(User, "the indexes of the table were changed by another statement meanwhile, try again");
        }
        Ok(())
    }
}
