//! The members of the group: who they are, how far they are, joining and leaving, handing leadership over, and how long ago this one
//! has heard of the leader.

use std::{collections::{BTreeMap, BTreeSet}, sync::atomic::{AtomicU64, Ordering}, time::Duration};

use common_base::{Error, ErrorCode, Result, bail, ensure, err};
use common_rpc::status;
use openraft::{BasicNode, ChangeMembers, ServerState};
use proto_services::fe_peer::{ElectRequest, ReadIndexRequest};
use tracing::info;

use crate::handle::MetaHandle;

/// A question about the group is not waited for longer.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(2);
/// A change of the membership is not waited for longer.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a leader that hands over waits for its successor.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(5);

/// A member as the log knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: u64,
    /// `host:edit_log_port`.
    pub address: String,
    pub voter: bool,
    /// Up to where its log is known to be the leader's; on the leader only.
    pub matched: Option<u64>,
}

/// When this member was last in touch with the rest of the group.
pub struct Contact {
    /// Monotonic milliseconds.
    at: AtomicU64,
}

impl Contact {
    pub(crate) fn new(now: Duration) -> Self {
        Self { at: AtomicU64::new(now.as_millis() as u64) }
    }

    pub(crate) fn touch(&self, now: Duration) {
        self.at.fetch_max(now.as_millis() as u64, Ordering::Relaxed);
    }

    fn since(&self, now: Duration) -> Duration {
        Duration::from_millis((now.as_millis() as u64).saturating_sub(self.at.load(Ordering::Relaxed)))
    }
}

impl MetaHandle {
    /// Every member of the newest membership, by id.
    pub fn members(&self) -> Vec<Member> {
        let metrics = self.raft.metrics().borrow().clone();
        let membership = metrics.membership_config.membership();
        let voters: BTreeSet<u64> = membership.voter_ids().collect();
        let matched = |id: &u64| metrics.replication.as_ref()?.get(id)?.map(|log| log.index);
        membership.nodes().map(|(id, node)| Member { id: *id, address: node.addr.clone(), voter: voters.contains(id), matched: matched(id) }).collect()
    }

    /// Whether this FE leads: it has applied everything acknowledged before its term, and a majority has answered it lately.
    pub fn is_leader(&self) -> bool {
        self.reign().is_some()
    }

    /// The term in which this FE leads, if it does.
    pub fn reign(&self) -> Option<u64> {
        let metrics = self.raft.metrics();
        let m = metrics.borrow();
        if m.state != ServerState::Leader || m.last_applied.is_none_or(|id| id.leader_id.term != m.current_term) {
            return None;
        }
        let alone = m.membership_config.membership().voter_ids().count() == 1;
        let obeyed = alone || m.millis_since_quorum_ack.is_some_and(|ms| u128::from(ms) < 2 * self.lease.as_millis());
        obeyed.then_some(m.current_term)
    }

    /// The leader's node id, when there is one.
    pub fn leader(&self) -> Option<u64> {
        self.raft.metrics().borrow().current_leader
    }

    /// Where the leader takes calls of other FEs; `None` when there is none, or it is this FE.
    pub fn leader_address(&self) -> Option<String> {
        let metrics = self.raft.metrics();
        let m = metrics.borrow();
        let leader = m.current_leader.filter(|id| *id != self.node_id)?;
        m.membership_config.membership().get_node(&leader).map(|node| node.addr.clone())
    }

    /// How long this FE has been without word from the rest of the group.
    pub fn out_of_touch(&self) -> Duration {
        let m = self.raft.metrics().borrow().clone();
        let now = self.clock.monotonic();
        if m.state == ServerState::Leader {
            let alone = m.membership_config.membership().voter_ids().count() == 1;
            match m.millis_since_quorum_ack {
                _ if alone => self.contact.touch(now),
                Some(ms) => self.contact.touch(now.saturating_sub(Duration::from_millis(ms))),
                None => {}
            }
        }
        self.contact.since(now)
    }

    /// Another address for this member, when it is the only one: nobody else has to learn it.
    pub async fn relocate(&self) -> Result<()> {
        let node = BTreeMap::from([(self.node_id, BasicNode::new(self.address.to_string()))]);
        changed(tokio::time::timeout(CHANGE_TIMEOUT, self.raft.change_membership(ChangeMembers::SetNodes(node), true)).await)
    }

    /// A member that gets the log but has no vote.
    pub async fn add_learner(&self, id: u64, address: &str) -> Result<()> {
        let added = self.raft.add_learner(id, BasicNode::new(address.to_owned()), false);
        changed(tokio::time::timeout(CHANGE_TIMEOUT, added).await)
    }

    /// A learner that has caught up gets a vote.
    pub async fn promote(&self, id: u64) -> Result<()> {
        let change = self.raft.change_membership(ChangeMembers::AddVoterIds(BTreeSet::from([id])), true);
        changed(tokio::time::timeout(CHANGE_TIMEOUT, change).await)
    }

