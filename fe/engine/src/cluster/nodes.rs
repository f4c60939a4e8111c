//! Liveness of backends: leader memory, rebuilt from heartbeats, with the reason of each change.

use std::collections::{BTreeMap, VecDeque};

use common_base::{Error, ErrorCode, ids::NodeId};
use fe_catalog::CatalogState;
use parking_lot::RwLock;
use proto_services::{be_service::HeartbeatReply, fe_service::DiskReport};

/// State changes kept per node.
const HISTORY_MAX: usize = 64;

/// Why a backend's state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It answers, for the first time or again.
    Answered,
    /// It did not answer in time.
    HeartbeatTimeout,
    /// It answered, and refused.
    FailedProbe,
    /// It could not be reached.
    CommunicationError,
    ProcessRestarted,
    DiskFailure,
    DiskRecovered,
    /// It stops because it was told to.
    ShutDown,
}

impl Reason {
    /// As users see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "HEARTBEAT_ANSWERED",
            Self::HeartbeatTimeout => "HEARTBEAT_TIMEOUT",
            Self::FailedProbe => "FAILED_PROBE",
            Self::CommunicationError => "COMMUNICATION_ERROR",
            Self::ProcessRestarted => "PROCESS_RESTARTED",
            Self::DiskFailure => "DISK_FAILURE",
            Self::DiskRecovered => "DISK_RECOVERED",
            Self::ShutDown => "SHUT_DOWN",
        }
    }

    /// The reason of a name; one that this version does not know says that the backend refused.
    pub fn named(name: &str) -> Self {
        let all = [
            Self::Answered,
            Self::HeartbeatTimeout,
            Self::CommunicationError,
            Self::ProcessRestarted,
            Self::DiskFailure,
            Self::DiskRecovered,
            Self::ShutDown,
        ];
        all.into_iter().find(|r| r.name() == name).unwrap_or(Self::FailedProbe)
    }

    /// What a failed heartbeat tells.
    pub fn of(error: &Error) -> Self {
        let late = |text: &str| text.contains("imeout") || text.contains("imed out");
        match error.code() {
            ErrorCode::Timeout => Self::HeartbeatTimeout,
            ErrorCode::Unavailable | ErrorCode::NetworkError | ErrorCode::Cancelled if late(error.message()) => Self::HeartbeatTimeout,
            ErrorCode::Unavailable | ErrorCode::NetworkError | ErrorCode::Cancelled => Self::CommunicationError,
            _ => Self::FailedProbe,
        }
    }
}

/// A change of a backend's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub at_ms: i64,
    /// Whether it counts as alive since.
    pub alive: bool,
    pub reason: Reason,
    pub detail: String,
}

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
    /// Since when it does not answer, as far as this FE knows.
    pub away_since_ms: i64,
    /// The newest full report of its tablets.
    pub last_report_ms: i64,
    /// Newest last.
    pub history: VecDeque<Change>,
}

impl NodeHealth {
    /// Whether the last that was heard of it is that it stops because it was told to.
    fn is_leaving(&self) -> bool {
        self.reply.as_ref().is_some_and(|r| r.shutting_down)
    }

    /// Whether it was there at `since_ms` and has gone: what it did then, nobody will end.
    ///
    /// One that this frontend never heard of may yet answer. One that stops because it was told to ends its work first: it has gone when
    /// it was not there `until_dead` times.
    pub fn is_lost_since(&self, since_ms: i64, until_dead: u32) -> bool {
        let changed_ms = self.history.back().map_or(0, |c| c.at_ms);
        !self.alive && changed_ms.max(self.last_heartbeat_ms) > since_ms && (!self.is_leaving() || self.failures >= until_dead)
    }
}

/// All backends.
#[derive(Default)]
pub struct Nodes {
    health: RwLock<BTreeMap<NodeId, NodeHealth>>,
    /// A process is gone: its backend counts as dead, or has started anew. For who ends the loads it fed.
    pub gone: tokio::sync::Notify,
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

