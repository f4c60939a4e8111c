//! The scheduler of replica work: what was found waits in order of priority, runs within slots per disk, is retried with a growing
//! pause, and is cancelled when its time is over or nobody needs it any more.
//!
//! A tablet has one task at a time. Nothing is remembered that a look at the catalog would not show again, except how often repair
//! on a backend has failed, what operators asked for, and the history.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use common_base::ids::{DbId, NodeId, PartitionId, TableId, TabletId};
use fe_catalog::{CatalogState, Op, model::{OlapTable, Partition, Table, Tablet}};

use super::{
    balance, colocate,
    cluster::{Cluster, Facts, Policy, medium_of, partitions},
    health::{Context, Health, Medium, Need, Priority, Verdict, judge},
    place,
};

/// Finished tasks that are shown.
pub const HISTORY_MAX: usize = 1000;
/// Repair of a replica that failed this often is tried elsewhere.
pub const ATTEMPTS: u32 = 5;
/// The longest pause after failures.
const BACKOFF_MAX_MS: i64 = 60_000;
/// A copy may take this long for each megabyte.
const MS_PER_MB: i64 = 200;
/// How long ADMIN REPAIR TABLE holds.
pub const ASKED_MS: i64 = 4 * 3600 * 1000;
/// A failure is forgotten after this long.
const FORGIVE_MS: i64 = 600_000;
/// Tablets dropped in one op.
const DROPS_AT_ONCE: usize = 1000;

/// Why a task is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskKind {
    Repair,
    Balance,
}

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskState {
    Pending,
    Running,
    Finished,
    Failed,
    Cancelled,
}

/// What a task does. Replicas that go need no task: that is an op.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    Refresh { node: NodeId, renew: bool },
    Add { node: NodeId, instead_of: Option<NodeId> },
}

impl Work {
    /// The backend that copies.
    pub fn node(&self) -> NodeId {
        match self {
            Work::Refresh { node, .. } | Work::Add { node, .. } => *node,
        }
    }
}

/// A copy to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub id: u64,
    pub tablet: TabletId,
    pub table: TableId,
    pub partition: PartitionId,
    pub kind: TaskKind,
    pub health: Health,
    pub priority: Priority,
    pub work: Work,
    pub version: i64,
    pub medium: String,
    /// The best first.
    pub sources: Vec<NodeId>,
    pub source_disk: String,
    /// The disk on the target.
    pub disk: String,
    pub bytes: u64,
    pub state: TaskState,
    pub created_ms: i64,
    pub started_ms: i64,
    pub finished_ms: i64,
    pub deadline_ms: i64,
    /// Copies of this tablet that failed before.
    pub failures: u32,
    pub message: String,
}

/// What the runner does.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Copy(Task),
    /// The copy of this task is not needed any more.
    Cancel(u64),
    Propose(Op),
}

/// What a task copies, from where to where.
struct Transfer {
    tablet: TabletId,
    table: TableId,
    work: Work,
    medium: String,
    sources: Vec<NodeId>,
    source_disk: String,
    disk: String,
}

/// Something that waits.
#[derive(Clone, Debug)]
struct Pending {
    tablet: TabletId,
    table: TableId,
    partition: PartitionId,
    verdict: Verdict,
    priority: Priority,
    since_ms: i64,
}

#[derive(Clone, Debug, Default)]
struct Track {
    since_ms: i64,
    failures: u32,
    of_node: BTreeMap<NodeId, (u32, i64)>,
    not_before_ms: i64,
    last_error: String,
}

/// What a look at the whole catalog gives.
#[derive(Clone, Debug, Default)]
pub struct Loads {
    pub replicas: BTreeMap<NodeId, u64>,
    pub bytes: BTreeMap<NodeId, u64>,
    /// Loads by [`balance::score`], with the moves under way.
    pub scores: BTreeMap<NodeId, balance::Score>,
}

/// The scheduler of the leader.
#[derive(Default)]
pub struct Scheduler {
    next_id: u64,
    pending: Vec<Pending>,
    running: BTreeMap<u64, Task>,
    busy: HashSet<TabletId>,
    tracks: HashMap<TabletId, Track>,
    /// Replicas that were moved away from a backend.
    moved: HashMap<TabletId, NodeId>,
    /// Partitions that operators want repaired first, until when.
    asked: BTreeMap<PartitionId, i64>,
    history: VecDeque<Task>,
    loads: Loads,
    /// Moves that were found; made when slots are free and nothing is to be repaired.
    moves: VecDeque<balance::Move>,
    pub finished: u64,
    pub failed: u64,
    pub cancelled: u64,
    /// Looks at all tablets since this frontend leads.
    pub checks: u64,
    /// Nothing was to be moved at the last look.
    pub balanced: bool,
}

