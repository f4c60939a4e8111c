//! The schedulers against a small world: backends die, come back, lose their disks, are added and emptied, while loads go on. The
//! seed picks everything. After every step no tablet has lost its last whole replica; when the faults end everything becomes whole,
//! spread, and then still.

use std::{collections::{BTreeMap, BTreeSet}, sync::Arc};

use common_base::ids::{DbId, IndexId, NodeId, PartitionId, ReplicaId, TableId, TabletId};
use fe_catalog::{
    CatalogState, Op,
    model::{Backend, Database, Distribution, KeysModel, OlapTable, Partition, Replica, Table, TableKind, Tablet, TabletIndex},
};

use super::{
    BackendView, Cluster, DiskView, Effect, Facts, Health, Policy, Scheduler, Task, Work,
    cluster::partitions,
    health::{Context, judge},
};

const GB: u64 = 1 << 30;

/// A generator of numbers that depend on the seed alone.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides.max(1)
    }
}

/// A backend as it really is.
#[derive(Default)]
struct Machine {
    up: bool,
    down_since_ms: i64,
    /// Versions on its disk.
    data: BTreeMap<TabletId, i64>,
}

struct World {
    dice: Dice,
    catalog: CatalogState,
    machines: BTreeMap<NodeId, Machine>,
    scheduler: Scheduler,
    policy: Policy,
    now_ms: i64,
    copies: Vec<(i64, Task)>,
    added: usize,
}

struct Sizes;

impl Facts for Sizes {
    fn bytes(&self, tablet: TabletId) -> u64 {
        (tablet.0 % 5 + 1) << 20
    }
    fn disk(&self, _: TabletId, _: NodeId) -> String {
        "/d".to_owned()
    }
}

impl World {
    fn new(seed: u64, backends: u64) -> Self {
        let mut world = Self {
            dice: Dice(seed * 2_654_435_761 + 88_172_645_463_325_252),
            catalog: CatalogState::default(),
            machines: BTreeMap::new(),
            scheduler: Scheduler::default(),
            policy: Policy { grace_ms: 30_000, ..Policy::default() },
            now_ms: 1_000_000,
            copies: Vec::new(),
            added: 0,
        };
        world.apply(Op::CreateDatabase(Database { id: DbId(1), name: "d".to_owned(), properties: Vec::new(), created_ms: 0 }));
        for id in 1..=backends {
            world.add_backend(id);
        }
        world
    }

    fn apply(&mut self, op: Op) {
        self.catalog.apply(op).unwrap();
    }

    fn add_backend(&mut self, id: u64) {
        let backend = Backend {
            id: NodeId(id),
            host: format!("h{id}"),
            heartbeat_port: 9050,
            be_port: 9060,
            http_port: 8040,
            brpc_port: 8060,
            decommissioned: false,
            added_ms: 0,
            location: String::new(),
        };
        self.apply(Op::AddBackend(backend));
        self.machines.insert(NodeId(id), Machine { up: true, ..Machine::default() });
    }

    /// A table of some partitions, each with a tablet per bucket.
    fn add_table(&mut self, id: u64, partitions: u64, buckets: u32, replication_num: u16, group: Option<&str>) {
        let nodes: Vec<NodeId> = self.machines.keys().copied().collect();
        let mut all = imbl::OrdMap::new();
        for p in 0..partitions {
            let tablet = |b: u32| {
                let tablet = TabletId(id * 10_000 + p * 100 + u64::from(b));
                let replica = |r: u16| Replica::new(ReplicaId(tablet.0 * 10 + u64::from(r)), nodes[(b as usize + usize::from(r)) % nodes.len()], 1);
                Tablet { id: tablet, replicas: (0..replication_num).map(replica).collect() }
            };
            let tablets = TabletIndex { index_id: IndexId(id), tablets: (0..buckets).map(tablet).collect() };
            let made = Partition::new(PartitionId(id * 1000 + p), format!("p{p}"), vec![Arc::new(tablets)]);
            let partition = Partition { buckets, replication_num, ..made };
            for tablet in &partition.indexes[0].tablets {
                for replica in &tablet.replicas {
                    self.machines.get_mut(&replica.node).unwrap().data.insert(tablet.id, 1);
                }
            }
            all.insert(partition.id, Arc::new(partition));
        }
        let olap = OlapTable {
            distribution: Distribution::Random { buckets },
            partitions: all,
            colocate_group: group.map(str::to_owned),
            ..OlapTable::new(KeysModel::Duplicate, IndexId(id))
        };
        let table = Table::new(TableId(id), DbId(1), format!("t{id}"), Vec::new(), TableKind::Olap(Arc::new(olap)));
        self.apply(Op::CreateTable(Arc::new(table)));
    }

