//! Liveness of backends: leader memory, rebuilt from heartbeats, with the reason of each change.

use std::collections::{BTreeMap, VecDeque};

use common_base::ids::NodeId;
use fe_catalog::CatalogState;
use parking_lot::RwLock;
use proto_services::{be_service::HeartbeatReply, fe_service::DiskReport};

/// State changes kept per node.
const HISTORY_MAX: usize = 64;

/// What is known of one backend.
#[derive(Clone, Debug, Default)]
pub struct NodeHealth {
    pub alive: bool,
    /// Why it is not; empty when alive.
    pub error: String,
    pub last_heartbeat_ms: i64,
    pub last_start_ms: i64,
    pub failures: u32,
    pub reply: Option<HeartbeatReply>,
    /// (time, alive, reason) of each change, newest last.
    pub history: VecDeque<(i64, bool, String)>,
}

/// All backends.
#[derive(Default)]
pub struct Nodes {
    health: RwLock<BTreeMap<NodeId, NodeHealth>>,
}

/// A backend one can send work to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliveBackend {
    pub id: NodeId,
    pub host: String,
    pub be_port: u16,
    pub brpc_port: u16,
    pub http_port: u16,
    pub cores: u32,
}

impl AliveBackend {
    /// Where FEs call it.
    pub fn be_address(&self) -> String {
        format!("{}:{}", self.host, self.be_port)
    }
}

impl Nodes {
    /// What is known of one backend.
    pub fn get(&self, id: NodeId) -> NodeHealth {
        self.health.read().get(&id).cloned().unwrap_or_default()
    }

    /// Takes a heartbeat's outcome in; true when the node's liveness changed.
    pub fn record(&self, id: NodeId, now_ms: i64, outcome: Result<HeartbeatReply, String>, failures_until_dead: u32) -> bool {
        let mut all = self.health.write();
        let node = all.entry(id).or_default();
        let before = node.alive;
        match outcome {
            Ok(reply) => {
                let restarted = node.last_start_ms != 0 && reply.start_time_ms != node.last_start_ms;
                if restarted {
                    remember(node, now_ms, true, "process restarted");
                }
                node.last_start_ms = reply.start_time_ms;
                node.last_heartbeat_ms = now_ms;
                node.failures = 0;
                node.alive = !reply.shutting_down;
                node.error = if reply.shutting_down { "shutting down on purpose".to_owned() } else { String::new() };
                node.reply = Some(reply);
            }
            Err(reason) => {
                node.failures += 1;
                node.error = reason;
                if node.failures >= failures_until_dead {
                    node.alive = false;
                }
            }
        }
        if node.alive != before {
            let reason = if node.alive { "heartbeat answered".to_owned() } else { node.error.clone() };
            remember(node, now_ms, node.alive, &reason);
        }
        node.alive != before
    }

    /// Forgets a dropped node.
    pub fn forget(&self, id: NodeId) {
        self.health.write().remove(&id);
    }

    /// Backends that answer and are not being emptied, by id.
    pub fn alive(&self, catalog: &CatalogState) -> Vec<AliveBackend> {
        let health = self.health.read();
        let backends = catalog.backends.values().filter(|b| b.be_port != 0 && health.get(&b.id).is_some_and(|h| h.alive));
        backends
            .map(|b| AliveBackend {
                id: b.id,
                host: b.host.clone(),
                be_port: b.be_port,
                brpc_port: b.brpc_port,
                http_port: b.http_port,
                cores: health.get(&b.id).and_then(|h| h.reply.as_ref()).map_or(1, |r| r.cores.max(1)),
            })
            .collect()
    }

    /// Whether a backend has a disk that works and is below the limit for new tablets: a share used, and bytes left.
    pub fn has_room(&self, id: NodeId, percent: u64, reserve: u64) -> bool {
        let health = self.health.read();
        let Some(reply) = health.get(&id).and_then(|h| h.reply.as_ref()) else { return true };
        let crowded = |d: &DiskReport| {
            let used = d.total_bytes.saturating_sub(d.available_bytes);
            u128::from(used) * 100 >= u128::from(d.total_bytes) * u128::from(percent) && d.available_bytes < reserve
        };
        reply.disks.iter().any(|d| !d.broken && !d.full && !(d.total_bytes > 0 && crowded(d)))
    }

    /// Whether a backend answers.
    pub fn is_alive(&self, id: NodeId) -> bool {
        self.health.read().get(&id).is_some_and(|h| h.alive)
    }
}

fn remember(node: &mut NodeHealth, now_ms: i64, alive: bool, reason: &str) {
    if node.history.len() == HISTORY_MAX {
        node.history.pop_front();
    }
    node.history.push_back((now_ms, alive, reason.to_owned()));
}
