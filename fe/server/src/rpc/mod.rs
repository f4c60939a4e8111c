//! gRPC of the FE: what backends ask, and what other FEs send.

mod fe_peer;
mod fe_service;

use std::sync::Arc;

use common_rpc::TokenSource;
use fe_engine::Engine;
use proto_services::{fe_peer::fe_peer_server::FePeerServer, fe_service::fe_service_server::FeServiceServer};
use tonic::service::Routes;

const MESSAGE_BYTES_MAX: usize = 512 << 20;

/// Services of the rpc and edit-log ports, behind the token.
pub fn routes(engine: &Arc<Engine>, token: &TokenSource) -> Routes {
    let check = |token: TokenSource| move |request| token.check(request);
    let service = FeServiceServer::new(fe_service::Service { engine: engine.clone() })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let peer = FePeerServer::new(fe_peer::Peer { meta: engine.meta.clone() })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    Routes::new(tonic::service::interceptor::InterceptedService::new(service, check(token.clone())))
        .add_service(tonic::service::interceptor::InterceptedService::new(peer, check(token.clone())))
}
