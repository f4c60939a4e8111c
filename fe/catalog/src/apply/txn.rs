//! Load transactions. A label is taken from begin until its transaction aborts; versions are allotted at commit, in commit order
//! per partition; they become visible one after the other.

use std::{collections::BTreeMap, sync::Arc};

use common_base::{Result, bail, err, fail_point, ids::{NodeId, PartitionId, TableId, TabletId, TxnId}};

use crate::{Reply, model::{Partition, Table, Transaction, TxnState}, op::TxnCounters, state::CatalogState};

impl Transaction {
    /// Whether it may still become visible.
    pub fn is_running(&self) -> bool {
        matches!(self.state, TxnState::Prepare | TxnState::Prepared | TxnState::Committed)
    }
}

impl CatalogState {
    fn txn(&self, id: TxnId) -> Result<&Arc<Transaction>> {
        self.txns.get(&id).ok_or_else(|| err!(NotFound, "transaction not found: {id}"))
    }

    pub(super) fn begin_txn(&mut self, mut txn: Transaction) -> Result<Reply> {
        if !self.databases.contains_key(&txn.db_id) {
            bail!(UnknownDatabase, "Unknown database '{}'", txn.db_id);
        }
        let key = (txn.db_id, txn.label.clone());
        if let Some(known) = self.labels.get(&key).and_then(|id| self.txns.get(id)) {
            // The same request again (its answer was lost): the same transaction, as long as it can still be used.
            if known.request_id == txn.request_id && known.state == TxnState::Prepare {
                return Ok(Reply::Txn(known.id));
            }
            if fail_point!("planted.label.twice")?.is_none() {
                bail!(LabelExists, "Label [{}] has already been used.", txn.label);
            }
        }
        txn.state = TxnState::Prepare;
        let id = txn.id;
        self.labels.insert(key, id);
        self.txns.insert(id, txn.into());
        Ok(Reply::Txn(id))
    }

    pub(super) fn prepare_txn(&mut self, id: TxnId, written: Vec<(TabletId, NodeId)>, counters: TxnCounters, timeout_ms: i64, now_ms: i64) -> Result<Reply> {
        let txn = self.txn(id)?;
        match txn.state {
            TxnState::Prepared => return Ok(Reply::Done),
            TxnState::Prepare => {}
            _ => bail!(User, "transaction {id} cannot be prepared: it is {}", txn.state.name()),
        }
        let mut txn = Transaction::clone(txn);
        txn.state = TxnState::Prepared;
        txn.written = written;
        txn.set_counters(counters);
        txn.prepared_ms = now_ms;
        txn.prepared_timeout_ms = timeout_ms;
        self.txns.insert(id, txn.into());
        Ok(Reply::Done)
    }

    pub(super) fn commit_txn(&mut self, id: TxnId, written: Vec<(TabletId, NodeId)>, counters: TxnCounters, now_ms: i64) -> Result<Reply> {
        let txn = self.txn(id)?;
        let written = match &txn.state {
            // The commit's answer was lost: the same answer again.
            TxnState::Committed | TxnState::Visible => return Ok(Reply::Versions(txn.versions.clone())),
            TxnState::Prepared => txn.written.clone(),
            TxnState::Prepare => written,
            TxnState::Aborted { reason } => bail!(User, "transaction {id} is already aborted: {reason}"),
        };
        let mut txn = Transaction::clone(txn);
        let mut touched: BTreeMap<(TableId, PartitionId), ()> = BTreeMap::new();
        for (tablet, _) in &written {
            // A partition that was dropped or truncated meanwhile no longer takes part.
            if let Some(place) = self.tablets.get(tablet) {
                touched.insert(*place, ());
            }
        }
        let mut versions = Vec::with_capacity(touched.len());
        for (table, partition) in touched.into_keys() {
            let version = self.change_partition(table, partition, |p| {
                let version = p.next_version;
                p.next_version += 1;
                version
            });
            if let Some(version) = version {
                versions.push((table, partition, version));
            }
        }
        txn.state = TxnState::Committed;
        txn.written = written;
        txn.versions.clone_from(&versions);
        if txn.prepared_ms == 0 {
            txn.set_counters(counters);
        }
        for (table, _, _) in &versions {
            if !txn.tables.contains(table) {
                txn.tables.push(*table);
            }
        }
        txn.commit_ms = now_ms;
        self.committed.insert(id, ());
        self.txns.insert(id, txn.into());
        Ok(Reply::Versions(versions))
    }

