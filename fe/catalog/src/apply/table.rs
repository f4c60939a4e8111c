//! Tables, views and partitions.

use std::sync::Arc;

use common_base::{Result, bail, err, ids::{ColumnUid, PartitionId, TableId}};

use super::database::merge_properties;
use crate::{Reply, model::{ColumnSource, Distribution, OlapTable, Partition, PartitionInfo, RecycledObject, Table, TableKind}, state::CatalogState};

impl CatalogState {
    fn existing(&self, id: TableId) -> Result<&Arc<Table>> {
        self.tables.get(&id).ok_or_else(|| err!(UnknownTable, "Unknown table '{id}'"))
    }

    fn existing_olap(&self, id: TableId) -> Result<(&Arc<Table>, &Arc<OlapTable>)> {
        let table = self.existing(id)?;
        let olap = table.as_olap().ok_or_else(|| err!(User, "'{}' is not a native table", table.name))?;
        Ok((table, olap))
    }

    pub(super) fn create_table(&mut self, table: &Arc<Table>) -> Result<Reply> {
        if !self.databases.contains_key(&table.db_id) {
            bail!(UnknownDatabase, "Unknown database '{}'", table.db_id);
        }
        let key = (table.db_id, table.name.clone());
        if self.table_names.contains_key(&key) {
            bail!(TableExists, "Table '{}' already exists", table.name);
        }
        self.table_names.insert(key, table.id);
        self.tables.insert(table.id, table.clone());
        for partition in table.as_olap().iter().flat_map(|o| o.partitions.values()) {
            self.index_partition(table.id, partition);
        }
        Ok(Reply::Done)
    }

    pub(super) fn drop_table(&mut self, id: TableId, recycle_ms: Option<i64>) -> Result<Reply> {
        let table = self.existing(id)?.clone();
        // Nobody could see a temporary table that comes back.
        let recycle_ms = recycle_ms.filter(|_| !self.temporary_tables.values().any(|t| t.table == id));
        match recycle_ms {
            Some(dropped_ms) => {
                self.check_settled(&format!("table [{}]", table.name), |t, _| t == id)?;
                let table = self.settled(&table);
                self.recycle(RecycledObject::Table(table), dropped_ms);
            }
            None => self.forget_table(&table),
        }
        if !self.remove_temporary_name(id) {
            self.table_names.remove(&(table.db_id, table.name.clone()));
        }
        self.tables.remove(&id);
        Ok(Reply::Done)
    }

    /// What the catalog knows of a table beside its entry.
    pub(super) fn forget_table(&mut self, table: &Table) {
        for partition in table.as_olap().iter().flat_map(|o| o.partitions.values()) {
            self.unindex_partition(partition);
        }
        self.statistics.remove(&table.id);
        self.collected.remove(&table.id);
        self.erase_partitions_of(table.id);
    }

    pub(super) fn rename_table(&mut self, id: TableId, name: String) -> Result<Reply> {
        let mut table = Table::clone(self.existing(id)?);
        if self.table_names.contains_key(&(table.db_id, name.clone())) {
            bail!(TableExists, "Table '{name}' already exists");
        }
        self.table_names.remove(&(table.db_id, table.name.clone()));
        self.table_names.insert((table.db_id, name.clone()), id);
        table.name = name;
        name_single_partition(&mut table);
        self.put_table(table);
        Ok(Reply::Done)
    }

    pub(super) fn rename_column(
        &mut self,
        id: TableId,
        from: &str,
        to: &str,
        generated: Vec<(ColumnUid, String)>,
        partition_exprs: Option<Vec<String>>,
        now_ms: i64,
    ) -> Result<Reply> {
        let mut table = Table::clone(self.existing(id)?);
        if table.column(to).is_some_and(|c| !c.name.eq_ignore_ascii_case(from)) {
            bail!(DuplicateColumn, "Column name[{to}] is already used");
        }
        if table.as_olap().is_some_and(|o| o.is_changing()) {
            bail!(User, "Table[{}]'s state(SCHEMA_CHANGE) is not NORMAL. Do not allow doing ALTER ops", table.name);
        }
        let Some(column) = table.columns.iter_mut().find(|c| c.name.eq_ignore_ascii_case(from)) else {
            bail!(User, "Column[{from}] does not exists");
        };
        to.clone_into(&mut column.name);
        let renamed = column.uid;
        for (uid, text) in generated {
            for column in table.columns.iter_mut().filter(|c| c.uid == uid) {
                column.generated = Some(text.clone());
            }
        }
        if let TableKind::Olap(olap) = &mut table.kind {
            let olap = Arc::make_mut(olap);
            if let (PartitionInfo::Expression { exprs, .. }, Some(texts)) = (&mut olap.partition_info, partition_exprs) {
                *exprs = texts;
            }
            // Rollups call a column as the table does.
            for index in &mut olap.further {
                for column in &mut Arc::make_mut(index).columns {
                    if column.source == ColumnSource::Column(renamed) && column.column.name.eq_ignore_ascii_case(from) {
                        to.clone_into(&mut column.column.name);
                    }
                }
            }
        }
        table.updated_ms = now_ms;
        self.put_table(table);
        Ok(Reply::Done)
    }

