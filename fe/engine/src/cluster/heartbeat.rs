//! Heartbeats from the leader to every backend: identity and token on the first, liveness and ports on each.

use std::{sync::Arc, time::Duration};

use common_base::{ErrorCode, Result, ids::NodeId, runtime::Shutdown};
use common_rpc::status;
use fe_catalog::{Op, model::Backend};
use proto_services::be_service::{FeAddress, HeartbeatReply, HeartbeatRequest};
use tracing::{info, warn};

use super::nodes::Reason;
use crate::engine::Engine;

/// Runs until shutdown; beats only while this FE leads (the others learn from the leader, see [`super::frontends`]).
pub async fn run(engine: Arc<Engine>, shutdown: Shutdown) {
    let mut catalog_changed = engine.meta.watch();
    loop {
        if engine.meta.is_leader() {
            beat_all(&engine).await;
        }
        let interval = engine.options.heartbeat_interval;
        tokio::select! {
            () = shutdown.wait() => return,
            // A new leader makes itself known at once.
            () = engine.meta.leadership() => {}
            // A new backend is greeted at once.
            () = new_backend(&engine, &mut catalog_changed) => {}
            () = tokio::time::sleep(interval) => {}
        }
    }
}

/// Resolves when a backend appears that was never greeted.
async fn new_backend(engine: &Engine, changed: &mut tokio::sync::watch::Receiver<u64>) {
    let fresh = || {
        let catalog = engine.meta.snapshot();
        catalog.backends.keys().any(|id| engine.nodes.get(*id).reply.is_none() && engine.nodes.get(*id).failures == 0)
    };
    loop {
        if changed.changed().await.is_err() {
            return std::future::pending().await;
        }
        if fresh() {
            return;
        }
    }
}

/// One round: every backend at once.
pub async fn beat_all(engine: &Arc<Engine>) {
    let catalog = engine.meta.snapshot();
    let until_dead = engine.heartbeats_until_dead();
    let beats = catalog.backends.values().map(|backend| {
        let (engine, backend) = (engine.clone(), backend.clone());
        async move {
            let outcome = beat(&engine, &backend, false).await;
            let now = engine.clock.now_ms();
            let learned = outcome.as_ref().ok().cloned();
            for change in engine.nodes.record(backend.id, now, outcome, until_dead) {
                engine.frontends.news.notify_one();
                let (reason, detail) = (change.reason.name(), &change.detail);
                match change.alive {
                    true => info!(backend = %backend.id, host = %backend.host, reason, %detail, "backend is alive"),
                    false => warn!(backend = %backend.id, host = %backend.host, reason, %detail, "backend is dead"),
                }
            }
            if let Some(reply) = learned {
                learn_ports(&engine, &backend, &reply).await;
            }
        }
    });
    futures::future::join_all(beats).await;
}

/// An answer younger than this is believed.
const FRESH_MS: i64 = 300;

/// Whether a backend answers now: one may have died since its last heartbeat.
pub async fn answers(engine: &Arc<Engine>, node: NodeId) -> bool {
    let now_ms = engine.clock.now_ms();
    engine.nodes.last_answer(node).is_some_and(|at| now_ms - at < FRESH_MS) || silent(engine, &[node]).await.is_empty()
}

/// Which of these backends do not answer now, or are about to stop. One whose process is gone counts as dead from now on.
pub async fn silent(engine: &Arc<Engine>, nodes: &[NodeId]) -> Vec<NodeId> {
    let catalog = engine.meta.snapshot();
    let asked = nodes.iter().map(|id| {
        let backend = catalog.backends.get(id).cloned();
        async move {
            match backend {
                Some(backend) => {
                    let outcome = beat(engine, &backend, true).await;
                    let silent = outcome.as_ref().map_or_else(|e| e.code() != ErrorCode::NotLeader, |reply| reply.shutting_down);
                    // Whoever asks has met a failure before: a refused connection needs no further proof.
                    let refused = outcome.as_ref().is_err_and(|e| Reason::of(e) == Reason::CommunicationError);
                    if refused || outcome.is_ok() {
                        engine.nodes.record(*id, engine.clock.now_ms(), outcome, 1);
                    }
                    silent.then_some(*id)
                }
                None => Some(*id),
            }
        }
    });
    futures::future::join_all(asked).await.into_iter().flatten().collect()
}

/// `probe`: any frontend may ask whether a backend answers.
async fn beat(engine: &Engine, backend: &Backend, probe: bool) -> Result<HeartbeatReply> {
    let catalog = engine.meta.snapshot();
    let me = catalog.frontends.values().find(|f| f.id.0 == engine.meta.node_id());
    let request = HeartbeatRequest {
        cluster_id: catalog.cluster_id,
        token: catalog.token.clone(),
        node_id: backend.id.0,
        fe_host: me.map(|f| f.host.clone()).unwrap_or_default(),
        fe_rpc_port: me.map_or(0, |f| u32::from(f.rpc_port)),
        // A frontend that does not lead must not be taken for the leader: the answer is a refusal, and an answer.
        epoch: if engine.meta.is_leader() { engine.meta.term() } else { 0 },
        frontends: catalog
            .frontends
            .values()
            .map(|f| FeAddress { host: f.host.clone(), rpc_port: u32::from(f.rpc_port), http_port: u32::from(f.http_port) })
            .collect(),
        be_host: backend.host.clone(),
        probe,
        backends: catalog.backends.keys().map(|id| id.0).collect(),
    };
    let address = format!("{}:{}", backend.host, backend.heartbeat_port);
    let mut request = tonic::Request::new(request);
    request.set_timeout(engine.options.heartbeat_timeout.max(Duration::from_millis(100)));
    let reply = engine.pool.heartbeat(&address)?.beat(request).await.map_err(|e| status::from_grpc(&e, &address))?.into_inner();
    status::from_message(reply.status.clone())?;
    Ok(reply)
}

async fn learn_ports(engine: &Engine, backend: &Backend, reply: &HeartbeatReply) {
    let port = |p: u32| u16::try_from(p).unwrap_or(0);
    let (be_port, http_port, brpc_port) = (port(reply.be_port), port(reply.http_port), port(reply.brpc_port));
    if (backend.be_port, backend.http_port, backend.brpc_port) == (be_port, http_port, brpc_port) {
        return;
    }
    let known = Backend { be_port, http_port, brpc_port, ..backend.clone() };
    if let Err(e) = engine.meta.submit(Op::UpdateBackend(known)).await {
        warn!(backend = %backend.id, "ports of the backend could not be recorded: {e}");
    }
}
