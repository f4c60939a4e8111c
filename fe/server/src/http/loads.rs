//! Doors of loads: a load's body never passes through an FE. The request is answered with 307 to a backend before the body is read;
//! requests of one transaction go to one backend, merged loads with equal parameters to few.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    sync::atomic::Ordering,
};

use axum::{
    extract::{Path, Query, Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use common_base::{Error, ids::NodeId};
use fe_catalog::model::{LoadSource, TxnState};
use fe_engine::{Engine, cluster::{heartbeat, nodes::AliveBackend}, load::labels};
use serde_json::{Value, json};

use super::{HttpState, authenticate, json_body};

/// Labels whose backends are remembered.
const LABELS_MAX: usize = 4096;

/// Where the transactions of clients run: (database, label) → backend. What it forgets, the catalog still knows.
#[derive(Default)]
pub struct Coordinators {
    of: HashMap<(String, String), NodeId>,
    order: VecDeque<(String, String)>,
}

impl Coordinators {
    fn get(&self, key: &(String, String)) -> Option<NodeId> {
        self.of.get(key).copied()
    }

    fn remember(&mut self, key: (String, String), node: NodeId) {
        if self.of.insert(key.clone(), node).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > LABELS_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.of.remove(&oldest);
            }
        }
    }
}

/// `PUT /api/{db}/{table}/_stream_load`.
pub async fn stream_load(State(state): State<HttpState>, Path(names): Path<BTreeMap<String, String>>, headers: HeaderMap, uri: Uri, _request: Request) -> Response {
    if let Err(denied) = check(&state, &headers).await {
        return *denied;
    }
    if let Err(message) = find_table(&state.engine, &names) {
        return json_body(&json!({ "Status": "FAILED", "Message": message })).into_response();
    }
    let backends = state.engine.nodes.alive(&state.engine.meta.snapshot());
    let merges = text(&headers, "enable_merge_commit").eq_ignore_ascii_case("true");
    if !merges {
        return to_one_that_answers(&state, backends, &uri).await;
    }
    for name in ["merge_commit_interval_ms", "merge_commit_parallel"] {
        if text(&headers, name).parse::<u64>().ok().filter(|n| *n > 0).is_none() {
            let message = format!("{name} must be a positive number for a load with enable_merge_commit");
            return json_body(&json!({ "status": "FAILED", "code": "INVALID_ARGUMENT", "msg": message, "message": message })).into_response();
        }
    }
    if backends.is_empty() {
        let message = "No backend alive.";
        return json_body(&json!({ "status": "FAILED", "code": "SERVICE_UNAVAILABLE", "msg": message, "message": message })).into_response();
    }
    // Equal loads meet on the same few backends, whichever frontend they ask.
    let parallel = text(&headers, "merge_commit_parallel").parse::<usize>().unwrap_or(1).clamp(1, backends.len());
    let mut hasher = DefaultHasher::new();
    names.hash(&mut hasher);
    for name in ["format", "columns", "where", "partitions", "timezone", "merge_commit_interval_ms", "merge_commit_async"] {
        text(&headers, name).hash(&mut hasher);
    }
    let first = hasher.finish() as usize % backends.len();
    let turn = state.next_backend.fetch_add(1, Ordering::Relaxed) % parallel;
    redirect_to(&backends[(first + turn) % backends.len()], &uri)
}

/// `/api/transaction/{op}`.
pub async fn transaction(State(state): State<HttpState>, Path(op): Path<String>, headers: HeaderMap, uri: Uri, _request: Request) -> Response {
    if let Err(denied) = check(&state, &headers).await {
        return *denied;
    }
    if let Some(redirect) = to_leader(&state, &uri) {
        return redirect;
    }
    if !["begin", "load", "prepare", "commit", "rollback"].contains(&op.as_str()) {
        return failed(&format!("Unknown transaction operation: {op}"));
    }
    let key = (text(&headers, "db").to_owned(), text(&headers, "label").to_owned());
    if key.1.is_empty() {
        return failed("Empty label.");
    }
    if key.0.is_empty() {
        return failed("No database selected.");
    }
    let catalog = state.engine.meta.snapshot();
    let backends = state.engine.nodes.alive(&catalog);
    let known = state.coordinators.lock().get(&key);
    let known = known.or_else(|| labels::find(&catalog, &key.0, &key.1).ok()??.backend);
    // A backend that is away cannot be asked: any other ends what is prepared.
    let chosen = known.and_then(|id| backends.iter().find(|b| b.id == id));
    let Some(chosen) = chosen.or_else(|| backends.get(state.next_backend.fetch_add(1, Ordering::Relaxed) % backends.len().max(1))) else {
        return failed("No backend alive.");
    };
    if op == "begin" {
        state.coordinators.lock().remember(key, chosen.id);
    }
    redirect_to(chosen, &uri)
}

/// `GET /api/{db}/get_load_state?label=L`.
pub async fn load_state(State(state): State<HttpState>, Path(db): Path<String>, Query(query): Query<HashMap<String, String>>, headers: HeaderMap, uri: Uri) -> Response {
    if let Err(denied) = check(&state, &headers).await {
        return *denied;
    }
    if let Some(redirect) = to_leader(&state, &uri) {
        return redirect;
    }
    let Some(label) = query.get("label").filter(|l| !l.is_empty()) else { return refused("No label selected.") };
    match labels::find(&state.engine.meta.snapshot(), &db, label) {
        Err(e) => refused(e.message()),
        Ok(found) => {
            let (name, reason) = match found.as_ref().map(|t| &t.state) {
                None => ("UNKNOWN", ""),
                Some(TxnState::Aborted { reason }) => ("ABORTED", reason.as_str()),
                Some(other) => (other.name(), ""),
            };
            json_body(&json!({ "state": name, "reason": reason, "status": "OK", "code": "0", "msg": "Success", "message": "OK" })).into_response()
        }
    }
}