    /// A member leaves.
    pub async fn remove_member(&self, id: u64) -> Result<()> {
        let Some(member) = self.members().into_iter().find(|m| m.id == id) else { return Ok(()) };
        let ids = BTreeSet::from([id]);
        let change = if member.voter { ChangeMembers::RemoveVoters(ids) } else { ChangeMembers::RemoveNodes(ids) };
        changed(tokio::time::timeout(CHANGE_TIMEOUT, self.raft.change_membership(change, false)).await)?;
        self.pool.forget(&member.address);
        Ok(())
    }

    /// The index a reader must have applied to see all that was acknowledged before: the leader's own, confirmed by a majority.
    pub async fn read_index(&self) -> Result<u64> {
        if self.raft.metrics().borrow().state == ServerState::Leader {
            let sure = tokio::time::timeout(QUESTION_TIMEOUT, self.raft.ensure_linearizable()).await;
            let index = sure.map_err(|_| err!(NotLeader, "no majority of frontends answers"))?;
            return index.map(|log| log.map_or(0, |log| log.index)).map_err(|e| err!(NotLeader, "this frontend does not lead: {e}"));
        }
        let Some(leader) = self.leader_address() else { bail!(NotLeader, "there is no leader among the frontends at the moment") };
        let mut request = tonic::Request::new(ReadIndexRequest { node_id: self.node_id });
        request.set_timeout(QUESTION_TIMEOUT);
        let reply = self.pool.fe_peer(&leader)?.read_index(request).await.map_err(|e| status::from_grpc(&e, &leader))?.into_inner();
        status::from_message(reply.status)?;
        Ok(reply.index)
    }

    /// Whether the leader, if one of the others knows it, says that this frontend is no member any more.
    pub(crate) async fn was_dropped(&self) -> Option<Error> {
        let known = self.snapshot();
        for other in known.frontends.values().filter(|f| f.id.0 != self.node_id) {
            let mut request = tonic::Request::new(ReadIndexRequest { node_id: self.node_id });
            request.set_timeout(QUESTION_TIMEOUT);
            let Ok(mut client) = self.pool.fe_peer(&format!("{}:{}", other.host, other.edit_log_port)) else { continue };
            let Ok(reply) = client.read_index(request).await else { continue };
            let refused = status::from_message(reply.into_inner().status).err().filter(|e| e.code() == ErrorCode::NotFound);
            if refused.is_some() {
                return refused;
            }
        }
        None
    }

    /// Waits until this FE shows everything that was acknowledged before the call.
    pub async fn read_barrier(&self, timeout: Duration) -> Result<()> {
        let index = self.read_index().await?;
        self.wait_applied(index, timeout).await
    }

    /// Hands leadership over. Changes wait meanwhile, for about an election's time at most.
    pub async fn hand_over(&self, target: u64, cluster_id: u64) -> Result<()> {
        ensure!(self.is_leader(), NotLeader, "this frontend does not lead");
        let Some(member) = self.members().into_iter().find(|m| m.id == target) else { bail!(InvalidArgument, "frontend {target} is no member of the group") };
        ensure!(member.voter, InvalidArgument, "frontend {target} is an observer: it cannot lead");
        if target == self.node_id {
            return Ok(());
        }
        self.handing_over.store(true, Ordering::Relaxed);
        // Without heartbeats the others' leases run out, and they may vote.
        self.raft.runtime_config().heartbeat(false);
        let outcome = self.wait_for_successor(&member, cluster_id).await;
        self.raft.runtime_config().heartbeat(true);
        self.handing_over.store(false, Ordering::Relaxed);
        outcome
    }

    async fn wait_for_successor(&self, member: &Member, cluster_id: u64) -> Result<()> {
        let begun = self.clock.monotonic();
        let mut asked = false;
        loop {
            if self.leader().is_some_and(|id| id != self.node_id) {
                info!(successor = self.leader(), "leadership is handed over");
                return Ok(());
            }
            let waited = self.clock.monotonic().saturating_sub(begun);
            if waited > HAND_OVER_TIMEOUT {
                bail!(Timeout, "frontend {} did not take over within {} s", member.address, HAND_OVER_TIMEOUT.as_secs());
            }
            let m = self.raft.metrics().borrow().clone();
            let level = m.replication.as_ref().and_then(|r| r.get(&member.id).copied().flatten()).map(|log| log.index) == m.last_log_index;
            if !asked && level && waited > self.lease {
                let mut request = tonic::Request::new(ElectRequest { cluster_id });
                request.set_timeout(QUESTION_TIMEOUT);
                let reply = self.pool.fe_peer(&member.address)?.elect(request).await.map_err(|e| status::from_grpc(&e, &member.address))?.into_inner();
                status::from_message(reply.status)?;
                asked = true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn changed<T, E: std::fmt::Display>(outcome: std::result::Result<std::result::Result<T, E>, tokio::time::error::Elapsed>) -> Result<()> {
    match outcome {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(e)) => Err(err!(Unavailable, "the group of frontends was not changed: {e}")),
        Err(_) => Err(err!(Timeout, "the change of the group of frontends was not confirmed by a majority within {} s", CHANGE_TIMEOUT.as_secs())),
    }
}
