//! How many changes of the catalog a second one frontend, and a group of three on this machine, bring to disk, beside how often the
//! disk syncs. `meta_speed [directory] [seconds]`: a table with rows for 1, 8 and 64 clients that wait for each answer.
//!
//! A partition is one change: ten tablets of three replicas. A load is three: begin, commit, visible. The members are whole members
//! of a group (log on RocksDB, messages over TCP) in one process, on one disk: three members share its syncs.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, atomic::{AtomicU64, Ordering}},
    time::{Duration, Instant},
};

use common_base::{
    Result, SystemClock,
    fs::LocalFs,
    ids::{DbId, IndexId, NodeId, PartitionId, ReplicaId, TableId, TabletId, TxnId},
    net::{Net, TokioNet},
};
use common_kv_rocks::RocksStore;
use common_rpc::{RpcPool, TokenSource};
use fe_catalog::{
    Op,
    model::{
        Database, Distribution, Frontend, FrontendRole, KeysModel, LoadSource, OlapTable, Partition, Replica, Table, TableKind, Tablet,
        TabletIndex, Transaction,
    },
};
use fe_meta::{MetaHandle, MetaOptions, Until, bootstrap::{self, FirstStart}};
use fe_server::rpc::{Late, peer_routes};

const TABLE: TableId = TableId(1);
const BUCKETS: u64 = 10;
const REPLICAS: u64 = 3;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().map_or_else(std::env::temp_dir, PathBuf::from).join(format!("meta_speed-{}", std::process::id()));
    let seconds = args.next().and_then(|s| s.parse().ok()).unwrap_or(5);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let outcome = runtime.block_on(measure(&dir, Duration::from_secs(seconds)));
    runtime.shutdown_timeout(Duration::from_secs(1));
    let _ = std::fs::remove_dir_all(&dir);
    outcome
}

async fn measure(dir: &Path, time: Duration) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    println!("| members | changes in an entry | clients | partitions/s | loads/s | changes/s | fdatasync/s |");
    println!("|---|---|---|---|---|---|---|");
    for members in [1, 3] {
        for batches in [false, true] {
            let group = Group::start(&dir.join(format!("{members}-{batches}")), members, batches).await?;
            for clients in [1, 8, 64] {
                let syncs = raw_syncs(dir, time.min(Duration::from_secs(2)))?;
                let partitions = group.run(clients, time, Work::Partition).await;
                let loads = group.run(clients, time, Work::Load).await;
                println!("| {members} | {} | {clients} | {partitions:.0} | {loads:.0} | {:.0} | {syncs:.0} |", if batches { "several" } else { "one" }, 3.0 * loads);
            }
            group.stop().await;
        }
    }
    Ok(())
}