impl Scheduler {
    /// Looks at every tablet; what waits afterwards is exactly what is wrong now.
    pub fn check(&mut self, catalog: &CatalogState, cluster: &Cluster, facts: &dyn Facts, policy: &Policy, now_ms: i64) -> Vec<Effect> {
        self.asked.retain(|_, until| *until > now_ms);
        let mut loads = Loads::default();
        let mut effects = Vec::new();
        let mut pending = Vec::new();
        let mut drops: Vec<(TabletId, NodeId)> = Vec::new();
        let mut unwell: HashSet<TabletId> = HashSet::new();
        let mut oldest = OldestTxns::default();
        let groups = colocate::targets(catalog);
        let scores = std::mem::take(&mut self.loads.scores);
        // Whose doing a redundant replica is a new leader does not know: it waits until they are gone.
        let mut unexplained = false;
        let load = |n: NodeId| scores.get(&n).map_or(0.0, |s| s.score);
        let media: BTreeSet<&str> = cluster.backends.values().flat_map(|b| b.disks.iter().map(|d| d.medium.as_str())).collect();
        let one_medium = media.len() < 2;
        for (table, olap, partition) in partitions(catalog) {
            let medium = medium_of(olap, partition, now_ms);
            let buckets = olap.colocate_group.as_ref().and_then(|g| groups.get(&(table.db_id, g.clone())));
            for (index, at, tablet) in partition.indexes.iter().flat_map(|i| i.tablets.iter().enumerate().map(move |(at, t)| (i, at, t))) {
                let bytes = facts.bytes(tablet.id);
                for node in self.effective(tablet) {
                    *loads.replicas.entry(node).or_default() += 1;
                    *loads.bytes.entry(node).or_default() += bytes;
                }
                // The job that builds it says what becomes of it.
                let building = olap.further.iter().any(|i| i.id == index.index_id && i.state == fe_catalog::model::IndexState::Building);
                if building {
                    continue;
                }
                let track = self.tracks.get(&tablet.id);
                // When there is no other backend one goes on trying.
                let spare = || cluster.takers().any(|(n, _)| tablet.replica(n).is_none());
                let given_up = |n: NodeId| track.and_then(|t| t.of_node.get(&n)).is_some_and(|(times, _)| *times >= ATTEMPTS) && spare();
                let misplaced = |n: NodeId| {
                    // Most tables ask for no medium that any disk lacks.
                    if one_medium { Medium::Fine } else { place::on_wrong_medium(cluster, medium, n, tablet.replica(n).map(|_| facts.disk(tablet.id, n)).as_deref()) }
                };
                let cx = Context {
                    cluster,
                    policy,
                    now_ms,
                    bucket: buckets.and_then(|b| b.get(at)).map(Vec::as_slice),
                    given_up: &given_up,
                    moved_from: self.moved.get(&tablet.id).copied(),
                    load: &load,
                    movable: !olap.is_changing(),
                    location: place::wanted(olap),
                    misplaced: &misplaced,
                };
                let verdict = judge(tablet, partition, &cx);
                if verdict.health == Health::Healthy {
                    continue;
                }
                unwell.insert(tablet.id);
                if let Need::Remove { nodes } = &verdict.need {
                    unexplained |= !self.moved.contains_key(&tablet.id);
                    if drops.len() < DROPS_AT_ONCE && !self.busy.contains(&tablet.id) && oldest.of(catalog, table.db_id) >= newest_replica(tablet) {
                        drops.extend(nodes.iter().find(|n| catalog.why_not_drop(tablet.id, **n).is_none()).map(|n| (tablet.id, *n)));
                    }
                    continue;
                }
                // What is under way is not to be done once more when it has ended.
                if verdict.need == Need::Nothing || self.busy.contains(&tablet.id) {
                    continue;
                }
                let track = self.tracks.entry(tablet.id).or_insert_with(|| Track { since_ms: now_ms, ..Track::default() });
                let priority = if self.asked.contains_key(&partition.id) { Priority::VeryHigh } else { verdict.priority };
                let since_ms = track.since_ms;
                pending.push(Pending { tablet: tablet.id, table: table.id, partition: partition.id, verdict, priority, since_ms });
            }
        }
        // Equal ones take turns: the longest waiting first.
        pending.sort_by(|a, b| b.priority.cmp(&a.priority).then(a.since_ms.cmp(&b.since_ms)).then(a.tablet.cmp(&b.tablet)));
        self.forget_the_well(&unwell, now_ms);
        for task in self.running.values() {
            let known = catalog.tablets.contains_key(&task.tablet);
            let idle = task.kind == TaskKind::Repair && !unwell.contains(&task.tablet);
            if !known || idle || !cluster.is_alive(task.work.node()) {
                effects.push(Effect::Cancel(task.id));
            }
        }
        self.pending = pending;
        self.loads = loads;
        self.loads.scores = balance::scores(&self.loads, cluster, policy);
        if !drops.is_empty() {
            effects.push(Effect::Propose(Op::DropReplicas { replicas: drops }));
        }
        let regrouped = colocate::step(catalog, cluster, policy, &groups, unwell.is_empty() && self.running.is_empty(), now_ms);
        self.checks += 1;
        self.balanced = regrouped.is_empty();
        effects.extend(regrouped.into_iter().map(Effect::Propose));
        self.moves.clear();
        if policy.balance && !unexplained {
            let room = policy.max_balancing.saturating_sub(self.running.values().filter(|t| t.kind == TaskKind::Balance).count());
            let fit = |tablet: TabletId| !unwell.contains(&tablet) && !self.busy.contains(&tablet);
            let moves = balance::moves(catalog, cluster, facts, policy, &self.loads, room, &fit, &|t| self.effective(t), now_ms);
            self.balanced &= moves.is_empty() && self.running.values().all(|t| t.kind != TaskKind::Balance);
            self.moves = moves.into();
        }
        effects
    }