    /// Takes a heartbeat's outcome in; the changes it makes.
    pub fn record(&self, id: NodeId, now_ms: i64, outcome: Result<HeartbeatReply, Error>, failures_until_dead: u32) -> Vec<Change> {
        let mut all = self.health.write();
        let node = all.entry(id).or_default();
        let before = node.alive;
        let mut changes = Vec::new();
        let mut note = |node: &mut NodeHealth, reason, detail: &str| changes.push(remember(node, now_ms, reason, detail));
        let reason = match outcome {
            Ok(reply) => {
                node.alive = !reply.shutting_down;
                if node.last_start_ms != 0 && reply.start_time_ms != node.last_start_ms {
                    note(node, Reason::ProcessRestarted, "");
                }
                let disks = node.reply.take().map(|r| r.disks).unwrap_or_default();
                for disk in &reply.disks {
                    let was_broken = disks.iter().find(|d| d.path == disk.path).is_some_and(|d| d.broken);
                    match (was_broken, disk.broken) {
                        (false, true) => note(node, Reason::DiskFailure, &format!("{}: {}", disk.path, disk.reason)),
                        (true, false) => note(node, Reason::DiskRecovered, &disk.path),
                        _ => {}
                    }
                }
                node.last_start_ms = reply.start_time_ms;
                node.last_heartbeat_ms = now_ms;
                node.failures = 0;
                let reason = if reply.shutting_down { Reason::ShutDown } else { Reason::Answered };
                node.error = if reply.shutting_down { "shutting down on purpose".to_owned() } else { String::new() };
                node.reply = Some(reply);
                reason
            }
            Err(error) => {
                node.failures += 1;
                error.message().clone_into(&mut node.error);
                if node.failures >= failures_until_dead {
                    node.alive = false;
                }
                Reason::of(&error)
            }
        };
        if !node.alive && (before || node.away_since_ms == 0) {
            node.away_since_ms = now_ms;
        }
        if node.alive {
            node.away_since_ms = 0;
        }
        if node.alive != before {
            let detail = node.error.clone();
            note(node, reason, &detail);
        }
        if changes.iter().any(|c| !c.alive || c.reason == Reason::ProcessRestarted) {
            self.gone.notify_one();
        }
        changes
    }

    /// A full report has come.
    pub fn reported(&self, id: NodeId, now_ms: i64) {
        if let Some(node) = self.health.write().get_mut(&id) {
            node.last_report_ms = now_ms;
        }
    }

    /// Everything that is known.
    pub fn all(&self) -> BTreeMap<NodeId, NodeHealth> {
        self.health.read().clone()
    }

    /// Takes another frontend's word for everything.
    pub fn replace(&self, all: BTreeMap<NodeId, NodeHealth>) {
        *self.health.write() = all;
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
        reply.disks.iter().any(|d| disk_has_room(d, percent, reserve))
    }

    /// When a backend that counts as alive answered last.
    pub fn last_answer(&self, id: NodeId) -> Option<i64> {
        self.health.read().get(&id).filter(|h| h.alive).map(|h| h.last_heartbeat_ms)
    }

    /// Whether a backend is there to end what it has begun: it answers, or has said that it stops and goes on answering meanwhile.
    pub fn ends_work(&self, id: NodeId) -> bool {
        self.health.read().get(&id).is_some_and(|h| h.alive || (h.is_leaving() && h.failures == 0))
    }

    /// Whether a backend answers.
    pub fn is_alive(&self, id: NodeId) -> bool {
        self.health.read().get(&id).is_some_and(|h| h.alive)
    }
}

/// Whether a disk works and is below the limit for new tablets.
pub fn disk_has_room(disk: &DiskReport, percent: u64, reserve: u64) -> bool {
    let used = disk.total_bytes.saturating_sub(disk.available_bytes);
    let crowded = u128::from(used) * 100 >= u128::from(disk.total_bytes) * u128::from(percent) && disk.available_bytes < reserve;
    !disk.broken && !disk.full && !(disk.total_bytes > 0 && crowded)
}

fn remember(node: &mut NodeHealth, at_ms: i64, reason: Reason, detail: &str) -> Change {
    if node.history.len() == HISTORY_MAX {
        node.history.pop_front();
    }
    let change = Change { at_ms, alive: node.alive, reason, detail: detail.to_owned() };
    node.history.push_back(change.clone());
    change
}

#[cfg(test)]
mod tests {
    use common_base::err;

    use super::*;

