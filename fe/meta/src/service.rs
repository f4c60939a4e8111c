//! The member's side of Raft messages and forwarded proposals, for the RPC server to call.

use common_base::{Result, err};
use proto_services::fe_peer::{ProposeReply, ProposeRequest, RaftMessage};
use serde::{Serialize, de::DeserializeOwned};

use crate::handle::MetaHandle;

impl MetaHandle {
    /// AppendEntries of a leader.
    pub async fn on_append(&self, message: RaftMessage) -> Result<RaftMessage> {
        answer(&self.raft.append_entries(parse(&message)?).await)
    }

    /// A candidate's vote request.
    pub async fn on_vote(&self, message: RaftMessage) -> Result<RaftMessage> {
        answer(&self.raft.vote(parse(&message)?).await)
    }

    /// A piece of an image.
    pub async fn on_install_snapshot(&self, message: RaftMessage) -> Result<RaftMessage> {
        answer(&self.raft.install_snapshot(parse(&message)?).await)
    }

    /// A proposal that arrived at another FE.
    pub async fn on_propose(&self, request: ProposeRequest) -> Result<ProposeReply> {
        let (reply, index) = self.propose_record(request.op.to_vec()).await?;
        let reply = rmp_serde::to_vec_named(&reply).map_err(|e| err!(Internal, "cannot encode an answer: {e}"))?;
        Ok(ProposeReply { status: None, index, reply: reply.into() })
    }
}

fn parse<T: DeserializeOwned>(message: &RaftMessage) -> Result<T> {
    rmp_serde::from_slice(&message.body).map_err(|e| err!(InvalidArgument, "raft message does not parse: {e}"))
}

fn answer<T: Serialize>(result: &T) -> Result<RaftMessage> {
    let body = rmp_serde::to_vec_named(result).map_err(|e| err!(Internal, "cannot encode a raft answer: {e}"))?;
    Ok(RaftMessage { body: body.into(), status: None })
}