    fn view(&self) -> Cluster {
        let of = |b: &Arc<Backend>| {
            let machine = &self.machines[&b.id];
            let disk = DiskView { path: "/d".to_owned(), medium: "HDD".to_owned(), total_bytes: 100 * GB, available_bytes: 90 * GB, used_bytes: GB, usable: true };
            let view = BackendView {
                host: b.host.clone(),
                location: b.location.clone(),
                alive: machine.up,
                away_since_ms: machine.down_since_ms,
                decommissioned: b.decommissioned,
                tablets: machine.data.len() as u64,
                disks: vec![disk],
            };
            (b.id, view)
        };
        Cluster::new(self.catalog.backends.values().map(of).collect())
    }

    /// A load into every partition of a table: the replicas that can take it do.
    fn load(&mut self, table: u64) {
        let olap = self.catalog.tables[&TableId(table)].as_olap().unwrap().clone();
        let mut partitions = olap.partitions.clone();
        let mut written = Vec::new();
        for (id, partition) in &olap.partitions {
            let version = partition.visible_version + 1;
            let mut new = Partition::clone(partition);
            let mut enough = true;
            for tablet in Arc::make_mut(&mut new.indexes[0]).tablets.iter_mut() {
                let quorum = tablet.quorum(partition.replication_num);
                let mut good = 0;
                for replica in &mut tablet.replicas {
                    let machine = &self.machines[&replica.node];
                    if machine.up && !replica.bad && machine.data.get(&tablet.id) == Some(&(version - 1)) {
                        replica.version = version;
                        written.push((replica.node, tablet.id, version));
                        good += 1;
                    }
                }
                enough &= good >= quorum;
            }
            if !enough {
                return;
            }
            new.visible_version = version;
            new.next_version = version + 1;
            partitions.insert(*id, Arc::new(new));
        }
        for (node, tablet, version) in written {
            self.machines.get_mut(&node).unwrap().data.insert(tablet, version);
        }
        let mut entry = Table::clone(&self.catalog.tables[&TableId(table)]);
        entry.kind = TableKind::Olap(Arc::new(OlapTable { partitions, ..OlapTable::clone(&olap) }));
        self.catalog.tables.insert(TableId(table), Arc::new(entry));
    }

    fn replicas(&self) -> Vec<(TabletId, i64, Replica)> {
        let all = partitions(&self.catalog).flat_map(|(_, _, p)| p.indexes.iter().flat_map(|i| &i.tablets).map(|t| (p.visible_version, t)));
        all.flat_map(|(v, t)| t.replicas.iter().map(move |r| (t.id, v, r.clone()))).collect()
    }

    /// What a full report of a backend leads to.
    fn report(&mut self) {
        let mut marks = Vec::new();
        let mut held: BTreeSet<(NodeId, TabletId)> = BTreeSet::new();
        for (tablet, _, replica) in self.replicas() {
            held.insert((replica.node, tablet));
            let Some(machine) = self.machines.get(&replica.node).filter(|m| m.up) else { continue };
            let has = machine.data.get(&tablet).copied().unwrap_or(0);
            let bad = has < replica.version;
            if bad != replica.bad {
                marks.push((tablet, replica.node, bad));
            }
        }
        if !marks.is_empty() {
            self.apply(Op::MarkReplicas { replicas: marks });
        }
        // What the catalog does not know of goes.
        let copying: BTreeSet<(NodeId, TabletId)> = self.copies.iter().map(|(_, t)| (t.work.node(), t.tablet)).collect();
        for (node, machine) in self.machines.iter_mut().filter(|(_, m)| m.up) {
            machine.data.retain(|tablet, _| held.contains(&(*node, *tablet)) || copying.contains(&(*node, *tablet)));
        }
    }

