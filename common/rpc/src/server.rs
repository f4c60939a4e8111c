//! Serving: a listener of the network seam, a router of services, and the token check in front of all of them.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use common_base::{
    Result, err,
    net::{BoxedStream, Listener},
};
use futures::Stream;
use parking_lot::RwLock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::{
    Request, Status,
    service::Routes,
    transport::server::{Connected, Server},
};
use tracing::warn;

/// Metadata key of the cluster's token.
pub const TOKEN_HEADER: &str = "mirrorship-token";

/// The cluster's token as this process knows it. A BE learns it with its first heartbeat and keeps it.
#[derive(Clone, Default)]
pub struct TokenSource {
    token: Arc<RwLock<Option<String>>>,
}

impl TokenSource {
    /// A source that already knows the token.
    pub fn new(token: impl Into<String>) -> Self {
        Self { token: Arc::new(RwLock::new(Some(token.into()))) }
    }

    /// The token, once known.
    pub fn get(&self) -> Option<String> {
        self.token.read().clone()
    }

    /// Learns the token.
    pub fn set(&self, token: impl Into<String>) {
        *self.token.write() = Some(token.into());
    }

    /// Refuses a call that does not carry the token. Before this process knows the token nobody is let in.
    pub fn check(&self, request: Request<()>) -> std::result::Result<Request<()>, Status> {
        let sent = request.metadata().get(TOKEN_HEADER).and_then(|v| v.to_str().ok());
        match (&*self.token.read(), sent) {
            (Some(mine), Some(sent)) if mine.as_bytes() == sent.as_bytes() => Ok(request),
            (Some(_), Some(_)) => Err(Status::unauthenticated("wrong cluster token: this process belongs to another cluster")),
            (Some(_), None) => Err(Status::unauthenticated("no cluster token: internal ports serve members of the cluster only")),
            (None, _) => Err(Status::unauthenticated("this process has not joined a cluster yet")),
        }
    }
}

/// Serves until `shutdown` resolves; running calls are finished.
pub async fn serve(listener: Box<dyn Listener>, routes: Routes, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    let address = listener.local_addr()?;
    Server::builder()
        .initial_stream_window_size(Some(4 << 20))
        // Far above the sum of the streams' windows: streams that nobody reads now must not stop the others of the connection.
        .initial_connection_window_size(Some(1 << 30))
        .http2_keepalive_interval(Some(std::time::Duration::from_secs(10)))
        .add_routes(routes)
        .serve_with_incoming_shutdown(Incoming::new(listener), shutdown)
        .await
        .map_err(|e| err!(NetworkError, "rpc server on {address} failed: {e}"))
}

type Accepting = Pin<Box<dyn Future<Output = (Box<dyn Listener>, Result<BoxedStream>)> + Send>>;

/// Accepted connections as the stream tonic wants; a failed accept is logged and the next one awaited.
struct Incoming {
    accepting: Accepting,
}

impl Incoming {
    fn new(listener: Box<dyn Listener>) -> Self {
        Self { accepting: Self::accept(listener) }
    }

    fn accept(mut listener: Box<dyn Listener>) -> Accepting {
        Box::pin(async move {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            (listener, accepted)
        })
    }
}

impl Stream for Incoming {
    type Item = std::io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let (listener, accepted) = std::task::ready!(self.accepting.as_mut().poll(cx));
            self.accepting = Self::accept(listener);
            match accepted {
                Ok(stream) => return Poll::Ready(Some(Ok(Connection(stream)))),
                Err(e) => warn!("rpc accept: {e}"),
            }
        }
    }
}

/// A stream tonic can serve.
struct Connection(BoxedStream);

impl Connected for Connection {
    type ConnectInfo = ();
    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
