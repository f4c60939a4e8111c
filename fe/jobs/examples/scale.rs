//! A large cluster without its machines: the real catalog and schedulers over modelled backends, on a simulated clock.
//! `scale [backends] [tablets] [seed]` prints what an FE needs for it, and how long it takes until everything is whole again when
//! three backends are lost at once.

use std::{
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
    time::Instant,
};

use common_base::{Rng, ids::{DbId, IndexId, NodeId, PartitionId, ReplicaId, TableId, TabletId}};
use fe_catalog::{
    CatalogState, Op, image,
    model::{Backend, Database, Distribution, KeysModel, OlapTable, Partition, Replica, Table, TableKind, Tablet, TabletIndex},
};
use fe_jobs::tablet::{
    BackendView, Cluster, DiskView, Effect, Facts, Policy, Scheduler, Task, Work,
    report::{Holdings, Reported, judge},
};

const PARTITIONS: u64 = 100;
const BUCKETS: u64 = 100;
const REPLICAS: u64 = 3;
const TABLET_BYTES: u64 = 1 << 30;
const DISKS: u64 = 4;
const DISK_BYTES: u64 = 20 << 40;
/// A copy moves so many bytes a second; those of one disk share it.
const COPY_BYTES_PER_S: u64 = 200 << 20;
/// Between two looks at all tablets, as the runner has it for a catalog of this size.
const LOOK_MS: i64 = 20_000;

fn main() {
    let mut args = std::env::args().skip(1).map(|a| a.parse::<u64>().expect("a number"));
    let (backends, tablets, seed) = (args.next().unwrap_or(300), args.next().unwrap_or(1_000_000), args.next().unwrap_or(1));
    let mut world = World::new(backends, seed);
    let (before, started) = (resident_mb(), Instant::now());
    for table in 0..tablets.div_ceil(PARTITIONS * BUCKETS) {
        world.add_table(table + 1);
    }
    println!("{} backends, {} tablets, {} replicas; seed {seed}", world.catalog.backends.len(), world.catalog.tablets.len(), world.catalog.tablets.len() as u64 * REPLICAS);
    println!("catalog made in {:.1} s; it takes {} MB", started.elapsed().as_secs_f64(), resident_mb() - before);

    let started = Instant::now();
    let bytes = image::encode(&world.catalog).expect("an image");
    println!("image: {} MB, taken in {:.1} s", bytes.len() >> 20, started.elapsed().as_secs_f64());
    let started = Instant::now();
    let loaded = image::decode(&bytes).expect("the image is whole");
    println!("image loaded in {:.1} s", started.elapsed().as_secs_f64());
    assert_eq!(loaded.tablets.len(), world.catalog.tablets.len());
    drop((loaded, bytes));

    let started = Instant::now();
    world.look();
    println!("a look at every tablet: {:.2} s", started.elapsed().as_secs_f64());
    assert!(world.copies.is_empty(), "nothing is wrong yet");

    world.report_round();

    let lost: Vec<NodeId> = (0..3).map(|_| NodeId(1 + world.rng.range(0..backends))).collect();
    for node in &lost {
        world.away.insert(*node, world.now_ms);
    }
    let (started, lost_at) = (Instant::now(), world.now_ms);
    let (mut first, mut most, mut looks) = (0, 0, 0);
    loop {
        if (world.now_ms - lost_at) % LOOK_MS == 0 {
            world.look();
            looks += 1;
        }
        world.step();
        if first == 0 && !world.copies.is_empty() {
            first = world.now_ms;
        }
        most = most.max(world.copies.len());
        world.now_ms += 1000;
        let waiting = world.scheduler.waiting() + world.scheduler.running().count();
        if first != 0 && waiting == 0 && (world.now_ms - lost_at) % LOOK_MS == 0 {
            world.look();
            if world.scheduler.waiting() == 0 {
                break;
            }
        }
        assert!(world.now_ms - lost_at < 86_400_000, "not whole after a day");
    }
    let seconds = |from: i64| (world.now_ms - from) / 1000;
    println!(
        "3 backends lost: copies begin {} s later (grace {} s), all {} are made {} s after that, up to {most} at a time",
        (first - lost_at) / 1000,
        world.policy.grace_ms / 1000,
        world.copied,
        seconds(first)
    );
    println!("{:.1} s of work for {looks} looks and {} simulated seconds", started.elapsed().as_secs_f64(), seconds(lost_at));
    let (moved, quiet) = (world.copied, world.now_ms);
    while world.now_ms < quiet + 1_800_000 {
        world.look();
        for _ in 0..LOOK_MS / 1000 {
            world.step();
            world.now_ms += 1000;
        }
    }
    println!("half an hour later: {} more copies (balancing)", world.copied - moved);
}