    fn tick(&mut self) {
        self.now_ms += 1000;
        self.report();
        let due: Vec<Task> = self.copies.extract_if(.., |(at, _)| *at <= self.now_ms).map(|(_, t)| t).collect();
        for task in due {
            let outcome = self.copied(&task);
            self.scheduler.end(task.id, outcome, false, self.now_ms);
        }
        let cluster = self.view();
        let mut effects = self.scheduler.check(&self.catalog, &cluster, &Sizes, &self.policy, self.now_ms);
        effects.extend(self.scheduler.step(&self.catalog, &cluster, &Sizes, &self.policy, self.now_ms));
        for effect in effects {
            match effect {
                Effect::Copy(task) => {
                    let takes = 1000 * (1 + self.dice.roll(5) as i64);
                    self.copies.push((self.now_ms + takes, task));
                }
                Effect::Cancel(id) => {
                    self.copies.retain(|(_, t)| t.id != id);
                    self.scheduler.end(id, Err("cancelled".to_owned()), true, self.now_ms);
                }
                Effect::Propose(op) => self.apply(op),
            }
        }
        let on_disk: BTreeMap<u64, usize> = self.scheduler.running().fold(BTreeMap::new(), |mut all, t| {
            *all.entry(t.work.node().0).or_default() += 1;
            all
        });
        assert!(on_disk.values().all(|n| *n <= self.policy.slots_per_disk), "more copies than slots: {on_disk:?}");
        self.check_safety();
    }

    fn copied(&mut self, task: &Task) -> Result<(), String> {
        let node = task.work.node();
        if self.dice.roll(20) == 0 {
            return Err("bad luck".to_owned());
        }
        let best = task.sources.iter().filter(|n| self.machines[n].up).filter_map(|n| self.machines[n].data.get(&task.tablet)).max().copied();
        let version = best.filter(|v| *v >= task.version).ok_or("no source")?;
        let machine = self.machines.get_mut(&node).filter(|m| m.up).ok_or("away")?;
        machine.data.insert(task.tablet, version);
        match task.work {
            Work::Refresh { .. } => self.apply(Op::RaiseReplicas { replicas: vec![(task.tablet, node, version)] }),
            Work::Add { .. } => {
                self.added += 1;
                self.apply(Op::AddReplicas { replicas: vec![(task.tablet, Replica::new(ReplicaId(task.id), node, version))] });
            }
        }
        Ok(())
    }

    /// Every tablet has a replica that the catalog knows and a machine holds.
    fn check_safety(&self) {
        let mut whole: BTreeMap<TabletId, usize> = BTreeMap::new();
        for (tablet, visible, replica) in self.replicas() {
            let holds = self.machines.get(&replica.node).and_then(|m| m.data.get(&tablet)).is_some_and(|v| *v >= visible);
            *whole.entry(tablet).or_default() += usize::from(holds && !replica.bad);
        }
        for (tablet, n) in whole {
            assert!(n > 0, "tablet {tablet} is lost at {}", self.now_ms);
        }
    }

    fn unwell(&self) -> Vec<(TabletId, Health)> {
        let cluster = self.view();
        let targets = super::colocate::targets(&self.catalog);
        let mut out = Vec::new();
        for (table, olap, partition) in partitions(&self.catalog) {
            let buckets = olap.colocate_group.as_ref().and_then(|g| targets.get(&(table.db_id, g.clone())));
            for (at, tablet) in partition.indexes[0].tablets.iter().enumerate() {
                let cx = Context {
                    cluster: &cluster,
                    policy: &self.policy,
                    now_ms: self.now_ms,
                    bucket: buckets.and_then(|b| b.get(at)).map(Vec::as_slice),
                    given_up: &|_| false,
                    moved_from: None,
                    load: &|_| 0.0,
                    movable: true,
                    location: super::place::wanted(olap),
                    misplaced: &|_| super::health::Medium::Fine,
                };
                let verdict = judge(tablet, partition, &cx);
                if verdict.health != Health::Healthy {
                    out.push((tablet.id, verdict.health));
                }
            }
        }
        out
    }

