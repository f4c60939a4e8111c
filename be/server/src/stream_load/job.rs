//! A load as its steps: begin, plan and start, feed bodies, gather, commit or abort.
//!
//! Plain loads, transactions of several loads and merged loads are made of these. A fragment runs in a task of its own from its
//! start on, so that bodies may come one after the other; each body is split into records by itself.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{body::Body, http::HeaderMap};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use be_exec::runtime::query::{QueryExtras, QueryRun, query_id_to_proto};
use be_formats::{Rejected, arrow_in::FileField, columnar::ColumnarFile};
use common_base::{Error, Result, bail, err, ids::QueryId};
use common_rpc::status;
use http_body_util::BodyExt;
use proto_messages::chunk::{LoadCounters, TabletCommit};
use proto_services::fe_service::{Auth, LoadAbortRequest, LoadBeginRequest, LoadCommitRequest, LoadPlanRequest};
use tokio::task::JoinHandle;

use super::{bad_rows::ErrorLog, files::{LoadBody, Registered}, pipe::Pipe, spool::{Spooled, check_size}};
use crate::{app::Parts, files::scan::to_local, leader::{self, Patience}};

/// A committed load is waited for at most this long.
pub const PUBLISH_WAIT: Duration = Duration::from_secs(30);

/// The client waits meanwhile for the answer that its load has failed.
const ABORT_PATIENCE: Duration = Duration::from_secs(2);

/// One transaction on its way, from the side of the backend that coordinates it.
#[derive(Clone)]
pub struct Job {
    pub parts: Arc<Parts>,
    pub db: String,
    pub label: String,
    /// Identifies the request that began it.
    pub id: QueryId,
    pub auth: Auth,
}

/// The answer to begin.
#[derive(Clone, Debug, Default)]
pub struct Begun {
    pub txn: u64,
    pub db_id: u64,
    /// How long the load may take.
    pub timeout: Duration,
    /// What the load that has the label has come to.
    pub existing: String,
}

impl Job {
    /// Takes the label; the error of an occupied one comes with what its load has come to.
    pub async fn begin(&self, table: &str, timeout: Option<Duration>) -> (Begun, Result<()>) {
        let asked = async {
            let begin = LoadBeginRequest {
                auth: Some(self.auth.clone()),
                database: self.db.clone(),
                table: table.to_owned(),
                label: self.label.clone(),
                timeout_s: timeout.map_or(0, |t| t.as_secs()),
                coordinator: self.parts.identity.host(),
                request_id: Some(query_id_to_proto(self.id)),
                backend_id: self.parts.identity.node_id(),
                backend_start_ms: self.parts.started_ms,
            };
            leader::ask(Patience::SHORT_CALL, &self.parts.identity, &self.parts.pool, |mut fe| {
                let begin = begin.clone();
                async move { fe.load_begin(begin).await }
            })
            .await
        };
        match asked.await {
            Ok(reply) => {
                let outcome = status::from_message(reply.status);
                if outcome.is_ok() {
                    self.parts.metrics.txn_begin.inc();
                }
                (Begun { txn: reply.txn_id, db_id: reply.db_id, timeout: Duration::from_secs(reply.timeout_s), existing: reply.existing_job_status }, outcome)
            }
            Err(e) => (Begun::default(), Err(e)),
        }
    }

    /// Plans the load of a table and starts it: it waits for bodies.
    pub async fn start(&self, txn: u64, table: &str, headers: &HeaderMap) -> Result<Feed> {
        self.start_with(txn, table, headers, None).await
    }

