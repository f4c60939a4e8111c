//! HTTP/1.1 over the network seam: what both servers serve their HTTP ports with, and the routes both have.

use std::collections::BTreeMap;

use axum::{Router, extract::Query, http::StatusCode, routing::post};
use common_base::{failpoint, net::Listener, runtime::Shutdown};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};

/// `POST /api/fail_point?name=…&action=…` where the environment allows it (tests); else nothing.
pub fn fail_points<S: Clone + Send + Sync + 'static>() -> Router<S> {
    if !failpoint::allowed() {
        return Router::new();
    }
    let set = |Query(query): Query<BTreeMap<String, String>>| async move {
        let of = |key: &str| query.get(key).map(String::as_str).unwrap_or_default();
        match failpoint::set(of("name"), of("action")) {
            Ok(()) => (StatusCode::OK, "OK\n".to_owned()),
            Err(e) => (StatusCode::BAD_REQUEST, format!("{e}\n")),
        }
    };
    Router::new().route("/api/fail_point", post(set))
}

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
