//! The member's side of Raft messages and forwarded proposals, for the RPC server to call.

use common_base::{Result, ensure, err};
use common_rpc::status;
use proto_services::fe_peer::{ElectRequest, ProposeReply, ProposeRequest, RaftMessage};
use serde::{Serialize, de::DeserializeOwned};

use crate::handle::{Failure, MetaHandle};

impl MetaHandle {
    /// AppendEntries of a leader.
    pub async fn on_append(&self, message: RaftMessage) -> Result<RaftMessage> {
        let result = self.raft.append_entries(parse(&message)?).await;
        if result.as_ref().is_ok_and(|r| r.is_success() || r.is_conflict()) {
            self.contact.touch(self.clock.monotonic());
        }
        answer(&result)
    }

    /// A candidate's vote request.
    pub async fn on_vote(&self, message: RaftMessage) -> Result<RaftMessage> {
        answer(&self.raft.vote(parse(&message)?).await)
    }

    /// A piece of an image.
    pub async fn on_install_snapshot(&self, message: RaftMessage) -> Result<RaftMessage> {
        let result = self.raft.install_snapshot(parse(&message)?).await;
        if result.is_ok() {
            self.contact.touch(self.clock.monotonic());
        }
        answer(&result)
    }

    /// A proposal that arrived at another FE. It is proposed here or not at all: the other FE knows what may be tried again.
    pub async fn on_propose(&self, request: ProposeRequest) -> ProposeReply {
        let failed = |e, not_taken| ProposeReply { status: Some(status::to_message(&e)), not_taken, ..ProposeReply::default() };
        match self.propose_here(request.op.to_vec(), None).await {
            Ok((reply, index)) => match rmp_serde::to_vec_named(&reply) {
                Ok(reply) => ProposeReply { index, reply: reply.into(), ..ProposeReply::default() },
                Err(e) => failed(err!(Internal, "cannot encode an answer: {e}"), false),
            },
            Err(Failure::NotTaken(e)) => failed(e, true),
            Err(Failure::Unknown(e)) => failed(e, false),
        }
    }

    /// The leader asks this FE to take over.
    pub async fn on_elect(&self, request: ElectRequest) -> Result<()> {
        let own = self.snapshot().cluster_id;
        ensure!(own == request.cluster_id, Unauthenticated, "this frontend belongs to cluster {own}, not to {}", request.cluster_id);
        self.raft.trigger().elect().await.map_err(|e| err!(Unavailable, "no election: {e}"))
    }
}

fn parse<T: DeserializeOwned>(message: &RaftMessage) -> Result<T> {
    rmp_serde::from_slice(&message.body).map_err(|e| err!(InvalidArgument, "raft message does not parse: {e}"))
}

fn answer<T: Serialize>(result: &T) -> Result<RaftMessage> {
    let body = rmp_serde::to_vec_named(result).map_err(|e| err!(Internal, "cannot encode a raft answer: {e}"))?;
    Ok(RaftMessage { body: body.into(), status: None })
}
