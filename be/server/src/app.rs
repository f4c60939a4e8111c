//! Composition of a backend: every part is made here and nowhere else, over seams that a simulation can replace.

use std::{
    collections::{HashMap, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
};

use be_exec::{
    exchange::ExchangeRegistry,
    runtime::{ExecEnv, cancel::CancelToken, pool::{Spawner, TokioSpawner, WorkerPool}},
};
use be_storage::{DirConfig, KvFactory, StorageEngine, StorageOptions, StorageSettings};
use common_base::{
    Result, SharedClock, SharedRng, bail, config::{ConfigSet, SizeOrPercent}, err, fs::SharedFs, ids::QueryId, machine::{ProcessFacts, ThreadFacts}, mem::MemTracker,
    net::{Listener, Net}, runtime::Shutdown,
};
use common_rpc::{RpcPool, TokenSource};
use parking_lot::Mutex;
use proto_messages::fragment::Destination;
use proto_services::{be_peer::be_peer_server::BePeerServer, be_service::{be_service_server::BeServiceServer, heartbeat_server::HeartbeatServer}};
use tonic::service::{Routes, interceptor::InterceptedService};
use tracing::info;

use crate::{
    adapt::{exchange_over_grpc::PeerTransport, filters_over_grpc::RemoteFilters, scan_from_storage::StorageScans, sink_to_peers::PeerSinks, tablet_writers::TabletWriters},
    config::{self, StorageRoots}, cpu::CpuUse, http,
    identity::Identity,
    memory_watch::MemoryWatch,
    metrics::Metrics,
    report, rpc,
    files::{access::FileAccess, scan::FileScans},
    stream_load::{self, files::FileSources},
};

/// The world as this process sees it.
pub struct Seams {
    pub clock: SharedClock,
    pub rng: SharedRng,
    pub fs: SharedFs,
    pub net: Arc<dyn Net>,
    pub kv: KvFactory,
    /// Memory of the machine in bytes.
    pub memory: u64,
    /// Worker threads for queries; false = run them on the calling runtime (simulations).
    pub threads: bool,
    /// What the kernel says of the process; nothing in a simulation.
    pub process: fn() -> ProcessFacts,
    /// The threads of the process; none in a simulation.
    pub thread_list: fn() -> Vec<ThreadFacts>,
    /// The log of the process; none in a simulation.
    pub log_file: Option<PathBuf>,
}

/// Ports this backend listens on.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub be: u16,
    pub heartbeat: u16,
    pub brpc: u16,
    pub http: u16,
}

/// What services share.
pub struct Parts {
    pub identity: Arc<Identity>,
    pub storage: Arc<StorageEngine>,
    pub exec: Arc<ExecEnv>,
    pub writers: Arc<TabletWriters>,
    pub filters: Arc<RemoteFilters>,
    pub sources: Arc<FileSources>,
    pub transactions: stream_load::transaction::Transactions,
    pub merges: stream_load::merge::MergeCommits,
    pub pool: Arc<RpcPool>,
    pub memory: Arc<MemTracker>,
    pub clock: SharedClock,
    pub rng: SharedRng,
    pub metrics: Metrics,
    pub fs: SharedFs,
    pub access: Arc<FileAccess>,
    pub queries: Mutex<HashMap<QueryId, Arc<CancelToken>>>,
    /// Queries that ended here lately: rows that still come for them are not needed.
    pub ended: Mutex<VecDeque<QueryId>>,
    pub settings: Arc<ConfigSet>,
    pub ports: Ports,
    pub started_ms: i64,
    pub shutdown: Shutdown,
    /// Triggered when no further fragments are taken.
    pub leaving: Shutdown,
    /// Triggered when the leader has been told so.
    pub told: Shutdown,
    /// Triggered when no further fragments are taken.
    pub closed: Shutdown,
    /// Something the frontend should know at once.
    pub report_now: tokio::sync::Notify,
    /// A pass over all files is to begin.
    pub scrub_now: std::sync::atomic::AtomicBool,
    /// See [`Seams::process`].
    pub process: fn() -> ProcessFacts,
    pub cpu: Mutex<CpuUse>,
    /// See [`Seams::thread_list`].
    pub thread_list: fn() -> Vec<ThreadFacts>,
    /// See [`Seams::log_file`].
    pub log_file: Option<PathBuf>,
    /// Where load error logs are kept.
    pub error_logs: PathBuf,
    /// Rows that loads refused and were asked to keep, by database, label and transaction.
    pub rejected_records: PathBuf,
    /// Where bodies of loads are that must be here as a whole.
    pub spool: PathBuf,
}