    fn settle(&mut self, what: &str, ticks: usize) {
        let mut calm = 0;
        for _ in 0..ticks {
            self.tick();
            let still = self.unwell().is_empty() && self.copies.is_empty() && self.scheduler.waiting() == 0 && self.scheduler.balanced;
            calm = if still { calm + 1 } else { 0 };
            if calm == 3 {
                return;
            }
        }
        let unwell = self.unwell();
        panic!("{what}: not settled: {} unwell, {:?}, {} copies, balanced {}", unwell.len(), unwell.first(), self.copies.len(), self.scheduler.balanced);
    }

    fn counts(&self) -> BTreeMap<u64, usize> {
        let mut counts: BTreeMap<u64, usize> = self.catalog.backends.keys().map(|id| (id.0, 0)).collect();
        for (_, _, replica) in self.replicas() {
            *counts.entry(replica.node.0).or_default() += 1;
        }
        counts
    }
}

fn standard(seed: u64, backends: u64) -> World {
    let mut world = World::new(seed, backends);
    world.add_table(1, 3, 6, 3, None);
    world.add_table(2, 1, 4, 2, None);
    world.add_table(3, 2, 5, 3, Some("g"));
    world.add_table(4, 1, 5, 3, Some("g"));
    world
}

#[test]
fn random_faults_lose_nothing_and_everything_becomes_whole() {
    for seed in 1..=40 {
        let mut world = standard(seed, 5);
        world.settle("start", 200);
        for round in 0..12 {
            let nodes: Vec<NodeId> = world.catalog.backends.keys().copied().collect();
            let node = nodes[world.dice.roll(nodes.len())];
            match world.dice.roll(5) {
                // Killed; it comes back within the grace, or long after.
                0 | 1 => {
                    let machine = world.machines.get_mut(&node).unwrap();
                    (machine.up, machine.down_since_ms) = (false, world.now_ms);
                    for _ in 0..world.dice.roll(90) {
                        let table = 1 + world.dice.roll(4) as u64;
                        world.load(table);
                        world.tick();
                    }
                    world.machines.get_mut(&node).unwrap().up = true;
                }
                // Its disk is replaced.
                2 => world.machines.get_mut(&node).unwrap().data.clear(),
                3 if nodes.len() > 4 => {
                    let backend = Backend { decommissioned: true, ..Backend::clone(&world.catalog.backends[&node]) };
                    world.apply(Op::UpdateBackend(backend));
                }
                _ => world.add_backend(100 + round),
            }
            for _ in 0..world.dice.roll(8) {
                let table = 1 + world.dice.roll(4) as u64;
                world.load(table);
                world.tick();
            }
            world.settle(&format!("seed {seed} round {round}"), 600);
            let empty: Vec<NodeId> = world.catalog.backends.values().filter(|b| b.decommissioned).map(|b| b.id).collect();
            for node in empty {
                assert_eq!(world.counts()[&node.0], 0, "seed {seed}: a backend that was emptied holds replicas");
                world.apply(Op::DropBackend { node });
            }
        }
        let before = world.added;
        (0..200).for_each(|_| world.tick());
        assert_eq!(world.added, before, "seed {seed}: nothing moves when nothing happens");
        let groups = super::colocate::targets(&world.catalog);
        let buckets = &groups[&(DbId(1), "g".to_owned())];
        for (_, olap, partition) in partitions(&world.catalog).filter(|(_, o, _)| o.colocate_group.is_some()) {
            assert_eq!(super::colocate::sequence(partition), **buckets, "seed {seed}: {:?}", olap.colocate_group);
        }
    }
}

#[test]
fn a_backend_that_restarts_causes_no_copies_and_one_that_stays_away_does() {
    let mut world = standard(7, 4);
    world.settle("start", 200);
    world.added = 0;
    let fail = |world: &mut World, up: bool| {
        let now = world.now_ms;
        let machine = world.machines.get_mut(&NodeId(2)).unwrap();
        (machine.up, machine.down_since_ms) = (up, now);
    };
    fail(&mut world, false);
    (0..20).for_each(|_| {
        world.load(1);
        world.tick();
    });
    fail(&mut world, true);
    world.settle("back", 100);
    assert_eq!(world.added, 0, "what it missed, no more");
    fail(&mut world, false);
    (0..60).for_each(|_| world.tick());
    assert!(world.added > 0);
    assert_eq!(world.counts()[&2], 0, "made again elsewhere");
}

