//! Loads in two phases: begin, any number of loads, prepare, commit or rollback, each a request of its own.
//!
//! The transaction's fragments (one for each table) run here from the first load until prepare. What is prepared is durable: commit
//! and rollback then need only the frontend, so they also work on another backend or after a restart. Whatever fails before ends
//! the transaction.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, atomic::{AtomicU64, Ordering}},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, header as http_header},
    response::{IntoResponse, Response},
};
use common_base::{Error, ErrorCode, Result, bail, err, ids::QueryId};
use common_rpc::status;
use http_body_util::BodyExt;
use parking_lot::Mutex;
use proto_messages::chunk::LoadCounters;
use proto_services::fe_service::LoadTransactionRequest;
use serde_json::{Map, Value, json};

use super::job::{Begun, Feed, Job, Written, authorization, header, seconds};
use crate::{app::Parts, leader::{self, Patience}};

/// What a client still sends after its load has failed is read for at most this long.
const DRAIN_WAIT: Duration = Duration::from_secs(60);
/// How often idle transactions are looked for.
const IDLE_CHECK: Duration = Duration::from_secs(1);
/// Label and database.
type Key = (String, String);

/// Transactions whose loads run here.
#[derive(Default)]
pub struct Transactions {
    open: Mutex<HashMap<Key, Arc<Open>>>,
}

struct Open {
    job: Job,
    begun: Begun,
    table: String,
    /// Several tables of the database may be loaded.
    multi: bool,
    /// Writers that load side by side.
    channels: Option<u32>,
    /// What begin said; it holds for the loads too.
    timeout: Option<HeaderValue>,
    idle: Option<Duration>,
    started: Duration,
    /// Monotonic milliseconds of the latest request.
    used: AtomicU64,
    state: tokio::sync::Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    feeds: BTreeMap<String, Feed>,
    /// Channels that have begun, and those that are done.
    begun: BTreeSet<u32>,
    done: BTreeSet<u32>,
    prepared: Option<LoadCounters>,
    /// Ended meanwhile: by the frontend, or after a failure.
    over: bool,
    received: u64,
    plan: Duration,
    read: Duration,
    write: Duration,
}

impl Transactions {
    /// Ends what runs here for a transaction that the frontend has aborted.
    pub fn forget(&self, txn: u64) {
        let mut gone = Vec::new();
        self.open.lock().retain(|_, open| {
            let stays = open.begun.txn != txn;
            if !stays {
                gone.push(open.clone());
            }
            stays
        });
        for open in gone {
            tokio::spawn(async move {
                let mut state = open.state.lock().await;
                state.over = true;
                state.feeds.clear();
            });
        }
    }

    /// Transactions that run here.
    pub fn count(&self) -> usize {
        self.open.lock().len()
    }

    fn get(&self, key: &Key) -> Option<Arc<Open>> {
        self.open.lock().get(key).cloned()
    }

    fn remove(&self, open: &Arc<Open>) {
        let mut all = self.open.lock();
        let key = (open.job.label.clone(), open.job.db.clone());
        if all.get(&key).is_some_and(|o| Arc::ptr_eq(o, open)) {
            all.remove(&key);
        }
    }
}

/// Ends idle transactions until shutdown.
pub async fn run(parts: Arc<Parts>) {
    while parts.shutdown.sleep(IDLE_CHECK).await {
        let now = parts.clock.monotonic();
        let idle = |o: &Arc<Open>| o.idle.is_some_and(|limit| now.saturating_sub(Duration::from_millis(o.used.load(Ordering::Relaxed))) > limit);
        let found: Vec<_> = parts.transactions.open.lock().values().filter(|o| idle(o)).cloned().collect();
        for open in found {
            // A request that runs right now keeps it from being idle.
            let Ok(mut state) = open.state.try_lock() else { continue };
            if state.prepared.is_none() {
                fail(&parts, &open, &mut state, "idle transaction timeout").await;
            }
        }
    }
}

