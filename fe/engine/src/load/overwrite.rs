//! INSERT OVERWRITE: the rows go into temporary partitions, which take the place of the old ones in one catalog change once all rows
//! are visible in them. Until then, and when anything fails, the table is as it was.
//!
//! The temporary partitions are named after the transaction, so that those of a statement that died with its frontend are told from
//! those at work and taken away.

use std::{collections::BTreeSet, sync::{Arc, atomic::Ordering}};

use common_base::{Result, err, ids::{PartitionId, TableId, TxnId}};
use fe_catalog::{CatalogState, Op, model::{OlapTable, Partition, Table, TxnState}};
use tracing::{info, warn};

use crate::{cluster::tablets::{self, PartitionPlan}, engine::Engine, session::Session, statement::table::template};

const MARK: &str = "ovw_";

/// What the names of an overwrite's partitions begin with.
pub fn prefix(txn: TxnId) -> String {
    format!("{MARK}{txn}_")
}

/// Makes a temporary twin of each partition that may be overwritten; returns their names.
pub async fn prepare(session: &mut Session, table: TableId, only: Option<&[PartitionId]>, txn: TxnId) -> Result<Vec<String>> {
    let engine = session.engine.clone();
    engine.overwrites.store(true, Ordering::Release);
    let catalog = engine.meta.snapshot();
    let (table, olap) = find(&catalog, table)?;
    let plan = |p: &Arc<Partition>| PartitionPlan { name: format!("{}{}", prefix(txn), p.name), temporary: true, ..PartitionPlan::like(p) };
    let plans: Vec<PartitionPlan> = old(olap, only).map(plan).collect();
    let names = plans.iter().map(|p| p.name.clone()).collect();
    let made = tablets::create_partitions(&engine, &template(table, olap), plans).await?;
    if let Err(e) = session.change(Op::AddPartitions { table: table.id, partitions: made.clone() }).await {
        tablets::drop_tablets(&engine, &made);
        return Err(e);
    }
    session.wait_for_own_changes().await?;
    Ok(names)
}

/// Puts the new partitions in the place of the old; with `written`, only those.
pub async fn finish(session: &mut Session, table: TableId, only: Option<&[PartitionId]>, txn: TxnId, written: Option<&BTreeSet<PartitionId>>) -> Result<()> {
    session.wait_for_own_changes().await?;
    let engine = session.engine.clone();
    let catalog = engine.meta.snapshot();
    let (_, olap) = find(&catalog, table)?;
    let prefix = prefix(txn);
    let mine = || olap.partitions.values().filter(|p| p.temporary && p.name.starts_with(&prefix));
    let name = |p: &Partition| p.name[prefix.len()..].to_owned();
    let entering: Vec<&Arc<Partition>> = mine().filter(|p| written.is_none_or(|w| w.contains(&p.id))).collect();
    let names: BTreeSet<String> = entering.iter().map(|p| name(p)).collect();
    let leaving: Vec<Partition> = old(olap, only).filter(|p| names.contains(&p.name)).map(|p| p.as_ref().clone()).collect();
    let op = Op::SwapPartitions {
        table,
        leave: leaving.iter().map(|p| p.id).collect(),
        enter: entering.iter().map(|p| (p.id, name(p))).collect(),
        now_ms: engine.clock.now_ms(),
    };
    session.change(op).await?;
    tablets::drop_tablets(&engine, &leaving);
    discard(&engine, table, txn).await;
    session.saw(engine.meta.applied_index());
    Ok(())
}

/// Takes away what is left of an overwrite.
pub async fn discard(engine: &Arc<Engine>, table: TableId, txn: TxnId) {
    let catalog = engine.meta.snapshot();
    let Ok((_, olap)) = find(&catalog, table) else { return };
    let prefix = prefix(txn);
    drop_partitions(engine, table, olap.partitions.values().filter(|p| p.temporary && p.name.starts_with(&prefix)).map(|p| p.as_ref().clone()).collect()).await;
}

/// Takes away the partitions of overwrites whose transaction is no longer at work. A statement that is between its last row and the
/// swap is given as long as a load.
pub async fn sweep(engine: &Arc<Engine>) {
    const LINGER_MS: i64 = 3_600_000;
    if !engine.overwrites.swap(false, Ordering::AcqRel) {
        return;
    }
    let catalog = engine.meta.snapshot();
    let now = engine.clock.now_ms();
    for table in catalog.tables.values() {
        let Some(olap) = table.as_olap() else { continue };
        let mut dead: Vec<Partition> = Vec::new();
        for partition in olap.partitions.values().filter(|p| p.temporary) {
            let Some(txn) = txn_of(&partition.name) else { continue };
            let alive = catalog.txns.get(&txn).is_some_and(|t| match t.state {
                TxnState::Aborted { .. } => false,
                TxnState::Visible => t.finish_ms + LINGER_MS > now && t.finish_ms > engine.options.started_ms,
                _ => true,
            });
            if alive {
                engine.overwrites.store(true, Ordering::Release);
            } else {
                dead.push(partition.as_ref().clone());
            }
        }
        if !dead.is_empty() {
            info!(table = %table.name, partitions = dead.len(), "an overwrite was not finished: its partitions go");
            drop_partitions(engine, table.id, dead).await;
        }
    }
}

fn txn_of(name: &str) -> Option<TxnId> {
    name.strip_prefix(MARK)?.split_once('_')?.0.parse().ok().map(TxnId)
}

async fn drop_partitions(engine: &Arc<Engine>, table: TableId, gone: Vec<Partition>) {
    if gone.is_empty() {
        return;
    }
    match engine.meta.propose(&Op::DropPartitions { table, partitions: gone.iter().map(|p| p.id).collect(), recycle_ms: None }).await {
        Ok(_) => tablets::drop_tablets(engine, &gone),
        Err(e) => {
            engine.overwrites.store(true, Ordering::Release);
            warn!(%table, "temporary partitions could not be dropped: {e}");
        }
    }
}

fn find(catalog: &CatalogState, id: TableId) -> Result<(&Arc<Table>, &OlapTable)> {
    let table = catalog.tables.get(&id).ok_or_else(|| err!(UnknownTable, "table {id} is gone"))?;
    Ok((table, table.as_olap().ok_or_else(|| err!(User, "'{}' is not a native table", table.name))?))
}

/// The formal partitions, or those of them that were named.
fn old<'a>(olap: &'a OlapTable, only: Option<&'a [PartitionId]>) -> impl Iterator<Item = &'a Arc<Partition>> {
    olap.partitions.values().filter(move |p| !p.temporary && only.is_none_or(|ids| ids.contains(&p.id)))
}