    /// The same; a body that is here already is all the load reads.
    pub async fn start_with(&self, txn: u64, table: &str, headers: &HeaderMap, spooled: Option<Spooled>) -> Result<Feed> {
        let file = spooled.as_ref().map(|s| s.parquet().map(Arc::new)).transpose()?;
        let fields = match &file {
            Some(file) => file.fields()?.into_iter().map(field).collect(),
            None => Vec::new(),
        };
        // A fragment of its own for each table of the transaction.
        let id = QueryId(self.parts.rng.uuid());
        let source = id.to_string();
        let plan = LoadPlanRequest {
            txn_id: txn,
            database: self.db.clone(),
            table: table.to_owned(),
            headers: plain_headers(headers),
            source: source.clone(),
            auth: Some(self.auth.clone()),
            coordinator_host: self.parts.identity.host(),
            coordinator_port: u32::from(self.parts.ports.brpc),
            query_id: Some(query_id_to_proto(id)),
            fields,
        };
        let planned = leader::ask(Patience::LONG_CALL, &self.parts.identity, &self.parts.pool, |mut fe| {
            let plan = plan.clone();
            async move { fe.load_plan(plan).await }
        })
        .await?;
        status::from_message(planned.status)?;
        let plan = planned.plan.ok_or_else(|| err!(Internal, "the frontend sent no plan"))?;
        let now_ms = self.parts.clock.now_ms();
        let rejected = self.rejected(txn, headers, id, now_ms);
        let log = Arc::new(ErrorLog::with_rejected(self.parts.fs.clone(), &self.parts.error_logs, id, now_ms, rejected));
        let pipe = self.parts.sources.pipes.open();
        let body = match file {
            Some(file) => LoadBody::Parquet(file, to_local(plan.options.as_ref().map_or("UTC", |o| &o.time_zone))?),
            None => LoadBody::Pipe(pipe.clone()),
        };
        let registered = self.parts.sources.register(&source, body, log.clone());
        let extras = QueryExtras { bad_rows: Some(log.clone()), seed: self.parts.rng.next_u64(), filter_sender: None };
        self.parts.metrics.txn_exec.inc();
        let run = Arc::new(QueryRun::start(self.parts.exec.clone(), &plan, extras)?);
        let running = Running::new(self.parts.clone(), &run);
        let (draining, drained) = (run.clone(), pipe.clone());
        let ended = tokio::spawn(async move {
            let ended = drain(&draining).await;
            // Whoever still feeds must not wait for a reader that has gone.
            drained.abandon();
            ended
        });
        let ratio = header(headers, "max_filter_ratio").and_then(|r| r.trim().parse().ok()).unwrap_or(0.0);
        Ok(Feed { parts: self.parts.clone(), pipe, log, run, ended: Some(ended), ratio, bodies: 0, _registered: registered, _running: running, _spooled: spooled })
    }

    /// Where refused rows go, if the load asks to keep them.
    fn rejected(&self, txn: u64, headers: &HeaderMap, id: QueryId, now_ms: i64) -> Option<Rejected> {
        let rows: i64 = header(headers, "log_rejected_record_num")?.trim().parse().ok()?;
        let plain = |name: &str| name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
        if rows == 0 || !plain(&self.db) || !plain(&self.label) {
            return None;
        }
        let name = format!("{:x}_{now_ms:x}", id.0);
        let path = self.parts.rejected_records.join(&self.db).join(&self.label).join(txn.to_string()).join(name);
        Some(Rejected { path, rows_max: u64::try_from(rows).ok() })
    }

    /// Commits what was written, or with `prepare` (how long it may wait for the commit) only makes it durable; whether it is visible.
    pub async fn commit(&self, begun: &Begun, written: Written, prepare: Option<Duration>) -> Result<bool> {
        let commit = LoadCommitRequest {
            txn_id: begun.txn,
            db_id: begun.db_id,
            tablets: written.tablets,
            counters: Some(written.counters),
            publish_timeout_ms: PUBLISH_WAIT.as_millis() as u64,
            prepare_only: prepare.is_some(),
            prepared_timeout_s: prepare.map_or(0, |t| t.as_secs()),
        };
        let committed = leader::ask(Patience::LONG_CALL, &self.parts.identity, &self.parts.pool, |mut fe| {
            let commit = commit.clone();
            async move { fe.load_commit(commit).await }
        })
        .await?;
        status::from_message(committed.status)?;
        if prepare.is_none() {
            self.parts.metrics.txn_commit.inc();
        }
        Ok(committed.visible)
    }