/// The answer to a request.
#[derive(Default)]
struct Answer {
    label: String,
    db: String,
    table: String,
    txn: Option<u64>,
    existing: String,
    message: String,
    /// The name of the failure, where its code does not tell it.
    status: Option<&'static str>,
    fields: Vec<(&'static str, Value)>,
}

/// `/api/transaction/{op}`.
pub async fn handle(State(parts): State<Arc<Parts>>, Path(op): Path<String>, request: Request) -> Response {
    let (head, mut body) = request.into_parts();
    let headers = head.headers;
    // The request goes on in a task of its own: a client that hangs up must not leave half of it done.
    let running = tokio::spawn(async move {
        let text = |name| header(&headers, name).unwrap_or_default().trim().to_owned();
        let mut answer = Answer { label: text("label"), db: text("db"), table: text("table"), ..Answer::default() };
        let _counted = parts.metrics.loads_running.scope();
        let result = perform(&parts, &op, &headers, &mut body, &mut answer).await;
        if result.is_err() && header(&headers, "expect").is_none() {
            // A client that sends without asking reads no answer before it has sent everything.
            let rest = async { while let Some(Ok(_)) = body.frame().await {} };
            let _ = tokio::time::timeout(DRAIN_WAIT, rest).await;
        }
        answer.text(result)
    });
    let text = running.await.unwrap_or_else(|e| json!({ "Status": "INTERNAL_ERROR", "Message": format!("the request's task has failed: {e}") }).to_string());
    ([(http_header::CONTENT_TYPE, "application/json")], text).into_response()
}

async fn perform(parts: &Arc<Parts>, op: &str, headers: &HeaderMap, body: &mut Body, answer: &mut Answer) -> Result<()> {
    let known = ["begin", "load", "prepare", "commit", "rollback", "list"];
    if !known.contains(&op) {
        bail!(InvalidArgument, "Unknown transaction operation: {op}");
    }
    let auth = authorization(headers)?;
    if op == "list" {
        let mut labels: Vec<String> = parts.transactions.open.lock().keys().map(|(label, _)| label.clone()).collect();
        labels.sort();
        answer.fields.push(("Labels", json!(labels)));
        return Ok(());
    }
    if answer.label.is_empty() {
        bail!(InvalidArgument, "Empty label.");
    }
    if answer.db.is_empty() {
        bail!(InvalidArgument, "No database selected.");
    }
    let job = Job { parts: parts.clone(), db: answer.db.clone(), label: answer.label.clone(), id: QueryId(parts.rng.uuid()), auth };
    let channel = channel(headers)?;
    if op == "begin" {
        return begin(job, headers, channel, answer).await;
    }
    let Some(open) = parts.transactions.get(&(answer.label.clone(), answer.db.clone())).filter(|o| o.job.auth == job.auth) else {
        return elsewhere(&job, op, answer).await;
    };
    open.used.store(parts.clock.monotonic().as_millis() as u64, Ordering::Relaxed);
    answer.txn = Some(open.begun.txn);
    let mut state = match open.channels {
        // Writers of channels take turns.
        Some(_) => open.state.lock().await,
        None => match open.state.try_lock() {
            Ok(state) => state,
            Err(_) => return answer.refuse("TXN_IN_PROCESSING", err!(Unavailable, "Transaction in processing, please retry later")),
        },
    };
    if state.over {
        drop(state);
        return elsewhere(&job, op, answer).await;
    }
    let outcome = match op {
        "load" => load(&open, &mut state, headers, body, answer).await,
        "prepare" => prepare(&open, &mut state, headers, channel, answer).await,
        "commit" => commit(&open, &mut state, answer).await,
        _ => rollback(&open, &mut state).await,
    };
    open.used.store(parts.clock.monotonic().as_millis() as u64, Ordering::Relaxed);
    if let Err(e) = &outcome {
        // What is prepared stays until the client says what becomes of it.
        if state.prepared.is_none() && !state.over {
            fail(parts, &open, &mut state, e.message()).await;
        }
    }
    outcome
}

async fn begin(job: Job, headers: &HeaderMap, channel: Option<(u32, u32)>, answer: &mut Answer) -> Result<()> {
    let parts = job.parts.clone();
    let multi = header(headers, "transaction_type").is_some_and(|t| t.trim().eq_ignore_ascii_case("multi"));
    if answer.table.is_empty() && !multi {
        bail!(InvalidArgument, "Empty table.");
    }
    let step = parts.clock.monotonic();
    let key = (job.label.clone(), job.db.clone());
    if let (Some((number, id)), Some(open)) = (channel, parts.transactions.get(&key)) {
        let mut state = open.state.lock().await;
        if open.channels == Some(number) && open.job.auth == job.auth && open.table == answer.table && state.begun.insert(id) {
            answer.txn = Some(open.begun.txn);
            answer.fields.push(("BeginTxnTimeMs", json!(0)));
            return Ok(());
        }
    }
    let (begun, outcome) = job.begin(&answer.table, seconds(headers, "timeout")).await;
    answer.existing.clone_from(&begun.existing);
    outcome?;
    answer.txn = Some(begun.txn);
    let now = parts.clock.monotonic();
    answer.fields.push(("BeginTxnTimeMs", ms(now.saturating_sub(step))));
    let state = Progress { begun: channel.iter().map(|c| c.1).collect(), ..Progress::default() };
    let open = Open {
        job,
        begun,
        table: answer.table.clone(),
        multi,
        channels: channel.map(|c| c.0),
        timeout: headers.get("timeout").cloned(),
        idle: seconds(headers, "idle_transaction_timeout").filter(|t| !t.is_zero()),
        started: now,
        used: AtomicU64::new(now.as_millis() as u64),
        state: tokio::sync::Mutex::new(state),
    };
    parts.transactions.open.lock().insert(key, Arc::new(open));
    Ok(())
}

async fn load(open: &Open, state: &mut Progress, headers: &HeaderMap, body: &mut Body, answer: &mut Answer) -> Result<()> {
    if state.prepared.is_some() {
        bail!(InvalidArgument, "Transaction is already prepared, it takes no more loads");
    }
    if answer.table.is_empty() {
        answer.table.clone_from(&open.table);
    }
    let table = answer.table.clone();
    if table.is_empty() || (!open.multi && table != open.table) {
        bail!(InvalidArgument, "Request table {table} not equal transaction table {}", open.table);
    }
    let clock = &open.job.parts.clock;
    let step = clock.monotonic();
    let mut plan = Duration::ZERO;
    if !state.feeds.contains_key(&table) {
        let mut headers = headers.clone();
        if let Some(timeout) = &open.timeout {
            headers.insert("timeout", timeout.clone());
        }
        let feed = open.job.start(open.begun.txn, &table, &headers).await?;
        state.feeds.insert(table.clone(), feed);
        plan = clock.monotonic().saturating_sub(step);
    }
    let feed = state.feeds.get_mut(&table).ok_or_else(|| err!(Internal, "a started load is there"))?;
    let expected = header(headers, "content-length").and_then(|v| v.parse().ok());
    let received = feed.push_stream(body, expected).await?;
    let read = clock.monotonic().saturating_sub(step).saturating_sub(plan);
    state.plan += plan;
    state.read += read;
    state.received += received;
    answer.fields.extend([("LoadBytes", json!(received)), ("StreamLoadPlanTimeMs", ms(plan)), ("ReceivedDataTimeMs", ms(read))]);
    Ok(())
}

async fn prepare(open: &Open, state: &mut Progress, headers: &HeaderMap, channel: Option<(u32, u32)>, answer: &mut Answer) -> Result<()> {
    if state.prepared.is_none() {
        if let (Some(number), Some((_, id))) = (open.channels, channel) {
            state.done.insert(id);
            if state.done.len() < number as usize {
                // The last channel prepares for all.
                return Ok(());
            }
        }
        let written = gather(open, state).await?;
        let counters = written.counters.clone();
        let timeout = seconds(headers, "prepared_timeout").unwrap_or_default();
        open.job.commit(&open.begun, written, Some(timeout)).await?;
        state.prepared = Some(counters);
    }
    if let Some(counters) = &state.prepared {
        answer.counts(open, state, counters, Duration::ZERO);
    }
    Ok(())
}

async fn commit(open: &Arc<Open>, state: &mut Progress, answer: &mut Answer) -> Result<()> {
    let (written, counters) = match &state.prepared {
        Some(counters) => (Written { tablets: Vec::new(), counters: counters.clone() }, counters.clone()),
        None if open.channels.is_some_and(|n| state.done.len() < n as usize) => bail!(InvalidArgument, "Not all channels are prepared"),
        None => {
            let written = gather(open, state).await?;
            let counters = written.counters.clone();
            (written, counters)
        }
    };
    let clock = &open.job.parts.clock;
    let step = clock.monotonic();
    let visible = open.job.commit(&open.begun, written, None).await?;
    answer.counts(open, state, &counters, clock.monotonic().saturating_sub(step));
    state.over = true;
    open.job.parts.transactions.remove(open);
    let metrics = &open.job.parts.metrics;
    metrics.stream_load_rows.add(counters.loaded_rows);
    metrics.stream_load_bytes.add(state.received);
    if !visible {
        return answer.refuse("PUBLISH_TIMEOUT", err!(Timeout, "publish timeout"));
    }
    Ok(())
}

async fn rollback(open: &Arc<Open>, state: &mut Progress) -> Result<()> {
    state.over = true;
    state.feeds.clear();
    open.job.parts.transactions.remove(open);
    open.job.abort(&open.begun, &LoadCounters::default(), "rolled back by the user").await;
    Ok(())
}

/// Ends the fragments and adds up what they wrote.
async fn gather(open: &Open, state: &mut Progress) -> Result<Written> {
    let clock = &open.job.parts.clock;
    let step = clock.monotonic();
    let mut all = Written::default();
    for (_, mut feed) in std::mem::take(&mut state.feeds) {
        let (written, outcome) = feed.gather().await;
        all.add(written);
        outcome?;
    }
    state.write += clock.monotonic().saturating_sub(step);
    Ok(all)
}

/// A failure ends the transaction.
async fn fail(parts: &Parts, open: &Arc<Open>, state: &mut Progress, reason: &str) {
    state.over = true;
    state.feeds.clear();
    parts.transactions.remove(open);
    open.job.abort(&open.begun, &LoadCounters::default(), reason).await;
}

/// The transaction is not (or no longer) here: the frontend knows what it has come to.
async fn elsewhere(job: &Job, op: &str, answer: &mut Answer) -> Result<()> {
    if op != "commit" && op != "rollback" && op != "prepare" {
        bail!(NotFound, "Transcation Not Exist");
    }
    let request = LoadTransactionRequest { auth: Some(job.auth.clone()), database: job.db.clone(), label: job.label.clone(), op: op.to_owned() };
    let reply = leader::ask(Patience::LONG_CALL, &job.parts.identity, &job.parts.pool, |mut fe| {
        let request = request.clone();
        async move { fe.load_transaction(request).await }
    })
    .await?;
    status::from_message(reply.status)?;
    answer.txn = Some(reply.txn_id);
    answer.message = reply.message;
    if op != "rollback" {
        let counters = reply.counters.unwrap_or_default();
        answer.rows(&counters);
    }
    if op == "commit" && !reply.visible {
        return answer.refuse("PUBLISH_TIMEOUT", err!(Timeout, "publish timeout"));
    }
    Ok(())
}

/// Number of channels and the request's own: both or neither.
fn channel(headers: &HeaderMap) -> Result<Option<(u32, u32)>> {
    let number = |name| header(headers, name).map(|t| t.trim().parse::<u32>().map_err(|_| err!(InvalidArgument, "Invalid {name} [{t}]"))).transpose();
    match (number("channel_num")?, number("channel_id")?) {
        (None, None) => Ok(None),
        (Some(all), Some(own)) if own < all => Ok(Some((all, own))),
        (Some(_), Some(_)) => bail!(InvalidArgument, "channel_id must be less than channel_num"),
        _ => bail!(InvalidArgument, "channel_num and channel_id must be given together"),
    }
}

fn ms(d: Duration) -> Value {
    json!(d.as_millis() as u64)
}

/// The name of what went wrong, as clients test it.
fn status_name(e: &Error) -> &'static str {
    match e.code() {
        ErrorCode::LabelExists => "LABEL_ALREADY_EXISTS",
        ErrorCode::NotFound => "TXN_NOT_EXISTS",
        ErrorCode::Timeout => "TIMEOUT",
        ErrorCode::Cancelled => "ABORTED",
        ErrorCode::InvalidArgument => "INVALID_ARGUMENT",
        _ => "INTERNAL_ERROR",
    }
}

