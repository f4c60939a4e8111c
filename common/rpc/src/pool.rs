//! Clients: one lazily connected HTTP/2 channel per address, shared by every caller, with the token on each call.

use std::{collections::HashMap, sync::Arc, time::Duration};

use common_base::{Result, err, net::Net};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use proto_services::{
    be_peer::be_peer_client::BePeerClient, be_service::{be_service_client::BeServiceClient, heartbeat_client::HeartbeatClient},
    fe_peer::{fe_join_client::FeJoinClient, fe_peer_client::FePeerClient}, fe_service::fe_service_client::FeServiceClient,
};
use tonic::{
    Request, Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Endpoint, Uri},
};

use crate::server::{TOKEN_HEADER, TokenSource};

/// A message may be this large: result chunks and load chunks are bounded well below.
const MESSAGE_BYTES_MAX: usize = 512 << 20;

/// A channel with the token on it.
pub type Channel = InterceptedService<tonic::transport::Channel, AddToken>;

/// Puts the token on every call.
#[derive(Clone)]
pub struct AddToken(TokenSource);

impl Interceptor for AddToken {
    fn call(&mut self, mut request: Request<()>) -> std::result::Result<Request<()>, Status> {
        if let Some(token) = self.0.get() {
            let value = MetadataValue::try_from(token).map_err(|_| Status::internal("the cluster token is not printable"))?;
            request.metadata_mut().insert(TOKEN_HEADER, value);
        }
        Ok(request)
    }
}

/// Channels of this process.
pub struct RpcPool {
    net: Arc<dyn Net>,
    token: TokenSource,
    connect_timeout: Duration,
    channels: Mutex<HashMap<String, tonic::transport::Channel>>,
}

impl RpcPool {
    /// A pool over a network.
    pub fn new(net: Arc<dyn Net>, token: TokenSource, connect_timeout: Duration) -> Arc<Self> {
        Arc::new(Self { net, token, connect_timeout, channels: Mutex::default() })
    }

    /// The token this pool sends.
    pub fn token(&self) -> &TokenSource {
        &self.token
    }

    /// The channel of `host:port`; connects on first use and again after a failure.
    pub fn channel(&self, address: &str) -> Result<Channel> {
        let mut channels = self.channels.lock();
        let channel = match channels.get(address) {
            Some(channel) => channel.clone(),
            None => {
                let channel = self.open(address)?;
                channels.insert(address.to_owned(), channel.clone());
                channel
            }
        };
        Ok(InterceptedService::new(channel, AddToken(self.token.clone())))
    }

    /// Addresses there is a channel to.
    pub fn channel_count(&self) -> usize {
        self.channels.lock().len()
    }

    /// Forgets an address (a dropped node).
    pub fn forget(&self, address: &str) {
        self.channels.lock().remove(address);
    }

    fn open(&self, address: &str) -> Result<tonic::transport::Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|e| err!(InvalidArgument, "'{address}' is not an address: {e}"))?
            .connect_timeout(self.connect_timeout)
            .initial_stream_window_size(Some(4 << 20))
            // Far above the sum of the streams' windows: streams that nobody reads now must not stop the others of the connection.
            .initial_connection_window_size(Some(1 << 30))
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(10));
        let net = self.net.clone();
        Ok(endpoint.connect_with_connector_lazy(tower::service_fn(move |uri: Uri| {
            let net = net.clone();
            async move {
                let address = uri.authority().map(|a| a.as_str().to_owned()).unwrap_or_default();
                net.connect(&address).await.map(TokioIo::new)
            }
        })))
    }

    /// Client of a BE's be port.
    pub fn be(&self, address: &str) -> Result<BeServiceClient<Channel>> {
        Ok(BeServiceClient::new(self.channel(address)?).max_decoding_message_size(MESSAGE_BYTES_MAX).max_encoding_message_size(MESSAGE_BYTES_MAX))
    }

    /// Client of a BE's heartbeat port.
    pub fn heartbeat(&self, address: &str) -> Result<HeartbeatClient<Channel>> {
        Ok(HeartbeatClient::new(self.channel(address)?))
    }

    /// Client of a BE's brpc port.
    pub fn be_peer(&self, address: &str) -> Result<BePeerClient<Channel>> {
        Ok(BePeerClient::new(self.channel(address)?).max_decoding_message_size(MESSAGE_BYTES_MAX).max_encoding_message_size(MESSAGE_BYTES_MAX))
    }

    /// Client of an FE's rpc port, as a BE calls it.
    pub fn fe(&self, address: &str) -> Result<FeServiceClient<Channel>> {
        Ok(FeServiceClient::new(self.channel(address)?).max_decoding_message_size(MESSAGE_BYTES_MAX).max_encoding_message_size(MESSAGE_BYTES_MAX))
    }

    /// Client of an FE's rpc or edit-log port, as an FE calls it.
    pub fn fe_peer(&self, address: &str) -> Result<FePeerClient<Channel>> {
        Ok(FePeerClient::new(self.channel(address)?).max_decoding_message_size(MESSAGE_BYTES_MAX).max_encoding_message_size(MESSAGE_BYTES_MAX))
    }

    /// Client of an FE's edit-log port, as a process calls it that has not joined yet.
    pub fn fe_join(&self, address: &str) -> Result<FeJoinClient<Channel>> {
        Ok(FeJoinClient::new(self.channel(address)?))
    }
}
