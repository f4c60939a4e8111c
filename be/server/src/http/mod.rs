//! The BE's HTTP port: loads, health, metrics, error logs, headers of tablets, compactions and verification by hand.

mod compaction;
mod scrub;
mod tablet_meta;

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};

use crate::{app::Parts, stream_load};

/// All routes.
pub fn router(parts: Arc<Parts>) -> Router {
    Router::new()
        .route("/api/health", get(health))
        .route("/metrics", get(metrics))
        .route("/mem_tracker", get(mem_tracker))
        .route("/api/compact", post(compaction::compact))
        .route("/api/compaction/show", get(compaction::show))
        .route("/api/compaction/running", get(compaction::running))
        .route("/api/meta/header/{tablet_id}", get(tablet_meta::show))
        .route("/api/scrub", get(scrub::show).post(scrub::begin))
        .route("/api/_load_error_log", get(error_log))
        .route("/api/{db}/{table}/_stream_load", put(stream_load::handle))
        .route("/api/transaction/{op}", post(stream_load::transaction::handle).put(stream_load::transaction::handle))
        .merge(common_rpc::http::fail_points())
        .with_state(parts)
}

async fn health() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], r#"{"status": "OK","msg": "To Be Added"}"#)
}

async fn metrics(State(parts): State<Arc<Parts>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], parts.metrics.registry.render())
}

/// Who holds memory: what was reserved, one line a tracker, below what the process has in RAM and what large blocks hold.
async fn mem_tracker(State(parts): State<Arc<Parts>>) -> impl IntoResponse {
    let resident = common_base::machine::resident_bytes().unwrap_or(0);
    let text = format!("resident: used={resident}\nlarge blocks: used={}\n{}", common_alloc::large_bytes(), parts.memory.dump());
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text)
}

/// `?file=error_log_…`: a bare file name of the error log directory.
async fn error_log(State(parts): State<Arc<Parts>>, Query(query): Query<HashMap<String, String>>) -> Response {
    let name = query.get("file").map(String::as_str).unwrap_or_default();
    let plain = name.starts_with("error_log_") && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !plain {
        return (StatusCode::BAD_REQUEST, "file must be the name of an error log").into_response();
    }
    match parts.fs.read(&parts.error_logs.join(name)) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
        Err(_) => (StatusCode::NOT_FOUND, "there is no such error log (they are kept for a while only)").into_response(),
    }
}
