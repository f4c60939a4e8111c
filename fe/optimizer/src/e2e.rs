//! Plans executed: what a query answers must not depend on how it was planned.
//!
//! Tables live in memory, spread over tablets by the bucket hash; every backend is an executor of its own and exchanges go between
//! them. `testdata/e2e.txt` holds queries with answers (checked once against another database); each runs on one backend, on
//! three, without join reordering, and with every CTE inlined or kept.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use be_exec::{
    exchange::{ChunkSender, ExchangeKey, ExchangeReceiver, ExchangeRegistry, ExchangeTransport},
    runtime::{ExecEnv, pool::TokioSpawner},
    scan::{MorselReader, ScanProvider, ScanRequest, ScanSource},
    sink::{FileSource, FileSourceProvider, TableSinkProvider, TableWriter},
};
use common_base::{Error, Result, clock::SystemClock, ids::QueryId, mem::MemTracker};
use common_expr::eval::{CompiledExpr, Conjuncts};
use common_types::{Bounds, Chunk, Column, Scalar, hash::bucket_hash};
use proto_messages::fragment::{Destination, QueryOptions, TableSink};

use crate::{Options, RootSink, assign, build_fragments, testkit::Kit};

/// Rows by tablet, all columns of the table in order (uid n at position n - 1).
type Tablets = HashMap<u64, Chunk>;

struct MemScans(Arc<Tablets>);

struct MemSource {
    request: ScanRequest,
    chunks: Vec<Chunk>,
}

impl ScanProvider for MemScans {
    fn open(&self, request: ScanRequest) -> Result<Arc<dyn ScanSource>> {
        let chunks = request.ranges.iter().filter_map(|r| self.0.get(&r.tablet_id).cloned()).collect();
        Ok(Arc::new(MemSource { request, chunks }))
    }
}

impl ScanSource for MemSource {
    fn morsels(&self) -> usize {
        self.chunks.len()
    }
    fn open_morsel(&self, index: usize) -> Result<Box<dyn MorselReader>> {
        let r = &self.request;
        let rows = &self.chunks[index];
        let columns = r.columns.iter().map(|c| rows.column(c.uid as usize - 1).clone()).collect();
        let mut chunk = Chunk::new(columns, rows.rows());
        chunk = Conjuncts::compile(r.predicates.clone()).filter(&r.eval, &chunk)?;
        for f in &r.filters {
            if let Some(filter) = f.slot.get() {
                let probe = CompiledExpr::compile(&f.probe).eval(&r.eval, &chunk)?;
                chunk = chunk.filter(&filter.mask(&probe));
            }
        }
        let output: Vec<usize> = r.output.iter().map(|c| *c as usize).collect();
        let chunk = chunk.project(&output);
        Ok(Box::new(MemMorsel((chunk.rows() > 0).then_some(chunk))))
    }
    fn bounds(&self, _: usize) -> Option<Bounds> {
        None
    }
    fn max_rows(&self) -> u64 {
        self.chunks.iter().map(|c| c.rows() as u64).sum()
    }
}

struct MemMorsel(Option<Chunk>);

