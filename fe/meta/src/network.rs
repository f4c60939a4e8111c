//! Raft messages over the cluster's RPC.

use std::{fmt::Display, sync::Arc};

use common_rpc::{RpcPool, status};
use openraft::{
    BasicNode, RaftNetwork, RaftNetworkFactory,
    error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable},
    network::{Backoff, RPCOption},
    raft::{AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest, VoteResponse},
};
use proto_services::fe_peer::RaftMessage;
use serde::{Serialize, de::DeserializeOwned};

use crate::{metrics::MetaMetrics, types::TypeConfig};

/// Makes connections to members.
pub struct Network {
    pub pool: Arc<RpcPool>,
    pub metrics: MetaMetrics,
}

/// One member.
pub struct Member {
    pool: Arc<RpcPool>,
    target: u64,
    address: String,
    metrics: MetaMetrics,
}

#[derive(Clone, Copy)]
enum Kind {
    Append,
    Vote,
    Install,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Member;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Member {
        Member { pool: self.pool.clone(), target, address: node.addr.clone(), metrics: self.metrics.clone() }
    }
}

impl Member {
    async fn call<Q, A, E>(&self, kind: Kind, request: &Q, option: &RPCOption) -> Result<A, RPCError<u64, BasicNode, E>>
    where
        Q: Serialize,
        A: DeserializeOwned,
        E: std::error::Error + DeserializeOwned,
    {
        let unreachable = |e: &dyn Display| RPCError::Unreachable(Unreachable::new(&std::io::Error::other(e.to_string())));
        let network = |e: &dyn Display| RPCError::Network(NetworkError::new(&std::io::Error::other(e.to_string())));
        let body = rmp_serde::to_vec_named(request).map_err(|e| network(&e))?;
        let mut client = self.pool.fe_peer(&self.address).map_err(|e| unreachable(&e))?;
        let mut message = tonic::Request::new(RaftMessage { body: body.into(), status: None });
        // A little less than what Raft waits: the failure is seen here, and its connection forgotten.
        message.set_timeout(option.hard_ttl() * 9 / 10);
        let answer = match kind {
            Kind::Append => client.append_entries(message).await,
            Kind::Vote => client.vote(message).await,
            Kind::Install => client.install_snapshot(message).await,
        };
        let answer = match answer {
            Ok(answer) => answer.into_inner(),
            Err(e) => {
                // A connection that hangs is not waited for: the next message opens another one.
                self.pool.forget(&self.address);
                return Err(unreachable(&status::from_grpc(&e, &self.address)));
            }
        };
        status::from_message(answer.status).map_err(|e| network(&e))?;
        let result: Result<A, E> = rmp_serde::from_slice(&answer.body).map_err(|e| network(&e))?;
        result.map_err(|e| RPCError::RemoteError(RemoteError::new(self.target, e)))
    }
}

impl RaftNetwork<TypeConfig> for Member {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        self.call(Kind::Append, &rpc, &option).await
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, RPCError<u64, BasicNode, RaftError<u64, InstallSnapshotError>>> {
        let installed = self.call(Kind::Install, &rpc, &option).await;
        if rpc.done && installed.is_ok() {
            self.metrics.image_pushed.inc();
        }
        installed
    }

    fn backoff(&self) -> Backoff {
        // A member that comes back is to be heard of before its election timeout is over.
        Backoff::new(std::iter::repeat(std::time::Duration::from_millis(200)))
    }

    async fn vote(&mut self, rpc: VoteRequest<u64>, option: RPCOption) -> Result<VoteResponse<u64>, RPCError<u64, BasicNode, RaftError<u64>>> {
        self.call(Kind::Vote, &rpc, &option).await
    }
}