/// Appends of a small change, each synced.
fn raw_syncs(dir: &Path, time: Duration) -> Result<f64> {
    let mut file = std::fs::File::create(dir.join("raw"))?;
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < time {
        file.write_all(&[7; 600])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

#[derive(Clone, Copy)]
enum Work {
    Partition,
    Load,
}

struct Group {
    members: Vec<MetaHandle>,
    next: Arc<AtomicU64>,
}

impl Group {
    async fn start(dir: &Path, count: u64, batches: bool) -> Result<Self> {
        let net: Arc<dyn Net> = Arc::new(TokioNet);
        let token = TokenSource::new("meta-speed");
        let mut members: Vec<MetaHandle> = Vec::new();
        for id in 1..=count {
            let listener = net.bind("127.0.0.1:0").await?;
            let port = listener.local_addr()?.port();
            let late = Arc::new(Late::default());
            let routes = peer_routes(&late, &token);
            tokio::spawn(async move { common_rpc::serve(listener, routes, std::future::pending()).await });
            let home = dir.join(id.to_string());
            let options = MetaOptions {
                node_id: id,
                address: format!("127.0.0.1:{port}"),
                clock: SystemClock::shared(),
                fs: LocalFs::shared(),
                image_dir: home.join("image"),
                log: RocksStore::open_shared(&home.join("log"))?,
                pool: RpcPool::new(net.clone(), token.clone(), Duration::from_secs(5)),
                entries_per_image: 50_000,
                images_kept: 2,
                heartbeat: Duration::from_millis(200),
            };
            let meta = bootstrap::start(options).await?;
            let _ = late.meta.set(meta.clone());
            match members.first() {
                None => {
                    let frontend = Frontend {
                        id: NodeId(1),
                        name: "fe".to_owned(),
                        host: "127.0.0.1".to_owned(),
                        edit_log_port: port,
                        query_port: 1,
                        http_port: 1,
                        rpc_port: 1,
                        role: FrontendRole::Follower,
                        added_ms: 0,
                    };
                    meta.ready(Until::Founded(Box::new(FirstStart { cluster_id: 1, token: "meta-speed".to_owned(), frontend, now_ms: 1 }))).await?;
                }
                Some(leader) => {
                    leader.add_learner(id, &format!("127.0.0.1:{port}")).await?;
                    leader.promote(id).await?;
                }
            }
            members.push(meta);
        }
        let group = Self { members, next: Arc::new(AtomicU64::new(1000)) };
        let leader = group.leader();
        leader.allow_batches(batches);
        leader.submit(Op::CreateDatabase(Database { id: DbId(1), name: "d".to_owned(), properties: Vec::new(), created_ms: 0 })).await?;
        leader.submit(Op::CreateTable(Arc::new(group.table()))).await?;
        Ok(group)
    }

    fn leader(&self) -> &MetaHandle {
        &self.members[0]
    }

    /// Changes a second that so many clients have confirmed.
    async fn run(&self, clients: u64, time: Duration, work: Work) -> f64 {
        let begun = Instant::now();
        let clients: Vec<_> = (0..clients)
            .map(|_| {
                let (meta, next) = (self.leader().clone(), self.next.clone());
                tokio::spawn(async move {
                    let own = partition(&next);
                    let written: Vec<(TabletId, NodeId)> = own.indexes[0].tablets.iter().flat_map(|t| t.replicas.iter().map(|r| (t.id, r.node))).collect();
                    if matches!(work, Work::Load) {
                        meta.submit(Op::AddPartitions { table: TABLE, partitions: vec![own] }).await.expect("a partition of its own");
                    }
                    let mut done = 0u64;
                    while begun.elapsed() < time {
                        match work {
                            Work::Partition => drop(meta.submit(Op::AddPartitions { table: TABLE, partitions: vec![partition(&next)] }).await.expect("a new partition")),
                            Work::Load => load(&meta, &next, &written).await,
                        }
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        let mut done = 0;
        for client in clients {
            done += client.await.expect("a client does not panic");
        }
        done as f64 / begun.elapsed().as_secs_f64()
    }

    async fn stop(self) {
        for member in &self.members {
            member.shutdown().await;
        }
    }

    fn table(&self) -> Table {
        let olap = OlapTable { distribution: Distribution::Random { buckets: BUCKETS as u32 }, ..OlapTable::new(KeysModel::Duplicate, IndexId(1)) };
        Table::new(TABLE, DbId(1), "t", Vec::new(), TableKind::Olap(Arc::new(olap)))
    }
}

fn partition(next: &AtomicU64) -> Partition {
    let first = next.fetch_add(1 + BUCKETS * (1 + REPLICAS), Ordering::Relaxed);
    let tablet = |b: u64| {
        let id = first + 1 + b * (1 + REPLICAS);
        Tablet { id: TabletId(id), replicas: (0..REPLICAS).map(|r| Replica::new(ReplicaId(id + 1 + r), NodeId(1 + r), 1)).collect() }
    };
    Partition {
        buckets: BUCKETS as u32,
        replication_num: REPLICAS as u16,
        ..Partition::new(PartitionId(first), format!("p{first}"), vec![Arc::new(TabletIndex { index_id: IndexId(1), tablets: (0..BUCKETS).map(tablet).collect() })])
    }
}

async fn load(meta: &MetaHandle, next: &AtomicU64, written: &[(TabletId, NodeId)]) {
    let number = next.fetch_add(1, Ordering::Relaxed);
    let id = TxnId(number);
    let txn = Transaction {
        tables: vec![TABLE],
        request_id: u128::from(number),
        coordinator: "BE: 127.0.0.1".to_owned(),
        begin_ms: 1,
        timeout_ms: 600_000,
        ..Transaction::new(id, DbId(1), format!("load_{number}"), LoadSource::StreamLoad)
    };
    let ops = [
        Op::BeginTxn(txn),
        Op::CommitTxn { txn: id, written: written.to_vec(), counters: Default::default(), now_ms: 2 },
        Op::MakeVisible { txn: id, published: written.to_vec(), now_ms: 3 },
    ];
    for op in ops {
        meta.submit(op).await.expect("a load goes through");
    }
}