impl MorselReader for MemMorsel {
    fn next(&mut self) -> Result<Option<Chunk>> {
        Ok(self.0.take())
    }
    fn progress(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// Exchanges of all backends, by host.
#[derive(Default)]
struct Wires {
    registries: OnceLock<HashMap<String, Arc<ExchangeRegistry>>>,
    ended: Arc<Ended>,
}

/// Queries that have ended, by host: what still comes for them is dropped.
#[derive(Default)]
struct Ended(Mutex<(HashSet<(String, u128)>, Vec<Waker>)>);

impl Ended {
    fn add(&self, host: &str, query: u128) {
        let mut inner = self.0.lock().unwrap();
        inner.0.insert((host.to_owned(), query));
        inner.1.drain(..).for_each(Waker::wake);
    }

    fn poll(&self, host: &str, query: u128, cx: &Context<'_>) -> bool {
        let mut inner = self.0.lock().unwrap();
        if inner.0.contains(&(host.to_owned(), query)) {
            return true;
        }
        inner.1.push(cx.waker().clone());
        false
    }
}

struct Wire {
    registry: Arc<ExchangeRegistry>,
    key: ExchangeKey,
    sender: u32,
    receiver: Option<Arc<ExchangeReceiver>>,
    host: String,
    ended: Arc<Ended>,
    dropped: bool,
}

impl Wire {
    fn poll_receiver(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arc<ExchangeReceiver>>> {
        if self.receiver.is_none() && !self.dropped {
            match self.registry.poll_get(self.key, cx) {
                Poll::Ready(r) => self.receiver = Some(r),
                Poll::Pending if self.ended.poll(&self.host, self.key.query.0, cx) => self.dropped = true,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(self.receiver.clone())
    }
}

impl ExchangeTransport for Wires {
    fn open(&self, query: QueryId, exchange_id: u32, to: &Destination, sender: u32) -> Result<Box<dyn ChunkSender>> {
        let registry = self.registries.get().unwrap()[&to.host].clone();
        let key = ExchangeKey { query, exchange_id, instance: to.instance };
        let ended = self.ended.clone();
        Ok(Box::new(Wire { registry, key, sender, receiver: None, host: to.host.clone(), ended, dropped: false }))
    }
}

impl ChunkSender for Wire {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match std::task::ready!(self.poll_receiver(cx)) {
            Some(receiver) => receiver.poll_ready(self.sender, cx).map(Ok),
            None => Poll::Ready(Ok(())),
        }
    }
    fn send(&mut self, chunk: Chunk) -> Result<()> {
        if let Some(receiver) = &self.receiver {
            receiver.deliver(self.sender, chunk);
        }
        Ok(())
    }
    fn poll_close(&mut self, cx: &mut Context<'_>, failure: Option<&Error>) -> Poll<Result<()>> {
        if let Some(receiver) = std::task::ready!(self.poll_receiver(cx)) {
            match failure {
                Some(e) => receiver.fail(e),
                None => receiver.close(self.sender),
            }
        }
        Poll::Ready(Ok(()))
    }
    fn is_abandoned(&self) -> bool {
        self.dropped || self.receiver.as_ref().is_some_and(|r| r.is_abandoned())
    }
}

struct Nothing;

impl TableSinkProvider for Nothing {
    fn open(&self, _: proto_messages::fragment::QueryId, _: &TableSink, _: u32) -> Result<Box<dyn TableWriter>> {
        Err(Error::not_supported("no table sinks here"))
    }
}

impl FileSourceProvider for Nothing {
    fn open(&self, _: proto_messages::fragment::QueryId, _: &proto_messages::plan::FileScanNode, _: usize) -> Result<Box<dyn FileSource>> {
        Err(Error::not_supported("no files here"))
    }
}

/// A catalog with rows and a running cluster.
struct Cluster {
    kit: Kit,
    envs: HashMap<String, Arc<ExecEnv>>,
    ended: Arc<Ended>,
    next_query: AtomicU64,
}

impl Cluster {
    fn new(nodes: u64, schema: &str, data: &str) -> Self {
        let mut kit = Kit::new(nodes);
        kit.load(schema);
        let tablets = Arc::new(load(&kit, data));
        let wires = Arc::new(Wires::default());
        let envs: HashMap<String, Arc<ExecEnv>> = kit
            .cluster
            .backends
            .iter()
            .map(|b| {
                let env = ExecEnv {
                    registry: kit.registry.clone(),
                    scans: Arc::new(MemScans(tablets.clone())),
                    transport: wires.clone(),
                    exchanges: Arc::default(),
                    tables: Arc::new(Nothing),
                    files: Arc::new(Nothing),
                    spawner: Arc::new(TokioSpawner),
                    clock: SystemClock::shared(),
                    memory: MemTracker::root("test", -1),
                    default_parallelism: 2,
                    default_query_memory: 0,
                };
                (b.host.clone(), Arc::new(env))
            })
            .collect();
        let registries = envs.iter().map(|(host, env)| (host.clone(), env.exchanges.clone())).collect();
        assert!(wires.registries.set(registries).is_ok());
        Self { kit, envs, ended: wires.ended.clone(), next_query: AtomicU64::new(1) }
    }

    async fn query(&self, sql: &str) -> Result<Vec<String>> {
        let id = u128::from(self.next_query.fetch_add(1, Ordering::Relaxed));
        let plan = build_fragments(self.kit.optimize(sql)?, RootSink::Result)?;
        let options = QueryOptions { sql_mode: 34, runtime_filter_wait_ms: 20, time_zone: "UTC".to_owned(), ..QueryOptions::default() };
        let requests = if plan.is_local() {
            let request = proto_messages::fragment::ExecuteRequest {
                query_id: Some(proto_messages::fragment::QueryId { high: 0, low: id as u64 }),
                instances: vec![plan.local_instance()?],
                options: Some(options),
                runtime_filters: Vec::new(),
            };
            vec![("be1".to_owned(), request)]
        } else {
            let assigned = assign(&plan, &self.kit.cluster, QueryId(id), &options)?;
            assigned.into_iter().map(|a| (a.host, a.request)).collect()
        };
        let mut runs = Vec::new();
        for (host, request) in &requests {
            runs.push(be_exec::runtime::query::QueryRun::start(self.envs[host].clone(), request, Default::default())?);
        }
        let read = runs.iter().zip(&requests).map(|(run, (host, _))| async move {
            let mut chunks = Vec::new();
            while let Some(chunk) = run.next().await? {
                chunks.push(chunk);
            }
            self.ended.add(host, id);
            Ok::<_, Error>(chunks)
        });
        let mut rows = Vec::new();
        for chunks in futures::future::try_join_all(read).await? {
            for chunk in chunks {
                for i in 0..chunk.rows() {
                    rows.push(chunk.columns().iter().map(|c| text(&c.scalar(i))).collect::<Vec<_>>().join("|"));
                }
            }
        }
        if !is_ordered(sql) {
            rows.sort();
        }
        Ok(rows)
    }
}

/// Whether there is an ORDER BY outside of all parentheses.
fn is_ordered(sql: &str) -> bool {
    let open = |head: &str| head.matches('(').count() > head.matches(')').count();
    sql.match_indices("order by").any(|(at, _)| !open(&sql[..at]))
}

fn text(value: &Scalar) -> String {
    match value {
        Scalar::Boolean(v) => u8::from(*v).to_string(),
        // Doubles as the other database prints them.
        Scalar::Double(v) => format!("{v:?}"),
        other => other.to_string(),
    }
}

/// `table` lines followed by comma-separated rows; `\N` is NULL.
fn load(kit: &Kit, data: &str) -> Tablets {
    let mut rows: HashMap<String, Vec<Vec<String>>> = HashMap::new();
    let mut table = String::new();
    for line in data.lines().filter(|l| !l.is_empty()) {
        match line.strip_prefix("table ") {
            Some(name) => table = name.to_owned(),
            None => rows.entry(table.clone()).or_default().push(line.split(',').map(str::to_owned).collect()),
        }
    }
    let mut out = Tablets::new();
    for (name, rows) in rows {
        let table = kit.table(&name);
        let columns: Vec<Column> = table
            .columns
            .iter()
            .enumerate()
            .map(|(i, c)| {
                let cells: Vec<Column> = rows
                    .iter()
                    .map(|r| {
                        let value = if r[i] == "\\N" {
                            Scalar::Null
                        } else if c.ty.is_string() {
                            Scalar::string(&r[i])
                        } else {
                            Scalar::from_i128(&c.ty, r[i].parse().unwrap()).unwrap()
                        };
                        Column::flat(value.to_column(&c.ty, 1).to_flat(), c.ty.clone())
                    })
                    .collect();
                Column::concat(&cells)
            })
            .collect();
        let chunk = Chunk::new(columns, rows.len());
        let mut hashes = Vec::new();
        bucket_hash(&chunk.columns()[..1], rows.len(), &mut hashes);
        let olap = table.as_olap().unwrap();
        let tablets = &olap.partitions.values().next().unwrap().indexes[0].tablets;
        for (bucket, tablet) in tablets.iter().enumerate() {
            let own: Vec<u32> = (0..rows.len() as u32).filter(|r| hashes[*r as usize] as usize % tablets.len() == bucket).collect();
            out.insert(tablet.id.0, chunk.gather(&own));
        }
    }
    out
}

fn testdata(name: &str) -> String {
    std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)).unwrap()
}

#[test]
fn answers_do_not_depend_on_the_plan() {
    let text = testdata("e2e.txt");
    let (schema, cases) = text.split_once("----\n").unwrap();
    let data = testdata("e2e_data.txt");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let runtime = common_base::runtime::build_runtime("e2e", 2).unwrap();
    let ways: Vec<(&str, u64, Options)> = vec![
        ("one backend", 1, Options::default()),
        ("three backends", 3, Options::default()),
        ("written order", 3, Options { disable_join_reorder: true, ..Options::default() }),
        ("CTEs kept, one phase", 3, Options { cte_reuse_rate: -1.0, agg_stage: 1, ..Options::default() }),
        ("no broadcast, CTEs inlined", 3, Options { broadcast_row_limit: 0.0, cte_reuse_rate: 0.0, agg_stage: 2, ..Options::default() }),
    ];
    let mut failures = String::new();
    let mut out = format!("{schema}----\n");
    for (w, (way, nodes, options)) in ways.into_iter().enumerate() {
        let mut cluster = Cluster::new(nodes, schema, &data);
        cluster.kit.options = options;
        let mut lines = cases.lines().peekable();
        while let Some(line) = lines.next() {
            if w == 0 {
                out.push_str(line);
                out.push('\n');
            }
            let Some(sql) = line.strip_prefix("> ") else { continue };
            let mut expected = Vec::new();
            while let Some(l) = lines.next_if(|l| !l.is_empty()) {
                expected.push(l.to_owned());
            }
            let limit = std::time::Duration::from_secs(20);
            let answer = runtime.block_on(async { tokio::time::timeout(limit, cluster.query(sql)).await });
            let got = match answer {
                Ok(Ok(rows)) => rows,
                Ok(Err(e)) => vec![format!("error: {}", e.message())],
                Err(_) => vec!["error: the query hangs".to_owned()],
            };
            if w == 0 {
                got.iter().for_each(|r| out.push_str(&format!("{r}\n")));
            }
            if got != expected && !(update && w == 0) {
                failures.push_str(&format!("{way}: {sql}\n  expected {expected:?}\n  got      {got:?}\n{}", cluster.kit.plan_text(sql)));
            }
        }
    }
    if update {
        std::fs::write(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/e2e.txt"), out).unwrap();
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_cte_larger_than_the_buffers_feeds_both_sides_of_a_join() {
    let text = testdata("e2e.txt");
    let (schema, _) = text.split_once("----\n").unwrap();
    let runtime = common_base::runtime::build_runtime("e2e", 2).unwrap();
    let with = "with c as (select t.k * 10000 + g.n as i, max(repeat('x', 50)) as s from (select distinct k from t where k < 20) t, table(generate_series(1, 10000)) g(n) group by 1)";
    for nodes in [1, 2] {
        let cluster = Cluster::new(nodes, schema, &testdata("e2e_data.txt"));
        let sql = format!("{with} select count(*), sum(length(a.s)) from c a join c b on a.i = b.i");
        let limit = std::time::Duration::from_secs(120);
        let answer = runtime.block_on(async { tokio::time::timeout(limit, cluster.query(&sql)).await });
        assert_eq!(answer.expect("the query hangs").unwrap(), ["200000|10000000"], "{nodes} backends");
    }
}
