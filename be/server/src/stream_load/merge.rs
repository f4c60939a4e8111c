//! Merge commit: bodies of many small loads with equal parameters become one load of one transaction.
//!
//! The first request of a window opens a batch, whose task begins the transaction and feeds in what arrives until the window ends.
//! Each request waits for the batch to become visible, or (asynchronous) only until its rows are part of the running load. All
//! requests of a batch share its fate: one with bad rows fails them all.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{body::Body, http::HeaderMap};
use bytes::{Bytes, BytesMut};
use common_base::{Result, bail, err, ids::QueryId};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use super::job::{Begun, Feed, Job, Written, authorization, header, seconds};
use crate::app::Parts;

/// Requests that may wait for a batch to take them.
const QUEUE: usize = 1024;
/// A batch with this many bytes ends before its window.
const BATCH_BYTES: u64 = 256 << 20;
/// A larger body is no small load.
const BODY_BYTES: usize = 64 << 20;

/// Headers that say how a load's rows are read and written: loads that agree in them can be merged.
const PARAMETERS: &[&str] = &[
    "format",
    "column_separator",
    "row_delimiter",
    "columns",
    "where",
    "partitions",
    "temporary_partitions",
    "max_filter_ratio",
    "timeout",
    "strict_mode",
    "timezone",
    "load_mem_limit",
    "skip_header",
    "trim_space",
    "enclose",
    "escape",
    "jsonpaths",
    "json_root",
    "strip_outer_array",
    "ignore_json_size",
    "compression",
    "content-encoding",
    "partial_update",
    "partial_update_mode",
    "merge_condition",
    "negative",
    "log_rejected_record_num",
    "load_dop",
    "warehouse",
    "merge_commit_interval_ms",
    "merge_commit_parallel",
    "merge_commit_async",
    // Loads of different users have different rights.
    "authorization",
];

/// What tells batches apart.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    db: String,
    table: String,
    parameters: Vec<(&'static str, String)>,
}

/// Batches that take requests in.
#[derive(Default)]
pub struct MergeCommits {
    open: Mutex<HashMap<Key, Arc<Batch>>>,
}

/// One body on its way into a batch.
struct Piece {
    body: Bytes,
    taken: oneshot::Sender<()>,
}

struct Batch {
    label: String,
    pieces: mpsc::Sender<Piece>,
    /// What became of it, once it is known.
    outcome: watch::Receiver<Option<Outcome>>,
    /// When its window ends.
    until: Duration,
}

#[derive(Clone, Default)]
struct Outcome {
    txn: Option<u64>,
    failure: Option<common_base::Error>,
    visible: bool,
    plan: Duration,
}

/// Whether a request asks for it.
pub fn is_asked(headers: &HeaderMap) -> bool {
    header(headers, "enable_merge_commit").is_some_and(|v| v.trim().eq_ignore_ascii_case("true"))
}

/// Where a request's time went.
#[derive(Default)]
struct Times {
    read: Duration,
    pending: Duration,
    finish: Duration,
    left: Duration,
}

/// Runs one request; the text of its answer.
pub async fn run(parts: &Arc<Parts>, db: &str, table: &str, headers: &HeaderMap, body: &mut Body) -> String {
    let started = parts.clock.monotonic();
    let request = header(headers, "label").map_or_else(|| QueryId(parts.rng.uuid()).to_string(), |l| l.trim().to_owned());
    parts.metrics.merge_commit_requests.inc();
    let (mut times, mut bytes) = (Times::default(), 0);
    let (label, outcome) = match take_in(parts, db, table, headers, body, &mut times, &mut bytes).await {
        Ok(ended) => ended,
        Err(e) => (String::new(), Outcome { failure: Some(e), ..Outcome::default() }),
    };
    let counter = if outcome.failure.is_none() { &parts.metrics.merge_commit_success } else { &parts.metrics.merge_commit_failed };
    counter.inc();
    let ms = |d: Duration| json!(d.as_millis() as u64);
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    put("TxnId", outcome.txn.map_or(json!(-1), |t| json!(t)));
    put("Label", json!(label));
    put("Db", json!(db));
    put("Table", json!(table));
    put("Status", json!(if outcome.failure.is_none() { "Success" } else { "Fail" }));
    put("Message", json!(outcome.failure.as_ref().map_or("OK", |e| e.message())));
    put("RequestId", json!(request));
    put("LoadBytes", json!(bytes));
    put("LoadTimeMs", ms(parts.clock.monotonic().saturating_sub(started)));
    put("ReadDataTimeMs", ms(times.read));
    put("PendingTimeMs", ms(times.pending));
    put("WaitPlanTimeMs", ms(outcome.plan));
    put("WriteDataTimeMs", ms(times.pending.saturating_sub(outcome.plan)));
    put("WaitFinishTimeMs", ms(times.finish));
    put("LeftMergeTimeMs", ms(times.left));
    serde_json::to_string_pretty(&Value::Object(out)).unwrap_or_default()
}