    pub(super) fn take_numbers(&mut self, id: TableId, count: u64) -> Result<Reply> {
        let (table, olap) = self.existing_olap(id)?;
        let first = olap.sequence.next;
        let Some(next) = first.checked_add(count).filter(|n| *n <= i64::MAX as u64) else {
            bail!(User, "the AUTO_INCREMENT column of table '{}' has no more numbers", table.name);
        };
        self.change_olap(id, |o| o.sequence.next = next);
        Ok(Reply::Id(first))
    }

    pub(super) fn raise_numbers(&mut self, id: TableId, next: u64) -> Result<Reply> {
        self.existing_olap(id)?;
        self.change_olap(id, |o| {
            o.sequence.next = o.sequence.next.max(next);
            o.sequence.epoch += 1;
        });
        Ok(Reply::Done)
    }

    pub(super) fn rename_partition(&mut self, id: TableId, from: &str, to: &str) -> Result<Reply> {
        let (_, olap) = self.existing_olap(id)?;
        if olap.partition_by_name(to, false).is_some() {
            bail!(User, "Partition name[{to}] is already used");
        }
        let Some(partition) = olap.partition_by_name(from, false) else { bail!(UnknownPartition, "Partition[{from}] does not exists") };
        let mut partition = Partition::clone(partition);
        to.clone_into(&mut partition.name);
        self.change_olap(id, |o| {
            o.partitions.insert(partition.id, Arc::new(partition));
        });
        Ok(Reply::Done)
    }

    pub(super) fn replace_view(&mut self, view: &Arc<Table>) -> Result<Reply> {
        let old = self.existing(view.id)?;
        if old.as_olap().is_some() {
            bail!(User, "'{}' is not a view", old.name);
        }
        self.tables.insert(view.id, view.clone());
        Ok(Reply::Done)
    }

    pub(super) fn alter_table_properties(&mut self, id: TableId, properties: Vec<(String, String)>) -> Result<Reply> {
        self.existing_olap(id)?;
        self.change_olap(id, |o| {
            // No group is the group without a name.
            if let Some((_, group)) = properties.iter().find(|(k, _)| k == "colocate_with") {
                o.colocate_group = Some(group.clone()).filter(|g| !g.is_empty());
            }
            merge_properties(&mut o.properties, properties);
            o.properties.retain(|(k, v)| k != "colocate_with" || !v.is_empty());
        });
        Ok(Reply::Done)
    }

    /// Bucket number of partitions to come.
    pub(super) fn set_default_buckets(&mut self, id: TableId, count: u32) -> Result<Reply> {
        self.existing_olap(id)?;
        self.change_olap(id, |o| match &mut o.distribution {
            Distribution::Hash { buckets, .. } | Distribution::Random { buckets } => *buckets = count,
        });
        Ok(Reply::Done)
    }

    pub(super) fn alter_table_comment(&mut self, id: TableId, comment: String) -> Result<Reply> {
        let mut table = Table::clone(self.existing(id)?);
        table.comment = comment;
        self.put_table(table);
        Ok(Reply::Done)
    }

    pub(super) fn swap_tables(&mut self, a: TableId, b: TableId) -> Result<Reply> {
        let (mut a, mut b) = (Table::clone(self.existing(a)?), Table::clone(self.existing(b)?));
        if a.db_id != b.db_id {
            bail!(User, "tables to swap must be in one database");
        }
        std::mem::swap(&mut a.name, &mut b.name);
        name_single_partition(&mut a);
        name_single_partition(&mut b);
        self.table_names.insert((a.db_id, a.name.clone()), a.id);
        self.table_names.insert((b.db_id, b.name.clone()), b.id);
        self.put_table(a);
        self.put_table(b);
        Ok(Reply::Done)
    }

    pub(super) fn add_partitions(&mut self, id: TableId, partitions: Vec<Partition>) -> Result<Reply> {
        let (_, olap) = self.existing_olap(id)?;
        if let Some(taken) = partitions.iter().find(|p| olap.partition_by_name(&p.name, p.temporary).is_some()) {
            bail!(User, "Duplicate partition {}", taken.name);
        }
        self.check_indexes(id, partitions.iter())?;
        for partition in &partitions {
            self.index_partition(id, partition);
        }
        self.change_olap(id, |o| o.partitions.extend(partitions.into_iter().map(|p| (p.id, Arc::new(p)))));
        Ok(Reply::Done)
    }

