//! What the rest of the FE sees of the replicated catalog.

use std::{sync::{Arc, atomic::{AtomicBool, Ordering}}, time::Duration};

use common_base::{Error, Result, SharedClock, bail, err};
use common_rpc::{RpcPool, status};
use fe_catalog::{CatalogSnapshot, Op, Reply, image};
use openraft::{ServerState, error::{ClientWriteError, RaftError}};
use proto_services::fe_peer::ProposeRequest;
use serde_bytes::ByteBuf;
use tokio::sync::watch;

use crate::{batch::Queue, group::Contact, id_gen::IdGenerator, metrics::MetaMetrics, state_machine::Published, types::{Answer, OpRecord, Raft}};

/// A majority has this long to confirm a change.
pub(crate) const CONFIRM_TIMEOUT: Duration = Duration::from_secs(15);
/// A change that nobody has taken yet waits this long for a leader.
const LEADER_WAIT: Duration = Duration::from_secs(10);
/// A leader that is no more may answer so long after that.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// An image is written within this time.
const IMAGE_TIMEOUT: Duration = Duration::from_secs(120);
/// Between two looks at whether it is.
const IMAGE_LOOK: Duration = Duration::from_millis(200);
/// What was confirmed is applied here within this time.
const APPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// The catalog of this FE; cheap to clone.
#[derive(Clone)]
pub struct MetaHandle {
    pub(crate) raft: Raft,
    pub(crate) published: Arc<Published>,
    pub(crate) pool: Arc<RpcPool>,
    pub(crate) ids: Arc<IdGenerator>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) node_id: u64,
    /// Where the others reach this one.
    pub(crate) address: Arc<str>,
    pub(crate) contact: Arc<Contact>,
    /// This FE leads, and takes no changes because another one is to lead.
    pub(crate) handing_over: Arc<AtomicBool>,
    /// So long after its last word a leader is surely obeyed by nobody else.
    pub(crate) lease: Duration,
    pub(crate) clock: SharedClock,
    pub(crate) metrics: MetaMetrics,
}

/// How a proposal failed.
pub(crate) enum Failure {
    /// The op is in no log: it may be proposed again.
    NotTaken(Error),
    /// It may or may not be applied one day.
    Unknown(Error),
}

impl Failure {
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::NotTaken(e) | Self::Unknown(e) => e,
        }
    }
}

/// Why nothing is known of a change.
pub(crate) fn not_confirmed() -> Error {
    err!(Timeout, "the catalog change was not confirmed by a majority of frontends within {} s; it may still happen", CONFIRM_TIMEOUT.as_secs())
}

pub(crate) type Proposed = std::result::Result<(Answer, u64), Failure>;

impl MetaHandle {
    /// The newest state this FE has applied. O(1), never waits.
    pub fn snapshot(&self) -> CatalogSnapshot {
        self.published.snapshot()
    }

    /// Proposes an op, on the leader wherever that is, and waits until it is applied here; a refusal is the op's own error. The index
    /// is where it stands in the log. While there is no leader it waits for one, for a bounded time. When it is not known whether a
    /// change was taken, one that can safely be made twice is proposed again, and any other is an error.
    pub async fn propose(&self, op: &Op) -> Result<(Reply, u64)> {
        self.propose_as(op, None).await
    }

    /// The same as the leader of a term, so that what the caller has made sure of in this FE's memory still holds. When another one
    /// leads since, or led meanwhile, nothing is changed and the error is a `NotLeader`.
    pub async fn propose_in(&self, term: u64, op: &Op) -> Result<(Reply, u64)> {
        self.propose_as(op, Some(term)).await
    }

