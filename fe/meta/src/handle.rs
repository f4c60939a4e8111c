//! What the rest of the FE sees of the replicated catalog.

use std::{sync::Arc, time::Duration};

use common_base::{Result, SharedClock, bail, err};
use common_rpc::{RpcPool, status};
use fe_catalog::{CatalogSnapshot, Op, Reply, image};
use openraft::error::{ClientWriteError, RaftError};
use proto_services::fe_peer::ProposeRequest;
use serde_bytes::ByteBuf;
use tokio::sync::watch;

use crate::{id_gen::IdGenerator, metrics::MetaMetrics, state_machine::Published, types::{Answer, OpRecord, Raft}};

/// A proposal is not waited for longer than this.
const PROPOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// The catalog of this FE; cheap to clone.
#[derive(Clone)]
pub struct MetaHandle {
    pub(crate) raft: Raft,
    pub(crate) published: Arc<Published>,
    pub(crate) pool: Arc<RpcPool>,
    pub(crate) ids: Arc<IdGenerator>,
    pub(crate) node_id: u64,
    pub(crate) clock: SharedClock,
    pub(crate) metrics: MetaMetrics,
}

impl MetaHandle {
    /// The newest state this FE has applied. O(1), never waits.
    pub fn snapshot(&self) -> CatalogSnapshot {
        self.published.snapshot()
    }

    /// Proposes an op and waits until it is applied; a refusal is the op's own error. The index is where it stands in the log.
    pub async fn propose(&self, op: &Op) -> Result<(Reply, u64)> {
        let begun = self.clock.monotonic();
        let record = image::encode_op(op)?;
        let (answer, index) = self.propose_record(record).await?;
        self.wait_applied(index, PROPOSE_TIMEOUT).await?;
        self.metrics.propose_ms.observe_ms(self.clock.monotonic().saturating_sub(begun));
        answer.into_result().map(|reply| (reply, index))
    }

    /// Proposes and keeps only the reply.
    pub async fn submit(&self, op: Op) -> Result<Reply> {
        self.propose(&op).await.map(|(reply, _)| reply)
    }

    pub(crate) async fn propose_record(&self, record: Vec<u8>) -> Result<(Answer, u64)> {
        let write = self.raft.client_write(OpRecord(ByteBuf::from(record.clone())));
        let written = match tokio::time::timeout(PROPOSE_TIMEOUT, write).await {
            Ok(written) => written,
            Err(_) => bail!(Timeout, "the catalog change was not confirmed by a majority of frontends within {} s", PROPOSE_TIMEOUT.as_secs()),
        };
        match written {
            Ok(response) => Ok((response.data, response.log_id.index)),
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => match forward.leader_node {
                Some(leader) => self.forward(&leader.addr, record).await,
                None => bail!(NotLeader, "there is no leader among the frontends at the moment"),
            },
            Err(e) => bail!(Unavailable, "the catalog does not take changes: {e}"),
        }
    }

    async fn forward(&self, leader: &str, op: Vec<u8>) -> Result<(Answer, u64)> {
        let mut request = tonic::Request::new(ProposeRequest { op: op.into() });
        request.set_timeout(PROPOSE_TIMEOUT);
        let answer = self.pool.fe_peer(leader)?.propose(request).await.map_err(|e| status::from_grpc(&e, leader))?.into_inner();
        status::from_message(answer.status)?;
        let decoded = rmp_serde::from_slice(&answer.reply).map_err(|e| err!(Internal, "the leader's answer does not parse: {e}"))?;
        Ok((decoded, answer.index))
    }

    /// Waits until this FE has applied a log index.
    pub async fn wait_applied(&self, index: u64, timeout: Duration) -> Result<()> {
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

    /// Whether this FE leads, as far as it knows.
    pub fn is_leader(&self) -> bool {
        self.leader() == Some(self.node_id)
    }

    /// The leader's node id, when there is one.
    pub fn leader(&self) -> Option<u64> {
        self.raft.metrics().borrow().current_leader
    }

    /// The current term: grows with every election; leader-only work carries it as its epoch.
    pub fn term(&self) -> u64 {
        self.raft.metrics().borrow().current_term
    }

    /// Resolves when leadership may have changed.
    pub fn leadership(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut metrics = self.raft.metrics();
        let before = metrics.borrow().current_leader;
        async move {
            let _ = metrics.wait_for(|m| m.current_leader != before).await;
        }
    }

    /// This FE's node id.
    pub fn node_id(&self) -> u64 {
        self.node_id
    }

    /// A new id for a database, table, tablet, …: unique in the cluster for ever.
    pub async fn next_id(&self) -> Result<u64> {
        self.next_ids(1).await
    }

    /// The first of `count` consecutive new ids.
    pub async fn next_ids(&self, count: u64) -> Result<u64> {
        self.ids.take(self, count).await
    }

    /// Asks for an image now.
    pub async fn checkpoint(&self) -> Result<()> {
        self.raft.trigger().snapshot().await.map_err(|e| err!(Unavailable, "no image can be taken: {e}"))
    }

    /// Stops taking part.
    pub async fn shutdown(&self) {
        let _ = self.raft.shutdown().await;
    }
}
