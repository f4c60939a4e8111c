//! The group of frontends: who joins and leaves, and what the leader and the others tell each other.
//!
//! Flow: ALTER SYSTEM ADD names a frontend in the catalog. Its first start asks to join; the leader makes it a learner of the log, and
//! when it has caught up [`run`] gives a follower its vote. Every second the leader tells the members what it knows of the nodes, so
//! that queries run on any of them, and the answers say how far each is. What the membership should be is in the catalog: a new
//! leader goes on where the old one stopped.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use common_base::{Result, bail, ensure, err, ids::NodeId, runtime::Shutdown};
use common_rpc::status;
use fe_catalog::{CatalogState, Op, Reply, model::{Frontend, FrontendRole}};
use parking_lot::RwLock;
use proto_services::fe_peer::{ConfirmRequest, FrontendState, JoinReply, JoinRequest, Member, PeerBeat, PeerState};
use tracing::{info, warn};

use super::node_states;
use crate::engine::Engine;

/// The longest time between two beats.
const INTERVAL_MAX: Duration = Duration::from_secs(1);
const BEAT_TIMEOUT: Duration = Duration::from_secs(2);
/// A learner this close to the leader gets its vote.
const LEVEL: u64 = 200;
/// A member that leaves is told so before it is cut off, if it listens.
const FAREWELL: Duration = Duration::from_secs(1);

/// What is known of another frontend.
#[derive(Clone, Debug, Default)]
pub struct FrontendHealth {
    pub alive: bool,
    pub error: String,
    pub last_heartbeat_ms: i64,
    pub start_ms: i64,
    pub applied: u64,
    pub version: String,
    /// It reads log entries of several changes.
    pub reads_batches: bool,
    failures: u32,
}

/// All frontends: first-hand on the leader, by its word on the others.
#[derive(Default)]
pub struct Frontends {
    health: RwLock<BTreeMap<NodeId, FrontendHealth>>,
    /// One change of the membership at a time.
    changing: tokio::sync::Mutex<()>,
    /// Beats sent: not all of them carry everything.
    rounds: std::sync::atomic::AtomicU64,
    /// The leader has spoken.
    pub heard: tokio::sync::Notify,
    /// Something the others should know at once.
    pub news: tokio::sync::Notify,
}

impl Frontends {
    /// What is known of one frontend, this one included.
    pub fn get(&self, engine: &Engine, id: NodeId) -> FrontendHealth {
        if id.0 == engine.meta.node_id() {
            return FrontendHealth {
                alive: true,
                last_heartbeat_ms: engine.clock.now_ms(),
                start_ms: engine.options.started_ms,
                applied: engine.meta.applied_index(),
                version: engine.options.version.clone(),
                reads_batches: true,
                ..FrontendHealth::default()
            };
        }
        self.health.read().get(&id).cloned().unwrap_or_default()
    }

    fn record(&self, id: NodeId, now_ms: i64, outcome: Result<PeerState>, failures_until_dead: u32, clock_delta_max_ms: i64) {
        let mut all = self.health.write();
        let health = all.entry(id).or_default();
        match outcome {
            Ok(state) => {
                let delta = (state.clock_ms - now_ms).abs();
                let error = if delta > clock_delta_max_ms { format!("its clock differs from the leader's by {delta} ms") } else { String::new() };
                if !health.alive {
                    info!(frontend = %id, "frontend is alive");
                }
                *health = FrontendHealth {
                    alive: true,
                    error,
                    last_heartbeat_ms: now_ms,
                    start_ms: state.start_ms,
                    applied: state.applied,
                    version: state.version,
                    reads_batches: state.reads_batches,
                    failures: 0,
                };
            }
            Err(e) => {
                health.failures += 1;
                e.message().clone_into(&mut health.error);
                if health.alive && health.failures >= failures_until_dead {
                    health.alive = false;
                    warn!(frontend = %id, "frontend is dead: {e}");
                }
            }
        }
    }
}

/// Whether a frontend has joined: before that nobody knows its ports.
pub fn has_joined(frontend: &Frontend) -> bool {
    frontend.query_port != 0
}

/// Where the others reach a frontend.
pub fn address(frontend: &Frontend) -> String {
    format!("{}:{}", frontend.host, frontend.edit_log_port)
}