    async fn propose_as(&self, op: &Op, term: Option<u64>) -> Result<(Reply, u64)> {
        let begun = self.clock.monotonic();
        let record = image::encode_op(op)?;
        let (answer, index) = loop {
            let failure = match self.propose_once(record.clone(), term).await {
                Ok(proposed) => break proposed,
                Err(failure) => failure,
            };
            let again = match &failure {
                Failure::NotTaken(_) if term.is_some_and(|term| !self.leads_in(term)) => bail!(NotLeader, "another frontend leads by now"),
                Failure::NotTaken(_) => true,
                Failure::Unknown(_) => op.is_repeatable(),
            };
            if !again || self.clock.monotonic().saturating_sub(begun) > LEADER_WAIT {
                return Err(failure.into_error());
            }
            self.await_leader(Duration::from_millis(100)).await;
        };
        self.wait_applied(index, APPLY_TIMEOUT).await?;
        self.metrics.propose_ms.observe_ms(self.clock.monotonic().saturating_sub(begun));
        answer.into_result().map(|reply| (reply, index))
    }

    /// Proposes and keeps only the reply.
    pub async fn submit(&self, op: Op) -> Result<Reply> {
        self.propose(&op).await.map(|(reply, _)| reply)
    }

    async fn propose_once(&self, record: Vec<u8>, term: Option<u64>) -> Proposed {
        match self.leader_address() {
            Some(leader) if term.is_none() => self.forward(&leader, record).await,
            _ => self.propose_here(record, term).await,
        }
    }

    /// Proposes to this member's own log; with a term only as its leader.
    pub(crate) async fn propose_here(&self, record: Vec<u8>, term: Option<u64>) -> Proposed {
        if self.handing_over.load(Ordering::Relaxed) {
            return Err(Failure::NotTaken(err!(NotLeader, "leadership is being handed over")));
        }
        self.enqueue(record, term).await
    }

    /// Whether this FE leads in a term. It may be about to learn of a newer one.
    pub(crate) fn leads_in(&self, term: u64) -> bool {
        let metrics = self.raft.metrics();
        let m = metrics.borrow();
        m.state == ServerState::Leader && m.current_term == term
    }

