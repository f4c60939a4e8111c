//! One backend in this process against a frontend of a few lines: join a cluster, create tablets, stream load, publish, scan.

use std::{path::{Path, PathBuf}, sync::Arc};

use common_base::{
    ManualClock, SharedRng,
    config::ConfigSet,
    fs::MemFs,
    kv::{MemKv, SharedKv},
    net::{Net, TokioNet},
    runtime::Shutdown,
};
use common_rpc::{RpcPool, TokenSource, status};
use common_types::{Chunk, LogicalType, wire};
use parking_lot::Mutex;
use proto_messages::{
    chunk::execute_reply::Kind,
    fragment::{
        ExecuteRequest, FragmentInstance, IndexSchema, NodeAddress, PartitionScheme, PartitionTarget, QueryId, ScanRange, ScanRanges, Sink,
        TableSink, TabletTarget, sink,
    },
    plan::{FileFormat, FileScanNode, PlanNode, ScanColumn, ScanNode, plan_node::Op},
    tablet::{CreateTablet, TabletColumn, TabletSchema},
    types::{Field, Schema},
};
use proto_services::{
    be_service::{CreateTabletsRequest, HeartbeatRequest, PublishRequest, PublishTablet},
    fe_service::{
        CreatePartitionsReply, CreatePartitionsRequest, LoadAbortRequest, LoadBeginReply, LoadBeginRequest, LoadCommitRequest, LoadPlanReply, LoadPlanRequest, LoadReply,
        LoadTransactionReply, LoadTransactionRequest, ReportReply, ReportRequest, TakeNumbersReply, TakeNumbersRequest, fe_service_server::{FeService, FeServiceServer},
    },
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::{Request, Response, Status, service::Routes};

use crate::{app, config};

const TOKEN: &str = "test-token";
const TABLETS: [u64; 2] = [11, 12];

#[derive(Default)]
struct Seen {
    be: String,
    asked: &'static str,
    begun: Vec<String>,
    committed: Vec<LoadCommitRequest>,
    aborted: Vec<String>,
}

/// Begins, plans and commits loads into one table of two VARCHAR columns and two buckets.
struct Frontend {
    seen: Arc<Mutex<Seen>>,
    pool: Arc<RpcPool>,
    /// Calls that are never answered.
    mute: &'static str,
}

impl Frontend {
    async fn answers(&self, call: &str) {
        if self.mute == call {
            std::future::pending().await
        }
    }

    /// Serves; the port.
    async fn serve(self, net: &Arc<dyn Net>, shutdown: &Shutdown) -> u16 {
        let listener = net.bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (routes, stop) = (Routes::new(FeServiceServer::new(self)), shutdown.clone());
        common_base::runtime::spawn("fe", async move { common_rpc::serve(listener, routes, async move { stop.wait().await }).await });
        port
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl FeService for Frontend {
    async fn report(&self, _request: Request<ReportRequest>) -> Answer<ReportReply> {
        Ok(Response::new(ReportReply::default()))
    }

    async fn load_begin(&self, request: Request<LoadBeginRequest>) -> Answer<LoadBeginReply> {
        let request = request.into_inner();
        self.seen.lock().asked = "begin";
        self.answers("begin").await;
        let mut seen = self.seen.lock();
        if seen.begun.contains(&request.label) {
            let e = common_base::err!(LabelExists, "Label [{}] has already been used.", request.label);
            return Ok(Response::new(LoadBeginReply { status: Some(status::to_message(&e)), existing_job_status: "FINISHED".to_owned(), ..Default::default() }));
        }
        seen.begun.push(request.label);
        Ok(Response::new(LoadBeginReply { txn_id: 100 + seen.begun.len() as u64, db_id: 1, timeout_s: 600, ..Default::default() }))
    }

    async fn load_plan(&self, request: Request<LoadPlanRequest>) -> Answer<LoadPlanReply> {
        let request = request.into_inner();
        self.seen.lock().asked = "plan";
        self.answers("plan").await;
        let scan = Op::FileScan(FileScanNode {
            source: request.source,
            format: Some(FileFormat {
                kind: "csv".to_owned(),
                compression: request.headers.get("compression").cloned().unwrap_or_default(),
                columns: vec!["k".to_owned(), "v".to_owned()],
                types: vec![wire::type_to_proto(&LogicalType::varchar()); 2],
                ..Default::default()
            }),
        });
        let tablets = TABLETS.iter().map(|id| TabletTarget { tablet_id: *id, index_id: 3, node_ids: vec![1] }).collect();
        let sink = TableSink {
            txn_id: request.txn_id,
            columns: columns(),
            indexes: vec![IndexSchema { index_id: 3, schema_version: 1, column_uids: vec![1, 2], ..Default::default() }],
            partitions: Some(PartitionScheme {
                targets: vec![PartitionTarget { partition_id: 2, tablets, bucket_count: 2, ..Default::default() }],
                distribution_columns: vec![0],
                ..Default::default()
            }),
            nodes: vec![NodeAddress { node_id: 1, host: "127.0.0.1".to_owned(), port: 1 }],
            ..Default::default()
        };
        let plan = execute(request.query_id, scan, sink::Kind::Table(sink), Vec::new());
        Ok(Response::new(LoadPlanReply { status: None, plan: Some(plan) }))
    }

    async fn create_partitions(&self, _request: Request<CreatePartitionsRequest>) -> Answer<CreatePartitionsReply> {
        Err(Status::unimplemented("the table has its partitions"))
    }

    async fn load_transaction(&self, _request: Request<LoadTransactionRequest>) -> Answer<LoadTransactionReply> {
        Err(Status::unimplemented("nothing is prepared here"))
    }

    async fn take_numbers(&self, _request: Request<TakeNumbersRequest>) -> Answer<TakeNumbersReply> {
        Err(Status::unimplemented("the table has no AUTO_INCREMENT column"))
    }

    async fn load_commit(&self, request: Request<LoadCommitRequest>) -> Answer<LoadReply> {
        let request = request.into_inner();
        self.seen.lock().asked = "commit";
        self.answers("commit").await;
        let (version, be) = {
            let mut seen = self.seen.lock();
            seen.committed.push(request.clone());
            (1 + seen.committed.len() as i64, seen.be.clone())
        };
        let written = |id: u64| request.tablets.iter().any(|t| t.tablet_id == id);
        let tablets = TABLETS.iter().map(|id| PublishTablet { tablet_id: *id, partition_id: 2, version, written: written(*id) }).collect();
        let publish = PublishRequest { txn_id: request.txn_id, tablets };
        for _ in 0..2 {
            // The second time finds everything done.
            let reply = self.pool.be(&be).unwrap().publish_version(publish.clone()).await?.into_inner();
            assert_eq!(reply.failed_tablets, Vec::<u64>::new());
        }
        Ok(Response::new(LoadReply { status: None, visible: true }))
    }

    async fn load_abort(&self, request: Request<LoadAbortRequest>) -> Answer<LoadReply> {
        self.seen.lock().aborted.push(request.into_inner().reason);
        Ok(Response::new(LoadReply::default()))
    }
}

fn columns() -> Vec<ScanColumn> {
    let column = |uid, name: &str| ScanColumn { uid, name: name.to_owned(), r#type: Some(wire::type_to_proto(&LogicalType::varchar())), nullable: true, before: None, json_path: None };
    vec![column(1, "k"), column(2, "v")]
}

fn execute(query_id: Option<QueryId>, op: Op, sink: sink::Kind, scan_ranges: Vec<ScanRanges>) -> ExecuteRequest {
    let fields = columns().into_iter().map(|c| Field { name: c.name, r#type: c.r#type, nullable: true }).collect();
    let plan = PlanNode { id: 1, output: Some(Schema { fields }), op: Some(op), ..Default::default() };
    let instance = FragmentInstance {
        instance_count: 1,
        plan: Some(plan),
        sink: Some(Sink { kind: Some(sink) }),
        scan_ranges,
        ..Default::default()
    };
    ExecuteRequest { query_id, instances: vec![instance], ..Default::default() }
}

struct Cluster {
    app: app::App,
    pool: Arc<RpcPool>,
    seen: Arc<Mutex<Seen>>,
    shutdown: Shutdown,
}

impl Cluster {
    async fn start() -> Self {
        Self::with_frontend("").await
    }

    /// Its frontend never answers one kind of call.
    async fn with_frontend(mute: &'static str) -> Self {
        let net: Arc<dyn Net> = Arc::new(TokioNet);
        let pool = RpcPool::new(net.clone(), TokenSource::new(TOKEN), std::time::Duration::from_secs(5));
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let shutdown = Shutdown::new();
        let fe_port = Frontend { seen: seen.clone(), pool: pool.clone(), mute }.serve(&net, &shutdown).await;

        let set = Arc::new(ConfigSet::new(config::ALL).unwrap());
        let conf = "be_port = 0\nbe_http_port = 0\nheartbeat_service_port = 0\nbrpc_port = 0\nmem_limit = 1G\n";
        set.load(conf, "be.conf", &|_| None).unwrap();
        let kvs: Mutex<std::collections::HashMap<PathBuf, SharedKv>> = Mutex::default();
        let seams = app::Seams {
            clock: ManualClock::new(1_700_000_000_000),
            rng: SharedRng::from_seed(5),
            fs: Arc::new(MemFs::new()),
            net,
            kv: Arc::new(move |path: &Path| Ok(kvs.lock().entry(path.to_owned()).or_insert_with(|| Arc::new(MemKv::default())).clone())),
            memory: 8 << 30,
            threads: true,
            process: Default::default,
            thread_list: Vec::new,
            log_file: None,
        };
        let home = tempfile::tempdir().unwrap();
        let app = app::start(&set, home.path(), seams, shutdown.clone()).await.unwrap();
        seen.lock().be = format!("127.0.0.1:{}", app.parts.ports.be);
        let cluster = Self { app, pool, seen, shutdown };
        cluster.beat(7, fe_port, 1).await.unwrap();
        assert!(cluster.beat(8, fe_port, 1).await.unwrap_err().message().contains("belongs to cluster 7"));
        // Known by another name it is refused while the first one stands; afterwards it may have another.
        let twice = cluster.beat_as(7, 2, &[1, 2], fe_port, 1).await.unwrap_err();
        assert!(twice.message().contains("this is backend 1 of the cluster already"), "{twice}");
        cluster.beat_as(7, 2, &[2], fe_port, 1).await.unwrap();
        cluster.beat_as(7, 1, &[1], fe_port, 1).await.unwrap();
        cluster
    }

    async fn beat(&self, cluster_id: u64, fe_port: u16, epoch: u64) -> common_base::Result<()> {
        self.beat_as(cluster_id, 1, &[1], fe_port, epoch).await
    }

    /// A heartbeat to the backend `node_id` of these.
    async fn beat_as(&self, cluster_id: u64, node_id: u64, backends: &[u64], fe_port: u16, epoch: u64) -> common_base::Result<()> {
        let beat = HeartbeatRequest {
            cluster_id,
            token: TOKEN.to_owned(),
            node_id,
            backends: backends.to_vec(),
            fe_host: "127.0.0.1".to_owned(),
            fe_rpc_port: u32::from(fe_port),
            epoch,
            be_host: "127.0.0.1".to_owned(),
            ..Default::default()
        };
        let address = format!("127.0.0.1:{}", self.app.parts.ports.heartbeat);
        let reply = self.pool.heartbeat(&address).unwrap().beat(beat).await.unwrap().into_inner();
        status::from_message(reply.status)
    }

    async fn create_tablets(&self) {
        let column = |c: ScanColumn| TabletColumn { uid: c.uid, name: c.name, r#type: c.r#type, nullable: true, key: c.uid == 1, ..Default::default() };
        let schema = TabletSchema { version: 1, columns: columns().into_iter().map(column).collect(), short_key_columns: 1, ..Default::default() };
        let tablet = |id: &u64| CreateTablet { tablet_id: *id, table_id: 1, partition_id: 2, index_id: 3, schema: Some(schema.clone()), initial_version: 1, ..Default::default() };
        let request = CreateTabletsRequest { tablets: TABLETS.iter().map(tablet).collect() };
        let reply = self.pool.be(&self.seen.lock().be.clone()).unwrap().create_tablets(request).await.unwrap().into_inner();
        status::from_message(reply.status).unwrap();
    }

    /// One HTTP request; the body of the answer.
    async fn http(&self, head: &str, body: &[u8]) -> String {
        let mut stream = TokioNet.connect(&format!("127.0.0.1:{}", self.app.parts.ports.http)).await.unwrap();
        let head = format!("{head}\r\nHost: be\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let text = String::from_utf8(answer).unwrap();
        text.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    async fn load(&self, label: &str, headers: &str, body: &[u8]) -> serde_json::Value {
        let head = format!("PUT /api/d/t/_stream_load HTTP/1.1\r\nAuthorization: Basic cm9vdDo=\r\nlabel: {label}{headers}");
        serde_json::from_str(&self.http(&head, body).await).unwrap()
    }

    async fn rows(&self, version: i64) -> Vec<String> {
        let scan = Op::Scan(ScanNode { table_id: 1, index_id: 3, columns: columns(), output_all: true, limit: -1, ..Default::default() });
        let ranges = TABLETS.iter().map(|id| ScanRange { tablet_id: *id, version, ..Default::default() }).collect();
        let ranges = vec![ScanRanges { plan_node_id: 1, ranges }];
        let id = Some(QueryId { high: 9, low: version as u64 });
        let request = execute(id, scan, sink::Kind::Result(Default::default()), ranges);
        let mut replies = self.pool.be(&self.seen.lock().be.clone()).unwrap().execute(request).await.unwrap().into_inner();
        let mut rows = Vec::new();
        let mut finished = false;
        while let Some(reply) = replies.message().await.unwrap() {
            match reply.kind.unwrap() {
                Kind::Chunk(data) => {
                    let chunk = Chunk::from_ipc(data.body).unwrap();
                    rows.extend((0..chunk.rows()).map(|row| format!("{}={}", chunk.column(0).scalar(row), chunk.column(1).scalar(row))));
                }
                Kind::Finished(end) => {
                    status::from_message(end.status).unwrap();
                    finished = true;
                }
            }
        }
        assert!(finished);
        rows.sort();
        rows
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_becomes_rows() {
    let cluster = Cluster::start().await;
    cluster.create_tablets().await;
    let answer = cluster.load("one", "\r\nmax_filter_ratio: 0.5", b"a\t1\nb\t2\nbad\nc\t\\N\n").await;
    assert_eq!((&answer["Status"], &answer["Message"]), (&"Success".into(), &"OK".into()), "{answer}");
    assert_eq!((&answer["NumberTotalRows"], &answer["NumberLoadedRows"], &answer["NumberFilteredRows"]), (&4.into(), &3.into(), &1.into()));
    assert_eq!(answer["LoadBytes"], 17);
    let url = answer["ErrorURL"].as_str().unwrap().to_owned();
    let path = &url[url.find("/api").unwrap()..];
    let log = cluster.http(&format!("GET {path} HTTP/1.1"), b"").await;
    assert_eq!(log, "Error: Value count does not match column count. Expect 2, but got 1. Row: bad\n");
    assert_eq!(cluster.rows(2).await, ["a=1", "b=2", "c=NULL"]);

    // The label is taken; bad rows fail a load that allows none, and leave nothing behind.
    let again = cluster.load("one", "", b"z\t1\n").await;
    assert_eq!((&again["Status"], &again["ExistingJobStatus"], &again["TxnId"]), (&"Label Already Exists".into(), &"FINISHED".into(), &(-1).into()));
    let refused = cluster.load("two", "", b"d\t4\nbad\n").await;
    assert_eq!((&refused["Status"], &refused["Message"]), (&"Fail".into(), &"too many filtered rows".into()));
    assert_eq!(cluster.seen.lock().aborted, ["too many filtered rows"]);

    // A load into one bucket moves both tablets on.
    let more = cluster.load("three", "", b"e\t5").await;
    assert_eq!(more["Status"], "Success", "{more}");
    assert_eq!(cluster.rows(3).await, ["a=1", "b=2", "c=NULL", "e=5"]);
    assert_eq!(cluster.rows(2).await.len(), 3);
    assert_eq!(cluster.http("GET /api/health HTTP/1.1", b"").await, r#"{"status": "OK","msg": "To Be Added"}"#);
    let metrics = cluster.http("GET /metrics HTTP/1.1", b"").await;
    for line in ["starrocks_be_load_rows 4", "starrocks_be_txn_request{type=\"rollback\"} 1", "starrocks_be_streaming_load_current_processing 0"] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    let two_phase = cluster.http("POST /api/transaction/begin HTTP/1.1", b"").await;
    assert!(two_phase.contains("no valid Basic authorization"), "{two_phase}");
    cluster.shutdown.trigger();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_body_and_a_client_that_hangs_up() {
    let cluster = Cluster::start().await;
    cluster.create_tablets().await;
    let body: String = (0..200_000).map(|i| format!("key{i}\tvalue of row {i}\n")).collect();
    let answer = cluster.load("big", "", body.as_bytes()).await;
    assert_eq!((&answer["Status"], &answer["NumberLoadedRows"]), (&"Success".into(), &200_000.into()), "{answer}");
    assert_eq!(cluster.rows(2).await.len(), 200_000);
    let packed = gzipped(body.as_bytes());
    let answer = cluster.load("packed", "\r\ncompression: gzip", &packed).await;
    assert_eq!((&answer["Status"], &answer["NumberLoadedRows"]), (&"Success".into(), &200_000.into()), "{answer}");

    let mut stream = TokioNet.connect(&format!("127.0.0.1:{}", cluster.app.parts.ports.http)).await.unwrap();
    let head = "PUT /api/d/t/_stream_load HTTP/1.1\r\nHost: be\r\nAuthorization: Basic cm9vdDo=\r\nlabel: gone\r\nContent-Length: 1000\r\n\r\na\t1\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    while !cluster.seen.lock().begun.iter().any(|l| l == "gone") {
        tokio::task::yield_now().await;
    }
    drop(stream);
    while cluster.seen.lock().aborted.is_empty() {
        tokio::task::yield_now().await;
    }
    cluster.shutdown.trigger();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_does_not_answer_is_left_for_the_next_one() {
    for call in ["begin", "plan", "commit"] {
        let cluster = Cluster::with_frontend(call).await;
        cluster.create_tablets().await;
        let begun = std::time::Instant::now();
        let load = cluster.load("one", "", b"a\t1\n");
        let election = async {
            while cluster.seen.lock().asked != call {
                tokio::task::yield_now().await;
            }
            let net: Arc<dyn Net> = Arc::new(TokioNet);
            let port = Frontend { seen: cluster.seen.clone(), pool: cluster.pool.clone(), mute: "" }.serve(&net, &cluster.shutdown).await;
            cluster.beat(7, port, 2).await.unwrap();
        };
        let (answer, ()) = tokio::join!(load, election);
        assert_eq!(answer["Status"], "Success", "{call}: {answer}");
        assert_eq!(cluster.rows(2).await, ["a=1"]);
        // Sooner than any time-out of a connection or a call.
        assert!(begun.elapsed() < crate::leader::ATTEMPT, "{call}: {:?}", begun.elapsed());
        cluster.shutdown.trigger();
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}
