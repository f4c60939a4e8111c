//! The network seam over turmoil: every write of a host is in the trace.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
};

use common_base::{
    Result, err,
    net::{BoxFuture, BoxedStream, Listener, Net},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

use crate::trace::Trace;

/// The network as one host sees it.
#[derive(Clone)]
pub struct SimNet {
    pub host: String,
    pub trace: Trace,
}

impl SimNet {
    fn stream(&self, inner: TcpStream, peer: String) -> BoxedStream {
        Box::new(Stream { inner, net: self.clone(), peer })
    }
}

impl Net for SimNet {
    fn connect<'a>(&'a self, addr: &'a str) -> BoxFuture<'a, Result<BoxedStream>> {
        Box::pin(async move {
            self.trace.event(&format!("{} connects to {addr}", self.host));
            let stream = TcpStream::connect(addr).await.map_err(|e| err!(NetworkError, "cannot connect to {addr}: {e}"))?;
            Ok(self.stream(stream, addr.to_owned()))
        })
    }

    fn bind<'a>(&'a self, addr: &'a str) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let listener = TcpListener::bind(addr).await.map_err(|e| err!(NetworkError, "cannot listen on {addr}: {e}"))?;
            Ok(Box::new(Acceptor { listener, net: self.clone() }) as Box<dyn Listener>)
        })
    }

    fn local_addresses(&self) -> Vec<Ipv4Addr> {
        match turmoil::lookup(self.host.as_str()) {
            IpAddr::V4(address) => vec![address, Ipv4Addr::LOCALHOST],
            IpAddr::V6(_) => vec![Ipv4Addr::LOCALHOST],
        }
    }
}

struct Acceptor {
    listener: TcpListener,
    net: SimNet,
}

impl Listener for Acceptor {
    fn accept(&mut self) -> BoxFuture<'_, Result<(BoxedStream, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self.listener.accept().await.map_err(|e| err!(NetworkError, "cannot accept: {e}"))?;
            Ok((self.net.stream(stream, peer.to_string()), peer))
        })
    }

    fn local_addr(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(|e| err!(NetworkError, "no local address: {e}"))
    }
}

struct Stream {
    inner: TcpStream,
    net: SimNet,
    peer: String,
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(len)) = &written {
            self.net.trace.message(&self.net.host, &self.peer, &buf[..*len]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
