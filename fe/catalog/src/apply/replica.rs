//! Replicas: raised, marked, added, dropped, and what partitions want of them. Partitions in the recycle bin take part: what lies
//! there must survive that its backends leave.

use std::{collections::BTreeMap, sync::Arc};

use common_base::{Result, bail, ids::{NodeId, PartitionId, TableId, TabletId}};

use super::database::merge_properties;
use crate::{
    Reply,
    model::{OlapTable, Partition, Recycled, RecycledObject, Replica, Table, TableKind, Tablet, TxnState},
    state::CatalogState,
};

impl CatalogState {
    /// Replicas that caught up are whole.
    pub(super) fn raise(&mut self, replicas: &[(TabletId, NodeId, i64)]) -> Result<Reply> {
        self.change_replicas(replicas, |replica, version| {
            replica.version = replica.version.max(version);
            (replica.bad, replica.declared_bad) = (false, false);
        })
    }

    pub(super) fn mark_replicas(&mut self, replicas: &[(TabletId, NodeId, bool)]) -> Result<Reply> {
        self.change_replicas(replicas, |replica, bad| replica.bad = bad || replica.declared_bad)
    }

    pub(super) fn declare_replicas(&mut self, replicas: &[(TabletId, NodeId, bool)]) -> Result<Reply> {
        self.change_replicas(replicas, |replica, bad| (replica.bad, replica.declared_bad) = (bad, bad))
    }

    fn change_replicas<T: Copy>(&mut self, replicas: &[(TabletId, NodeId, T)], change: impl Fn(&mut Replica, T)) -> Result<Reply> {
        let changes = replicas.iter().map(|(tablet, node, value)| (*tablet, (*node, *value)));
        self.change_tablets(changes, |tablet, (node, value)| tablet.replicas.iter_mut().filter(|r| r.node == node).for_each(|r| change(r, value)));
        Ok(Reply::Done)
    }

    pub(super) fn add_replicas(&mut self, replicas: Vec<(TabletId, Replica)>) -> Result<Reply> {
        let since = self.next_id;
        let backends = self.backends.clone();
        self.change_tablets(replicas.into_iter(), |tablet, new| {
            // A backend that was dropped meanwhile holds nothing; a second copy of the same answer changes nothing.
            if backends.contains_key(&new.node) && tablet.replica(new.node).is_none() {
                tablet.replicas.push(Replica { since, ..new });
            }
        });
        Ok(Reply::Done)
    }

    pub(super) fn drop_replicas(&mut self, replicas: &[(TabletId, NodeId)]) -> Result<Reply> {
        for (tablet, node) in replicas {
            // One after the other: each must leave enough.
            if self.why_not_drop(*tablet, *node).is_none() {
                self.change_tablets(std::iter::once((*tablet, *node)), |tablet, node| tablet.replicas.retain(|r| r.node != node));
            }
        }
        Ok(Reply::Done)
    }

    /// Why a replica is needed; `None` when it may go: another one has everything that is visible, and what transactions wrote and
    /// is not visible yet is on enough of the others.
    pub fn why_not_drop(&self, id: TabletId, node: NodeId) -> Option<String> {
        let (_, partition) = self.known_partition(id)?;
        let tablet = partition.tablet(id)?;
        let victim = tablet.replica(node)?;
        let whole = |r: &&Replica| !r.bad && r.version >= partition.visible_version && self.backends.contains_key(&r.node);
        let others = || tablet.replicas.iter().filter(|r| r.node != node);
        if !others().any(|r| whole(&r)) {
            return Some(format!("no other replica of tablet {id} is whole"));
        }
        if !self.backends.contains_key(&victim.node) {
            return None;
        }
        let quorum = tablet.quorum(partition.replication_num).min(others().count());
        for txn in self.txns.values().filter(|t| matches!(t.state, TxnState::Prepared | TxnState::Committed)) {
            if !txn.written.contains(&(id, node)) {
                continue;
            }
            let elsewhere = others().filter(|r| txn.written.contains(&(id, r.node))).count();
            if elsewhere < quorum {
                return Some(format!("transaction {} has written it", txn.id));
            }
        }
        None
    }

