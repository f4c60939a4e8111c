//! Running a planned query: one call per backend, chunks streamed back, one failure cancels the rest.
//!
//! Flow: [`start`] sends each backend its [`ExecuteRequest`] (or runs it in this process when no backend is needed); a task per
//! backend moves its answer stream into a bounded channel; [`QueryStream::next`] hands chunks out until every backend has sent
//! `Finished`. Dropping the stream cancels the query everywhere.

use std::{sync::Arc, time::Duration};

use be_exec::runtime::{ExecEnv, query::{QueryExtras, QueryRun, query_id, query_id_to_proto}};
use common_base::{Error, ErrorCode, Result, bail, err, ids::QueryId};
use common_rpc::{RpcPool, status};
use common_types::Chunk;
use proto_messages::{
    chunk::{ChunkData, Finished, LoadCounters, TabletCommit, execute_reply::Kind},
    fragment::ExecuteRequest,
    profile::QueryProfile,
};
use proto_services::be_service::CancelRequest;
use tokio::sync::mpsc;

/// Chunks that may wait between the network and the client's socket.
const BUFFERED_CHUNKS: usize = 16;
/// A cancel is not waited for longer than this.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(3);

/// Where one request runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// In this process.
    Local,
    /// `host:be_port` of a backend.
    Backend(String),
}

enum Event {
    Chunk(Chunk),
    Finished(Box<Finished>),
    Failed(Error),
}

/// Counters and load results of all backends, once the stream has ended.
#[derive(Default)]
pub struct QuerySummary {
    pub profiles: Vec<QueryProfile>,
    pub tablets: Vec<TabletCommit>,
    pub load: LoadCounters,
}

/// A running query.
pub struct QueryStream {
    id: QueryId,
    events: mpsc::Receiver<Event>,
    unfinished: usize,
    summary: QuerySummary,
    backends: Vec<String>,
    pool: Arc<RpcPool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    deadline: Option<tokio::time::Instant>,
    timeout: Duration,
    kill: tokio::sync::watch::Receiver<Option<Error>>,
    ended: bool,
    /// Read ahead.
    waiting: Option<Chunk>,
    /// Held by queries whose result a session must outlive nothing of; dropped with the stream.
    _guard: Option<Box<dyn std::any::Any + Send>>,
}

/// What a query needs besides its requests.
pub struct QueryControl {
    pub timeout: Duration,
    /// Set to an error by KILL or a vanished client.
    pub kill: tokio::sync::watch::Receiver<Option<Error>>,
    pub seed: u64,
}

/// Sends the requests and starts reading answers.
pub fn start(pool: &Arc<RpcPool>, local: &Arc<ExecEnv>, requests: Vec<(Target, ExecuteRequest)>, control: QueryControl) -> Result<QueryStream> {
    let id = requests.first().and_then(|(_, r)| r.query_id.as_ref()).map(query_id);
    let id = id.ok_or_else(|| err!(Internal, "a query without fragments"))?;
    let (sender, events) = mpsc::channel(BUFFERED_CHUNKS);
    let mut backends = Vec::new();
    let mut tasks = Vec::with_capacity(requests.len());
    let unfinished = requests.len();
    for (target, request) in requests {
        let sender = sender.clone();
        tasks.push(match target {
            Target::Local => {
                let extras = QueryExtras { seed: control.seed, ..QueryExtras::default() };
                let run = QueryRun::start(local.clone(), &request, extras)?;
                tokio::spawn(async move { report(&sender, run_local(run, &sender).await).await })
            }
            Target::Backend(address) => {
                let pool = pool.clone();
                backends.push(address.clone());
                tokio::spawn(async move { report(&sender, run_remote(&pool, &address, request, &sender).await).await })
            }
        });
    }
    Ok(QueryStream {
        id,
        events,
        unfinished,
        summary: QuerySummary::default(),
        backends,
        pool: pool.clone(),
        tasks,
        deadline: (!control.timeout.is_zero()).then(|| tokio::time::Instant::now() + control.timeout),
        timeout: control.timeout,
        kill: control.kill,
        ended: false,
        waiting: None,
        _guard: None,
    })
}

async fn report(sender: &mpsc::Sender<Event>, result: Result<Finished>) {
    let event = match result {
        Ok(finished) => Event::Finished(Box::new(finished)),
        Err(e) => Event::Failed(e),
    };
    // The reader may be gone: then nobody is interested.
    let _ = sender.send(event).await;
}

async fn run_local(run: QueryRun, sender: &mpsc::Sender<Event>) -> Result<Finished> {
    while let Some(chunk) = run.next().await? {
        if sender.send(Event::Chunk(chunk)).await.is_err() {
            bail!(Cancelled, "the query's client has gone");
        }
    }
    let (tablets, load) = run.load_totals();
    Ok(Finished { status: None, profile: Some(run.profile()), tablets, load: Some(load) })
}

async fn run_remote(pool: &RpcPool, address: &str, request: ExecuteRequest, sender: &mpsc::Sender<Event>) -> Result<Finished> {
    let mut client = pool.be(address)?;
    let mut answers = client.execute(request).await.map_err(|e| lost(address, &e))?.into_inner();
    while let Some(reply) = answers.message().await.map_err(|e| lost(address, &e))? {
        match reply.kind {
            Some(Kind::Chunk(data)) => {
                if sender.send(Event::Chunk(decode(&data)?)).await.is_err() {
                    bail!(Cancelled, "the query's client has gone");
                }
            }
            Some(Kind::Finished(finished)) => {
                status::from_message(finished.status.clone())?;
                return Ok(finished);
            }
            None => {}
        }
    }
    bail!(Unavailable, "Backend node {address} ended the query without a result")
}

