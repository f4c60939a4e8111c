//! Commit of prepared rowsets and their removal: the steps before publication. One synced metadata batch per data directory.

use common_base::ids::{TabletId, TxnId};
use common_base::{Result, ensure, err, fail_point};
use proto_messages::tablet::RowsetMeta;

use crate::engine::StorageEngine;
use crate::merge::combines_rows;
use crate::meta_store::MetaBatch;
use crate::rowset::Rowset;
use crate::rowset::writer::PendingRowset;

/// What a committed load wrote into one tablet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TabletWrite {
    pub tablet: TabletId,
    pub rows: u64,
    pub bytes: u64,
}

impl StorageEngine {
    /// Records prepared rowsets of a transaction durably; they come back after a restart and become visible by publication.
    pub fn commit(&self, rowsets: Vec<PendingRowset>) -> Result<Vec<TabletWrite>> {
        let mut written = Vec::with_capacity(rowsets.len());
        for (dir, group) in by_dir(rowsets) {
            dir.check()?;
            let mut batch = MetaBatch::new();
            for rowset in &group {
                let tablet = rowset.tablet();
                tablet.check()?;
                let txn = TxnId(rowset.meta().txn_id);
                let taken = tablet.pending.lock().contains_key(&txn);
                ensure!(!taken, AlreadyExists, "transaction {txn} has written tablet {} already", tablet.id());
                dir.meta().put_txn(&mut batch, rowset.meta());
            }
            fail_point!("storage.commit")?;
            dir.meta().commit(batch)?;
            fail_point!("storage.committed")?;
            for pending in group {
                let meta: RowsetMeta = pending.meta().clone();
                let tablet = pending.tablet().clone();
                written.push(TabletWrite { tablet: tablet.id(), rows: meta.rows, bytes: meta.bytes });
                let txn = TxnId(meta.txn_id);
                let rowset = Rowset::new(meta, dir.clone(), tablet.shared().clone())?;
                tablet.pending.lock().insert(txn, rowset);
                pending.settle();
            }
        }
        Ok(written)
    }

    /// Forgets what a transaction wrote into these tablets (into all when the list is empty); fine when there is nothing.
    pub fn clear_txn(&self, txn: TxnId, tablets: &[TabletId]) -> Result<()> {
        let tablets = if tablets.is_empty() {
            self.tablets().all()
        } else {
            tablets.iter().filter_map(|id| self.tablets().find(*id)).collect()
        };
        for tablet in tablets {
            let mut pending = tablet.pending.lock();
            if !pending.contains_key(&txn) {
                continue;
            }
            let mut batch = MetaBatch::new();
            tablet.dir().meta().delete_txn(&mut batch, txn, tablet.id());
            tablet.dir().meta().commit(batch)?;
            if let Some(rowset) = pending.remove(&txn) {
                rowset.discard();
            }
        }
        Ok(())
    }

    /// Transactions with rowsets that wait here, each with its tablets.
    pub fn pending_txns(&self) -> Vec<(TxnId, Vec<TabletId>)> {
        let mut found = std::collections::BTreeMap::<TxnId, Vec<TabletId>>::new();
        for tablet in self.tablets().all() {
            for txn in tablet.pending.lock().keys() {
                found.entry(*txn).or_default().push(tablet.id());
            }
        }
        found.into_iter().collect()
    }

    /// Rowsets of loads: those that wait, and those published that no compaction has merged yet.
    pub fn tablet_loads(&self) -> Vec<TabletLoad> {
        let mut found = Vec::new();
        for tablet in self.tablets().all() {
            let partition = tablet.create_request().partition_id;
            let waiting: Vec<_> = tablet.pending.lock().values().cloned().collect();
            let published = tablet.versions();
            let rowsets = waiting.iter().chain(published.current()).filter(|r| r.txn().0 != 0);
            found.extend(rowsets.map(|r| TabletLoad { partition, rowset: r.meta().clone() }));
        }
        found
    }

    /// A rowset that removes rows of lower versions.
    pub fn prepare_delete(&self, txn: TxnId, tablet: TabletId, predicate: proto_messages::tablet::DeletePredicate) -> Result<PendingRowset> {
        let tablet = self.tablets().get(tablet)?;
        tablet.check()?;
        let schema = tablet.schema();
        ensure!(tablet.primary().is_none(), Internal, "a delete predicate for tablet {} that has a primary key", tablet.id());
        let parsed = crate::read::delete_predicates::DeletePredicate::from_proto(&predicate, &tablet.shared().functions)?;
        for uid in parsed.column_uids() {
            let at = schema.position_of(*uid).ok_or_else(|| err!(UnknownColumn, "delete condition names column {uid} that does not exist"))?;
            let column = &schema.columns[at];
            // Rows of one key are combined at any time: a value of one of them is nothing a condition could see.
            ensure!(column.key || !combines_rows(schema.keys), InvalidArgument, "delete condition on column {}, which is no key column", column.name);
        }
        crate::rowset::writer::RowsetWriter::new(&tablet).finish(txn, (0, 0), Some(predicate))
    }

    /// Rowsets without rows: what a load gives tablets that got none of its rows but change version with the others. A tablet that
    /// has something of the transaction already, or is gone, is passed over: its publication says what is the matter.
    pub fn commit_empty(&self, txn: TxnId, tablets: &[TabletId]) -> Result<()> {
        let wanting = tablets.iter().filter_map(|id| self.tablets().find(*id)).filter(|t| t.check().is_ok() && !t.pending.lock().contains_key(&txn));
        let empty = wanting.map(|t| crate::rowset::writer::RowsetWriter::new(&t).finish(txn, (0, 0), None)).collect::<Result<Vec<_>>>()?;
        self.commit(empty).map(drop)
    }
}

/// What a load has written into a tablet.
#[derive(Clone, Debug)]
pub struct TabletLoad {
    pub partition: u64,
    /// Versions 0 while it waits for its publication.
    pub rowset: proto_messages::tablet::RowsetMeta,
}

type DirGroup = (std::sync::Arc<crate::data_dir::DataDir>, Vec<PendingRowset>);

fn by_dir(rowsets: Vec<PendingRowset>) -> Vec<DirGroup> {
    let mut groups: Vec<DirGroup> = Vec::new();
    for rowset in rowsets {
        let dir = rowset.tablet().dir().clone();
        match groups.iter_mut().find(|(d, _)| std::sync::Arc::ptr_eq(d, &dir)) {
            Some((_, group)) => group.push(rowset),
            None => groups.push((dir, vec![rowset])),
        }
    }
    groups
}
