//! The FE's HTTP port: health, metrics, and the door of stream loads.
//!
//! A load's body never passes through an FE: the request is answered with 307 to a backend before the body is read.

use std::{collections::BTreeMap, sync::{Arc, atomic::{AtomicUsize, Ordering}}};

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use fe_engine::{Engine, auth};
use serde_json::{Value, json};

use crate::metrics::Metrics;

/// What handlers share.
#[derive(Clone)]
pub struct HttpState {
    pub engine: Arc<Engine>,
    pub metrics: Arc<Metrics>,
    next_backend: Arc<AtomicUsize>,
}

/// All routes.
pub fn router(engine: Arc<Engine>, metrics: Arc<Metrics>) -> Router {
    let state = HttpState { engine, metrics, next_backend: Arc::default() };
    Router::new()
        .route("/api/bootstrap", get(bootstrap))
        .route("/api/health", get(health))
        .route("/metrics", get(metrics_text))
        .route("/api/{db}/{table}/_stream_load", put(stream_load))
        .route("/api/transaction/{op}", axum::routing::post(transaction))
        .with_state(state)
}

async fn bootstrap() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], r#"{"status":"OK","msg":"Success"}"#)
}

async fn health(State(state): State<HttpState>) -> impl IntoResponse {
    let catalog = state.engine.meta.snapshot();
    let alive = state.engine.nodes.alive(&catalog).len();
    json_body(&json!({ "total_backend_num": catalog.backends.len(), "online_backend_num": alive, "status": "OK" }))
}

async fn metrics_text(State(state): State<HttpState>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], state.metrics.registry.render())
}

/// Names in a 307: `Location` keeps path and query.
async fn stream_load(State(state): State<HttpState>, Path(_names): Path<BTreeMap<String, String>>, headers: HeaderMap, uri: Uri, _request: Request) -> Response {
    redirect(&state, &headers, &uri)
}

async fn transaction(State(state): State<HttpState>, headers: HeaderMap, uri: Uri, _request: Request) -> Response {
    redirect(&state, &headers, &uri)
}

/// A JSON answer.
fn json_body(value: &Value) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string())
}

fn redirect(state: &HttpState, headers: &HeaderMap, uri: &Uri) -> Response {
    if let Err(message) = authenticate(&state.engine, headers) {
        let body = json!({ "Status": "FAILED", "Message": message });
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"\"")], json_body(&body)).into_response();
    }
    let backends = state.engine.nodes.alive(&state.engine.meta.snapshot());
    if backends.is_empty() {
        let body = json!({ "Status": "FAILED", "Message": "No backend alive." });
        return json_body(&body).into_response();
    }
    let chosen = &backends[state.next_backend.fetch_add(1, Ordering::Relaxed) % backends.len()];
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    let location = format!("http://{}:{}{path}", chosen.host, chosen.http_port);
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response()
}

/// User and password of a Basic header, when they are right.
fn authenticate(engine: &Engine, headers: &HeaderMap) -> Result<String, String> {
    let value = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).ok_or("no Authorization header: user and password are needed")?;
    let encoded = value.strip_prefix("Basic ").ok_or("only Basic authorization is supported")?;
    let decoded = STANDARD.decode(encoded.trim()).ok().and_then(|b| String::from_utf8(b).ok()).ok_or("the Authorization header does not decode")?;
    let (user, password) = decoded.split_once(':').unwrap_or((&decoded, ""));
    let catalog = engine.meta.snapshot();
    let account = catalog.user(user, "%").ok_or_else(|| format!("Access denied for {user}@%"))?;
    if auth::check_plain(&account.password_hash, password) { Ok(user.to_owned()) } else { Err(format!("Access denied for {user}@%")) }
}