    /// Starts what has slots now, and cancels what has had its time.
    pub fn step(&mut self, catalog: &CatalogState, cluster: &Cluster, facts: &dyn Facts, policy: &Policy, now_ms: i64) -> Vec<Effect> {
        let late = self.running.values().filter(|t| now_ms > t.deadline_ms).map(|t| Effect::Cancel(t.id));
        let mut effects: Vec<Effect> = late.collect();
        let mut slots = Slots::of(self.running.values(), policy);
        let pending = std::mem::take(&mut self.pending);
        let mut waiting = Vec::with_capacity(pending.len());
        for item in pending {
            let held = self.tracks.get(&item.tablet).is_some_and(|t| t.not_before_ms > now_ms);
            if held || self.busy.contains(&item.tablet) || self.running.len() >= policy.max_tasks {
                waiting.push(item);
                continue;
            }
            match self.task_of(&item, catalog, cluster, facts, policy, &slots, now_ms) {
                Some(task) => effects.push(self.start(task, &mut slots)),
                None => waiting.push(item),
            }
        }
        self.pending = waiting;
        while let Some(found) = self.moves.pop_front() {
            if let Some(task) = self.move_of(&found, catalog, cluster, facts, policy, &slots, now_ms) {
                effects.push(self.start(task, &mut slots));
            }
        }
        effects
    }

    fn start(&mut self, task: Task, slots: &mut Slots) -> Effect {
        slots.take(&task);
        self.busy.insert(task.tablet);
        self.running.insert(task.id, task.clone());
        Effect::Copy(task)
    }

