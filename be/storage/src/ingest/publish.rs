//! Publication: the rowset a transaction left in a tablet becomes the tablet's next version. Durable when it returns, idempotent,
//! in version order: a version that would leave a gap is refused and tried again later by the FE.

use std::sync::Arc;

use common_base::ids::{TabletId, TxnId};
use common_base::{Result, bail, fail_point};

use proto_messages::tablet::RowsetMeta;

use crate::engine::StorageEngine;
use crate::meta_store::MetaBatch;
use crate::primary::group::apply_group;
use crate::rowset::{Rowset, id::RowsetId};
use crate::tablet::Tablet;

/// One tablet of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishItem {
    pub tablet: TabletId,
    pub version: i64,
}

/// Whether one tablet has the version now.
#[derive(Clone, Debug)]
pub struct PublishOutcome {
    pub tablet: TabletId,
    pub result: Result<()>,
}

impl StorageEngine {
    /// Publishes a transaction; tablets of one data directory share one synced write.
    pub fn publish(&self, txn: TxnId, items: &[PublishItem]) -> Vec<PublishOutcome> {
        let mut outcomes = Vec::with_capacity(items.len());
        let mut groups: Vec<(Arc<crate::data_dir::DataDir>, Vec<(Arc<Tablet>, i64)>)> = Vec::new();
        for item in items {
            match self.tablets().get(item.tablet).and_then(|t| t.check().map(|()| t)) {
                Err(e) => outcomes.push(PublishOutcome { tablet: item.tablet, result: Err(e) }),
                Ok(tablet) => match groups.iter_mut().find(|(d, _)| Arc::ptr_eq(d, tablet.dir())) {
                    Some((_, group)) => group.push((tablet, item.version)),
                    None => groups.push((tablet.dir().clone(), vec![(tablet, item.version)])),
                },
            }
        }
        for (dir, mut group) in groups {
            // Locks are taken in one order by everybody.
            group.sort_by_key(|(t, _)| t.id());
            group.dedup_by_key(|(t, _)| t.id());
            outcomes.extend(publish_group(&dir, txn, &group));
        }
        outcomes
    }
}