/// Runs until shutdown, on the leader; and lets a frontend that was dropped stop.
pub async fn run(engine: Arc<Engine>, shutdown: Shutdown) {
    let interval = engine.options.heartbeat_interval.min(INTERVAL_MAX);
    let mut known = false;
    loop {
        let own = NodeId(engine.meta.node_id());
        let listed = engine.meta.snapshot().frontends.contains_key(&own);
        if known && !listed {
            warn!("this frontend was dropped from the cluster: it stops");
            engine.dropped.trigger();
            return;
        }
        known = known || listed;
        if engine.meta.is_leader() {
            if let Err(e) = reconcile(&engine).await {
                warn!("the group of frontends is not yet as it should be: {e}");
            }
            beat_all(&engine).await;
            // A member of an older version could not go on behind such an entry.
            engine.meta.allow_batches(engine.meta.members().iter().all(|m| engine.frontends.get(&engine, NodeId(m.id)).reads_batches));
        } else {
            engine.meta.allow_batches(false);
        }
        tokio::select! {
            () = shutdown.wait() => return,
            () = engine.meta.leadership() => {}
            () = engine.frontends.news.notified() => {}
            () = tokio::time::sleep(interval) => {}
        }
    }
}

/// Brings the members of the log to what the catalog says: who is not in the catalog leaves, followers that have caught up vote.
pub async fn reconcile(engine: &Engine) -> Result<()> {
    let _one = engine.frontends.changing.lock().await;
    let own = engine.meta.node_id();
    for member in engine.meta.members() {
        let catalog = engine.meta.snapshot();
        match catalog.frontends.get(&NodeId(member.id)) {
            None if member.id != own => {
                engine.meta.remove_member(member.id).await?;
                engine.frontends.health.write().remove(&NodeId(member.id));
                info!(frontend = member.id, address = %member.address, "frontend has left the group");
            }
            Some(f) if f.role == FrontendRole::Follower && !member.voter => {
                let last = engine.meta.applied_index();
                if member.matched.is_some_and(|at| at + LEVEL >= last) {
                    engine.meta.promote(member.id).await?;
                    info!(frontend = member.id, address = %member.address, "frontend votes from now on");
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Tells every member what this leader knows.
async fn beat_all(engine: &Arc<Engine>) {
    let catalog = engine.meta.snapshot();
    let members = engine.meta.members();
    let own = engine.meta.node_id();
    if members.len() < 2 {
        return;
    }
    let round = engine.frontends.rounds.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    // Metrics and settings of many backends are much to say every second.
    let brief = round % (1 + catalog.backends.len() as u64 / 4) != 0;
    let beat = PeerBeat {
        cluster_id: catalog.cluster_id,
        epoch: engine.meta.term(),
        leader: own,
        clock_ms: engine.clock.now_ms(),
        backends: node_states::all(&engine.nodes, brief),
        frontends: catalog.frontends.values().map(|f| state_of(engine, f)).collect(),
    };
    let until_dead = engine.heartbeats_until_dead();
    let beats = members.into_iter().filter(|m| m.id != own).map(|member| {
        let beat = beat.clone();
        async move {
            let outcome = send(engine, &member.address, beat).await;
            engine.frontends.record(NodeId(member.id), engine.clock.now_ms(), outcome, until_dead, engine.options.clock_delta_max_ms);
        }
    });
    futures::future::join_all(beats).await;
}

async fn send(engine: &Engine, address: &str, beat: PeerBeat) -> Result<PeerState> {
    let mut request = tonic::Request::new(beat);
    request.set_timeout(BEAT_TIMEOUT);
    let reply = engine.pool.fe_peer(address)?.beat(request).await.map_err(|e| status::from_grpc(&e, address))?.into_inner();
    status::from_message(reply.status.clone())?;
    Ok(reply)
}

fn state_of(engine: &Engine, frontend: &Frontend) -> FrontendState {
    let health = engine.frontends.get(engine, frontend.id);
    FrontendState {
        node_id: frontend.id.0,
        alive: health.alive,
        error: health.error,
        last_heartbeat_ms: health.last_heartbeat_ms,
        start_ms: health.start_ms,
        applied: health.applied,
        version: health.version,
        joined: has_joined(frontend),
        reads_batches: health.reads_batches,
    }
}

/// The leader's word arrives at another frontend.
pub fn take_in(engine: &Engine, beat: PeerBeat) -> Result<PeerState> {
    let catalog = engine.meta.snapshot();
    ensure!(beat.cluster_id == catalog.cluster_id, Unauthenticated, "this frontend belongs to cluster {}, not to {}", catalog.cluster_id, beat.cluster_id);
    let term = engine.meta.term();
    ensure!(beat.epoch >= term, NotLeader, "a newer leader (term {term}) is known, the word is of term {}", beat.epoch);
    node_states::take_over(&engine.nodes, beat.backends);
    engine.frontends.heard.notify_one();
    let own = engine.meta.node_id();
    let others = beat.frontends.into_iter().filter(|f| f.node_id != own);
    let health = |f: FrontendState| FrontendHealth {
        alive: f.alive,
        error: f.error,
        last_heartbeat_ms: f.last_heartbeat_ms,
        start_ms: f.start_ms,
        applied: f.applied,
        version: f.version,
        reads_batches: f.reads_batches,
        failures: 0,
    };
    *engine.frontends.health.write() = others.map(|f| (NodeId(f.node_id), health(f))).collect();
    Ok(PeerState {
        status: None,
        node_id: own,
        applied: engine.meta.applied_index(),
        start_ms: engine.options.started_ms,
        version: engine.options.version.clone(),
        clock_ms: engine.clock.now_ms(),
        reads_batches: true,
    })
}

fn find<'a>(catalog: &'a CatalogState, host: &str, port: u16) -> Option<&'a Arc<Frontend>> {
    catalog.frontends.values().find(|f| f.host == host && f.edit_log_port == port)
}

/// A frontend starts for the first time and wants to join.
pub async fn join(engine: &Engine, request: JoinRequest) -> Result<JoinReply> {
    if !engine.meta.is_leader() {
        let leader = engine.meta.leader_address().ok_or_else(|| err!(NotLeader, "there is no leader among the frontends at the moment"))?;
        return Ok(JoinReply { leader, ..JoinReply::default() });
    }
    let catalog = engine.meta.snapshot();
    let who = format!("{}:{}", request.host, request.edit_log_port);
    let port = |p: u32| u16::try_from(p).unwrap_or(0);
    let Some(known) = find(&catalog, &request.host, port(request.edit_log_port)) else {
        bail!(NotFound, "frontend {who} is not known to the cluster: run ALTER SYSTEM ADD FOLLOWER \"{who}\" (or OBSERVER) first");
    };
    let other_cluster = request.cluster_id != 0 && request.cluster_id != catalog.cluster_id;
    ensure!(!other_cluster, Unauthenticated, "frontend {who} belongs to cluster {}, this is cluster {}", request.cluster_id, catalog.cluster_id);
    let other_token = !request.token.is_empty() && request.token != catalog.token;
    ensure!(!other_token, Unauthenticated, "frontend {who} has the token of another cluster");
    let (delta, most) = ((request.clock_ms - engine.clock.now_ms()).abs(), engine.options.clock_delta_max_ms);
    ensure!(delta <= most, InvalidArgument, "the clock of frontend {who} differs from the leader's by {delta} ms, more than {most} ms (max_bdbje_clock_delta_ms): set it and start again");
    confirm(engine, &who, &request.nonce).await?;

    let mut frontend = Frontend::clone(known);
    if engine.meta.members().iter().any(|m| m.id == frontend.id.0) {
        // It was a member and has lost its log, and with it its votes: under its old id it could break its word.
        info!(frontend = %frontend.id, address = %who, "a frontend comes back empty: it gets a new id");
        engine.meta.submit(Op::DropFrontend { node: frontend.id }).await?;
        reconcile(engine).await?;
        frontend.id = NodeId(0);
        frontend.id = add(engine, frontend.clone()).await?;
    }
    let frontend = Frontend {
        query_port: port(request.query_port),
        http_port: port(request.http_port),
        rpc_port: port(request.rpc_port),
        name: if request.name.is_empty() { frontend.name.clone() } else { request.name },
        ..frontend
    };
    engine.meta.submit(Op::UpdateFrontend(frontend.clone())).await?;
    {
        let _one = engine.frontends.changing.lock().await;
        engine.meta.add_learner(frontend.id.0, &who).await?;
    }
    info!(frontend = %frontend.id, address = %who, role = ?frontend.role, "frontend joins");
    let members = engine.meta.members().into_iter().map(|m| Member { node_id: m.id, address: m.address, role: if m.voter { "FOLLOWER" } else { "OBSERVER" }.to_owned() });
    Ok(JoinReply {
        node_id: frontend.id.0,
        cluster_id: catalog.cluster_id,
        token: catalog.token.clone(),
        role: role_name(frontend.role).to_owned(),
        members: members.collect(),
        index: engine.meta.applied_index(),
        ..JoinReply::default()
    })
}

/// The token goes only to whoever listens at the address that is known to the cluster.
async fn confirm(engine: &Engine, address: &str, nonce: &str) -> Result<()> {
    let mut request = tonic::Request::new(ConfirmRequest { nonce: nonce.to_owned() });
    request.set_timeout(BEAT_TIMEOUT);
    engine.pool.forget(address);
    let reply = engine.pool.fe_join(address)?.confirm(request).await.map_err(|e| status::from_grpc(&e, address))?.into_inner();
    ensure!(reply.same, Unauthenticated, "another process than the one that wants to join answers at {address}");
    Ok(())
}

/// Adds a frontend to the catalog; its id.
pub async fn add(engine: &Engine, frontend: Frontend) -> Result<NodeId> {
    match engine.meta.submit(Op::AddFrontend(frontend)).await? {
        Reply::Id(id) => Ok(NodeId(id)),
        other => bail!(Internal, "adding a frontend gave {other:?}"),
    }
}

/// Drops a frontend; the index of the change.
pub async fn drop(engine: &Engine, host: &str, port: u16, role: FrontendRole) -> Result<u64> {
    let catalog = engine.meta.snapshot();
    let found = find(&catalog, host, port).filter(|f| f.role == role);
    let Some(frontend) = found.cloned() else { bail!(User, "{} does not exist[{host}:{port}]", role_name(role)) };
    ensure!(frontend.id.0 != engine.meta.node_id(), User, "can not drop current leader node: hand leadership over first");
    let members = engine.meta.members();
    if members.iter().any(|m| m.id == frontend.id.0 && m.voter) {
        let rest: Vec<_> = members.iter().filter(|m| m.voter && m.id != frontend.id.0).collect();
        let alive = rest.iter().filter(|m| engine.frontends.get(engine, NodeId(m.id)).alive).count();
        ensure!(alive > rest.len() / 2, User, "of the followers that would be left only {alive} of {} are alive, no majority: start them or drop those that are lost first", rest.len());
    }
    let (_, index) = engine.meta.propose(&Op::DropFrontend { node: frontend.id }).await?;
    // It learns of it from the log, while it still gets the log.
    let heard = async {
        while engine.meta.members().iter().any(|m| m.id == frontend.id.0 && m.matched.is_none_or(|at| at < index)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let _ = tokio::time::timeout(FAREWELL, heard).await;
    reconcile(engine).await?;
    Ok(index)
}

/// FOLLOWER or OBSERVER.
pub fn role_name(role: FrontendRole) -> &'static str {
    match role {
        FrontendRole::Follower => "FOLLOWER",
        FrontendRole::Observer => "OBSERVER",
    }
}

/// The follower that is best prepared to lead, this one excepted.
pub fn successor(engine: &Engine) -> Option<u64> {
    let own = engine.meta.node_id();
    let voters = engine.meta.members().into_iter().filter(|m| m.voter && m.id != own && engine.frontends.get(engine, NodeId(m.id)).alive);
    voters.max_by_key(|m| m.matched).map(|m| m.id)
}

/// Hands leadership to a frontend, named `host:edit_log_port`, or to the one best prepared.
pub async fn hand_over(engine: &Engine, to: Option<&str>) -> Result<String> {
    ensure!(engine.meta.is_leader(), NotLeader, "this frontend does not lead");
    let members = engine.meta.members();
    let target = match to {
        Some(address) => members.iter().find(|m| m.address == address).map(|m| m.id).ok_or_else(|| err!(NotFound, "frontend {address} is no member of the group"))?,
        None => successor(engine).ok_or_else(|| err!(Unavailable, "no other follower is alive"))?,
    };
    engine.meta.hand_over(target, engine.meta.snapshot().cluster_id).await?;
    let address = members.into_iter().find(|m| m.id == target).map(|m| m.address);
    Ok(address.unwrap_or_default())
}
