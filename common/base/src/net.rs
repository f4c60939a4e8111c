//! The seam to the network: connect and bind over boxed byte streams, so that a simulated network can take the place of TCP.
//! The traits return boxed futures instead of using an async-trait macro, which keeps them object safe and cheap to compile.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use crate::{Result, err};

/// A boxed future that can move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Anything bytes flow through in both directions.
pub trait NetStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> NetStream for T {}

/// A connection, whatever carries it.
pub type BoxedStream = Box<dyn NetStream>;

/// A bound address that accepts connections.
pub trait Listener: Send + 'static {
    /// The next connection and who made it.
    fn accept(&mut self) -> BoxFuture<'_, Result<(BoxedStream, SocketAddr)>>;
    /// The address it listens on (with the real port when bound to port 0).
    fn local_addr(&self) -> Result<SocketAddr>;
}

/// A network.
pub trait Net: Send + Sync + 'static {
    /// Opens a connection to `host:port`.
    fn connect<'a>(&'a self, addr: &'a str) -> BoxFuture<'a, Result<BoxedStream>>;
    /// Listens on `host:port`; port 0 picks a free one.
    fn bind<'a>(&'a self, addr: &'a str) -> BoxFuture<'a, Result<Box<dyn Listener>>>;
    /// The IPv4 addresses of this machine, loopback among them.
    fn local_addresses(&self) -> Vec<Ipv4Addr>;
}

/// TCP of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioNet;

impl Net for TokioNet {
    fn connect<'a>(&'a self, addr: &'a str) -> BoxFuture<'a, Result<BoxedStream>> {
        Box::pin(async move {
            let stream =
                TcpStream::connect(addr).await.map_err(|e| err!(NetworkError, "cannot connect to {addr}: {e}"))?;
            // Small request/answer messages dominate; waiting to fill packets costs latency.
            stream
                .set_nodelay(true)
                .map_err(|e| err!(NetworkError, "cannot configure the connection to {addr}: {e}"))?;
            Ok(Box::new(stream) as BoxedStream)
        })
    }

    fn bind<'a>(&'a self, addr: &'a str) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let listener =
                TcpListener::bind(addr).await.map_err(|e| err!(NetworkError, "cannot listen on {addr}: {e}"))?;
            Ok(Box::new(TcpAcceptor(listener)) as Box<dyn Listener>)
        })
    }

    fn local_addresses(&self) -> Vec<Ipv4Addr> {
        crate::net_address::of_machine()
    }
}

struct TcpAcceptor(TcpListener);

impl Listener for TcpAcceptor {
    fn accept(&mut self) -> BoxFuture<'_, Result<(BoxedStream, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self.0.accept().await.map_err(|e| err!(NetworkError, "cannot accept: {e}"))?;
            stream
                .set_nodelay(true)
                .map_err(|e| err!(NetworkError, "cannot configure the connection of {peer}: {e}"))?;
            Ok((Box::new(stream) as BoxedStream, peer))
        })
    }

    fn local_addr(&self) -> Result<SocketAddr> {
        self.0.local_addr().map_err(|e| err!(NetworkError, "no local address: {e}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn bytes_travel_both_ways() {
        let net: &dyn Net = &TokioNet;
        let mut listener = net.bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let client = async {
            let mut stream = net.connect(&addr).await.unwrap();
            stream.write_all(b"ping").await.unwrap();
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).await.unwrap();
            answer
        };
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut ask = [0; 4];
            stream.read_exact(&mut ask).await.unwrap();
            stream.write_all(b"pong").await.unwrap();
            ask
        };
        assert_eq!(tokio::join!(client, server), (*b"pong", *b"ping"));
    }
}
