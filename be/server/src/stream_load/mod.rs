//! Stream load: an HTTP body becomes a committed load, or leaves nothing behind.
//!
//! Flow: headers → begin (label) → plan → the fragment starts and pulls from [`pipe`] while the body flows in → commit → answer.
//! Every failure aborts the transaction; the answer is HTTP 200 with `Status: "Fail"`, as clients expect.

pub mod bad_rows;
pub mod files;
pub mod job;
pub mod merge;
mod pipe;
mod spool;
pub mod transaction;

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use common_base::{Result, bail, err, fail_point, ids::QueryId};
use http_body_util::BodyExt;
use proto_messages::chunk::LoadCounters;
use serde_json::{Map, Value, json};

use self::{job::{Begun, Job, seconds}, spool::Spooled};
use crate::app::Parts;

/// What a client still sends after its load has failed is read for at most this long.
const DRAIN_WAIT: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Outcome {
    begun: Option<Begun>,
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
    if merge::is_asked(&head.headers) {
        let running = tokio::spawn(async move {
            let mut body = body;
            let text = merge::run(&parts, &db, &table, &head.headers, &mut body).await;
            drain_body(&head.headers, &mut body).await;
            text
        });
        let text = running.await.unwrap_or_else(|e| json!({ "Status": "Fail", "Message": format!("the load's task has failed: {e}") }).to_string());
        return ([(header::CONTENT_TYPE, "application/json")], text).into_response();
    }
    let id = QueryId(parts.rng.uuid());
    let label = job::header(&head.headers, "label").map_or_else(|| id.to_string(), str::to_owned);
    let load = Load { parts: parts.clone(), db: db.clone(), table: table.clone(), label: label.clone(), id, headers: head.headers };
    let mut outcome = Outcome::default();
    // The load goes on in a task of its own, so that a client that hangs up cannot stop its abort.
    let running = tokio::spawn(async move {
        let mut body = body;
        let _counted = load.parts.metrics.loads_running.scope();
        let result = load.run(&mut body, &mut outcome).await;
        if result.is_err() {
            drain_body(&load.headers, &mut body).await;
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
    put("TxnId", outcome.begun.as_ref().map_or(json!(-1), |b| json!(b.txn)));
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
    if !counters.rejected_record_path.is_empty() {
        put("RejectedRecordPath", json!(counters.rejected_record_path));
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

/// A client that sends without asking reads no answer before it has sent everything.
async fn drain_body(headers: &HeaderMap, body: &mut Body) {
    if job::header(headers, "expect").is_none() {
        let rest = async { while let Some(Ok(_)) = body.frame().await {} };
        let _ = tokio::time::timeout(DRAIN_WAIT, rest).await;
    }
}

impl Load {
    async fn run(&self, body: &mut Body, outcome: &mut Outcome) -> Result<()> {
        let auth = job::authorization(&self.headers)?;
        let job = Job { parts: self.parts.clone(), db: self.db.clone(), label: self.label.clone(), id: self.id, auth };
        let step = self.now();
        let (begun, result) = job.begin(&self.table, seconds(&self.headers, "timeout")).await;
        outcome.begin = self.now().saturating_sub(step);
        outcome.existing.clone_from(&begun.existing);
        result?;
        outcome.begun = Some(begun.clone());
        let loaded = self.load(&job, &begun, body, outcome).await;
        if let Err(e) = &loaded {
            job.abort(&begun, &outcome.counters, e.message()).await;
        }
        loaded
    }

    async fn load(&self, job: &Job, begun: &Begun, body: &mut Body, outcome: &mut Outcome) -> Result<()> {
        let step = self.now();
        // What the columns of a Parquet body are stands at its end: it is here before the load is planned.
        let spooled = match job::header(&self.headers, "format") {
            Some(format) if format.trim().eq_ignore_ascii_case("parquet") => Some(self.spool(body).await?),
            _ => None,
        };
        let spooling = self.now().saturating_sub(step);
        let step = self.now();
        let received = spooled.as_ref().map(|s| s.bytes);
        let mut feed = job.start_with(begun.txn, &self.table, &self.headers, spooled).await?;
        outcome.plan = self.now().saturating_sub(step);
        let step = self.now();
        let limit = begun.timeout;
        let both = async {
            let expected = job::header(&self.headers, "content-length").and_then(|v| v.parse().ok());
            (outcome.received, outcome.read) = match received {
                Some(bytes) => (bytes, spooling),
                None => (feed.push_stream(body, expected).await?, self.now().saturating_sub(step)),
            };
            let (written, gathered) = feed.gather().await;
            outcome.counters = written.counters.clone();
            gathered.map(|()| written)
        };
        let written = match tokio::time::timeout(limit, both).await {
            Ok(ended) => ended?,
            Err(_) => return Err(err!(Timeout, "the load took longer than its timeout of {} s", limit.as_secs())),
        };
        outcome.write = self.now().saturating_sub(step);
        let step = self.now();
        if fail_point!("planted.commit.later")?.is_some() {
            let (job, begun) = (job.clone(), begun.clone());
            tokio::spawn(async move { job.commit(&begun, written, None).await });
            outcome.visible = true;
            return Ok(());
        }
        outcome.visible = job.commit(begun, written, None).await?;
        outcome.commit = self.now().saturating_sub(step);
        self.parts.metrics.stream_load_rows.add(outcome.counters.loaded_rows);
        self.parts.metrics.stream_load_bytes.add(outcome.received);
        Ok(())
    }

    /// Takes the whole body in.
    async fn spool(&self, body: &mut Body) -> Result<Spooled> {
        if job::header(&self.headers, "compression").is_some() || job::header(&self.headers, "content-encoding").is_some() {
            bail!(InvalidArgument, "a Parquet body is compressed inside: it takes no compression header");
        }
        let expected = job::header(&self.headers, "content-length").and_then(|v| v.parse().ok());
        let parts = &self.parts;
        Spooled::receive(&parts.fs, &parts.spool, &self.id.to_string(), body, expected, parts.body_bytes_max()).await
    }

    fn now(&self) -> Duration {
        self.parts.clock.monotonic()
    }
}