    #[allow(clippy::too_many_arguments)]
    fn task_of(&mut self, item: &Pending, catalog: &CatalogState, cluster: &Cluster, facts: &dyn Facts, policy: &Policy, slots: &Slots, now_ms: i64) -> Option<Task> {
        let (table, partition) = place_of(catalog, item.tablet)?;
        let olap = table.as_ref().and_then(|t| t.as_olap());
        let tablet = partition.tablet(item.tablet)?;
        let medium = olap.map(|o| medium_of(o, &partition, now_ms)).unwrap_or_default();
        let sources = place::sources(tablet, &partition, cluster, &|n| slots.of_node(n));
        let source_disk = facts.disk(tablet.id, *sources.first()?);
        if !slots.free(*sources.first()?, &source_disk, TaskKind::Repair) {
            return None;
        }
        let track = self.tracks.get(&item.tablet);
        let given_up = |n: NodeId| track.and_then(|t| t.of_node.get(&n)).is_some_and(|(times, _)| *times >= ATTEMPTS);
        let has_slot = |n: NodeId, disk: &str| slots.free(n, disk, TaskKind::Repair);
        let (work, disk) = match &item.verdict.need {
            Need::Refresh { node, renew } => {
                let disk = if item.verdict.health == Health::DiskMigration {
                    cluster.backends.get(node)?.best_disk(medium, |d| has_slot(*node, &d.path))?.path.clone()
                } else {
                    facts.disk(tablet.id, *node)
                };
                if !has_slot(*node, &disk) {
                    return None;
                }
                (Work::Refresh { node: *node, renew: *renew }, disk)
            }
            Need::Add { on: Some(node) } => {
                let disk = cluster.backends.get(node)?.best_disk(medium, |d| has_slot(*node, &d.path))?;
                (Work::Add { node: *node, instead_of: None }, disk.path.clone())
            }
            Need::Add { on: None } => {
                let location = olap.map(|o| place::wanted(o)).unwrap_or_default();
                let load = |n: NodeId| self.loads.scores.get(&n).map_or(0.0, |s| s.score) + slots.of_node(n) as f64 * 0.01;
                let choice = place::Choice { cluster, medium, location, load: &load, has_slot: &has_slot, given_up: &given_up };
                let (node, disk) = place::target(tablet, &choice)?;
                (Work::Add { node, instead_of: None }, disk)
            }
            Need::Nothing | Need::Remove { .. } => return None,
        };
        let (failures, message) = track.map_or((0, String::new()), |t| (t.failures, t.last_error.clone()));
        let (health, priority) = (item.verdict.health, item.priority);
        let transfer = Transfer { tablet: item.tablet, table: item.table, work, medium: medium.to_owned(), sources, source_disk, disk };
        let task = self.begin(transfer, &partition, facts, policy, now_ms);
        Some(Task { kind: TaskKind::Repair, health, priority, created_ms: item.since_ms, failures, message, ..task })
    }

    #[allow(clippy::too_many_arguments)]
    fn move_of(&mut self, found: &balance::Move, catalog: &CatalogState, cluster: &Cluster, facts: &dyn Facts, policy: &Policy, slots: &Slots, now_ms: i64) -> Option<Task> {
        if self.busy.contains(&found.tablet) || self.running.len() >= policy.max_tasks {
            return None;
        }
        let (table, partition) = place_of(catalog, found.tablet)?;
        let tablet = partition.tablet(found.tablet)?;
        let medium = table.as_ref().and_then(|t| t.as_olap()).map(|o| medium_of(o, &partition, now_ms)).unwrap_or_default();
        let sources = place::sources(tablet, &partition, cluster, &|n| slots.of_node(n));
        let source_disk = facts.disk(tablet.id, *sources.first()?);
        let has_slot = |n: NodeId, disk: &str| slots.free(n, disk, TaskKind::Balance);
        let disk = cluster.backends.get(&found.to)?.best_disk(medium, |d| has_slot(found.to, &d.path))?.path.clone();
        if !has_slot(*sources.first()?, &source_disk) {
            return None;
        }
        let work = Work::Add { node: found.to, instead_of: Some(found.from) };
        let table = table.as_ref().map_or(TableId(0), |t| t.id);
        let transfer = Transfer { tablet: found.tablet, table, work, medium: medium.to_owned(), sources, source_disk, disk };
        Some(self.begin(transfer, &partition, facts, policy, now_ms))
    }

    /// A task that begins now, to balance unless it is said otherwise.
    fn begin(&mut self, transfer: Transfer, partition: &Partition, facts: &dyn Facts, policy: &Policy, now_ms: i64) -> Task {
        let Transfer { tablet, table, work, medium, sources, source_disk, disk } = transfer;
        let bytes = facts.bytes(tablet);
        self.next_id += 1;
        Task {
            id: self.next_id,
            tablet,
            table,
            partition: partition.id,
            kind: TaskKind::Balance,
            health: Health::Healthy,
            priority: Priority::Low,
            work,
            version: partition.visible_version,
            medium,
            sources,
            source_disk,
            disk,
            bytes,
            state: TaskState::Running,
            created_ms: now_ms,
            started_ms: now_ms,
            finished_ms: 0,
            deadline_ms: now_ms + timeout_ms(bytes, policy),
            failures: 0,
            message: String::new(),
        }
    }

