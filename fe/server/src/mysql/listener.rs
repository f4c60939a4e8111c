//! Accepts MySQL clients.

use std::{sync::Arc, time::Duration};

use common_base::{err, net::Listener, runtime::Shutdown};
use fe_engine::Engine;
use tokio::io::AsyncWriteExt;
use tracing::{debug, warn};

use super::{connection, errno};
use crate::metrics::Metrics;

/// Clients of a frontend that is about to be ready wait for it so long.
pub const HOLD: Duration = Duration::from_secs(5);

/// Keeps clients waiting for a moment, and then tells them that this frontend is not ready, until it is; gives the listener back then.
pub async fn refuse(mut listener: Box<dyn Listener>, ready: Shutdown) -> Box<dyn Listener> {
    let _ = tokio::time::timeout(HOLD, ready.wait()).await;
    loop {
        let accepted = tokio::select! {
            () = ready.wait() => return listener,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((mut stream, peer)) => {
                tokio::spawn(async move {
                    if let Err(e) = stream.write_all(&not_ready()).await {
                        debug!(%peer, "connection ended: {e}");
                    }
                    let _ = stream.shutdown().await;
                });
            }
            Err(e) => warn!("mysql accept: {e}"),
        }
    }
}

/// An error in place of the handshake: number and text, no state before the client's capabilities are known.
fn not_ready() -> Vec<u8> {
    let e = err!(Unavailable, "this frontend is not ready: it starts, or waits for the others of its group");
    let (number, _) = errno::number_of(&e);
    let mut packet = vec![(3 + e.message().len()) as u8, 0, 0, 0, 0xff];
    packet.extend_from_slice(&number.to_le_bytes());
    packet.extend_from_slice(e.message().as_bytes());
    packet
}

/// Takes clients until `leaving`, serves them until `shutdown`. Each client is a task; a broken client ends only itself.
pub async fn serve(engine: Arc<Engine>, metrics: Arc<Metrics>, mut listener: Box<dyn Listener>, shutdown: Shutdown, leaving: Shutdown) {
    loop {
        let accepted = tokio::select! {
            () = shutdown.wait() => return,
            () = leaving.wait() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (engine, metrics, shutdown) = (engine.clone(), metrics.clone(), shutdown.clone());
                tokio::spawn(async move {
                    let host = peer.ip().to_string();
                    tokio::select! {
                        ended = connection::serve(engine, metrics, stream, &host) => {
                            if let Err(e) = ended {
                                debug!(%peer, "connection ended: {e}");
                            }
                        }
                        () = shutdown.wait() => {}
                    }
                });
            }
            Err(e) => warn!("mysql accept: {e}"),
        }
    }
}
