//! HTTP/1.1 over the network seam: what both servers serve their HTTP ports with.

use axum::Router;
use common_base::{net::Listener, runtime::Shutdown};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};

/// Serves until shutdown; a broken connection ends only itself.
pub async fn serve(mut listener: Box<dyn Listener>, router: Router, shutdown: Shutdown) {
    while let Some(accepted) = shutdown.guard(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                let service = TowerToHyperService::new(router.clone());
                common_base::runtime::spawn("http connection", async move {
                    if let Err(e) = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
                        tracing::debug!("http connection ended: {e}");
                    }
                });
            }
            Err(e) => tracing::warn!("http accept: {e}"),
        }
    }
}
