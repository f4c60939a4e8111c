//! Stream load: an HTTP body becomes a committed load, or leaves nothing behind.
//!
//! Flow: headers → begin (label) → plan → the fragment starts and pulls from [`pipe`] while the body flows in → commit → answer.
//! Every failure aborts the transaction; the answer is HTTP 200 with `Status: "Fail"`, as clients expect.

pub mod bad_rows;
pub mod files;
mod pipe;

use std::{
    sync::Arc,
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use be_exec::runtime::query::{QueryExtras, QueryRun, query_id_to_proto};
use common_base::{Error, Result, bail, err, ids::QueryId};
use common_rpc::status;
use http_body_util::BodyExt;
use proto_messages::chunk::LoadCounters;
use proto_services::fe_service::{Auth, LoadAbortRequest, LoadBeginRequest, LoadCommitRequest, LoadPlanRequest};
use serde_json::{Map, Value, json};

use self::{bad_rows::ErrorLog, pipe::Pipe};
use crate::app::Parts;

/// A committed load is waited for at most this long.
const PUBLISH_WAIT: Duration = Duration::from_secs(30);
/// What a client still sends after its load has failed is read for at most this long.
const DRAIN_WAIT: Duration = Duration::from_secs(60);
/// A load may take this long when it does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

#[derive(Default)]
struct Outcome {
    txn: Option<u64>,
    db: u64,
    existing: String,
    counters: LoadCounters,
    visible: bool,
    begin: Duration,
    plan: Duration,
    read: Duration,
    write: Duration,
    commit: Duration,
    received: u64,
}

/// `PUT /api/{db}/{table}/_stream_load`.
pub async fn handle(State(parts): State<Arc<Parts>>, Path((db, table)): Path<(String, String)>, request: Request) -> Response {
    let (clock, started) = (parts.clock.clone(), parts.clock.monotonic());
    let (head, body) = request.into_parts();
    let id = QueryId(parts.rng.uuid());
    let label = head.headers.get("label").and_then(|v| v.to_str().ok()).map_or_else(|| id.to_string(), str::to_owned);
    let load = Load { parts: parts.clone(), db: db.clone(), table: table.clone(), label: label.clone(), id, headers: head.headers };
    let mut outcome = Outcome::default();
    // The load goes on in a task of its own, so that a client that hangs up cannot stop its abort.
    let running = tokio::spawn(async move {
        let mut body = body;
        let _counted = load.parts.metrics.loads_running.scope();
        let result = load.run(&mut body, &mut outcome).await;
        if let (Err(e), Some(txn)) = (&result, outcome.txn) {
            load.abort(txn, &outcome, e).await;
        }
        if result.is_err() && load.header("expect").is_none() {
            // A client that sends without asking reads no answer before it has sent everything.
            let rest = async { while let Some(Ok(_)) = body.frame().await {} };
            let _ = tokio::time::timeout(DRAIN_WAIT, rest).await;
        }
        (result, outcome)
    });
    let (result, outcome) = match running.await {
        Ok(ended) => ended,
        Err(e) => (Err(err!(Internal, "the load's task has failed: {e}")), Outcome::default()),
    };
    parts.metrics.load_duration_ms.observe_ms(clock.monotonic().saturating_sub(started));
    let text = serde_json::to_string_pretty(&answer(&db, &table, &label, &result, &outcome, clock.monotonic().saturating_sub(started))).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

fn answer(db: &str, table: &str, label: &str, result: &Result<()>, outcome: &Outcome, elapsed: Duration) -> Value {
    let ms = |d: Duration| json!(d.as_millis() as u64);
    let (status, message) = match result {
        Ok(()) if outcome.visible => ("Success", "OK".to_owned()),
        Ok(()) => ("Publish Timeout", "Publish timeout. The data will be visible after a while".to_owned()),
        Err(e) if !outcome.existing.is_empty() => ("Label Already Exists", e.message().to_owned()),
        Err(e) => ("Fail", e.message().to_owned()),
    };
    let counters = &outcome.counters;
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    put("TxnId", outcome.txn.map_or(json!(-1), |t| json!(t)));
    put("Label", json!(label));
    put("Db", json!(db));
    put("Table", json!(table));
    put("Status", json!(status));
    if !outcome.existing.is_empty() {
        put("ExistingJobStatus", json!(outcome.existing));
    }
    put("Message", json!(message));
    put("NumberTotalRows", json!(counters.total_rows));
    put("NumberLoadedRows", json!(counters.loaded_rows));
    put("NumberFilteredRows", json!(counters.filtered_rows));
    put("NumberUnselectedRows", json!(counters.unselected_rows));
    put("LoadBytes", json!(outcome.received));
    put("LoadTimeMs", ms(elapsed));
    put("BeginTxnTimeMs", ms(outcome.begin));
    put("StreamLoadPlanTimeMs", ms(outcome.plan));
    put("ReadDataTimeMs", ms(outcome.read));
    put("WriteDataTimeMs", ms(outcome.write));
    put("CommitAndPublishTimeMs", ms(outcome.commit));
    if !counters.error_url.is_empty() {
        put("ErrorURL", json!(counters.error_url));
    }
    Value::Object(out)
}

struct Load {
    parts: Arc<Parts>,
    db: String,
    table: String,
    label: String,
    id: QueryId,
    headers: HeaderMap,
}

impl Load {
    async fn run(&self, body: &mut Body, outcome: &mut Outcome) -> Result<()> {
        let leader = self.parts.identity.wait_for_leader().await?;
        let mut fe = self.parts.pool.fe(&leader)?;
        let lost = |e: tonic::Status| status::from_grpc(&e, &leader);
        let auth = self.auth()?;

        let step = self.now();
        let begin = LoadBeginRequest {
            auth: Some(auth.clone()),
            database: self.db.clone(),
            table: self.table.clone(),
            label: self.label.clone(),
            timeout_s: self.header("timeout").and_then(|t| t.trim().parse().ok()).unwrap_or(0),
            coordinator: self.parts.identity.host(),
            request_id: Some(query_id_to_proto(self.id)),
        };
        let begun = fe.load_begin(begin).await.map_err(lost)?.into_inner();
        outcome.begin = self.now().saturating_sub(step);
        outcome.existing = begun.existing_job_status;
        status::from_message(begun.status)?;
        outcome.txn = Some(begun.txn_id);
        self.parts.metrics.txn_begin.inc();
        outcome.db = begun.db_id;

        let step = self.now();
        let source = self.id.to_string();
        let plan = LoadPlanRequest {
            txn_id: begun.txn_id,
            database: self.db.clone(),
            table: self.table.clone(),
            headers: self.headers.iter().filter_map(|(k, v)| Some((k.as_str().to_ascii_lowercase(), v.to_str().ok()?.to_owned()))).collect(),
            source: source.clone(),
            auth: Some(auth),
            coordinator_host: self.parts.identity.host(),
            coordinator_port: u32::from(self.parts.ports.brpc),
            query_id: Some(query_id_to_proto(self.id)),
        };
        let planned = fe.load_plan(plan).await.map_err(lost)?.into_inner();
        outcome.plan = self.now().saturating_sub(step);
        status::from_message(planned.status)?;
        let plan = planned.plan.ok_or_else(|| err!(Internal, "the frontend sent no plan"))?;
        let ratio: f64 = self.header("max_filter_ratio").and_then(|r| r.trim().parse().ok()).unwrap_or(0.0);

        let step = self.now();
        let log = Arc::new(ErrorLog::new(self.parts.fs.clone(), &self.parts.error_logs, self.id, self.parts.clock.now_ms()));
        let pipe = self.parts.sources.pipes.open();
        let _source = self.parts.sources.register(&source, pipe.clone(), log.clone());
        let extras = QueryExtras { bad_rows: Some(log.clone()), seed: self.parts.rng.next_u64(), filter_sender: None };
        let run = QueryRun::start(self.parts.exec.clone(), &plan, extras)?;
        let _running = Running::new(&self.parts, &run);
        let feeding = self.feed(body, &pipe);
        let both = async { tokio::join!(feeding, async {
            let ended = drain(&run).await;
            // Whoever still feeds must not wait for a reader that has gone.
            pipe.abandon();
            ended
        }) };
        let limit = self.header("timeout").and_then(|t| t.trim().parse().ok()).map_or(DEFAULT_TIMEOUT, Duration::from_secs);
        let Ok((fed, ran)) = tokio::time::timeout(limit, both).await else {
            let e = err!(Timeout, "the load took longer than its timeout of {} s", limit.as_secs());
            run.cancel(e.clone());
            pipe.abandon();
            return Err(e);
        };
        outcome.read = self.now().saturating_sub(step);
        let received = match (&fed, &ran) {
            (Ok(bytes), Ok(())) => *bytes,
            // The fragment's own error tells more than the pipe's.
            (_, Err(e)) => return Err(e.clone()),
            (Err(e), _) => return Err(e.clone()),
        };
        outcome.received = received;
        outcome.write = self.now().saturating_sub(step);
        let (tablets, mut counters) = run.load_totals();
        counters.total_rows = log.seen();
        counters.filtered_rows = log.count_all();
        counters.unselected_rows = log.unselected();
        counters.loaded_rows = counters.total_rows.saturating_sub(counters.filtered_rows + counters.unselected_rows);
        counters.first_error = log.first_error();
        if let Some(file) = log.file() {
            counters.error_url = format!("http://{}:{}/api/_load_error_log?file={}", self.parts.identity.host(), self.parts.ports.http, file);
        }
        outcome.counters = counters.clone();
        let judged = counters.total_rows.saturating_sub(counters.unselected_rows);
        if counters.filtered_rows as f64 > ratio * judged as f64 {
            bail!(TooManyFilteredRows, "too many filtered rows");
        }

        let step = self.now();
        let commit = LoadCommitRequest {
            txn_id: begun.txn_id,
            db_id: begun.db_id,
            tablets,
            counters: Some(counters),
            publish_timeout_ms: PUBLISH_WAIT.as_millis() as u64,
            prepare_only: false,
        };
        let committed = fe.load_commit(commit).await.map_err(lost)?.into_inner();
        outcome.commit = self.now().saturating_sub(step);
        status::from_message(committed.status)?;
        outcome.visible = committed.visible;
        self.parts.metrics.txn_commit.inc();
        self.parts.metrics.load_rows.add(outcome.counters.loaded_rows);
        self.parts.metrics.load_bytes.add(outcome.received);
        Ok(())
    }

    /// Moves the body into the pipe; the number of bytes.
    async fn feed(&self, body: &mut Body, pipe: &Arc<Pipe>) -> Result<u64> {
        let expected: Option<u64> = self.header("content-length").and_then(|v| v.parse().ok());
        let mut received = 0;
        let fed = async {
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|e| err!(NetworkError, "the body was cut off after {received} bytes: {e}"))?;
                if let Ok(data) = frame.into_data() {
                    received += data.len() as u64;
                    if !pipe.push(data).await {
                        break;
                    }
                }
            }
            Ok(())
        }
        .await;
        match fed {
            Err(e) => {
                pipe.fail(Error::clone(&e));
                Err(e)
            }
            Ok(()) if expected.is_some_and(|e| e != received) && !pipe.is_abandoned() => {
                let e = err!(NetworkError, "receive body don't equal with body bytes, body bytes: {}, received: {received}", expected.unwrap_or(0));
                pipe.fail(e.clone());
                Err(e)
            }
            Ok(()) => {
                pipe.end();
                Ok(received)
            }
        }
    }

    async fn abort(&self, txn: u64, outcome: &Outcome, reason: &Error) {
        self.parts.metrics.txn_rollback.inc();
        let Some(leader) = self.parts.identity.leader_address() else { return };
        let request = LoadAbortRequest { txn_id: txn, db_id: outcome.db, reason: reason.message().to_owned(), counters: Some(outcome.counters.clone()) };
        let aborted = match self.parts.pool.fe(&leader) {
            Ok(mut fe) => fe.load_abort(request).await.map_err(|e| status::from_grpc(&e, &leader)).and_then(|r| status::from_message(r.into_inner().status)),
            Err(e) => Err(e),
        };
        if let Err(e) = aborted {
            // The frontend ends it when its timeout comes.
            tracing::warn!(txn, "a failed load could not be aborted now: {e}");
        }
    }

    fn now(&self) -> Duration {
        self.parts.clock.monotonic()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    fn auth(&self) -> Result<Auth> {
        let value = self.header("authorization").ok_or_else(|| err!(AccessDenied, "no valid Basic authorization"))?;
        let decoded = value.strip_prefix("Basic ").and_then(|v| STANDARD.decode(v.trim()).ok()).and_then(|b| String::from_utf8(b).ok());
        let decoded = decoded.ok_or_else(|| err!(AccessDenied, "no valid Basic authorization"))?;
        let (user, password) = decoded.split_once(':').unwrap_or((&decoded, ""));
        Ok(Auth { user: user.to_owned(), password: password.to_owned(), client_host: "%".to_owned() })
    }
}

/// Lists a load's fragment among what runs here, so that it can be cancelled.
struct Running<'a> {
    parts: &'a Parts,
    id: QueryId,
}

impl<'a> Running<'a> {
    fn new(parts: &'a Parts, run: &QueryRun) -> Self {
        let id = run.context.id;
        parts.queries.lock().insert(id, run.context.cancel.clone());
        Self { parts, id }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.parts.queries.lock().remove(&self.id);
    }
}

/// Runs a load's fragment to its end.
async fn drain(run: &QueryRun) -> Result<()> {
    while run.next().await?.is_some() {}
    Ok(())
}
