//! FE to FE: Raft messages and forwarded proposals.

use common_base::Result;
use common_rpc::status;
use fe_meta::MetaHandle;
use proto_services::fe_peer::{
    ForwardReply, ForwardRequest, JoinReply, JoinRequest, ProposeReply, ProposeRequest, RaftMessage, fe_peer_server::FePeer,
};
use tonic::{Request, Response, Status};

/// The service.
pub struct Peer {
    pub meta: MetaHandle,
}

fn raft(result: Result<RaftMessage>) -> std::result::Result<Response<RaftMessage>, Status> {
    let failed = |e| RaftMessage { body: Default::default(), status: Some(status::to_message(&e)) };
    Ok(Response::new(result.unwrap_or_else(failed)))
}

#[tonic::async_trait]
impl FePeer for Peer {
    async fn append_entries(&self, request: Request<RaftMessage>) -> std::result::Result<Response<RaftMessage>, Status> {
        raft(self.meta.on_append(request.into_inner()).await)
    }

    async fn vote(&self, request: Request<RaftMessage>) -> std::result::Result<Response<RaftMessage>, Status> {
        raft(self.meta.on_vote(request.into_inner()).await)
    }

    async fn install_snapshot(&self, request: Request<RaftMessage>) -> std::result::Result<Response<RaftMessage>, Status> {
        raft(self.meta.on_install_snapshot(request.into_inner()).await)
    }

    async fn propose(&self, request: Request<ProposeRequest>) -> std::result::Result<Response<ProposeReply>, Status> {
        let failed = |e| ProposeReply { status: Some(status::to_message(&e)), index: 0, reply: Default::default() };
        Ok(Response::new(self.meta.on_propose(request.into_inner()).await.unwrap_or_else(failed)))
    }

    async fn forward_statement(&self, _request: Request<ForwardRequest>) -> std::result::Result<Response<ForwardReply>, Status> {
        Err(Status::unimplemented("forwarding statements between frontends is not supported yet"))
    }

    async fn join(&self, _request: Request<JoinRequest>) -> std::result::Result<Response<JoinReply>, Status> {
        Err(Status::unimplemented("joining a frontend to the cluster is not supported yet"))
    }
}