/// A running backend.
pub struct App {
    pub parts: Arc<Parts>,
}

impl Parts {
    /// Bytes the body of a load may have.
    pub fn body_bytes_max(&self) -> u64 {
        self.settings.get(&config::STREAMING_LOAD_MAX_MB).saturating_mul(1 << 20)
    }

    /// A query has ended here.
    pub fn query_ended(&self, id: QueryId) {
        const KEPT: usize = 4096;
        self.queries.lock().remove(&id);
        let mut ended = self.ended.lock();
        if ended.len() >= KEPT {
            ended.pop_front();
        }
        ended.push_back(id);
    }
}

impl App {
    /// Says that it leaves, takes no further fragments once frontends know, and waits until what runs here has ended, at most for some
    /// time: peers and clients are served meanwhile.
    pub async fn leave(&self, limit: std::time::Duration) {
        self.parts.leaving.trigger();
        let busy = || !self.parts.queries.lock().is_empty() || self.parts.metrics.loads_running.get() > 0;
        // The next heartbeat tells the leader, and the leader the other frontends: they send nothing more here, and do not take the
        // backend for lost. What comes until then is done, for a refusal would fail it.
        if self.parts.identity.leader_address().is_some() {
            let _ = tokio::time::timeout(FAREWELL.min(limit), self.parts.told.wait()).await;
            tokio::time::sleep(SPREAD.min(limit)).await;
        }
        self.parts.closed.trigger();
        let (mut waited, step) = (std::time::Duration::ZERO, std::time::Duration::from_millis(50));
        while busy() && waited < limit {
            tokio::time::sleep(step).await;
            waited += step;
        }
        // The answer of what has ended last is on its way out.
        tokio::time::sleep(step).await;
    }
}

/// A backend that leaves waits so long for a heartbeat: a little more than the time between two of them.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(6);
/// The leader's word reaches the other frontends within this time.
const SPREAD: std::time::Duration = std::time::Duration::from_millis(300);

