//! Accepts MySQL clients.

use std::sync::Arc;

use common_base::{net::Listener, runtime::Shutdown};
use fe_engine::Engine;
use tracing::{debug, warn};

use super::connection;
use crate::metrics::Metrics;

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