struct World {
    catalog: CatalogState,
    scheduler: Scheduler,
    policy: Policy,
    rng: Rng,
    now_ms: i64,
    away: BTreeMap<NodeId, i64>,
    /// What ends next, first.
    copies: BinaryHeap<(std::cmp::Reverse<i64>, u64)>,
    tasks: BTreeMap<u64, Task>,
    on_disk: BTreeMap<NodeId, u64>,
    copied: u64,
}

struct Sizes;

impl Facts for Sizes {
    fn bytes(&self, _: TabletId) -> u64 {
        TABLET_BYTES
    }
    fn disk(&self, tablet: TabletId, node: NodeId) -> String {
        format!("/disk{}", (tablet.0 ^ node.0) % DISKS)
    }
}

impl World {
    fn new(backends: u64, seed: u64) -> Self {
        let mut world = Self {
            catalog: CatalogState::default(),
            scheduler: Scheduler::default(),
            policy: Policy::default(),
            rng: Rng::from_seed(seed),
            now_ms: 1_700_000_000_000,
            away: BTreeMap::new(),
            copies: BinaryHeap::new(),
            tasks: BTreeMap::new(),
            on_disk: BTreeMap::new(),
            copied: 0,
        };
        world.apply(Op::CreateDatabase(Database { id: DbId(1), name: "d".to_owned(), properties: Vec::new(), created_ms: 0 }));
        for id in 1..=backends {
            let backend = Backend {
                id: NodeId(id),
                host: format!("be{id}"),
                heartbeat_port: 9050,
                be_port: 9060,
                http_port: 8040,
                brpc_port: 8060,
                decommissioned: false,
                added_ms: 0,
                location: String::new(),
            };
            world.apply(Op::AddBackend(backend));
        }
        world
    }

    fn apply(&mut self, op: Op) {
        self.catalog.apply(op).expect("the op fits");
    }

    fn add_table(&mut self, id: u64) {
        let nodes = self.catalog.backends.len() as u64;
        let mut partitions = imbl::OrdMap::new();
        for p in 0..PARTITIONS {
            // Other neighbours in every partition, each backend as often as the others.
            let places: Vec<Vec<u64>> = (0..REPLICAS)
                .map(|_| {
                    let mut all: Vec<u64> = (0..BUCKETS).collect();
                    self.rng.shuffle(&mut all);
                    all
                })
                .collect();
            let first = self.rng.range(0..nodes);
            let tablet = |b: u64| {
                let tablet = id * 1_000_000 + p * 1000 + b;
                let replica = |r: u64| Replica::new(ReplicaId(tablet * 10 + r), NodeId(1 + (first + places[r as usize][b as usize] + r * (nodes / REPLICAS)) % nodes), 1);
                Tablet { id: TabletId(tablet), replicas: (0..REPLICAS).map(replica).collect() }
            };
            let tablets = TabletIndex { index_id: IndexId(id), tablets: (0..BUCKETS).map(tablet).collect() };
            let made = Partition::new(PartitionId(id * 1000 + p), format!("p{p}"), vec![Arc::new(tablets)]);
            let partition = Partition { buckets: BUCKETS as u32, replication_num: REPLICAS as u16, ..made };
            for tablet in &partition.indexes[0].tablets {
                tablet.replicas.iter().for_each(|r| *self.on_disk.entry(r.node).or_default() += 1);
            }
            partitions.insert(partition.id, Arc::new(partition));
        }
        let olap = OlapTable {
            distribution: Distribution::Random { buckets: BUCKETS as u32 },
            partitions,
            ..OlapTable::new(KeysModel::Duplicate, IndexId(id))
        };
        let table = Table::new(TableId(id), DbId(1), format!("t{id}"), Vec::new(), TableKind::Olap(Arc::new(olap)));
        self.apply(Op::CreateTable(Arc::new(table)));
    }