fn publish_group(dir: &crate::data_dir::DataDir, txn: TxnId, group: &[(Arc<Tablet>, i64)]) -> Vec<PublishOutcome> {
    let mut outcomes = Vec::with_capacity(group.len());
    let mut batch = MetaBatch::new();
    let mut ready = Vec::with_capacity(group.len());
    let mut obsolete = Vec::new();
    let mut waiting: Vec<(Arc<Tablet>, Arc<Rowset>)> = Vec::new();
    let mut done = Vec::new();
    for ((tablet, version), applied) in group.iter().zip(apply_group(txn, group)) {
        let pending = tablet.pending.lock();
        let outcome = (|| {
            if is_published(tablet, txn, *version) {
                return Ok(None);
            }
            let Some(rowset) = pending.get(&txn) else { return missing(tablet, txn, *version) };
            let versions = tablet.versions();
            if *version <= versions.max() && missing(tablet, txn, *version).is_ok() {
                // A conversion has brought its rows already.
                obsolete.push(tablet.clone());
                return Ok(None);
            }
            if tablet.primary().is_some() && tablet.is_converting() {
                // Applied when the tablet has the rows below it: see `convert`.
                if rowset.versions().1 != *version {
                    let rowset = rowset.published(*version);
                    dir.meta().put_txn(&mut batch, rowset.meta());
                    waiting.push((tablet.clone(), rowset));
                }
                return Ok(None);
            }
            let fills_gaps = tablet.is_converting() || tablet.primary().is_none() && fail_point!("planted.publish.gap")?.is_some();
            let gap = fills_gaps && *version > versions.max() + 1;
            let versions = if gap {
                let filler = Rowset::new(filler(tablet, (versions.max() + 1, *version - 1)), tablet.dir().clone(), tablet.shared().clone())?;
                let filled = versions.with_filler(filler.clone())?;
                dir.meta().put_rowset(&mut batch, filler.meta())?;
                Arc::new(filled)
            } else {
                versions
            };
            // Before anything enters the batch, which is written for the other tablets too.
            versions.check_next(*version)?;
            let published = match &applied {
                None => {
                    let published = rowset.published(*version);
                    dir.meta().put_rowset(&mut batch, published.meta())?;
                    published
                }
                Some(applied) => {
                    let Some(done) = applied.outcome()? else { bail!(Unavailable, "transaction {txn} came to tablet {} just now", tablet.id()) };
                    done.record(tablet, *version, &mut batch)?;
                    done.rowset.clone()
                }
            };
            let next = versions.with_next(published)?;
            dir.meta().delete_txn(&mut batch, txn, tablet.id());
            Ok(Some(next))
        })();
        match outcome {
            Ok(None) => done.push((tablet.id(), pending)),
            Ok(Some(next)) => ready.push((tablet, pending, next, *version, applied)),
            Err(e) => outcomes.push(PublishOutcome { tablet: tablet.id(), result: Err(e) }),
        }
    }
    let written = dir.check().and_then(|()| fail_point!("storage.publish").map(|_| ())).and_then(|()| dir.meta().commit(batch));
    for (tablet, mut pending, next, version, mut applied) in ready {
        if written.is_ok() {
            if let Some(rowset) = pending.remove(&txn) {
                let metrics = &tablet.shared().metrics;
                metrics.load_rows.add(rowset.meta().rows);
                metrics.load_bytes.add(rowset.meta().bytes);
            }
            if let Some(applied) = &mut applied {
                applied.settle(version);
            }
            tablet.set_versions(next);
        }
        outcomes.push(PublishOutcome { tablet: tablet.id(), result: written.clone() });
    }
    for (id, mut pending) in done {
        let waits = waiting.iter().position(|(t, _)| t.id() == id).map(|at| waiting.swap_remove(at));
        let result = match waits {
            None => Ok(()),
            Some((_, rowset)) => written.clone().map(|()| drop(pending.insert(txn, rowset))),
        };
        outcomes.push(PublishOutcome { tablet: id, result });
    }
    for tablet in obsolete {
        forget(dir, &tablet, txn);
    }
    outcomes
}

/// Drops a waiting rowset that nobody needs; if that fails it is dropped when the transaction is cleared.
fn forget(dir: &crate::data_dir::DataDir, tablet: &Tablet, txn: TxnId) {
    let mut batch = MetaBatch::new();
    dir.meta().delete_txn(&mut batch, txn, tablet.id());
    if dir.meta().commit(batch).is_ok()
        && let Some(rowset) = tablet.pending.lock().remove(&txn)
    {
        rowset.discard();
    }
}

/// Versions that a converting tablet misses, for now without rows.
fn filler(tablet: &Tablet, versions: (i64, i64)) -> RowsetMeta {
    RowsetMeta {
        rowset_id: RowsetId::random(&tablet.shared().rng).to_string(),
        tablet_id: tablet.id().0,
        start_version: versions.0,
        end_version: versions.1,
        schema_version: tablet.schema().version,
        created_ms: tablet.shared().clock.now_ms(),
        ..RowsetMeta::default()
    }
}

fn is_published(tablet: &Tablet, txn: TxnId, version: i64) -> bool {
    tablet.versions().current().iter().any(|r| r.txn() == txn && r.versions() == (version, version))
}

/// Nothing of the transaction waits here: it was published and compacted since, or it never arrived.
fn missing(tablet: &Tablet, txn: TxnId, version: i64) -> Result<Option<crate::tablet::versions::Versions>> {
    let covered = |r: &Rowset| r.txn().0 == 0 && r.versions().0 <= version && version <= r.versions().1;
    if tablet.versions().current().iter().any(|r| covered(r)) {
        return Ok(None);
    }
    bail!(NotFound, "transaction {txn} has no rowset for tablet {} to publish as version {version}", tablet.id())
}
