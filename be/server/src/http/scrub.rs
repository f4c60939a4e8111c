//! `GET /api/scrub`: how far the verification of files is and what it found; `POST` begins a pass now.

use std::sync::{Arc, atomic::Ordering};

use axum::{extract::State, http::header, response::IntoResponse};
use serde_json::json;

use crate::app::Parts;

/// The state as JSON.
pub async fn show(State(parts): State<Arc<Parts>>) -> impl IntoResponse {
    let report = parts.storage.scrub_report();
    let body = json!({
        "status": "OK",
        "cycles": report.cycles,
        "began_ms": report.began_ms,
        "ended_ms": report.ended_ms,
        "tablets_of_pass": report.tablets,
        "files": report.files,
        "bytes": report.bytes,
        "damaged_files": report.damaged_files,
        "findings": report.findings,
    });
    ([(header::CONTENT_TYPE, "application/json")], body.to_string())
}

/// Asks for a pass.
pub async fn begin(State(parts): State<Arc<Parts>>) -> impl IntoResponse {
    parts.scrub_now.store(true, Ordering::Relaxed);
    ([(header::CONTENT_TYPE, "application/json")], json!({ "status": "OK" }).to_string())
}