    fn view(&self) -> Cluster {
        let of = |b: &Arc<Backend>| {
            let tablets = self.on_disk.get(&b.id).copied().unwrap_or(0);
            let used = tablets * TABLET_BYTES / DISKS;
            let disk = |i: u64| DiskView {
                path: format!("/disk{i}"),
                medium: "HDD".to_owned(),
                total_bytes: DISK_BYTES,
                available_bytes: DISK_BYTES.saturating_sub(used),
                used_bytes: used,
                usable: true,
            };
            let view = BackendView {
                host: b.host.clone(),
                location: b.location.clone(),
                alive: !self.away.contains_key(&b.id),
                away_since_ms: self.away.get(&b.id).copied().unwrap_or(0),
                decommissioned: false,
                tablets,
                disks: (0..DISKS).map(disk).collect(),
            };
            (b.id, view)
        };
        Cluster::new(self.catalog.backends.values().map(of).collect())
    }

    fn look(&mut self) {
        let effects = self.scheduler.check(&self.catalog, &self.view(), &Sizes, &self.policy, self.now_ms);
        self.take(effects);
    }

    /// Every backend reports everything it has, and one of them has lost a tablet.
    fn report_round(&self) {
        let started = Instant::now();
        let holdings = Holdings::of(&self.catalog);
        let made = started.elapsed();
        let reported = |id: TabletId| Reported { tablet: id, version: 1, bad: false, converting: false };
        let reports: Vec<(NodeId, Vec<Reported>)> = self.catalog.backends.keys().map(|node| (*node, holdings.on(*node).map(reported).collect())).collect();
        let started = Instant::now();
        for (node, report) in &reports {
            let found = judge(&self.catalog, &holdings, *node, report[1..].iter().copied(), &BTreeMap::new());
            assert!(found.changes.is_empty() && found.strays.is_empty() && found.suspects.len() == 1, "one replica is missing, for the first time");
        }
        let (each, round) = (reports.iter().map(|(_, r)| r.len()).sum::<usize>() / reports.len(), started.elapsed());
        println!(
            "full reports of all backends, {each} tablets each: {:.2} s, {:.1} ms a report; what they are compared with: {:.2} s, made twice a minute at most",
            round.as_secs_f64(),
            round.as_secs_f64() * 1000.0 / reports.len() as f64,
            made.as_secs_f64()
        );
    }

    /// A second: what ended is recorded, what can begin begins.
    fn step(&mut self) {
        let mut added = Vec::new();
        let mut ended = Vec::new();
        while let Some((std::cmp::Reverse(at), id)) = self.copies.peek().copied()
            && at <= self.now_ms
        {
            self.copies.pop();
            let Some(task) = self.tasks.remove(&id) else { continue };
            if let Work::Add { node, .. } = task.work {
                added.push((task.tablet, Replica::new(ReplicaId(u64::MAX / 2 + id), node, task.version)));
                *self.on_disk.entry(node).or_default() += 1;
            }
            self.copied += 1;
            ended.push(id);
        }
        if !added.is_empty() {
            self.apply(Op::AddReplicas { replicas: added });
        }
        for id in ended {
            self.scheduler.end(id, Ok(()), false, self.now_ms);
        }
        let effects = self.scheduler.step(&self.catalog, &self.view(), &Sizes, &self.policy, self.now_ms);
        self.take(effects);
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Copy(task) => {
                    let seconds = task.bytes * self.policy.slots_per_disk as u64 / COPY_BYTES_PER_S;
                    let jitter = self.rng.range(0..5);
                    self.copies.push((std::cmp::Reverse(self.now_ms + 1000 * (seconds + jitter) as i64), task.id));
                    self.tasks.insert(task.id, task);
                }
                Effect::Cancel(id) => {
                    self.tasks.remove(&id);
                    self.scheduler.end(id, Err("cancelled".to_owned()), true, self.now_ms);
                }
                Effect::Propose(op) => {
                    if let Op::DropReplicas { replicas } = &op {
                        for (_, node) in replicas {
                            *self.on_disk.entry(*node).or_default() -= 1;
                        }
                    }
                    self.apply(op);
                }
            }
        }
    }
}

/// Memory of this process.
fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().split(' ').next().and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) >> 10
}
