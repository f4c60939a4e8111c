//! Composition of a frontend: every part is made here and nowhere else, over seams that a simulation can replace.

use std::{path::Path, sync::Arc};

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
use fe_engine::{Engine, EngineOptions};
use fe_meta::{MetaOptions, bootstrap::FirstStart};
use proto_messages::{fragment::{Destination, QueryId as WireQueryId, TableSink}, plan::FileScanNode};
use tracing::info;

use crate::{config, http, metrics::{self, Metrics}, mysql, role::{self, HostType}, rpc};

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
    /// Takes no further clients and waits until no statement runs, at most for some time.
    pub async fn leave(&self, limit: std::time::Duration) {
        self.leaving.trigger();
        let quiet = async {
            while self.engine.sessions.busy() > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(limit, quiet).await.is_err() {
            tracing::warn!("{} statements are cut off: they did not end within {} s", self.engine.sessions.busy(), limit.as_secs());
        }
    }

    /// Stops taking part in the catalog.
    pub async fn stop(&self) {
        self.engine.meta.shutdown().await;
    }
}

/// Ports, bound before anything else so that a port in use is the first thing said.
struct Ports {
    query: Box<dyn Listener>,
    http: Box<dyn Listener>,
    rpc: Box<dyn Listener>,
    edit_log: Box<dyn Listener>,
}

/// Starts a frontend; returns when it serves.
/// `host_type`: what `--host_type` says.
pub async fn start(set: &Arc<ConfigSet>, meta_dir: &Path, host_type: Option<&str>, seams: Seams, shutdown: Shutdown) -> Result<App> {
    let Seams { clock, rng, fs, net, log_store, threads, process, memory, host_name, thread_list } = seams;
    let listen = set.get(&config::FRONTEND_ADDRESS).0;
    let bind = |name: &'static str, port: u16| {
        let net = net.clone();
        async move { net.bind(&std::net::SocketAddr::new(listen, port).to_string()).await.map_err(|e| err!(Unavailable, "{name} {port} cannot be used: {}", e.message())) }
    };
    fs.mkdir_all(meta_dir)?;
    let ports = Ports {
        query: bind("query_port", set.get(&config::QUERY_PORT)).await?,
        http: bind("http_port", set.get(&config::HTTP_PORT)).await?,
        rpc: bind("rpc_port", set.get(&config::RPC_PORT)).await?,
        edit_log: bind("edit_log_port", set.get(&config::EDIT_LOG_PORT)).await?,
    };
    let query_port = ports.query.local_addr()?.port();
    let host = match role::host_type(&*fs, meta_dir, host_type)? {
        HostType::Ip => common_base::net_address::choose(&*net, &set.get(&config::PRIORITY_NETWORKS).0)?,
        HostType::Name => host_name().ok_or_else(|| err!(Unavailable, "--host_type FQDN: this machine has no name"))?,
    };
    let token = TokenSource::default();
    let pool = RpcPool::new(net.clone(), token.clone(), set.get(&config::HEARTBEAT_TIMEOUT).0);
    let frontend = Frontend {
        id: NodeId(1),
        name: format!("{host}_{}_{}", set.get(&config::EDIT_LOG_PORT), clock.now_ms()),
        host: host.clone(),
        edit_log_port: set.get(&config::EDIT_LOG_PORT),
        query_port,
        http_port: set.get(&config::HTTP_PORT),
        rpc_port: set.get(&config::RPC_PORT),
        role: FrontendRole::Follower,
        added_ms: clock.now_ms(),
    };
    let meta = fe_meta::open(MetaOptions {
        node_id: 1,
        address: format!("{host}:{}", set.get(&config::EDIT_LOG_PORT)),
        clock: clock.clone(),
        fs,
        image_dir: meta_dir.join("image"),
        log: log_store,
        pool: pool.clone(),
        entries_per_image: set.get(&config::EDIT_LOG_ROLL_NUM),
        heartbeat: std::time::Duration::from_millis(200),
        first_start: FirstStart {
            cluster_id: 1 + (rng.next_u64() >> 33),
            token: uuid_text(rng.uuid()),
            frontend,
            now_ms: clock.now_ms(),
        },
    })
    .await?;
    token.set(meta.snapshot().token.clone());

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
        conf: ConfigSet::clone(set),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_ms: clock.now_ms(),
        thread_list,
    };
    let engine = Engine::new(options, meta, registry, pool, local, clock, rng);
    engine.start(&shutdown);
    let metrics = Arc::new(Metrics::default());
    metrics::watch(&metrics, &engine, process, memory);
    common_base::runtime::spawn("metrics", metrics::run(metrics.clone(), engine.clock.clone(), shutdown.clone()));
    let source = metrics.registry.clone();
    // Set once, here: the engine was made just above.
    let _ = engine.metrics.set(Box::new(move || source.samples()));
    let leaving = Shutdown::new();
    serve(&engine, &metrics, ports, &token, &shutdown, &leaving);
    info!(query_port, "frontend is ready");
    Ok(App { engine, query_port, leaving })
}

fn spawner(threads: bool) -> Result<Arc<dyn Spawner>> {
    if threads { Ok(WorkerPool::new(common_base::runtime::cores())?) } else { Ok(Arc::new(TokioSpawner)) }
}

fn serve(engine: &Arc<Engine>, metrics: &Arc<Metrics>, ports: Ports, token: &TokenSource, shutdown: &Shutdown, leaving: &Shutdown) {
    let stopped = |shutdown: Shutdown| async move { shutdown.wait().await };
    for listener in [ports.rpc, ports.edit_log] {
        let (routes, stop) = (rpc::routes(engine, token), stopped(shutdown.clone()));
        common_base::runtime::spawn("rpc", async move {
            if let Err(e) = common_rpc::serve(listener, routes, stop).await {
                tracing::error!("{e}");
            }
        });
    }
    let router = http::router(engine.clone(), metrics.clone(), leaving.clone());
    common_base::runtime::spawn("http", common_rpc::http::serve(ports.http, router, shutdown.clone()));
    common_base::runtime::spawn("mysql", mysql::listener::serve(engine.clone(), metrics.clone(), ports.query, shutdown.clone(), leaving.clone()));
}

fn uuid_text(value: u128) -> String {
    QueryId(value).to_string()
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