    /// A copy has ended: the tablet has the replica (its op is applied), or why not.
    pub fn end(&mut self, id: u64, outcome: Result<(), String>, cancelled: bool, now_ms: i64) {
        let Some(mut task) = self.running.remove(&id) else { return };
        self.busy.remove(&task.tablet);
        task.finished_ms = now_ms;
        match outcome {
            Ok(()) => {
                task.state = TaskState::Finished;
                task.message.clear();
                self.finished += 1;
                self.tracks.remove(&task.tablet);
                if let Work::Add { instead_of: Some(from), .. } = &task.work {
                    self.moved.insert(task.tablet, *from);
                }
            }
            Err(reason) => {
                task.state = if cancelled { TaskState::Cancelled } else { TaskState::Failed };
                *(if cancelled { &mut self.cancelled } else { &mut self.failed }) += 1;
                let track = self.tracks.entry(task.tablet).or_insert_with(|| Track { since_ms: task.created_ms, ..Track::default() });
                track.failures += 1;
                let of_node = track.of_node.entry(task.work.node()).or_default();
                *of_node = (of_node.0 + 1, now_ms);
                track.not_before_ms = now_ms + (500_i64 << track.failures.min(10)).min(BACKOFF_MAX_MS);
                track.last_error.clone_from(&reason);
                task.message = reason;
                task.failures = track.failures;
            }
        }
        if self.history.len() >= HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(task);
    }

    /// Where a tablet's replicas are when everything under way is done.
    fn effective(&self, tablet: &Tablet) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = tablet.replicas.iter().map(|r| r.node).collect();
        if let Some(from) = self.moved.get(&tablet.id).filter(|_| nodes.len() > 1) {
            nodes.retain(|n| n != from);
        }
        if self.busy.contains(&tablet.id) {
            for task in self.running.values().filter(|t| t.tablet == tablet.id) {
                if let Work::Add { node, instead_of } = &task.work {
                    nodes.retain(|n| Some(*n) != *instead_of);
                    nodes.push(*node);
                }
            }
        }
        nodes
    }

    fn forget_the_well(&mut self, unwell: &HashSet<TabletId>, now_ms: i64) {
        let busy = &self.busy;
        self.moved.retain(|tablet, _| unwell.contains(tablet) || busy.contains(tablet));
        for track in self.tracks.values_mut() {
            track.of_node.retain(|_, (_, at)| now_ms - *at < FORGIVE_MS);
        }
        self.tracks.retain(|tablet, track| unwell.contains(tablet) || busy.contains(tablet) || track.not_before_ms > now_ms);
    }

    /// ADMIN REPAIR TABLE: these partitions come first for a while.
    pub fn ask(&mut self, partitions: &[PartitionId], now_ms: i64) {
        self.asked.extend(partitions.iter().map(|p| (*p, now_ms + ASKED_MS)));
        for track in self.tracks.values_mut() {
            track.not_before_ms = 0;
        }
    }

    /// ADMIN CANCEL REPAIR TABLE.
    pub fn unask(&mut self, partitions: &[PartitionId]) {
        self.asked.retain(|p, _| !partitions.contains(p));
    }

    /// CLEAN TABLET SCHEDULER QUEUE: what waits is forgotten, and found again.
    pub fn clean(&mut self) {
        self.pending.clear();
        self.moves.clear();
        self.tracks.clear();
    }

    /// A leader that is none any more forgets what it did.
    pub fn reset(&mut self) {
        *self = Self { history: std::mem::take(&mut self.history), next_id: self.next_id, ..Self::default() };
    }

    /// Copies under way.
    pub fn running(&self) -> impl Iterator<Item = &Task> {
        self.running.values()
    }

    /// Whether a copy to a backend is under way.
    pub fn is_copying(&self, tablet: TabletId, node: NodeId) -> bool {
        self.busy.contains(&tablet) && self.running.values().any(|t| t.tablet == tablet && t.work.node() == node)
    }

    /// Tablets with a copy under way.
    pub fn busy(&self) -> &HashSet<TabletId> {
        &self.busy
    }

    /// What waits: as tasks that have no target yet.
    pub fn pending(&self) -> impl Iterator<Item = Task> + '_ {
        self.pending.iter().filter(|p| !self.busy.contains(&p.tablet)).map(|p| {
            let track = self.tracks.get(&p.tablet);
            let node = match &p.verdict.need {
                Need::Refresh { node, .. } | Need::Add { on: Some(node) } => *node,
                _ => NodeId(0),
            };
            Task {
                id: 0,
                tablet: p.tablet,
                table: p.table,
                partition: p.partition,
                kind: TaskKind::Repair,
                health: p.verdict.health,
                priority: p.priority,
                work: Work::Add { node, instead_of: None },
                version: 0,
                medium: String::new(),
                sources: Vec::new(),
                source_disk: String::new(),
                disk: String::new(),
                bytes: 0,
                state: TaskState::Pending,
                created_ms: p.since_ms,
                started_ms: 0,
                finished_ms: 0,
                deadline_ms: 0,
                failures: track.map_or(0, |t| t.failures),
                message: track.map_or_else(String::new, |t| t.last_error.clone()),
            }
        })
    }

    /// What waits, by number.
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Moves found that have not begun.
    pub fn moves_waiting(&self) -> usize {
        self.moves.len()
    }

    /// Tasks that ended, the oldest first.
    pub fn history(&self) -> &VecDeque<Task> {
        &self.history
    }

    /// Partitions that come first, and until when.
    pub fn asked(&self) -> &BTreeMap<PartitionId, i64> {
        &self.asked
    }

    /// Loads by the last look.
    pub fn loads(&self) -> &Loads {
        &self.loads
    }
}