    /// The partition a tablet is in, also one that lies in the recycle bin.
    pub fn known_partition(&self, tablet: TabletId) -> Option<(TableId, Arc<Partition>)> {
        let (table, partition) = *self.tablets.get(&tablet)?;
        let live = self.tables.get(&table).and_then(|t| t.as_olap()?.partitions.get(&partition).cloned());
        let found = live.or_else(|| self.recycled.values().flat_map(|r| r.partitions()).find(|(t, p, _)| *t == table && *p == partition).map(|(_, _, p)| p.clone()))?;
        Some((table, found))
    }

    /// Changes tablets copy-on-write, partition by partition. A tablet dropped meanwhile needs nothing.
    fn change_tablets<T>(&mut self, changes: impl Iterator<Item = (TabletId, T)>, mut change: impl FnMut(&mut Tablet, T)) {
        let mut of_partition: BTreeMap<(TableId, PartitionId), Vec<(TabletId, T)>> = BTreeMap::new();
        for (tablet, value) in changes {
            if let Some(place) = self.tablets.get(&tablet) {
                of_partition.entry(*place).or_default().push((tablet, value));
            }
        }
        for ((table, partition), changes) in of_partition {
            let mut changes: BTreeMap<TabletId, Vec<T>> = changes.into_iter().fold(BTreeMap::new(), |mut all, (id, value)| {
                all.entry(id).or_default().push(value);
                all
            });
            let mut apply = |p: &mut Partition| {
                for tablet in p.indexes.iter_mut().flat_map(|i| &mut Arc::make_mut(i).tablets) {
                    changes.remove(&tablet.id).into_iter().flatten().for_each(|value| change(tablet, value));
                }
            };
            if self.change_partition(table, partition, &mut apply).is_none() {
                self.change_recycled(table, partition, &mut apply);
            }
        }
    }

    fn change_recycled(&mut self, table: TableId, partition: PartitionId, change: &mut impl FnMut(&mut Partition)) {
        let found = self.recycled.iter().find(|(_, r)| r.partitions().any(|(t, p, _)| t == table && p == partition));
        let Some((id, mut entry)) = found.map(|(id, r)| (*id, Recycled::clone(r))) else { return };
        let in_table = |t: &mut Arc<Table>, change: &mut dyn FnMut(&mut Partition)| {
            if let TableKind::Olap(olap) = &mut Arc::make_mut(t).kind {
                change_in(Arc::make_mut(olap), partition, change);
            }
        };
        match &mut entry.object {
            RecycledObject::Partition { partition, .. } => change(Arc::make_mut(partition)),
            RecycledObject::Table(t) => in_table(t, change),
            RecycledObject::Database { tables, .. } => tables.iter_mut().filter(|t| t.id == table).for_each(|t| in_table(t, change)),
        }
        self.recycled.insert(id, Arc::new(entry));
    }

    pub(super) fn modify_partitions(
        &mut self,
        table: TableId,
        partitions: &[PartitionId],
        replication_num: Option<u16>,
        medium: Option<&str>,
        cooldown_ms: Option<i64>,
        properties: Vec<(String, String)>,
    ) -> Result<Reply> {
        let Some(olap) = self.tables.get(&table).and_then(|t| t.as_olap()) else { bail!(UnknownTable, "Unknown table '{table}'") };
        if replication_num.is_some() && olap.colocate_group.is_some() {
            bail!(User, "the tables of a colocate group keep their replication number");
        }
        self.change_olap(table, |o| {
            for id in partitions {
                change_in(o, *id, &mut |p| {
                    p.replication_num = replication_num.unwrap_or(p.replication_num);
                    if let Some(medium) = medium {
                        medium.clone_into(&mut p.medium);
                    }
                    p.cooldown_ms = cooldown_ms.unwrap_or(p.cooldown_ms);
                });
            }
            merge_properties(&mut o.properties, properties);
        });
        Ok(Reply::Done)
    }
}

fn change_in(olap: &mut OlapTable, id: PartitionId, change: &mut dyn FnMut(&mut Partition)) {
    if let Some(partition) = olap.partitions.get_mut(&id) {
        change(Arc::make_mut(partition));
    }
}

#[cfg(test)]
mod tests;