async fn take_in(parts: &Arc<Parts>, db: &str, table: &str, headers: &HeaderMap, body: &mut Body, times: &mut Times, bytes: &mut u64) -> Result<(String, Outcome)> {
    let number = |name: &str| match header(headers, name) {
        None => bail!(InvalidArgument, "{name} must be set for a load with enable_merge_commit"),
        Some(text) => text.trim().parse::<u64>().ok().filter(|n| *n > 0).ok_or_else(|| err!(InvalidArgument, "Invalid {name} [{text}]")),
    };
    let interval = Duration::from_millis(number("merge_commit_interval_ms")?);
    number("merge_commit_parallel")?;
    let asynchronous = header(headers, "merge_commit_async").is_some_and(|v| v.trim().eq_ignore_ascii_case("true"));
    let auth = authorization(headers)?;
    let now = || parts.clock.monotonic();
    let step = now();
    let mut body = gather(body, header(headers, "content-length").and_then(|v| v.parse().ok())).await?;
    *bytes = body.len() as u64;
    times.read = now().saturating_sub(step);
    let parameters = PARAMETERS.iter().filter_map(|name| Some((*name, header(headers, name)?.trim_matches(' ').to_owned()))).collect();
    let key = Key { db: db.to_owned(), table: table.to_owned(), parameters };
    let step = now();
    let (batch, taken) = loop {
        let batch = {
            let mut open = parts.merges.open.lock();
            match open.get(&key).filter(|b| !b.pieces.is_closed()) {
                Some(batch) => batch.clone(),
                None => {
                    let id = QueryId(parts.rng.uuid());
                    let job = Job { parts: parts.clone(), db: db.to_owned(), label: format!("merge_commit_{id}"), id, auth: auth.clone() };
                    let batch = Arc::new(start(job, key.clone(), headers.clone(), interval));
                    open.insert(key.clone(), batch.clone());
                    batch
                }
            }
        };
        let (taken, waits) = oneshot::channel();
        match batch.pieces.send(Piece { body, taken }).await {
            Ok(()) => break (batch, waits),
            // Its window ended just now: the next batch takes it.
            Err(back) => body = back.0.body,
        }
    };
    times.left = batch.until.saturating_sub(now());
    let mut outcome = batch.outcome.clone();
    let label = batch.label.clone();
    if taken.await.is_err() {
        // It failed before it took the body.
        return Ok((label, wait_for(&mut outcome).await));
    }
    times.pending = now().saturating_sub(step);
    if asynchronous {
        let known = outcome.borrow().clone();
        return Ok((label, known.unwrap_or_default()));
    }
    let step = now();
    let ended = wait_for(&mut outcome).await;
    times.finish = now().saturating_sub(step);
    Ok((label, ended))
}

async fn wait_for(outcome: &mut watch::Receiver<Option<Outcome>>) -> Outcome {
    match outcome.wait_for(|o| o.as_ref().is_some_and(|o| o.failure.is_some() || o.visible)).await {
        Ok(known) => known.clone().unwrap_or_default(),
        Err(_) => Outcome { failure: Some(err!(Internal, "the merged load's task has failed")), ..Outcome::default() },
    }
}

/// A body in memory.
async fn gather(body: &mut Body, expected: Option<u64>) -> Result<Bytes> {
    let mut gathered = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| err!(NetworkError, "the body was cut off after {} bytes: {e}", gathered.len()))?;
        if let Ok(data) = frame.into_data() {
            gathered.extend_from_slice(&data);
        }
        if gathered.len() > BODY_BYTES {
            bail!(TooLarge, "a load with enable_merge_commit may have at most {BODY_BYTES} bytes");
        }
    }
    if let Some(expected) = expected.filter(|e| *e != gathered.len() as u64) {
        bail!(NetworkError, "receive body don't equal with body bytes, body bytes: {expected}, received: {}", gathered.len());
    }
    Ok(gathered.freeze())
}

