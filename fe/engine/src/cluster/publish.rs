//! Publishing: committed transactions become visible, in commit order per partition.
//!
//! Flow: a commit wakes the publisher; for each committed transaction whose versions are next in line it tells every replica of every
//! partition written to make the version readable; when a majority of each tablet's replicas has done so, `MakeVisible` goes through
//! the log. All state is in the catalog, so a new leader simply goes on.

use std::{collections::{BTreeMap, BTreeSet}, sync::Arc, time::Duration};

use common_base::{Result, err, fail_point, ids::{NodeId, TabletId, TxnId}, runtime::Shutdown};
use common_rpc::status;
use fe_catalog::{CatalogState, Op, model::{Transaction, TxnState, WriteQuorum}};
use futures::stream::{FuturesUnordered, StreamExt};
use proto_services::{be_service::{PublishReply, PublishRequest, PublishTablet}, fe_service::TabletReport};
use tracing::warn;

use crate::engine::Engine;

/// A round that could not finish is tried again after this long.
const RETRY: Duration = Duration::from_millis(200);
/// Replicas beyond the majority are waited for this long.
const STRAGGLERS: Duration = Duration::from_secs(5);

/// Runs until shutdown, on the leader.
pub async fn run(engine: Arc<Engine>, shutdown: Shutdown) {
    let mut changed = engine.meta.watch();
    loop {
        let progressed = if engine.meta.is_leader() { publish_round(&engine).await } else { false };
        let pending = !engine.meta.snapshot().committed.is_empty();
        if progressed && pending {
            continue;
        }
        tokio::select! {
            () = shutdown.wait() => return,
            _ = changed.changed() => {}
            () = tokio::time::sleep(RETRY), if pending => {}
        }
    }
}

/// Publishes every transaction that is next in line; true when one became visible.
pub async fn publish_round(engine: &Arc<Engine>) -> bool {
    let catalog = engine.meta.snapshot();
    let ready: Vec<Arc<Transaction>> = catalog.committed.keys().filter_map(|id| catalog.txns.get(id)).filter(|t| is_next(&catalog, t)).cloned().collect();
    let published = ready.iter().map(|txn| publish(engine, &catalog, txn));
    let mut progressed = false;
    for (txn, result) in ready.iter().zip(futures::future::join_all(published).await) {
        match result {
            Ok(done) => progressed |= done,
            Err(e) => warn!(txn = %txn.id, "publish will be tried again: {e}"),
        }
    }
    progressed
}

fn is_next(catalog: &CatalogState, txn: &Transaction) -> bool {
    txn.state == TxnState::Committed
        && txn.versions.iter().all(|(table, partition, version)| {
            let found = catalog.tables.get(table).and_then(|t| t.as_olap()?.partitions.get(partition));
            // A partition that is gone holds nothing up.
            found.is_none_or(|p| p.visible_version + 1 == *version)
        })
}

async fn publish(engine: &Arc<Engine>, catalog: &CatalogState, txn: &Transaction) -> Result<bool> {
    let mut per_node: BTreeMap<NodeId, Vec<PublishTablet>> = BTreeMap::new();
    let mut wanted: Vec<(TabletId, usize)> = Vec::new();
    let loaded: BTreeSet<TabletId> = txn.written.iter().map(|(tablet, _)| *tablet).collect();
    for (table, partition, version) in &txn.versions {
        let Some(olap) = catalog.tables.get(table).and_then(|t| t.as_olap()) else { continue };
        let Some(found) = olap.partitions.get(partition) else { continue };
        let quorum = WriteQuorum::of(olap);
        for tablet in found.indexes.iter().flat_map(|i| &i.tablets) {
            wanted.push((tablet.id, quorum.to_publish(tablet, found.replication_num)));
            for replica in tablet.replicas.iter().filter(|r| engine.nodes.ends_work(r.node)) {
                let item = PublishTablet { tablet_id: tablet.id.0, partition_id: partition.0, version: *version, written: loaded.contains(&tablet.id) };
                per_node.entry(replica.node).or_default().push(item);
            }
        }
    }
    fail_point!("fe.publish")?;
    let calls = per_node.into_iter().map(|(node, tablets)| async move {
        let ids: Vec<u64> = tablets.iter().map(|t| t.tablet_id).collect();
        (node, ids, call(engine, catalog, node, txn.id, tablets).await)
    });
    let mut calls: FuturesUnordered<_> = calls.collect();
    let mut published: BTreeSet<(TabletId, NodeId)> = BTreeSet::new();
    let mut reports: Vec<(NodeId, TabletReport)> = Vec::new();
    let mut problem = String::new();
    let mut until = None;
    loop {
        let next = match until {
            None => calls.next().await,
            // One that hangs does not hold up what the others have: it catches up later.
            Some(until) => tokio::time::timeout_at(until, calls.next()).await.ok().flatten(),
        };
        let Some((node, ids, result)) = next else { break };
        match result {
            Ok(reply) => {
                published.extend(ids.iter().filter(|id| !reply.failed_tablets.contains(id)).map(|id| (TabletId(*id), node)));
                reports.extend(reply.tablets.into_iter().map(|r| (node, r)));
                if !reply.problem.is_empty() {
                    problem = format!(": backend {node}: {}", reply.problem);
                }
            }
            Err(e) => problem = format!(": backend {node}: {e}"),
        }
        if until.is_none() && short(&wanted, &published).is_none() {
            until = Some(tokio::time::Instant::now() + STRAGGLERS);
        }
    }
    if let Some(tablet) = short(&wanted, &published) {
        return Err(err!(Unavailable, "tablet {tablet} of transaction {} has no quorum of published replicas{problem}", txn.id));
    }
    fail_point!("fe.visible")?;
    let now_ms = engine.clock.now_ms();
    let op = Op::MakeVisible { txn: txn.id, published: published.into_iter().collect(), now_ms };
    engine.meta.submit(op).await?;
    engine.counts.txn_visible(txn, now_ms);
    let tables: BTreeSet<_> = txn.versions.iter().map(|(table, _, _)| *table).collect();
    engine.statistics.take_in(&engine.meta.snapshot(), reports);
    for table in tables {
        engine.statistics.publish(engine, table).await;
    }
    Ok(true)
}

/// A tablet that too few replicas have published.
fn short(wanted: &[(TabletId, usize)], published: &BTreeSet<(TabletId, NodeId)>) -> Option<TabletId> {
    let count = |tablet: TabletId| published.range((tablet, NodeId(0))..=(tablet, NodeId(u64::MAX))).count();
    wanted.iter().find(|(tablet, quorum)| count(*tablet) < *quorum).map(|(tablet, _)| *tablet)
}

async fn call(engine: &Engine, catalog: &CatalogState, node: NodeId, txn: TxnId, tablets: Vec<PublishTablet>) -> Result<PublishReply> {
    let backend = catalog.backends.get(&node).ok_or_else(|| err!(Unavailable, "backend {node} is gone"))?;
    let address = format!("{}:{}", backend.host, backend.be_port);
    let mut request = tonic::Request::new(PublishRequest { txn_id: txn.0, tablets });
    request.set_timeout(Duration::from_secs(30));
    let reply = engine.pool.be(&address)?.publish_version(request).await.map_err(|e| status::from_grpc(&e, &address))?.into_inner();
    status::from_message(reply.status.clone())?;
    Ok(reply)
}