    pub(super) fn make_visible(&mut self, id: TxnId, published: &[(TabletId, NodeId)], now_ms: i64) -> Result<Reply> {
        let txn = self.txn(id)?.clone();
        match txn.state {
            TxnState::Visible => return Ok(Reply::Done),
            TxnState::Committed => {}
            _ => bail!(User, "transaction {id} cannot become visible: it is {}", txn.state.name()),
        }
        for (table, partition, version) in &txn.versions {
            let current = self.tables.get(table).and_then(|t| t.as_olap()?.partitions.get(partition).map(|p| p.visible_version));
            if current.is_some_and(|c| c + 1 != *version) {
                bail!(Internal, "version {version} of partition {partition} would skip over {current:?}");
            }
        }
        let mut of_partition: BTreeMap<(TableId, PartitionId), Vec<(TabletId, NodeId)>> = BTreeMap::new();
        for (tablet, node) in published {
            if let Some(place) = self.tablets.get(tablet) {
                of_partition.entry(*place).or_default().push((*tablet, *node));
            }
        }
        for (table, partition, version) in &txn.versions {
            let replicas = of_partition.remove(&(*table, *partition)).unwrap_or_default();
            self.change_partition(*table, *partition, |p| {
                p.visible_version = *version;
                p.visible_time_ms = now_ms;
                raise_replicas(p, &replicas, *version);
            });
            if let Some(entry) = self.tables.get(table) {
                let entry = Table { updated_ms: now_ms, ..Table::clone(entry) };
                self.put_table(entry);
            }
        }
        let mut txn = Transaction::clone(&txn);
        txn.state = TxnState::Visible;
        txn.finish_ms = now_ms;
        txn.finish_id = self.next_id;
        txn.written.clear();
        self.committed.remove(&id);
        self.txns.insert(id, txn.into());
        Ok(Reply::Done)
    }

    pub(super) fn abort_txn(&mut self, id: TxnId, reason: String, now_ms: i64) -> Result<Reply> {
        let txn = self.txn(id)?;
        match txn.state {
            TxnState::Aborted { .. } => return Ok(Reply::Done),
            TxnState::Prepare | TxnState::Prepared => {}
            _ => bail!(User, "transaction {id} cannot be aborted: it is already {}", txn.state.name()),
        }
        let mut txn = Transaction::clone(txn);
        txn.state = TxnState::Aborted { reason };
        txn.finish_ms = now_ms;
        txn.finish_id = self.next_id;
        self.labels.remove(&(txn.db_id, txn.label.clone()));
        self.txns.insert(id, txn.into());
        Ok(Reply::Done)
    }

    pub(super) fn forget_txns(&mut self, txns: &[TxnId]) -> Result<Reply> {
        for id in txns {
            let Some(txn) = self.txns.get(id).filter(|t| !t.is_running()).cloned() else { continue };
            let key = (txn.db_id, txn.label.clone());
            if self.labels.get(&key) == Some(id) {
                self.labels.remove(&key);
            }
            self.txns.remove(id);
        }
        Ok(Reply::Done)
    }

    /// Changes a partition copy-on-write; `None` when it is gone.
    pub(super) fn change_partition<T>(&mut self, table: TableId, partition: PartitionId, change: impl FnOnce(&mut Partition) -> T) -> Option<T> {
        let mut result = None;
        self.change_olap(table, |o| {
            if let Some(old) = o.partitions.get(&partition) {
                let mut new = Partition::clone(old);
                result = Some(change(&mut new));
                o.partitions.insert(partition, Arc::new(new));
            }
        });
        result
    }
}

/// Raises the version of the replicas that published. One that did not has missed the version, also when no row of it went there.
fn raise_replicas(partition: &mut Partition, published: &[(TabletId, NodeId)], version: i64) {
    let published: std::collections::BTreeSet<_> = published.iter().copied().collect();
    for index in &mut partition.indexes {
        for tablet in &mut Arc::make_mut(index).tablets {
            let id = tablet.id;
            for replica in &mut tablet.replicas {
                if published.contains(&(id, replica.node)) {
                    replica.version = version;
                }
            }
        }
    }
}

impl Transaction {
    fn set_counters(&mut self, counters: TxnCounters) {
        self.loaded_rows = counters.loaded_rows;
        self.filtered_rows = counters.filtered_rows;
        self.loaded_bytes = counters.loaded_bytes;
        self.error_url = counters.error_url;
        self.unselected_rows = counters.unselected_rows;
    }
}

impl TxnState {
    /// The state's name as users see it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Prepare => "PREPARE",
            Self::Prepared => "PREPARED",
            Self::Committed => "COMMITTED",
            Self::Visible => "VISIBLE",
            Self::Aborted { .. } => "ABORTED",
        }
    }
}