/// Opens a batch.
fn start(job: Job, key: Key, headers: HeaderMap, interval: Duration) -> Batch {
    let (pieces, queue) = mpsc::channel(QUEUE);
    let (tell, outcome) = watch::channel(None);
    let until = job.parts.clock.monotonic() + interval;
    let label = job.label.clone();
    tokio::spawn(run_batch(job, key, headers, until, queue, tell));
    Batch { label, pieces, outcome, until }
}

async fn run_batch(job: Job, key: Key, headers: HeaderMap, until: Duration, mut queue: mpsc::Receiver<Piece>, tell: watch::Sender<Option<Outcome>>) {
    let parts = job.parts.clone();
    let _counted = parts.metrics.loads_running.scope();
    parts.metrics.merge_commit_batches.inc();
    let mut outcome = Outcome::default();
    let step = parts.clock.monotonic();
    let (begun, mut result) = job.begin(&key.table, seconds(&headers, "timeout")).await;
    if result.is_ok() {
        outcome.txn = Some(begun.txn);
        let limit = begun.timeout;
        let load = load(&job, &key, &headers, &begun, until, &mut queue, &tell, &mut outcome, step);
        result = match tokio::time::timeout(limit, load).await {
            Ok(ended) => ended,
            Err(_) => Err(err!(Timeout, "the load took longer than its timeout of {} s", limit.as_secs())),
        };
        if let Err(e) = &result {
            job.abort(&begun, &Default::default(), e.message()).await;
        }
    }
    // Whoever still comes finds the batch closed and opens the next one; who is in the queue shares this one's end.
    queue.close();
    {
        let mut open = parts.merges.open.lock();
        if open.get(&key).is_some_and(|b| b.label == job.label) {
            open.remove(&key);
        }
    }
    match result {
        Ok(()) => outcome.visible = true,
        Err(e) => outcome.failure = Some(e),
    }
    tell.send_replace(Some(outcome));
    drop(queue);
}

#[expect(clippy::too_many_arguments, reason = "the parts of one batch")]
async fn load(
    job: &Job,
    key: &Key,
    headers: &HeaderMap,
    begun: &Begun,
    until: Duration,
    queue: &mut mpsc::Receiver<Piece>,
    tell: &watch::Sender<Option<Outcome>>,
    outcome: &mut Outcome,
    began: Duration,
) -> Result<()> {
    let clock = job.parts.clock.clone();
    let mut feed = job.start(begun.txn, &key.table, headers).await?;
    outcome.plan = clock.monotonic().saturating_sub(began);
    tell.send_replace(Some(outcome.clone()));
    let mut bytes = 0;
    while bytes < BATCH_BYTES {
        let left = until.saturating_sub(clock.monotonic());
        match tokio::time::timeout(left, queue.recv()).await {
            Ok(Some(piece)) => bytes += take(&mut feed, piece).await?,
            Ok(None) | Err(_) => break,
        }
    }
    queue.close();
    while let Some(piece) = queue.recv().await {
        bytes += take(&mut feed, piece).await?;
    }
    let (written, gathered) = feed.gather().await;
    gathered?;
    let Written { counters, .. } = written.clone();
    if !job.commit(begun, written, None).await? {
        // Committed for good: its requests wait on rather than be told that they failed.
        wait_visible(job, begun).await?;
    }
    job.parts.metrics.stream_load_rows.add(counters.loaded_rows);
    job.parts.metrics.stream_load_bytes.add(bytes);
    Ok(())
}

/// A repeated commit only waits.
async fn wait_visible(job: &Job, begun: &Begun) -> Result<()> {
    while !job.commit(begun, Written::default(), None).await? {}
    Ok(())
}

async fn take(feed: &mut Feed, piece: Piece) -> Result<u64> {
    let len = piece.body.len() as u64;
    feed.push(piece.body).await?;
    // Nobody waits when the client has gone; its rows stay part of the load.
    let _ = piece.taken.send(());
    Ok(len)
}