/// Starts a backend; returns when it serves.
pub async fn start(set: &Arc<ConfigSet>, home: &Path, seams: Seams, shutdown: Shutdown) -> Result<App> {
    let Seams { clock, rng, fs, net, kv, memory: machine_memory, threads, process, thread_list, log_file } = seams;
    let bind = |name: &'static str, port: u16| {
        let net = net.clone();
        async move { net.bind(&format!("0.0.0.0:{port}")).await.map_err(|e| err!(Unavailable, "{name} {port} cannot be used: {}", e.message())) }
    };
    let be = bind("be_port", set.get(&config::BE_PORT)).await?;
    let heartbeat = bind("heartbeat_service_port", set.get(&config::HEARTBEAT_PORT)).await?;
    let brpc = bind("brpc_port", set.get(&config::BRPC_PORT)).await?;
    let http_listener = bind("be_http_port", set.get(&config::HTTP_PORT)).await?;
    let port = |l: &dyn Listener| l.local_addr().map(|a| a.port());
    let ports = Ports { be: port(&*be)?, heartbeat: port(&*heartbeat)?, brpc: port(&*brpc)?, http: port(&*http_listener)? };

    let limit = process_limit(set.get(&config::MEM_LIMIT), machine_memory);
    let memory = MemTracker::root("process", limit as i64);
    let page_cache = match set.get(&config::DISABLE_PAGE_CACHE) {
        true => 0,
        false => set.get(&config::PAGE_CACHE_LIMIT).of(limit).unwrap_or(limit),
    };
    let dirs = storage_dirs(set.get(&config::STORAGE_ROOT_PATH), home)?;
    // What is no tablet lies on the first disk that works.
    let mut first = Err(err!(InvalidArgument, "storage_root_path names no directory"));
    for dir in &dirs {
        let made = fs.mkdir_all(&dir.path).map(|()| dir.path.clone());
        first = first.or(made);
    }
    let first = first?;
    // Bodies of loads that ended with the process.
    fs.remove_dir_all(&first.join("load_spool"))?;
    let registry = common_functions::registry();
    let storage = StorageEngine::open(&StorageOptions {
        settings: storage_settings(set, limit, page_cache),
        dirs,
        fs: fs.clone(),
        kv,
        clock: clock.clone(),
        rng: rng.clone(),
        tracker: memory.clone(),
        functions: registry.clone(),
    })?;
    storage.watermarks().set(set.get(&config::FLOOD_PERCENT), set.get(&config::FLOOD_LEFT));
    let networks = set.get(&config::PRIORITY_NETWORKS).0;
    let own_address = if networks.is_empty() { None } else { Some(common_base::net_address::choose(&*net, &networks)?) };
    let token = TokenSource::default();
    let identity = Identity::open(fs.clone(), first.join("cluster.json"), token.clone(), own_address)?;
    let pool = RpcPool::new(net.clone(), token.clone(), std::time::Duration::from_secs(5));
    let writers = TabletWriters::new(storage.clone());
    let exchanges = Arc::new(ExchangeRegistry::default());
    let access = Arc::new(FileAccess::new(fs.clone(), set.get(&config::FILES_ALLOWED_PATH)));
    let sources = Arc::new(FileSources::new(storage.load_tracker().clone(), fs.clone(), access.clone()));
    let workers = match set.get(&config::EXEC_THREADS) {
        0 => common_base::runtime::cores(),
        n => n,
    };
    let metrics = Metrics::default();
    let spawner: Arc<dyn Spawner> = if threads {
        let pool = WorkerPool::new(workers)?;
        pool.metrics().register(&metrics.registry);
        pool
    } else {
        Arc::new(TokioSpawner)
    };
    let runtime = tokio::runtime::Handle::current();
    let own = identity.clone();
    let local: Arc<dyn Fn(&Destination) -> bool + Send + Sync> =
        Arc::new(move |d: &Destination| d.port == u32::from(ports.brpc) && d.host == own.host());
    let filters =
        Arc::new(RemoteFilters { pool: pool.clone(), local: local.clone(), runtime: runtime.clone(), queries: Mutex::default() });
    let exec = Arc::new(ExecEnv {
        registry,
        scans: Arc::new(FileScans {
            tablets: Arc::new(StorageScans { engine: storage.clone() }),
            fs: fs.clone(),
            access: access.clone(),
            threads: workers,
        }),
        transport: Arc::new(PeerTransport {
            registry: exchanges.clone(),
            pool: pool.clone(),
            local,
            runtime: runtime.clone(),
        }),
        exchanges,
        tables: Arc::new(PeerSinks { identity: identity.clone(), writers: writers.clone(), pool: pool.clone(), runtime, open: Mutex::default(), drivers: Arc::default(), numbers: Arc::default() }),
        files: sources.clone(),
        spawner,
        clock: clock.clone(),
        memory: memory.clone(),
        default_parallelism: workers,
        // One query may take most of the memory, never all of it.
        default_query_memory: limit / 100 * set.get(&config::QUERY_MEMORY_PERCENT).0,
    });
    let parts = Arc::new(Parts {
        settings: set.clone(),
        identity,
        storage,
        exec,
        writers,
        filters,
        sources,
        transactions: Default::default(),
        merges: Default::default(),
        pool,
        memory,
        started_ms: clock.now_ms(),
        clock,
        rng,
        metrics,
        fs,
        access,
        queries: Mutex::default(),
        ended: Mutex::default(),
        ports,
        shutdown: shutdown.clone(),
        leaving: Shutdown::new(),
        told: Shutdown::new(),
        closed: Shutdown::new(),
        report_now: tokio::sync::Notify::new(),
        scrub_now: false.into(),
        process,
        cpu: Mutex::default(),
        thread_list,
        log_file,
        error_logs: first.join("error_log"),
        rejected_records: first.join("rejected_record"),
        spool: first.join("load_spool"),
    });
    crate::metrics::watch(&parts);
    common_base::runtime::spawn("metrics", crate::metrics::run(parts.clone()));
    serve(&parts, [be, heartbeat, brpc], http_listener, &token);
    common_base::runtime::spawn("report", report::run(parts.clone(), set.get(&config::REPORT_INTERVAL)));
    common_base::runtime::spawn("idle transactions", stream_load::transaction::run(parts.clone()));
    common_base::runtime::spawn("storage upkeep", upkeep(parts.clone(), set.clone()));
    for dir in parts.storage.dirs() {
        common_base::runtime::spawn("compaction", compactions(parts.clone(), dir.path().to_owned()));
    }
    common_base::runtime::spawn("deleted rows", deleted_rows(parts.clone()));
    common_base::runtime::spawn("disk check", crate::disks::watch(parts.clone(), set.clone()));
    common_base::runtime::spawn("scrub", crate::disks::scrub(parts.clone(), set.clone()));
    let watch = MemoryWatch::new(&parts, threads);
    // A process that several simulated nodes share says nothing of one of them.
    if threads {
        common_base::runtime::spawn("memory watch", crate::memory_watch::run(parts.clone(), watch));
    }
    info!(?ports, "backend is ready");
    Ok(App { parts })
}