#[test]
fn a_new_backend_gets_its_share_and_no_more_moves_than_that() {
    let mut world = World::new(3, 3);
    world.add_table(1, 4, 12, 3, None);
    world.add_table(2, 1, 12, 1, None);
    world.settle("start", 300);
    world.added = 0;
    world.add_backend(4);
    world.policy.balance = false;
    (0..20).for_each(|_| world.tick());
    assert_eq!(world.added, 0, "frozen");
    world.policy.balance = true;
    world.settle("balanced", 400);
    let counts = world.counts();
    let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
    assert!(most - least <= 4, "{counts:?}");
    assert!(world.added <= counts[&4] + 6, "{} moves for {counts:?}", world.added);
}

#[test]
fn more_and_fewer_replicas_are_made_when_asked() {
    let mut world = World::new(5, 4);
    world.add_table(1, 2, 4, 1, None);
    let set = |world: &mut World, n: u16| {
        world.apply(Op::ModifyPartitions {
            table: TableId(1),
            partitions: vec![PartitionId(1000), PartitionId(1001)],
            replication_num: Some(n),
            medium: None,
            cooldown_ms: None,
            properties: Vec::new(),
        });
    };
    for n in [3, 2, 4, 1] {
        set(&mut world, n);
        world.settle("new number", 200);
        assert_eq!(world.counts().values().sum::<usize>(), 8 * usize::from(n));
    }
}

#[test]
fn racks_are_kept_apart() {
    let mut world = World::new(9, 6);
    world.add_table(1, 1, 6, 3, None);
    for (id, rack) in [(1, "a"), (2, "a"), (3, "b"), (4, "b"), (5, "c"), (6, "c")] {
        let backend = Backend { location: format!("rack:{rack}"), ..Backend::clone(&world.catalog.backends[&NodeId(id)]) };
        world.apply(Op::UpdateBackend(backend));
    }
    world.settle("racks", 400);
    for (_, _, partition) in partitions(&world.catalog) {
        for tablet in &partition.indexes[0].tablets {
            let racks: BTreeSet<&str> = tablet.replicas.iter().map(|r| world.catalog.backends[&r.node].location.as_str()).collect();
            assert_eq!(racks.len(), 3, "{tablet:?}");
        }
    }
    let before = world.added;
    (0..50).for_each(|_| world.tick());
    assert_eq!(world.added, before);
    // A table says where it wants its replicas: some racks, one that has fewer backends than it has replicas, anywhere.
    for (wanted, racks) in [("rack:a,rack:b", BTreeSet::from(["rack:a", "rack:b"])), ("rack:c", BTreeSet::from(["rack:a", "rack:b", "rack:c"])), ("rack:*", BTreeSet::from(["rack:a", "rack:b", "rack:c"]))] {
        world.apply(Op::AlterTableProperties { table: TableId(1), properties: vec![("labels.location".to_owned(), wanted.to_owned())] });
        world.settle(wanted, 400);
        let mut found = BTreeSet::new();
        for (_, _, partition) in partitions(&world.catalog) {
            for tablet in &partition.indexes[0].tablets {
                let of_tablet: Vec<&str> = tablet.replicas.iter().map(|r| world.catalog.backends[&r.node].location.as_str()).collect();
                let places = of_tablet.iter().copied().collect::<BTreeSet<_>>();
                assert_eq!((of_tablet.len(), places.len()), (3, if wanted == "rack:*" { 3 } else { 2 }), "{wanted} {of_tablet:?}");
                assert!(wanted != "rack:c" || of_tablet.iter().filter(|p| **p == "rack:c").count() == 2, "{of_tablet:?}");
                found.extend(places);
            }
        }
        assert!(found.into_iter().all(|rack| racks.contains(rack)), "{wanted}");
        let before = world.added;
        (0..50).for_each(|_| world.tick());
        assert_eq!(world.added, before, "{wanted}");
    }
}