    pub(super) fn drop_partitions(&mut self, id: TableId, partitions: &[PartitionId], recycle_ms: Option<i64>) -> Result<Reply> {
        let (table, olap) = self.existing_olap(id)?;
        let db_id = table.db_id;
        let dropped: Vec<Arc<Partition>> = partitions.iter().filter_map(|p| olap.partitions.get(p).cloned()).collect();
        // An index under construction is not there when the partition comes back.
        let recycle_ms = recycle_ms.filter(|_| !olap.is_changing());
        if recycle_ms.is_some() {
            self.check_settled("partition", |_, p| partitions.contains(&p))?;
        }
        for partition in &dropped {
            match recycle_ms {
                Some(ms) if !partition.temporary => self.recycle(RecycledObject::Partition { db_id, table: id, partition: partition.clone() }, ms),
                _ => self.unindex_partition(partition),
            }
        }
        self.change_olap(id, |o| dropped.iter().for_each(|p| drop(o.partitions.remove(&p.id))));
        Ok(Reply::Done)
    }

    pub(super) fn replace_partitions(&mut self, id: TableId, pairs: Vec<(PartitionId, Partition)>, now_ms: i64) -> Result<Reply> {
        let (table, olap) = self.existing_olap(id)?;
        if let Some((old, _)) = pairs.iter().find(|(old, _)| !olap.partitions.contains_key(old)) {
            bail!(UnknownPartition, "partition {old} of table '{}' is gone", table.name);
        }
        self.check_indexes(id, pairs.iter().map(|(_, p)| p))?;
        let mut table = Table::clone(table);
        table.updated_ms = now_ms;
        let old: Vec<Arc<Partition>> = pairs.iter().filter_map(|(old, _)| olap.partitions.get(old).cloned()).collect();
        self.put_table(table);
        old.iter().for_each(|p| self.unindex_partition(p));
        pairs.iter().for_each(|(_, new)| self.index_partition(id, new));
        self.change_olap(id, |o| {
            for (old, new) in pairs {
                o.partitions.remove(&old);
                o.partitions.insert(new.id, Arc::new(new));
            }
        });
        Ok(Reply::Done)
    }
}

impl CatalogState {
    /// Both or neither: a reader sees the old rows or the new ones.
    pub(super) fn swap_partitions(&mut self, id: TableId, leave: &[PartitionId], enter: &[(PartitionId, String)], now_ms: i64) -> Result<Reply> {
        let (table, olap) = self.existing_olap(id)?;
        let all = leave.iter().chain(enter.iter().map(|(p, _)| p));
        if let Some(gone) = all.clone().find(|p| !olap.partitions.contains_key(*p)) {
            bail!(UnknownPartition, "partition {gone} of table '{}' is gone", table.name);
        }
        for (_, name) in enter {
            if olap.partition_by_name(name, false).is_some_and(|taken| !leave.contains(&taken.id)) {
                bail!(User, "Duplicate partition {name}");
            }
        }
        let mut table = Table::clone(table);
        table.updated_ms = now_ms;
        let left: Vec<Arc<Partition>> = leave.iter().filter_map(|p| olap.partitions.get(p).cloned()).collect();
        let entered: Vec<Arc<Partition>> = enter
            .iter()
            .filter_map(|(p, name)| Some(Arc::new(Partition { name: name.clone(), temporary: false, ..Partition::clone(olap.partitions.get(p)?) })))
            .collect();
        self.put_table(table);
        left.iter().for_each(|p| self.unindex_partition(p));
        self.change_olap(id, |o| {
            left.iter().for_each(|p| drop(o.partitions.remove(&p.id)));
            o.partitions.extend(entered.into_iter().map(|p| (p.id, p)));
        });
        Ok(Reply::Done)
    }
}

/// The one partition of an unpartitioned table is named like the table.
fn name_single_partition(table: &mut Table) {
    let name = table.name.clone();
    let TableKind::Olap(olap) = &mut table.kind else { return };
    if olap.partition_info != PartitionInfo::Unpartitioned {
        return;
    }
    let olap = Arc::make_mut(olap);
    for partition in olap.partitions.clone().values().filter(|p| !p.temporary && p.name != name) {
        olap.partitions.insert(partition.id, Arc::new(Partition { name: name.clone(), ..Partition::clone(partition) }));
    }
}