impl Answer {
    fn refuse(&mut self, status: &'static str, e: Error) -> Result<()> {
        self.status = Some(status);
        Err(e)
    }

    fn rows(&mut self, counters: &LoadCounters) {
        self.fields.extend([
            ("NumberTotalRows", json!(counters.total_rows)),
            ("NumberLoadedRows", json!(counters.loaded_rows)),
            ("NumberFilteredRows", json!(counters.filtered_rows)),
            ("NumberUnselectedRows", json!(counters.unselected_rows)),
        ]);
        if !counters.error_url.is_empty() {
            self.fields.push(("ErrorURL", json!(counters.error_url)));
        }
        if !counters.rejected_record_path.is_empty() {
            self.fields.push(("RejectedRecordPath", json!(counters.rejected_record_path)));
        }
    }

    fn counts(&mut self, open: &Open, state: &Progress, counters: &LoadCounters, commit: Duration) {
        self.rows(counters);
        let elapsed = open.job.parts.clock.monotonic().saturating_sub(open.started);
        self.fields.extend([
            ("LoadBytes", json!(state.received)),
            ("LoadTimeMs", ms(elapsed)),
            ("StreamLoadPlanTimeMs", ms(state.plan)),
            ("ReceivedDataTimeMs", ms(state.read)),
            ("WriteDataTimeMs", ms(state.write)),
            ("CommitAndPublishTimeMs", ms(commit)),
        ]);
    }

    fn text(self, result: Result<()>) -> String {
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
        let (name, message) = match &result {
            Ok(()) => ("OK", self.message),
            Err(e) => (self.status.unwrap_or_else(|| status_name(e)), e.message().to_owned()),
        };
        put("Status", json!(name));
        put("Message", json!(message));
        put("Db", json!(self.db));
        put("Table", json!(self.table));
        put("Label", json!(self.label));
        if !self.existing.is_empty() {
            put("ExistingJobStatus", json!(self.existing));
        }
        if let Some(txn) = self.txn {
            put("TxnId", json!(txn));
        }
        for (key, value) in self.fields {
            put(key, value);
        }
        serde_json::to_string_pretty(&Value::Object(out)).unwrap_or_default()
    }
}
