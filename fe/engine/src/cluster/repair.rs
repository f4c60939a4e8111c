//! Replicas that missed loads — their backend was away, or a disk was full — and those that are damaged or lost take them from replicas that have them.
//!
//! A pure look at the catalog says who lags and who has it; the backend copies; what it reports goes through the log, and from then
//! on the replica is read and published to again. Nothing is remembered: a round that fails is simply looked at again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use common_base::{Result, ids::{NodeId, TabletId}, runtime::Shutdown};
use common_rpc::status;
use fe_catalog::{CatalogState, Op, model::IndexState};
use proto_services::be_service::{CatchUpRequest, CatchUpTablet};
use tracing::{info, warn};

use super::nodes::AliveBackend;
use crate::engine::Engine;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(2);
/// Tablets one backend is asked to bring up in one round.
const TABLETS_PER_ROUND: usize = 64;
/// A round is not waited for longer than this; what it has copied by then is kept.
const ROUND_TIMEOUT: Duration = Duration::from_secs(600);

/// Runs until shutdown, on the leader.
pub async fn run(engine: Arc<Engine>, shutdown: Shutdown) {
    while shutdown.sleep(INTERVAL).await {
        if engine.meta.is_leader() {
            round(&engine).await;
        } else {
            engine.counts.replicas_scheduled.set(0);
        }
    }
}

/// Brings up what lags now.
pub async fn round(engine: &Arc<Engine>) {
    let catalog = engine.meta.snapshot();
    let alive = engine.nodes.alive(&catalog);
    let mut calls = Vec::new();
    let lagging = lagging(&catalog, &alive);
    engine.counts.replicas_scheduled.set(lagging.values().map(|tablets| tablets.len() as i64).sum());
    for (node, tablets) in lagging {
        calls.push(async move { (node, catch_up(engine, node, tablets).await) });
    }
    let mut reached = Vec::new();
    for (node, result) in futures::future::join_all(calls).await {
        match result {
            Ok(tablets) => reached.extend(tablets.into_iter().map(|(tablet, version)| (tablet, node, version))),
            Err(e) => warn!(backend = %node, "replicas do not catch up: {e}"),
        }
    }
    if reached.is_empty() {
        return;
    }
    info!(replicas = reached.len(), "replicas have caught up");
    if let Err(e) = engine.meta.submit(Op::RaiseReplicas { replicas: reached }).await {
        warn!("replicas that caught up could not be recorded: {e}");
    }
}

/// What each backend that answers lacks, and who has it.
fn lagging(catalog: &CatalogState, alive: &[AliveBackend]) -> BTreeMap<NodeId, Vec<CatchUpTablet>> {
    let address = |node: NodeId| alive.iter().find(|b| b.id == node).map(|b| format!("{}:{}", b.host, b.brpc_port));
    let mut found: BTreeMap<NodeId, Vec<CatchUpTablet>> = BTreeMap::new();
    for table in catalog.tables.values().filter_map(|t| t.as_olap()) {
        let complete = |id| !table.further.iter().any(|i| i.id == id && i.state == IndexState::Building);
        for partition in table.partitions.values() {
            let version = partition.visible_version;
            for tablet in partition.indexes.iter().filter(|i| complete(i.index_id)).flat_map(|i| &i.tablets) {
                for replica in tablet.replicas.iter().filter(|r| (r.version < version || r.bad) && address(r.node).is_some()) {
                    let wanted = found.entry(replica.node).or_default();
                    let sources: Vec<String> = tablet.replicas.iter().filter(|r| r.version >= version && !r.bad).filter_map(|r| address(r.node)).collect();
                    // Nobody has it: a bad replica stays, what is left of it may be all there is.
                    if replica.bad && sources.is_empty() {
                        continue;
                    }
                    if wanted.len() < TABLETS_PER_ROUND {
                        wanted.push(CatchUpTablet { tablet_id: tablet.id.0, version, sources });
                    }
                }
            }
        }
    }
    found
}

async fn catch_up(engine: &Engine, node: NodeId, tablets: Vec<CatchUpTablet>) -> Result<Vec<(TabletId, i64)>> {
    let catalog = engine.meta.snapshot();
    let Some(backend) = engine.nodes.alive(&catalog).into_iter().find(|b| b.id == node) else { return Ok(Vec::new()) };
    let address = backend.be_address();
    let mut request = tonic::Request::new(CatchUpRequest { tablets });
    request.set_timeout(ROUND_TIMEOUT);
    let reply = engine.pool.be(&address)?.catch_up(request).await.map_err(|e| status::from_grpc(&e, &address))?.into_inner();
    status::from_message(reply.status)?;
    if !reply.problem.is_empty() {
        warn!(backend = %node, "some replicas do not catch up: {}", reply.problem);
    }
    Ok(reply.tablets.into_iter().map(|t| (TabletId(t.tablet_id), t.version)).collect())
}
