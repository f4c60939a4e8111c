//! Composition of a frontend: every part is made here and nowhere else, over seams that a simulation can replace.

use std::{path::Path, sync::{Arc, OnceLock}};

use be_exec::{
    exchange::{ChunkSender, ExchangeRegistry, ExchangeTransport},
    runtime::{ExecEnv, pool::{Spawner, TokioSpawner, WorkerPool}},
    scan::{ScanProvider, ScanRequest, ScanSource},
    sink::{FileSource, FileSourceProvider, TableSinkProvider, TableWriter},
};
use common_base::{
    Result, SharedClock, SharedRng, config::ConfigSet, err, fs::SharedFs, ids::{NodeId, QueryId}, kv::SharedKv, machine::ProcessFacts, mem::MemTracker,
    net::{Listener, Net}, runtime::Shutdown,
};
use common_rpc::{RpcPool, TokenSource};
use fe_catalog::model::{Frontend, FrontendRole};
use fe_engine::{Engine, EngineOptions, cluster::frontends};
use fe_meta::bootstrap::FIRST_NODE;
use proto_messages::{fragment::{Destination, QueryId as WireQueryId, TableSink}, plan::FileScanNode};
use tracing::info;

use crate::{config, http, member::Member, metrics::{self, Metrics}, mysql, role::{self, HostType}, rpc};

/// The world as this process sees it.
pub struct Seams {
    pub clock: SharedClock,
    pub rng: SharedRng,
    pub fs: SharedFs,
    pub net: Arc<dyn Net>,
    pub log_store: SharedKv,
    /// Worker threads for local queries; false = run them on the calling runtime (simulations).
    pub threads: bool,
    /// What the kernel says of the process.
    pub process: fn() -> ProcessFacts,
    /// Bytes the process may use.
    pub memory: u64,
    /// What the machine calls itself.
    pub host_name: fn() -> Option<String>,
    /// The threads of the process; none in a simulation.
    pub thread_list: fn() -> Vec<common_base::machine::ThreadFacts>,
}

/// A running frontend.
pub struct App {
    pub engine: Arc<Engine>,
    /// The MySQL port it listens on.
    pub query_port: u16,
    /// Triggered when no further clients are taken.
    leaving: Shutdown,
}

impl App {
    /// Takes no further clients, lets another one lead, and waits until no statement runs, at most for `limit`. While clients are
    /// connected it waits for `least` at least: balancers are to find out first.
    pub async fn leave(&self, least: std::time::Duration, limit: std::time::Duration) {
        self.leaving.trigger();
        // Before the statements are waited for: as long as it leads, others send theirs here.
        self.hand_over().await;
        let begun = self.engine.clock.monotonic();
        let least = least.min(limit);
        let quiet = async {
            let waits = || self.engine.sessions.connected() > 0 && self.engine.clock.monotonic().saturating_sub(begun) < least;
            while self.engine.sessions.busy() > 0 || waits() {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(limit, quiet).await.is_err() {
            tracing::warn!("{} statements are cut off: they did not end within {} s", self.engine.sessions.busy(), limit.as_secs());
        }
    }

    /// A leader that stops lets another follower lead first, so that changes wait for less than an election's time.
    pub async fn hand_over(&self) {
        if self.engine.meta.is_leader() && frontends::successor(&self.engine).is_some() {
            match frontends::hand_over(&self.engine, None).await {
                Ok(successor) => info!(%successor, "another frontend leads now"),
                Err(e) => tracing::warn!("leadership was not handed over: {e}"),
            }
        }
    }

    /// Stops taking part in the catalog.
    pub async fn stop(&self) {
        self.engine.meta.shutdown().await;
    }
}

/// The leader's word is waited for so long before a frontend serves.
const FIRST_WORD: std::time::Duration = std::time::Duration::from_secs(3);

/// What the command line asks of a start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// `--host_type`: IP or FQDN.
    pub host_type: Option<&'a str>,
    /// `--helper host:edit_log_port`: a frontend of the cluster to join, at the first start.
    pub helper: Option<&'a str>,
}

/// Starts a frontend; returns when it serves.
pub async fn start(set: &Arc<ConfigSet>, meta_dir: &Path, asked: Asked<'_>, seams: Seams, shutdown: Shutdown) -> Result<App> {
    let Seams { clock, rng, fs, net, log_store, threads, process, memory, host_name, thread_list } = seams;
    let listen = set.get(&config::FRONTEND_ADDRESS).0;
    let bind = |name: &'static str, port: u16| {
        let net = net.clone();
        async move { net.bind(&std::net::SocketAddr::new(listen, port).to_string()).await.map_err(|e| err!(Unavailable, "{name} {port} cannot be used: {}", e.message())) }
    };
    fs.mkdir_all(meta_dir)?;
    // Bound before anything else, so that a port in use is the first thing said.
    let query = bind("query_port", set.get(&config::QUERY_PORT)).await?;
    let http = bind("http_port", set.get(&config::HTTP_PORT)).await?;
    let rpc = bind("rpc_port", set.get(&config::RPC_PORT)).await?;
    let edit_log = bind("edit_log_port", set.get(&config::EDIT_LOG_PORT)).await?;
    let query_port = query.local_addr()?.port();
    // Until this frontend is ready whoever asks is told so: it may take long, when the others of the group are away.
    let (router, ready) = (Arc::new(OnceLock::new()), Shutdown::new());
    common_base::runtime::spawn("http", common_rpc::http::serve(http, http::until_ready(router.clone(), ready.clone()), shutdown.clone()));
    let refused = tokio::spawn(mysql::listener::refuse(query, ready.clone()));
    let host = match role::host_type(&*fs, meta_dir, asked.host_type)? {
        HostType::Ip => common_base::net_address::choose(&*net, &set.get(&config::PRIORITY_NETWORKS).0)?,
        HostType::Name => host_name().ok_or_else(|| err!(Unavailable, "--host_type FQDN: this machine has no name"))?,
    };
    let token = TokenSource::default();
    let pool = RpcPool::new(net.clone(), token.clone(), set.get(&config::HEARTBEAT_TIMEOUT).0);
    let own = Frontend {
        id: NodeId(FIRST_NODE),
        name: format!("{host}_{}_{}", set.get(&config::EDIT_LOG_PORT), clock.now_ms()),
        host: host.clone(),
        edit_log_port: set.get(&config::EDIT_LOG_PORT),
        query_port,
        http_port: set.get(&config::HTTP_PORT),
        rpc_port: set.get(&config::RPC_PORT),
        role: FrontendRole::Follower,
        added_ms: clock.now_ms(),
    };
    // The catalog of a member comes through this port.
    let late = Arc::new(rpc::Late::default());
    serve_rpc(edit_log, rpc::peer_routes(&late, &token), &shutdown);
    let member = Member { set, own: &own, fs: &fs, meta_dir, log: &log_store, pool: &pool, token: &token, late: &late, clock: &clock, rng: &rng };
    let meta = member.open(asked.helper, &shutdown).await?;