fn serve(parts: &Arc<Parts>, [be, heartbeat, brpc]: [Box<dyn Listener>; 3], http_listener: Box<dyn Listener>, token: &TokenSource) {
    let check = |token: TokenSource| move |request| token.check(request);
    let max = rpc::MESSAGE_BYTES_MAX;
    let service = BeServiceServer::new(rpc::be_service::Service { parts: parts.clone() }).max_decoding_message_size(max).max_encoding_message_size(max);
    let peer = BePeerServer::new(rpc::be_peer::Service { parts: parts.clone() }).max_decoding_message_size(max).max_encoding_message_size(max);
    let beats = HeartbeatServer::new(rpc::heartbeat::Service { parts: parts.clone() });
    let servers = [
        (be, Routes::new(InterceptedService::new(service, check(token.clone())))),
        (brpc, Routes::new(InterceptedService::new(peer, check(token.clone())))),
        (heartbeat, Routes::new(beats)),
    ];
    for (listener, routes) in servers {
        let stop = parts.shutdown.clone();
        common_base::runtime::spawn("rpc", async move {
            if let Err(e) = common_rpc::serve(listener, routes, async move { stop.wait().await }).await {
                tracing::error!("{e}");
            }
        });
    }
    common_base::runtime::spawn("http", common_rpc::http::serve(http_listener, http::router(parts.clone()), parts.shutdown.clone()));
}

/// Compactions of one disk, one after the other.
async fn compactions(parts: Arc<Parts>, path: PathBuf) {
    const INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);
    while parts.shutdown.sleep(INTERVAL).await {
        let storage = parts.storage.clone();
        let Some(dir) = storage.dir_of(&path) else { return };
        if let Err(e) = common_base::runtime::blocking("compaction", move || storage.compact_dir(&dir)).await {
            tracing::warn!("compaction: {e}");
        }
    }
}

/// Counts the rows that DELETE has hidden, and has the leader told.
async fn deleted_rows(parts: Arc<Parts>) {
    const INTERVAL: std::time::Duration = std::time::Duration::from_secs(2);
    while parts.shutdown.sleep(INTERVAL).await {
        let storage = parts.storage.clone();
        match common_base::runtime::blocking("deleted rows", move || Ok(storage.count_hidden())).await {
            Ok(0) => {}
            Ok(_) => parts.report_now.notify_one(),
            Err(e) => tracing::warn!("counting deleted rows: {e}"),
        }
    }
}