    /// Writes one entry.
    pub(crate) async fn write(&self, record: Vec<u8>) -> Proposed {
        let write = self.raft.client_write(OpRecord(ByteBuf::from(record)));
        match tokio::time::timeout(CONFIRM_TIMEOUT, write).await {
            Ok(Ok(response)) => Ok((response.data, response.log_id.index)),
            // Also the answer when the entry has left the log because another leader's took its place.
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_)))) => {
                Err(Failure::NotTaken(err!(NotLeader, "there is no leader among the frontends at the moment")))
            }
            Ok(Err(e)) => Err(Failure::Unknown(err!(Unavailable, "the catalog does not take changes: {e}"))),
            Err(_) => Err(Failure::Unknown(not_confirmed())),
        }
    }

    async fn forward(&self, leader: &str, op: Vec<u8>) -> Proposed {
        let mut client = self.pool.fe_peer(leader).map_err(Failure::NotTaken)?;
        let mut request = tonic::Request::new(ProposeRequest { op: op.into(), once: true });
        request.set_timeout(CONFIRM_TIMEOUT);
        let answer = tokio::select! {
            answer = client.propose(request) => answer,
            () = self.replaced() => {
                self.pool.forget(leader);
                let e = err!(Unavailable, "the frontend at {leader} leads no more; whether it has taken the change is not known");
                return Err(Failure::Unknown(e));
            }
        };
        let answer = match answer {
            Ok(answer) => answer.into_inner(),
            Err(e) if status::was_not_sent(&e) => return Err(Failure::NotTaken(status::from_grpc(&e, leader))),
            Err(e) => return Err(Failure::Unknown(status::from_grpc(&e, leader))),
        };
        if let Err(e) = status::from_message(answer.status) {
            return Err(if answer.not_taken { Failure::NotTaken(e) } else { Failure::Unknown(e) });
        }
        let decoded = rmp_serde::from_slice(&answer.reply);
        decoded.map(|d| (d, answer.index)).map_err(|e| Failure::Unknown(err!(Internal, "the leader's answer does not parse: {e}")))
    }

    /// Resolves when another FE than now leads, and the old leader had time to answer what it was asked.
    async fn replaced(&self) {
        let mut metrics = self.raft.metrics();
        let before = metrics.borrow().current_leader;
        if metrics.wait_for(|m| m.current_leader.is_some() && m.current_leader != before).await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(LAST_ANSWERS).await;
    }

    /// Waits a while, or until another FE leads.
    pub async fn await_leader(&self, most: Duration) {
        let mut metrics = self.raft.metrics();
        let before = metrics.borrow().current_leader;
        let _ = tokio::time::timeout(most, metrics.wait_for(|m| m.current_leader != before)).await;
    }

    /// Waits until this FE has applied a log index.
    pub async fn wait_applied(&self, index: u64, timeout: Duration) -> Result<()> {
        if self.applied_index() >= index {
            return Ok(());
        }
        let mut applied = self.published.subscribe();
        let wait = applied.wait_for(|i| *i >= index);
        match tokio::time::timeout(timeout, wait).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => bail!(Unavailable, "this frontend is stopping"),
            Err(_) => bail!(Timeout, "this frontend has not applied catalog change {index} within {} s", timeout.as_secs()),
        }
    }

    /// Highest log index applied here.
    pub fn applied_index(&self) -> u64 {
        self.published.applied()
    }

    /// What the log and the images of this FE count.
    pub fn metrics(&self) -> &MetaMetrics {
        &self.metrics
    }

    /// Log entries since the newest image: what a restart replays.
    pub fn entries_since_image(&self) -> u64 {
        let state = self.raft.metrics().borrow().clone();
        state.last_log_index.unwrap_or(0).saturating_sub(state.snapshot.map_or(0, |id| id.index))
    }

    /// Follows the applied index: a change means a new snapshot.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    /// The current term: grows with every election; leader-only work carries it as its epoch.
    pub fn term(&self) -> u64 {
        self.raft.metrics().borrow().current_term
    }

    /// Resolves when this FE begins or ceases to lead.
    pub fn leadership(&self) -> impl Future<Output = ()> + Send + 'static {
        let (handle, before) = (self.clone(), self.is_leader());
        let mut metrics = self.raft.metrics();
        async move {
            while handle.is_leader() == before && metrics.changed().await.is_ok() {}
        }
    }

    /// This FE's node id.
    pub fn node_id(&self) -> u64 {
        self.node_id
    }

    /// `host:edit_log_port`: where other members reach this one.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A new id for a database, table, tablet, …: unique in the cluster for ever.
    pub async fn next_id(&self) -> Result<u64> {
        self.next_ids(1).await
    }

    /// The first of `count` consecutive new ids.
    pub async fn next_ids(&self, count: u64) -> Result<u64> {
        self.ids.take(self, count).await
    }

    /// Writes an image that holds all that is applied by now.
    pub async fn checkpoint(&self) -> Result<()> {
        let wanted = self.applied_index();
        let mut outcome = self.published.retry_image();
        let metrics = self.raft.metrics();
        let written = async {
            while metrics.borrow().snapshot.is_none_or(|id| id.index < wanted) {
                // One that is being written already may be an older one: then another is asked for.
                self.raft.trigger().snapshot().await.map_err(|e| err!(Unavailable, "no image can be taken: {e}"))?;
                tokio::select! {
                    _ = outcome.changed() => {
                        if let Some(e) = outcome.borrow_and_update().clone() {
                            return Err(e.context("writing an image"));
                        }
                    }
                    () = tokio::time::sleep(IMAGE_LOOK) => {}
                }
            }
            Ok(())
        };
        tokio::time::timeout(IMAGE_TIMEOUT, written).await.unwrap_or_else(|_| bail!(Timeout, "the image was not written within {} s", IMAGE_TIMEOUT.as_secs()))
    }

    /// Resolves when the log can go on no more, with the reason: the process is of no use then.
    pub async fn failed(&self) -> Error {
        let mut metrics = self.raft.metrics();
        match metrics.wait_for(|m| m.running_state.is_err()).await {
            Ok(m) => match &m.running_state {
                Err(e) => err!(Unavailable, "the catalog's log has stopped: {e}"),
                Ok(()) => err!(Internal, "the catalog's log runs"),
            },
            Err(_) => err!(Unavailable, "the catalog's log has stopped"),
        }
    }

    /// Stops taking part.
    pub async fn shutdown(&self) {
        let _ = self.raft.shutdown().await;
    }
}
