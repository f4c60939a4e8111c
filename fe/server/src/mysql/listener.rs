//! Accepts MySQL clients.

use std::sync::Arc;

use common_base::{net::Listener, runtime::Shutdown};
use fe_engine::Engine;
use tracing::{debug, warn};

use super::connection;

/// Serves until shutdown. Each client is a task; a broken client ends only itself.
pub async fn serve(engine: Arc<Engine>, mut listener: Box<dyn Listener>, shutdown: Shutdown) {
    loop {
        let accepted = tokio::select! {
            () = shutdown.wait() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (engine, shutdown) = (engine.clone(), shutdown.clone());
                tokio::spawn(async move {
                    let host = peer.ip().to_string();
                    tokio::select! {
                        ended = connection::serve(engine, stream, &host) => {
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