fn timeout_ms(bytes: u64, policy: &Policy) -> i64 {
    let by_size = i64::try_from(bytes >> 20).unwrap_or(i64::MAX).saturating_mul(MS_PER_MB);
    by_size.clamp(policy.min_timeout_ms, policy.max_timeout_ms.max(policy.min_timeout_ms))
}

/// Loads that began before its newest replica was added may not know that one.
fn newest_replica(tablet: &Tablet) -> u64 {
    tablet.replicas.iter().map(|r| r.since).max().unwrap_or(0)
}

/// A tablet's table (none for a single partition in the recycle bin whose table is gone) and partition.
pub fn place_of(catalog: &CatalogState, tablet: TabletId) -> Option<(Option<std::sync::Arc<Table>>, std::sync::Arc<Partition>)> {
    let (table, partition) = catalog.known_partition(tablet)?;
    let table = catalog.tables.get(&table).cloned().or_else(|| catalog.recycled.values().flat_map(|r| r.tables()).find(|t| t.id == table).cloned());
    Some((table, partition))
}

/// The oldest transaction of each database that runs, looked up when asked for.
#[derive(Default)]
struct OldestTxns {
    of_db: Option<BTreeMap<DbId, u64>>,
}

impl OldestTxns {
    fn of(&mut self, catalog: &CatalogState, db: DbId) -> u64 {
        let all = self.of_db.get_or_insert_with(|| {
            let mut out = BTreeMap::new();
            for txn in catalog.txns.values().filter(|t| t.is_running()) {
                out.entry(txn.db_id).or_insert(txn.id.0);
            }
            out
        });
        all.get(&db).copied().unwrap_or(u64::MAX)
    }
}

/// Slots of disks.
struct Slots {
    per_disk: usize,
    of_disk: HashMap<(NodeId, String), usize>,
    nodes: HashMap<NodeId, usize>,
}

impl Slots {
    fn of<'t>(running: impl Iterator<Item = &'t Task>, policy: &Policy) -> Self {
        let mut slots = Self { per_disk: policy.slots_per_disk.max(1), of_disk: HashMap::new(), nodes: HashMap::new() };
        running.for_each(|t| slots.take(t));
        slots
    }

    fn take(&mut self, task: &Task) {
        let ends = task.sources.first().map(|n| (*n, task.source_disk.clone())).into_iter().chain([(task.work.node(), task.disk.clone())]);
        for (node, disk) in ends {
            *self.of_disk.entry((node, disk)).or_default() += 1;
            *self.nodes.entry(node).or_default() += 1;
        }
    }

    /// Balancing leaves two slots to repair.
    fn free(&self, node: NodeId, disk: &str, kind: TaskKind) -> bool {
        let most = if kind == TaskKind::Balance { self.per_disk.saturating_sub(2).max(1) } else { self.per_disk };
        self.of_disk.get(&(node, disk.to_owned())).copied().unwrap_or(0) < most
    }

    fn of_node(&self, node: NodeId) -> usize {
        self.nodes.get(&node).copied().unwrap_or(0)
    }
}

/// Whether the olap part of a table says its replicas move with a group.
pub fn is_colocated(olap: &OlapTable) -> bool {
    olap.colocate_group.is_some()
}