#[test]
fn what_is_urgent_comes_first() {
    let mut world = World::new(11, 4);
    world.add_table(1, 1, 1, 3, None);
    world.add_table(2, 1, 1, 3, None);
    world.policy.max_tasks = 1;
    // One replica left against two.
    for (table, lost) in [(1, 1), (2, 2)] {
        let tablet = TabletId(table * 10_000);
        for machine in world.machines.values_mut().filter(|m| m.data.contains_key(&tablet)).take(lost) {
            machine.data.remove(&tablet);
        }
    }
    world.tick();
    let first: Vec<TabletId> = world.scheduler.running().map(|t| t.tablet).collect();
    assert_eq!(first, [TabletId(20_000)]);
    assert_eq!(world.scheduler.waiting(), 1);
    world.scheduler.ask(&[PartitionId(1000)], world.now_ms);
    assert_eq!(world.scheduler.asked().len(), 1);
    world.settle("urgent", 100);
}

#[test]
fn replicas_follow_their_medium() {
    use super::health::{Medium, Need};
    for (replication_num, media, wanted) in [
        (3, [Medium::Fine, Medium::Here, Medium::Fine, Medium::Here], Need::Refresh { node: NodeId(2), renew: true }),
        // Its only copy is not thrown away.
        (1, [Medium::Here, Medium::Fine, Medium::Fine, Medium::Fine], Need::Nothing),
        (1, [Medium::Elsewhere, Medium::Fine, Medium::Fine, Medium::Here], Need::Add { on: None }),
        (1, [Medium::Elsewhere, Medium::Fine, Medium::Fine, Medium::Fine], Need::Nothing),
    ] {
        let mut world = World::new(1, 4);
        world.add_table(1, 1, 1, replication_num, None);
        let cluster = world.view();
        let (_, _, partition) = partitions(&world.catalog).next().unwrap();
        let cx = Context {
            cluster: &cluster,
            policy: &world.policy,
            now_ms: world.now_ms,
            bucket: None,
            given_up: &|_| false,
            moved_from: None,
            load: &|_| 0.0,
            movable: true,
            location: "",
            misplaced: &|node| media[node.0 as usize - 1],
        };
        assert_eq!(judge(&partition.indexes[0].tablets[0], partition, &cx).need, wanted, "{media:?}");
    }
}

#[test]
fn reports_are_compared_with_the_catalog() {
    use super::report::{Holdings, Reported, judge};
    let mut world = World::new(1, 5);
    world.add_table(1, 4, 10, 3, None);
    let catalog = &world.catalog;
    let node = *catalog.backends.keys().next().unwrap();
    let holdings = Holdings::of(catalog);
    let held: Vec<TabletId> = holdings.on(node).collect();
    let version = |id: TabletId| catalog.known_partition(id).unwrap().1.tablet(id).unwrap().replica(node).unwrap().version;
    let whole: Vec<Reported> = held.iter().map(|id| Reported { tablet: *id, version: version(*id), bad: false, converting: false }).collect();
    let judged = |reports: &[Reported], before: &BTreeMap<TabletId, i64>| judge(catalog, &holdings, node, reports.iter().copied(), before);
    let nothing = BTreeMap::new();
    let found = judged(&whole, &nothing);
    assert!(found.changes.is_empty() && found.suspects.is_empty() && found.strays.is_empty());
    // Damage counts at once; what is missing or behind only when it is seen twice.
    let mut damaged = whole.clone();
    damaged[0].bad = true;
    damaged[1].version -= 1;
    damaged.remove(2);
    let found = judged(&damaged, &nothing);
    assert_eq!(found.changes, [(held[0], node, true)]);
    assert_eq!(found.suspects.keys().copied().collect::<Vec<_>>(), BTreeSet::from([held[1], held[2]]).into_iter().collect::<Vec<_>>());
    let again = judged(&damaged, &found.suspects);
    assert_eq!(again.changes.iter().map(|c| c.0).collect::<BTreeSet<_>>(), BTreeSet::from([held[0], held[1], held[2]]));
    // What a schema change makes is its job's; what the cluster does not have there is a stray; what it does not have at all is not.
    let mut odd = whole.clone();
    odd[0] = Reported { version: 0, converting: true, ..odd[0] };
    let elsewhere = catalog.tablets.keys().copied().find(|id| !held.contains(id)).expect("a tablet on other backends");
    odd.extend([elsewhere, TabletId(u64::MAX)].map(|tablet| Reported { tablet, version: 1, bad: false, converting: false }));
    let found = judged(&odd, &nothing);
    assert_eq!((found.changes.len(), found.suspects.len(), found.strays), (0, 0, vec![elsewhere]));
}