    fn reply(start_time_ms: i64, broken: bool) -> HeartbeatReply {
        let disk = DiskReport { path: "/d".to_owned(), broken, reason: "gone".to_owned(), ..DiskReport::default() };
        HeartbeatReply { start_time_ms, disks: vec![disk], ..HeartbeatReply::default() }
    }

    #[test]
    fn who_has_gone_and_who_may_come() {
        let nodes = Nodes::default();
        let lost = |id, since_ms| nodes.get(id).is_lost_since(since_ms, 3);
        let refused = || Err(err!(Unavailable, "rpc to h:1 failed: connection refused"));
        let (seen, stopping, unknown) = (NodeId(1), NodeId(2), NodeId(3));
        for id in [seen, stopping] {
            nodes.record(id, 1000, Ok(reply(1, false)), 3);
        }
        assert!(!lost(seen, 500) && !lost(seen, 1500), "it answers");
        // Work began at 1500, after its last answer.
        (2000..2002).for_each(|now_ms| drop(nodes.record(seen, now_ms, refused(), 3)));
        assert!(!lost(seen, 1500), "it missed two");
        nodes.record(seen, 2002, refused(), 3);
        assert!(lost(seen, 1500) && !lost(seen, 2500), "what began since then was begun by one that lives");
        nodes.record(seen, 3000, Ok(reply(1, false)), 3);
        assert!(!lost(seen, 1500));

        nodes.record(stopping, 2000, Ok(HeartbeatReply { shutting_down: true, ..reply(1, false) }), 3);
        assert!(!lost(stopping, 1500) && nodes.ends_work(stopping) && !nodes.is_alive(stopping), "it ends its work");
        (2001..2004).for_each(|now_ms| drop(nodes.record(stopping, now_ms, refused(), 3)));
        assert!(lost(stopping, 1500) && !nodes.ends_work(stopping));

        (2000..2010).for_each(|now_ms| drop(nodes.record(unknown, now_ms, refused(), 3)));
        assert!(!lost(unknown, 1500), "nobody here has heard of it");
    }

    #[test]
    fn every_change_has_its_reason() {
        let (nodes, id) = (Nodes::default(), NodeId(7));
        let mut now = 0;
        let mut beat = |outcome| {
            now += 5000;
            let changes = nodes.record(id, now, outcome, 3);
            (changes.iter().map(|c| c.reason).collect::<Vec<_>>(), nodes.get(id).alive)
        };
        assert_eq!(beat(Ok(reply(1, false))), (vec![Reason::Answered], true));
        assert_eq!(beat(Ok(reply(1, true))), (vec![Reason::DiskFailure], true));
        assert_eq!(beat(Ok(reply(2, false))), (vec![Reason::ProcessRestarted, Reason::DiskRecovered], true));
        let refused = || Err(err!(Unavailable, "rpc to h:1 failed: connection refused"));
        assert_eq!((beat(refused()), beat(refused())), ((vec![], true), (vec![], true)));
        assert_eq!(beat(refused()), (vec![Reason::CommunicationError], false));
        assert_eq!(beat(Err(err!(Timeout, "late"))), (vec![], false));
        assert_eq!(beat(Ok(reply(2, false))), (vec![Reason::Answered], true));
        assert_eq!(beat(Ok(HeartbeatReply { shutting_down: true, ..reply(2, false) })), (vec![Reason::ShutDown], false));
        assert_eq!(beat(Ok(reply(3, false))), (vec![Reason::ProcessRestarted, Reason::Answered], true));
        (0..2).for_each(|_| drop(beat(Err(err!(Timeout, "late")))));
        assert_eq!(beat(Err(err!(Timeout, "late"))), (vec![Reason::HeartbeatTimeout], false));
        assert_eq!(beat(Ok(reply(3, false))).1, true);
        (0..2).for_each(|_| drop(beat(Err(err!(Unauthenticated, "another cluster")))));
        assert_eq!(beat(Err(err!(Unauthenticated, "another cluster"))), (vec![Reason::FailedProbe], false));
        let health = nodes.get(id);
        assert_eq!((health.away_since_ms, health.history.len()), (now, 12));
        assert!(health.history.iter().any(|c| c.detail == "/d: gone"));
        for _ in 0..100 {
            now += 1;
            nodes.record(id, now, Ok(reply(now, false)), 3);
        }
        assert_eq!(nodes.get(id).history.len(), HISTORY_MAX);
    }
}