    /// Aborts; one that cannot be aborted now is ended by the frontend when its time is over.
    pub async fn abort(&self, begun: &Begun, counters: &LoadCounters, reason: &str) {
        self.parts.metrics.txn_rollback.inc();
        let request = LoadAbortRequest { txn_id: begun.txn, db_id: begun.db_id, reason: reason.to_owned(), counters: Some(counters.clone()) };
        let aborted = leader::ask(Patience::SHORT_CALL.at_most(ABORT_PATIENCE), &self.parts.identity, &self.parts.pool, |mut fe| {
            let request = request.clone();
            async move { fe.load_abort(request).await }
        });
        if let Err(e) = aborted.await.and_then(|reply| status::from_message(reply.status)) {
            tracing::warn!(txn = begun.txn, "a failed load could not be aborted now: {e}");
        }
    }
}

/// What a load wrote.
#[derive(Clone, Debug, Default)]
pub struct Written {
    pub tablets: Vec<TabletCommit>,
    pub counters: LoadCounters,
}

impl Written {
    /// Adds what another table of the transaction got.
    pub fn add(&mut self, other: Self) {
        self.tablets.extend(other.tablets);
        self.counters.total_rows += other.counters.total_rows;
        self.counters.loaded_rows += other.counters.loaded_rows;
        self.counters.filtered_rows += other.counters.filtered_rows;
        self.counters.unselected_rows += other.counters.unselected_rows;
        self.counters.bytes += other.counters.bytes;
        if self.counters.error_url.is_empty() {
            self.counters.error_url = other.counters.error_url;
            self.counters.first_error = other.counters.first_error;
        }
    }
}

/// A started load that takes bodies in. Dropping one that was not gathered ends its fragment.
pub struct Feed {
    parts: Arc<Parts>,
    pipe: Arc<Pipe>,
    log: Arc<ErrorLog>,
    run: Arc<QueryRun>,
    ended: Option<JoinHandle<Result<()>>>,
    ratio: f64,
    bodies: u64,
    _registered: Registered,
    _running: Running,
    _spooled: Option<Spooled>,
}

impl Feed {
    /// A piece of a body in memory, as a body of its own.
    pub async fn push(&mut self, body: bytes::Bytes) -> Result<()> {
        self.next_body();
        match self.pipe.push(body).await {
            true => Ok(()),
            false => Err(self.failure().await),
        }
    }

    /// Moves a body into the load; the number of bytes.
    pub async fn push_stream(&mut self, body: &mut Body, expected: Option<u64>) -> Result<u64> {
        self.next_body();
        let limit = self.parts.body_bytes_max();
        if let Err(e) = check_size(expected.unwrap_or(0), limit) {
            return self.broken(e);
        }
        let mut received = 0;
        while let Some(frame) = body.frame().await {
            let frame = match frame {
                Ok(frame) => frame,
                Err(e) => return self.broken(err!(NetworkError, "the body was cut off after {received} bytes: {e}")),
            };
            if let Ok(data) = frame.into_data() {
                received += data.len() as u64;
                if let Err(e) = check_size(received, limit) {
                    return self.broken(e);
                }
                if !self.pipe.push(data).await {
                    return Err(self.failure().await);
                }
            }
        }
        if let Some(expected) = expected.filter(|e| *e != received) {
            return self.broken(err!(NetworkError, "receive body don't equal with body bytes, body bytes: {expected}, received: {received}"));
        }
        Ok(received)
    }

    fn next_body(&mut self) {
        if self.bodies > 0 {
            self.pipe.next_body();
        }
        self.bodies += 1;
    }

    fn broken<T>(&self, e: Error) -> Result<T> {
        self.pipe.fail(e.clone());
        Err(e)
    }