/// Background work of storage: old rowsets, and now and then garbage and old error logs.
async fn upkeep(parts: Arc<Parts>, set: Arc<ConfigSet>) {
    const INTERVAL: std::time::Duration = std::time::Duration::from_secs(10);
    const ROUNDS_PER_SWEEP: u64 = 360;
    let mut round = 0;
    while parts.shutdown.sleep(INTERVAL).await {
        round += 1;
        let (storage, fs, logs) = (parts.storage.clone(), parts.fs.clone(), parts.error_logs.clone());
        let rejected = parts.rejected_records.clone();
        let keep_ms = i64::try_from(set.get(&config::ERROR_LOG_HOURS).saturating_mul(3_600_000)).unwrap_or(i64::MAX);
        let before_ms = parts.clock.now_ms().saturating_sub(keep_ms);
        let done = common_base::runtime::blocking("storage upkeep", move || {
            if round % ROUNDS_PER_SWEEP == 0 {
                let garbage = storage.collect_garbage();
                let logs = stream_load::bad_rows::remove_old(&*fs, &logs, before_ms)?;
                stream_load::bad_rows::remove_old_rejected(&*fs, &rejected, before_ms)?;
                info!(?garbage, logs, "swept");
            }
            storage.sweep_stale();
            Ok(())
        });
        if let Err(e) = done.await {
            tracing::warn!("storage upkeep: {e}");
        }
    }
}

/// Directories of tablets; relative ones are under the home directory.
pub(crate) fn storage_dirs(roots: StorageRoots, home: &Path) -> Result<Vec<DirConfig>> {
    let mut dirs: Vec<DirConfig> = Vec::new();
    for (path, medium) in roots.0 {
        let mut dir = DirConfig::new(home.join(path));
        dir.medium = medium;
        if dirs.iter().any(|d| d.path == dir.path) {
            bail!(InvalidArgument, "storage_root_path names {} twice", dir.path.display());
        }
        dirs.push(dir);
    }
    Ok(dirs)
}

/// Shares of the process's memory: of what loads get, one memtable takes a quarter at most; a compaction gets 10 %, primary
/// indexes 20 %.
fn storage_settings(set: &ConfigSet, limit: u64, page_cache: u64) -> StorageSettings {
    let settings = StorageSettings::default();
    let loads = (limit / 100 * set.get(&config::LOAD_MEMORY_PERCENT).0).min(set.get(&config::LOAD_MEMORY_BYTES).0).max(1);
    StorageSettings {
        page_cache_bytes: page_cache as usize,
        memtable_total_bytes: loads as i64,
        memtable_bytes: set.get(&config::WRITE_BUFFER_SIZE).0.min(loads as usize / 4),
        compaction_bytes: settings.compaction_bytes.min(limit as usize / 10),
        primary_index_bytes: settings.primary_index_bytes.min(limit as usize / 5),
        trash_expire_ms: set.get(&config::TRASH_EXPIRE).as_millis() as i64,
        stale_sweep_ms: set.get(&config::STALE_SWEEP).as_millis() as i64,
        max_versions: set.get(&config::TABLET_MAX_VERSIONS),
        primary_key_bytes_max: set.get(&config::PRIMARY_KEY_LIMIT_SIZE),
        compaction_min_rowsets: set.get(&config::COMPACTION_MIN_ROWSETS),
        flat_json: set.get(&config::ENABLE_JSON_FLAT).then(|| be_segment::FlatJson {
            nulls_max: set.get(&config::JSON_FLAT_NULL_FACTOR),
            share_min: set.get(&config::JSON_FLAT_SPARSITY_FACTOR),
            paths_max: set.get(&config::JSON_FLAT_COLUMN_MAX),
        }),
        ..settings
    }
}

/// Code, kernel buffers and what is written before it is counted need this much of a machine or container.
const LEFT_TO_OTHERS: u64 = 64 << 20;

/// Memory of the process out of the machine's: a share of little leaves something to others all the same.
fn process_limit(limit: SizeOrPercent, machine: u64) -> u64 {
    let bytes = limit.of(machine).unwrap_or(machine);
    match limit {
        SizeOrPercent::Bytes(_) => bytes,
        _ => bytes.min(machine.saturating_sub(LEFT_TO_OTHERS).max(machine / 2)),
    }
}
