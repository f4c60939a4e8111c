//! FE to FE: Raft messages, forwarded proposals and statements, the leader's word, and joining.
//!
//! The edit-log port serves before the catalog is there, for the catalog comes through it: [`Late`] is filled in as the start goes on.

use std::sync::{Arc, OnceLock};

use common_base::{Result, err, ids::NodeId};
use common_rpc::status;
use fe_engine::{Engine, cluster::{frontends, sessions}, session::forward};
use fe_meta::MetaHandle;
use proto_services::fe_peer::{
    ConfirmReply, ConfirmRequest, ElectReply, ElectRequest, ForwardReply, ForwardRequest, JoinReply, JoinRequest, KillReply, KillRequest, PeerBeat, PeerState, ProposeReply,
    ProposeRequest, RaftMessage, ReadIndexReply, ReadIndexRequest, SessionsReply, SessionsRequest, fe_join_server::FeJoin, fe_peer_server::FePeer,
};
use tonic::{Request, Response, Status};

/// What the start of this frontend has made by now.
#[derive(Default)]
pub struct Late {
    pub meta: OnceLock<MetaHandle>,
    pub engine: OnceLock<Arc<Engine>>,
    /// Said when asking to join.
    pub nonce: OnceLock<String>,
}

/// The services.
#[derive(Clone)]
pub struct Peer {
    pub late: Arc<Late>,
}

type Answer<T> = std::result::Result<Response<T>, Status>;

fn starting<T>(made: Option<&T>) -> std::result::Result<&T, Status> {
    made.ok_or_else(|| Status::unavailable("this frontend is starting"))
}

fn raft(result: Result<RaftMessage>) -> Answer<RaftMessage> {
    let failed = |e| RaftMessage { body: Default::default(), status: Some(status::to_message(&e)) };
    Ok(Response::new(result.unwrap_or_else(failed)))
}

impl Peer {
    fn meta(&self) -> std::result::Result<&MetaHandle, Status> {
        starting(self.late.meta.get())
    }
}

#[tonic::async_trait]
impl FePeer for Peer {
    async fn append_entries(&self, request: Request<RaftMessage>) -> Answer<RaftMessage> {
        raft(self.meta()?.on_append(request.into_inner()).await)
    }

    async fn vote(&self, request: Request<RaftMessage>) -> Answer<RaftMessage> {
        raft(self.meta()?.on_vote(request.into_inner()).await)
    }

    async fn install_snapshot(&self, request: Request<RaftMessage>) -> Answer<RaftMessage> {
        raft(self.meta()?.on_install_snapshot(request.into_inner()).await)
    }

    async fn propose(&self, request: Request<ProposeRequest>) -> Answer<ProposeReply> {
        Ok(Response::new(self.meta()?.on_propose(request.into_inner()).await))
    }

    async fn forward_statement(&self, request: Request<ForwardRequest>) -> Answer<ForwardReply> {
        let Some(engine) = self.late.engine.get() else {
            let starting = err!(NotLeader, "this frontend is starting");
            return Ok(Response::new(ForwardReply { status: Some(status::to_message(&starting)), not_run: true, ..ForwardReply::default() }));
        };
        Ok(Response::new(forward::run_here(engine, request.into_inner()).await))
    }

    async fn beat(&self, request: Request<PeerBeat>) -> Answer<PeerState> {
        let taken = frontends::take_in(starting(self.late.engine.get())?, request.into_inner());
        Ok(Response::new(taken.unwrap_or_else(|e| PeerState { status: Some(status::to_message(&e)), ..PeerState::default() })))
    }

    async fn read_index(&self, request: Request<ReadIndexRequest>) -> Answer<ReadIndexReply> {
        let meta = self.meta()?;
        let asks = request.into_inner().node_id;
        if asks != 0 && meta.is_leader() && !meta.snapshot().frontends.contains_key(&NodeId(asks)) {
            let e = err!(NotFound, "frontend {asks} is no member of this cluster: it was dropped. To join again, add it, empty its metadata directory and start it with --helper");
            return Ok(Response::new(ReadIndexReply { status: Some(status::to_message(&e)), index: 0 }));
        }
        // Asked once only: a frontend that does not lead does not ask the next one.
        let index = if meta.leader_address().is_none() { meta.read_index().await } else { Err(err!(NotLeader, "this frontend does not lead")) };
        Ok(Response::new(match index {
            Ok(index) => ReadIndexReply { status: None, index },
            Err(e) => ReadIndexReply { status: Some(status::to_message(&e)), index: 0 },
        }))
    }

    async fn elect(&self, request: Request<ElectRequest>) -> Answer<ElectReply> {
        let elected = self.meta()?.on_elect(request.into_inner()).await;
        Ok(Response::new(ElectReply { status: status::of(&elected) }))
    }

    async fn sessions(&self, request: Request<SessionsRequest>) -> Answer<SessionsReply> {
        let characters = request.into_inner().characters.map(|n| n as usize);
        Ok(Response::new(SessionsReply { sessions: sessions::here(starting(self.late.engine.get())?, characters) }))
    }

    async fn kill(&self, request: Request<KillRequest>) -> Answer<KillReply> {
        let killed = sessions::kill_here(starting(self.late.engine.get())?, &request.into_inner());
        Ok(Response::new(KillReply { status: status::of(&killed) }))
    }
}

#[tonic::async_trait]
impl FeJoin for Peer {
    async fn join(&self, request: Request<JoinRequest>) -> Answer<JoinReply> {
        let joined = frontends::join(starting(self.late.engine.get())?, request.into_inner()).await;
        Ok(Response::new(joined.unwrap_or_else(|e| JoinReply { status: Some(status::to_message(&e)), ..JoinReply::default() })))
    }

    async fn confirm(&self, request: Request<ConfirmRequest>) -> Answer<ConfirmReply> {
        let nonce = request.into_inner().nonce;
        Ok(Response::new(ConfirmReply { same: self.late.nonce.get().is_some_and(|own| *own == nonce) }))
    }
}