/// `POST /api/{db}/{table}/_cancel?label=L`.
pub async fn cancel(State(state): State<HttpState>, Path((db, _table)): Path<(String, String)>, Query(query): Query<HashMap<String, String>>, headers: HeaderMap, uri: Uri) -> Response {
    if let Err(denied) = check(&state, &headers).await {
        return *denied;
    }
    if let Some(redirect) = to_leader(&state, &uri) {
        return redirect;
    }
    let Some(label) = query.get("label").filter(|l| !l.is_empty()) else { return refused("No label selected.") };
    let found = labels::find(&state.engine.meta.snapshot(), &db, label);
    let outcome = match found {
        Ok(Some(txn)) => state.engine.loads.abort(&state.engine, txn.id, "user cancel").await,
        Ok(None) => Err(Error::new(common_base::ErrorCode::NotFound, format!("transaction not found, label: {label}"))),
        Err(e) => Err(e),
    };
    match outcome {
        Ok(()) => json_body(&json!({ "status": "OK", "code": "0", "msg": "Success", "message": "OK" })).into_response(),
        Err(e) => refused(e.message()),
    }
}

/// `GET /api/{db}/_load_info?label=L`.
pub async fn load_info(State(state): State<HttpState>, Path(db): Path<String>, Query(query): Query<HashMap<String, String>>, headers: HeaderMap, uri: Uri) -> Response {
    if let Err(denied) = check(&state, &headers).await {
        return *denied;
    }
    if let Some(redirect) = to_leader(&state, &uri) {
        return redirect;
    }
    let Some(label) = query.get("label").filter(|l| !l.is_empty()) else { return refused("No label selected.") };
    let catalog = state.engine.meta.snapshot();
    match labels::find(&catalog, &db, label) {
        Ok(Some(txn)) if txn.source != LoadSource::StreamLoad => {
            let tables: Vec<_> = txn.tables.iter().filter_map(|t| catalog.tables.get(t)).map(|t| t.name.clone()).collect();
            let info = json!({
                "dbName": db,
                "tblNames": tables,
                "label": label,
                "state": fe_engine::show::loads::job_state(&txn),
                "failMsg": fe_engine::show::loads::reason(&txn),
                "trackingUrl": txn.error_url,
            });
            json_body(&json!({ "jobInfo": info, "status": "OK", "code": "0", "msg": "Success", "message": "OK" })).into_response()
        }
        Ok(_) => refused(&format!("job does not exist. label: {label}")),
        Err(e) => refused(e.message()),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().trim()
}

async fn check(state: &HttpState, headers: &HeaderMap) -> Result<(), Box<Response>> {
    // What is asked for may have been made through another frontend a moment ago; without a leader what is known here counts.
    state.engine.catch_up_once().await;
    authenticate(&state.engine, headers).map(drop).map_err(|message| {
        let body = json!({ "Status": "FAILED", "Message": message });
        Box::new((StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"\"")], json_body(&body)).into_response())
    })
}

/// The transaction interface's failures.
fn failed(message: &str) -> Response {
    json_body(&json!({ "Status": "FAILED", "Message": message })).into_response()
}

/// Failures of the other doors.
fn refused(message: &str) -> Response {
    let body: Value = json!({ "status": "FAILED", "code": "1", "msg": message, "message": message });
    json_body(&body).into_response()
}

/// What only the leader knows is asked there.
fn to_leader(state: &HttpState, uri: &Uri) -> Option<Response> {
    let engine = &state.engine;
    if engine.meta.is_leader() {
        return None;
    }
    let leader = engine.meta.leader()?;
    let catalog = engine.meta.snapshot();
    let leader = catalog.frontends.values().find(|f| f.id == NodeId(leader))?;
    Some(redirect(&leader.host, leader.http_port, uri))
}

/// To any backend, but not to one that has died since its last heartbeat.
async fn to_one_that_answers(state: &HttpState, mut backends: Vec<AliveBackend>, uri: &Uri) -> Response {
    while !backends.is_empty() {
        let chosen = backends.swap_remove(state.next_backend.fetch_add(1, Ordering::Relaxed) % backends.len());
        if heartbeat::answers(&state.engine, chosen.id).await {
            return redirect_to(&chosen, uri);
        }
    }
    failed("No backend alive.")
}

fn redirect_to(chosen: &AliveBackend, uri: &Uri) -> Response {
    redirect(&chosen.host, chosen.http_port, uri)
}

/// Names in a 307: `Location` keeps path and query.
fn redirect(host: &str, port: u16, uri: &Uri) -> Response {
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, format!("http://{host}:{port}{path}"))]).into_response()
}

/// Whether the table that a load names is there: its body need not go anywhere otherwise.
fn find_table(engine: &Engine, names: &BTreeMap<String, String>) -> Result<(), String> {
    let (db, table) = (names.get("db").map_or("", String::as_str), names.get("table").map_or("", String::as_str));
    let catalog = engine.meta.snapshot();
    let Some(found) = catalog.database(db) else { return Err(format!("Unknown database '{db}'")) };
    match catalog.table(found.id, table) {
        Some(_) => Ok(()),
        None => Err(format!("Unknown table '{table}'")),
    }
}