fn lost(address: &str, e: &tonic::Status) -> Error {
    let cause = status::from_grpc(e, address);
    match cause.code() {
        // Whoever cancels a query drops its stream and hears nothing of it: a call that was cancelled lost its connection.
        ErrorCode::Unavailable | ErrorCode::NetworkError | ErrorCode::Cancelled => {
            err!(Unavailable, "Backend node {address} not found or crashed: {}", cause.message()).context("running a query")
        }
        _ => cause.context("running a query"),
    }
}

/// A chunk of a message.
pub fn decode(data: &ChunkData) -> Result<Chunk> {
    if data.uncompressed != 0 {
        bail!(NotSupported, "compressed result chunks are not supported");
    }
    Chunk::from_ipc(data.body.clone())
}

impl QueryStream {
    /// The query's id.
    pub fn id(&self) -> QueryId {
        self.id
    }

    /// Keeps a value alive as long as the stream.
    #[must_use]
    pub fn with_guard(mut self, guard: impl std::any::Any + Send) -> Self {
        self._guard = Some(Box::new(guard));
        self
    }

    /// The next chunk; `None` when every backend has finished.
    pub async fn next(&mut self) -> Result<Option<Chunk>> {
        if let Some(chunk) = self.waiting.take() {
            return Ok(Some(chunk));
        }
        if self.ended {
            return Ok(None);
        }
        match self.poll_event().await {
            Ok(Some(chunk)) => Ok(Some(chunk)),
            Ok(None) => {
                self.ended = true;
                Ok(None)
            }
            Err(e) => {
                self.cancel(&e);
                self.ended = true;
                Err(e)
            }
        }
    }

    async fn poll_event(&mut self) -> Result<Option<Chunk>> {
        while self.unfinished > 0 {
            let deadline = self.deadline;
            let timer = async move {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let kill = &mut self.kill;
            let killed = async {
                let reason = kill.wait_for(Option::is_some).await.map(|reason| reason.clone());
                match reason {
                    Ok(reason) => reason,
                    // The session is gone, and with it whoever reads this.
                    Err(_) => std::future::pending().await,
                }
            };
            let event = tokio::select! {
                biased;
                event = self.events.recv() => event,
                reason = killed => return Err(reason.unwrap_or_else(|| err!(Cancelled, "Cancelled"))),
                () = timer => bail!(Timeout, "Query reached its timeout of {} seconds, please increase the 'query_timeout' session variable and retry", self.timeout.as_secs()),
            };
            match event {
                Some(Event::Chunk(chunk)) => return Ok(Some(chunk)),
                Some(Event::Failed(e)) => return Err(e),
                Some(Event::Finished(finished)) => {
                    self.unfinished -= 1;
                    self.take_in(*finished);
                }
                None => bail!(Internal, "a query's readers ended without a result"),
            }
        }
        Ok(None)
    }

    fn take_in(&mut self, finished: Finished) {
        self.summary.profiles.extend(finished.profile);
        self.summary.tablets.extend(finished.tablets);
        let load = finished.load.unwrap_or_default();
        let mine = &mut self.summary.load;
        mine.total_rows += load.total_rows;
        mine.loaded_rows += load.loaded_rows;
        mine.filtered_rows += load.filtered_rows;
        mine.unselected_rows += load.unselected_rows;
        mine.bytes += load.bytes;
        mine.files += load.files;
        if mine.first_error.is_empty() {
            mine.first_error = load.first_error;
        }
        if mine.error_url.is_empty() {
            mine.error_url = load.error_url;
        }
    }

    /// Reads to the end, dropping rows; what loads do.
    pub async fn drain(mut self) -> Result<QuerySummary> {
        while self.next().await?.is_some() {}
        Ok(std::mem::take(&mut self.summary))
    }

    /// The first chunk, when one more or the end has come as well: a small result is complete then, and until then a failure can be
    /// made good.
    pub async fn first(&mut self) -> Result<Option<Chunk>> {
        let first = self.next().await?;
        if first.is_some() {
            self.waiting = self.next().await?;
        }
        Ok(first)
    }

    /// Counters so far.
    pub fn summary(&self) -> &QuerySummary {
        &self.summary
    }

    /// Stops the query on every backend, without waiting.
    fn cancel(&mut self, reason: &Error) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
        for address in self.backends.drain(..) {
            let (pool, id, reason) = (self.pool.clone(), self.id, reason.message().to_owned());
            tokio::spawn(async move {
                let request = CancelRequest { query_id: Some(query_id_to_proto(id)), reason };
                if let Ok(mut client) = pool.be(&address) {
                    let _ = tokio::time::timeout(CANCEL_TIMEOUT, client.cancel(request)).await;
                }
            });
        }
    }
}

impl Drop for QueryStream {
    fn drop(&mut self) {
        if !self.ended && tokio::runtime::Handle::try_current().is_ok() {
            self.cancel(&err!(Cancelled, "the query's client has gone"));
        }
    }
}