    /// Why the fragment reads no more.
    async fn failure(&mut self) -> Error {
        match self.ended().await {
            Err(e) => e,
            Ok(()) => err!(Internal, "the load ended before its body"),
        }
    }

    async fn ended(&mut self) -> Result<()> {
        match self.ended.take() {
            Some(ended) => ended.await.map_err(|e| err!(Internal, "the load's task has failed: {e}"))?,
            None => Err(err!(Internal, "the load has ended before")),
        }
    }

    /// Ends the fragment for a reason.
    pub fn cancel(&self, reason: Error) {
        self.run.cancel(reason);
        self.pipe.abandon();
    }

    /// All bodies are in: waits for the last row, and judges the rows that were refused.
    pub async fn gather(&mut self) -> (Written, Result<()>) {
        self.pipe.end();
        let ended = self.ended().await;
        let (tablets, mut counters) = self.run.load_totals();
        counters.total_rows = self.log.seen();
        counters.filtered_rows = self.log.count_all();
        counters.unselected_rows = self.log.unselected();
        counters.loaded_rows = counters.total_rows.saturating_sub(counters.filtered_rows + counters.unselected_rows);
        counters.first_error = self.log.first_error();
        if let Some(file) = self.log.file() {
            counters.error_url = format!("http://{}:{}/api/_load_error_log?file={}", self.parts.identity.host(), self.parts.ports.http, file);
        }
        if let Some(path) = self.log.rejected_file() {
            counters.rejected_record_path = path.display().to_string();
        }
        let judged = counters.total_rows.saturating_sub(counters.unselected_rows);
        let outcome = match ended {
            Ok(()) if counters.filtered_rows as f64 > self.ratio * judged as f64 => Err(err!(TooManyFilteredRows, "too many filtered rows")),
            other => other,
        };
        (Written { tablets, counters }, outcome)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if self.ended.is_some() {
            self.cancel(err!(Cancelled, "the load was given up"));
        }
    }
}

fn field(field: FileField) -> proto_messages::types::Field {
    proto_messages::types::Field { name: field.name, r#type: Some(common_types::wire::type_to_proto(&field.ty)), nullable: true }
}

/// Lists a load's fragment among what runs here, so that it can be cancelled.
struct Running {
    parts: Arc<Parts>,
    id: QueryId,
}

impl Running {
    fn new(parts: Arc<Parts>, run: &QueryRun) -> Self {
        let id = run.context.id;
        parts.queries.lock().insert(id, run.context.cancel.clone());
        Self { parts, id }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.parts.queries.lock().remove(&self.id);
    }
}

/// Runs a load's fragment to its end.
async fn drain(run: &QueryRun) -> Result<()> {
    while run.next().await?.is_some() {}
    Ok(())
}

/// A header's text.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// A header's number of seconds.
pub fn seconds(headers: &HeaderMap, name: &str) -> Option<Duration> {
    header(headers, name).and_then(|t| t.trim().parse().ok()).map(Duration::from_secs)
}

/// Headers as the frontend takes them, lower-case names.
fn plain_headers(headers: &HeaderMap) -> HashMap<String, String> {
    headers.iter().filter_map(|(k, v)| Some((k.as_str().to_ascii_lowercase(), v.to_str().ok()?.to_owned()))).collect()
}

/// User and password of a request.
pub fn authorization(headers: &HeaderMap) -> Result<Auth> {
    let value = header(headers, "authorization").ok_or_else(|| err!(AccessDenied, "no valid Basic authorization"))?;
    let decoded = value.strip_prefix("Basic ").and_then(|v| STANDARD.decode(v.trim()).ok()).and_then(|b| String::from_utf8(b).ok());
    let Some(decoded) = decoded else { bail!(AccessDenied, "no valid Basic authorization") };
    let (user, password) = decoded.split_once(':').unwrap_or((&decoded, ""));
    Ok(Auth { user: user.to_owned(), password: password.to_owned(), client_host: "%".to_owned() })
}
