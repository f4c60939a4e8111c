//! An engine in memory for tests: one FE, no backends. Tables that need no tablets can be made, everything else can be asked.

use std::{path::PathBuf, sync::Arc, time::Duration};

use be_exec::{
    exchange::{ChunkSender, ExchangeRegistry, ExchangeTransport},
    runtime::{ExecEnv, pool::TokioSpawner},
    scan::{ScanProvider, ScanRequest, ScanSource},
    sink::{FileSource, FileSourceProvider, TableSinkProvider, TableWriter},
};
use common_base::{
    Result, SharedRng, SystemClock, bail,
    fs::MemFs,
    ids::{NodeId, QueryId},
    kv::MemKv,
    mem::MemTracker,
    net::TokioNet,
};
use common_rpc::{RpcPool, TokenSource};
use common_types::display::append_text;
use fe_catalog::model::{Frontend, FrontendRole};
use fe_meta::{MetaOptions, bootstrap::FirstStart};
use proto_messages::{
    fragment::{Destination, QueryId as WireQueryId, TableSink},
    plan::FileScanNode,
};

use crate::{Engine, EngineOptions, Session, StatementResult};

struct NoStorage;

impl ScanProvider for NoStorage {
    fn open(&self, _request: ScanRequest) -> Result<Arc<dyn ScanSource>> {
        bail!(Internal, "no storage")
    }
}

impl ExchangeTransport for NoStorage {
    fn open(&self, _query: QueryId, _exchange: u32, _destination: &Destination, _sender: u32) -> Result<Box<dyn ChunkSender>> {
        bail!(Internal, "no storage")
    }
}

impl TableSinkProvider for NoStorage {
    fn open(&self, _query: WireQueryId, _sink: &TableSink, _driver: u32) -> Result<Box<dyn TableWriter>> {
        bail!(Internal, "no storage")
    }
}

impl FileSourceProvider for NoStorage {
    fn open(&self, _query: WireQueryId, _node: &FileScanNode, _parallelism: usize) -> Result<Box<dyn FileSource>> {
        bail!(Internal, "no storage")
    }
}

/// Runs a test over a session of root.
pub fn with_session<F: AsyncFnOnce(&mut Session)>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut session = Session::open(engine().await, 1, "root", "%", "127.0.0.1");
        test(&mut session).await;
        session.engine.meta.shutdown().await;
    });
}

async fn engine() -> Arc<Engine> {
    let (clock, rng) = (SystemClock::shared(), SharedRng::from_seed(1));
    let pool = RpcPool::new(Arc::new(TokioNet), TokenSource::default(), Duration::from_secs(1));
    let frontend = Frontend {
        id: NodeId(1),
        name: "fe".to_owned(),
        host: "127.0.0.1".to_owned(),
        edit_log_port: 9010,
        query_port: 9030,
        http_port: 8030,
        rpc_port: 9020,
        role: FrontendRole::Follower,
        added_ms: 1,
    };
    let options = MetaOptions {
        node_id: 1,
        address: "127.0.0.1:9010".to_owned(),
        clock: clock.clone(),
        fs: MemFs::shared(),
        image_dir: PathBuf::from("/meta/image"),
        log: MemKv::shared(),
        pool: pool.clone(),
        entries_per_image: 1000,
        images_kept: 2,
        heartbeat: Duration::from_millis(50),
    };
    let first = FirstStart { cluster_id: 7, token: "t".to_owned(), frontend, now_ms: 1 };
    let meta = fe_meta::open(options, fe_meta::Until::Founded(Box::new(first))).await.expect("a catalog");
    let registry = common_functions::registry();
    let local = Arc::new(ExecEnv {
        registry: registry.clone(),
        scans: Arc::new(NoStorage),
        transport: Arc::new(NoStorage),
        exchanges: Arc::new(ExchangeRegistry::default()),
        tables: Arc::new(NoStorage),
        files: Arc::new(NoStorage),
        spawner: Arc::new(TokioSpawner),
        clock: clock.clone(),
        memory: MemTracker::root("test", 1 << 30),
        default_parallelism: 1,
        default_query_memory: 0,
    });
    let options = EngineOptions {
        host: "127.0.0.1".to_owned(),
        http_port: 8030,
        query_port: 9030,
        heartbeat_interval: Duration::from_secs(5),
        heartbeat_timeout: Duration::from_secs(5),
        lag_max: None,
        clock_delta_max_ms: 5000,
        conf: settings(),
        version: "test".to_owned(),
        started_ms: 1,
        thread_list: Vec::new,
    };
    Engine::new(options, meta, registry, pool, local, clock, rng)
}

fn settings() -> common_base::config::ConfigSet {
    let set = common_base::config::ConfigSet::new(&[crate::settings::KEYS]).expect("the keys are well-formed");
    set.set("default_replication_num", "1").expect("a number");
    set
}

/// Runs one statement: a line per row with cells joined by tabs, `OK`, or `E: ` and the message.
pub async fn run(session: &mut Session, text: &str) -> String {
    match try_run(session, text).await {
        Ok(lines) => lines,
        Err(e) => format!("E: {}", e.message()),
    }
}

async fn try_run(session: &mut Session, text: &str) -> Result<String> {
    let statement = fe_parser::parse_one(text, &session.parse_options())?;
    let StatementResult::Rows(mut rows) = session.execute(&statement).await? else { return Ok("OK".to_owned()) };
    let mut lines = Vec::new();
    while let Some(chunk) = rows.next().await? {
        for row in 0..chunk.rows() {
            let cells: Vec<String> = chunk
                .columns()
                .iter()
                .map(|column| {
                    if column.is_null(row) {
                        return "NULL".to_owned();
                    }
                    let mut cell = Vec::new();
                    append_text(column, row, &mut cell);
                    String::from_utf8_lossy(&cell).into_owned()
                })
                .collect();
            lines.push(cells.join("\t"));
        }
    }
    Ok(lines.join("\n"))
}
