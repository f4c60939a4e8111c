//! The FE's HTTP port: health, metrics, and the doors of loads.

mod group;
mod loads;

use std::{collections::HashMap, sync::{Arc, OnceLock, atomic::AtomicUsize}};

use axum::{
    Router,
    extract::{Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use common_base::{metrics::Sample, runtime::Shutdown};
use fe_engine::{Engine, auth};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use crate::{metrics::Metrics, mysql::listener::HOLD};

/// What handlers share.
#[derive(Clone)]
pub struct HttpState {
    pub engine: Arc<Engine>,
    pub metrics: Arc<Metrics>,
    next_backend: Arc<AtomicUsize>,
    coordinators: Arc<Mutex<loads::Coordinators>>,
    leaving: Shutdown,
}

/// All routes.
pub fn router(engine: Arc<Engine>, metrics: Arc<Metrics>, leaving: Shutdown) -> Router {
    let state = HttpState { engine, metrics, next_backend: Arc::default(), coordinators: Arc::default(), leaving };
    Router::new()
        .route("/api/bootstrap", get(bootstrap))
        .route("/api/health", get(health))
        .route("/metrics", get(show_metrics))
        .route("/api/{db}/{table}/_stream_load", put(loads::stream_load))
        .route("/api/transaction/{op}", post(loads::transaction).put(loads::transaction))
        .route("/api/{db}/get_load_state", get(loads::load_state))
        .route("/api/{db}/_load_info", get(loads::load_info))
        .route("/api/{db}/{table}/_cancel", post(loads::cancel))
        .route("/api/transfer_leader", post(group::transfer_leader))
        .route("/api/show_meta_info", get(group::show_meta_info))
        .merge(common_rpc::http::fail_points())
        .with_state(state)
}

/// Before this frontend is ready: who asks how it is is told so, other requests wait for a moment first. Afterwards they go to the real
/// routes.
pub fn until_ready(real: Arc<OnceLock<Router>>, ready: Shutdown) -> Router {
    Router::new().fallback(move |request: Request| {
        let (real, ready) = (real.clone(), ready.clone());
        async move {
            if !["/api/health", "/api/bootstrap", "/metrics"].contains(&request.uri().path()) {
                let _ = tokio::time::timeout(HOLD, ready.wait()).await;
            }
            match real.get() {
                Some(real) => real.clone().oneshot(request).await.unwrap_or_else(|never| match never {}),
                None => {
                    let body = r#"{"status":"FAILED","code":"1","msg":"not ready","message":"not ready"}"#;
                    (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "application/json")], body).into_response()
                }
            }
        }
    })
}

async fn bootstrap() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], r#"{"status":"OK","msg":"Success"}"#)
}

async fn health(State(state): State<HttpState>) -> impl IntoResponse {
    let catalog = state.engine.meta.snapshot();
    let alive = state.engine.nodes.alive(&catalog).len();
    // Load balancers send nobody any more.
    let leaving = state.leaving.is_triggered();
    let (http, status, code, msg) = if leaving { (StatusCode::INTERNAL_SERVER_ERROR, "shutting down", "1", "shutting down") } else { (StatusCode::OK, "OK", "0", "Success") };
    (http, json_body(&json!({ "total_backend_num": catalog.backends.len(), "online_backend_num": alive, "status": status, "code": code, "msg": msg })))
}

/// Prometheus' text, or with `type=json` a list of values with their tags.
async fn show_metrics(State(state): State<HttpState>, Query(query): Query<HashMap<String, String>>) -> Response {
    let registry = &state.metrics.registry;
    if query.get("type").is_some_and(|t| t == "json") {
        let value = |s: Sample| {
            let tags: Map<String, Value> = std::iter::once(("metric".to_owned(), json!(s.name))).chain(s.labels.into_iter().map(|(k, v)| (k, json!(v)))).collect();
            json!({ "tags": tags, "unit": "nounit", "value": s.value })
        };
        return json_body(&registry.samples().into_iter().map(value).collect()).into_response();
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], registry.render()).into_response()
}

/// A JSON answer.
fn json_body(value: &Value) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string())
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
