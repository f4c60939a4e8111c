//! gRPC of the FE: what backends ask, and what other FEs send.

mod fe_peer;
mod fe_service;

use std::sync::Arc;

use common_rpc::TokenSource;
use fe_engine::Engine;
use proto_services::{
    fe_peer::{fe_join_server::FeJoinServer, fe_peer_server::FePeerServer},
    fe_service::fe_service_server::FeServiceServer,
};
use tonic::service::{Routes, interceptor::InterceptedService};

pub use fe_peer::Late;

const MESSAGE_BYTES_MAX: usize = 512 << 20;

/// Services of the rpc port, behind the token.
pub fn routes(engine: &Arc<Engine>, late: &Arc<Late>, token: &TokenSource) -> Routes {
    let own = token.clone();
    let service = FeServiceServer::new(fe_service::Service { engine: engine.clone() })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    peer_routes(late, token).add_service(InterceptedService::new(service, move |request| own.check(request)))
}

/// Services of the edit-log port: behind the token, except what a frontend asks that has none yet.
pub fn peer_routes(late: &Arc<Late>, token: &TokenSource) -> Routes {
    let (own, peer) = (token.clone(), fe_peer::Peer { late: late.clone() });
    let join = FeJoinServer::new(peer.clone());
    let service = FePeerServer::new(peer).max_decoding_message_size(MESSAGE_BYTES_MAX).max_encoding_message_size(MESSAGE_BYTES_MAX);
    Routes::new(InterceptedService::new(service, move |request| own.check(request))).add_service(join)
}