    let registry = common_functions::registry();
    let local = Arc::new(ExecEnv {
        registry: registry.clone(),
        scans: Arc::new(NoStorage),
        transport: Arc::new(NoStorage),
        exchanges: Arc::new(ExchangeRegistry::default()),
        tables: Arc::new(NoStorage),
        files: Arc::new(NoStorage),
        spawner: spawner(threads)?,
        clock: clock.clone(),
        memory: MemTracker::root("local queries", 1 << 30),
        default_parallelism: 1,
        default_query_memory: 0,
    });
    let options = EngineOptions {
        host,
        http_port: set.get(&config::HTTP_PORT),
        query_port,
        heartbeat_interval: set.get(&config::HEARTBEAT_INTERVAL).0,
        heartbeat_timeout: set.get(&config::HEARTBEAT_TIMEOUT).0,
        lag_max: (!set.get(&config::IGNORE_META_CHECK)).then(|| set.get(&config::META_DELAY_TOLERATION)),
        clock_delta_max_ms: i64::try_from(set.get(&config::CLOCK_DELTA_MAX)).unwrap_or(i64::MAX),
        conf: ConfigSet::clone(set),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_ms: clock.now_ms(),
        thread_list,
    };
    let engine = Engine::new(options, meta, registry, pool, local, clock, rng);
    let _ = late.engine.set(engine.clone());
    engine.start(&shutdown);
    if engine.meta.leader_address().is_some() {
        // Before that no backend is known to be alive, and queries would fail.
        let _ = tokio::time::timeout(FIRST_WORD, engine.frontends.heard.notified()).await;
    }
    let metrics = Arc::new(Metrics::default());
    metrics::watch(&metrics, &engine, process, memory);
    common_base::runtime::spawn("metrics", metrics::run(metrics.clone(), engine.clock.clone(), shutdown.clone()));
    let source = metrics.registry.clone();
    // Set once, here: the engine was made just above.
    let _ = engine.metrics.set(Box::new(move || source.samples()));
    let leaving = Shutdown::new();
    serve_rpc(rpc, rpc::routes(&engine, &late, &token), &shutdown);
    let _ = router.set(http::router(engine.clone(), metrics.clone(), leaving.clone()));
    ready.trigger();
    let query = refused.await.map_err(|e| err!(Internal, "the query port is lost: {e}"))?;
    common_base::runtime::spawn("mysql", mysql::listener::serve(engine.clone(), metrics, query, shutdown.clone(), leaving.clone()));
    info!(query_port, "frontend is ready");
    Ok(App { engine, query_port, leaving })
}

fn spawner(threads: bool) -> Result<Arc<dyn Spawner>> {
    if threads { Ok(WorkerPool::new(common_base::runtime::cores())?) } else { Ok(Arc::new(TokioSpawner)) }
}

fn serve_rpc(listener: Box<dyn Listener>, routes: tonic::service::Routes, shutdown: &Shutdown) {
    let stop = shutdown.clone();
    common_base::runtime::spawn("rpc", async move {
        if let Err(e) = common_rpc::serve(listener, routes, async move { stop.wait().await }).await {
            tracing::error!("{e}");
        }
    });
}

/// A frontend holds no tablets: fragments that need them never run here.
struct NoStorage;

fn refused<T>(what: &str) -> Result<T> {
    Err(err!(Internal, "{what} in a fragment that runs on a frontend"))
}

impl ScanProvider for NoStorage {
    fn open(&self, _request: ScanRequest) -> Result<Arc<dyn ScanSource>> {
        refused("a table scan")
    }
}

impl ExchangeTransport for NoStorage {
    fn open(&self, _query: QueryId, _exchange: u32, _destination: &Destination, _sender: u32) -> Result<Box<dyn ChunkSender>> {
        refused("an exchange")
    }
}

impl TableSinkProvider for NoStorage {
    fn open(&self, _query: WireQueryId, _sink: &TableSink, _driver: u32) -> Result<Box<dyn TableWriter>> {
        refused("a table sink")
    }
}

impl FileSourceProvider for NoStorage {
    fn open(&self, _query: WireQueryId, _node: &FileScanNode, _parallelism: usize) -> Result<Box<dyn FileSource>> {
        refused("a file scan")
    }
}
