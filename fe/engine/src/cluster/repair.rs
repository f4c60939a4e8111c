//! Looks after replicas, on the leader: observes backends, lets [`fe_jobs::tablet::Scheduler`] decide, has backends copy, and puts what
//! came of it through the log.
//!
//! Flow: every [`TICK`] a round; a copy is one call to the backend that receives it. Its answer makes the replica known or whole. What
//! is dropped from the catalog leaves the disk later, when no query can hold it. A copy that was broken off leaves a tablet on its
//! backend that the catalog does not know there: the backend's report has it dropped ([`super::report`]).

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, atomic::{AtomicBool, Ordering}},
    time::Duration,
};

use common_base::{Result, bail, err, ids::{NodeId, ReplicaId, TabletId}, runtime::Shutdown};
use common_rpc::status;
use fe_catalog::{CatalogState, Op, model::{Partition, Replica, Table, Tablet}};
use fe_jobs::tablet::{
    BackendView, Cluster, DiskView, Effect, Facts, Policy, Scheduler, Task, Work,
    cluster::{medium_of, partitions},
    health::{Context, Verdict, judge},
    place::on_wrong_medium,
};
use parking_lot::Mutex;
use proto_services::be_service::{CatchUpRequest, CatchUpTablet};
use tokio::{sync::mpsc, task::AbortHandle};
use tracing::{debug, info, warn};

use super::{nodes, tablets};
use crate::{engine::Engine, statistics::StatisticsCache};

/// Time between two rounds.
const TICK: Duration = Duration::from_secs(1);
/// With more tablets than this not every round looks at all of them.
const TABLETS_PER_TICK: usize = 20_000;

/// The leader's part in looking after replicas.
#[derive(Default)]
pub struct Replicas {
    pub scheduler: Mutex<Scheduler>,
    /// Something has changed that the next round should look at.
    changed: AtomicBool,
    /// Dropped from the catalog: (when, where, what), not yet from the disk.
    dropped: Mutex<VecDeque<(i64, NodeId, TabletId)>>,
}

impl Replicas {
    /// The next round looks at everything.
    pub fn look_again(&self) {
        self.changed.store(true, Ordering::Release);
    }
}

impl Facts for StatisticsCache {
    fn bytes(&self, tablet: TabletId) -> u64 {
        self.tablet(tablet).map_or(0, |t| t.bytes)
    }

    fn disk(&self, tablet: TabletId, node: NodeId) -> String {
        self.replica(tablet, node).map_or_else(String::new, |f| f.dir.to_string())
    }
}

/// The backends as the schedulers see them.
pub fn observe(engine: &Engine, catalog: &CatalogState) -> Cluster {
    let (percent, reserve) = (engine.setting_int("storage_usage_soft_limit_percent"), engine.setting_int("storage_usage_soft_limit_reserve_bytes"));
    let (percent, reserve) = (percent.clamp(0, 100) as u64, reserve.max(0) as u64);
    let now_ms = engine.clock.now_ms();
    let view = |b: &Arc<fe_catalog::model::Backend>| {
        let health = engine.nodes.get(b.id);
        let reply = health.reply.unwrap_or_default();
        let disks = reply.disks.iter().map(|d| DiskView {
            path: d.path.clone(),
            medium: if d.medium.is_empty() { "HDD".to_owned() } else { d.medium.to_ascii_uppercase() },
            total_bytes: d.total_bytes,
            available_bytes: d.available_bytes,
            used_bytes: d.used_bytes,
            usable: nodes::disk_has_room(d, percent, reserve),
        });
        let view = BackendView {
            host: b.host.clone(),
            location: b.location.clone(),
            alive: health.alive && b.be_port != 0,
            // One that was never heard of is away since now: a new leader grants the whole grace.
            away_since_ms: if health.away_since_ms == 0 { now_ms } else { health.away_since_ms },
            decommissioned: b.decommissioned,
            tablets: reply.tablet_count,
            disks: disks.collect(),
        };
        (b.id, view)
    };
    Cluster::new(catalog.backends.values().map(view).collect())
}

/// What settings allow.
pub fn policy(engine: &Engine) -> Policy {
    let number = |name: &str| engine.setting_int(name).max(0);
    let count = |name: &str| usize::try_from(number(name)).unwrap_or(usize::MAX);
    Policy {
        grace_ms: number("tablet_sched_be_down_tolerate_time_s").saturating_mul(1000),
        slots_per_disk: count("tablet_sched_slot_num_per_path").max(1),
        max_tasks: count("tablet_sched_max_scheduling_tablets"),
        max_balancing: count("tablet_sched_max_balancing_tablets"),
        balance: !engine.setting_bool("tablet_sched_disable_balance"),
        balance_colocated: !engine.setting_bool("tablet_sched_disable_colocate_balance"),
        min_timeout_ms: number("tablet_sched_min_clone_task_timeout_sec").saturating_mul(1000),
        max_timeout_ms: number("tablet_sched_max_clone_task_timeout_sec").saturating_mul(1000),
        ..Policy::default()
    }
}

/// A copy that ended: the version the backend has now.
type Outcome = (u64, Result<i64>);

/// Runs until shutdown.
pub async fn run(engine: Arc<Engine>, shutdown: Shutdown) {
    let (sender, mut outcomes) = mpsc::unbounded_channel();
    let mut runner = Runner { engine: engine.clone(), sender, calls: HashMap::new(), next_look_ms: 0, led: false };
    loop {
        tokio::select! {
            () = shutdown.wait() => return,
            Some(first) = outcomes.recv() => {
                let mut ended: Vec<Outcome> = vec![first];
                while let Ok(more) = outcomes.try_recv() {
                    ended.push(more);
                }
                runner.take_in(ended).await;
            }
            () = tokio::time::sleep(TICK) => {}
        }
        runner.round().await;
    }
}

struct Runner {
    engine: Arc<Engine>,
    sender: mpsc::UnboundedSender<Outcome>,
    calls: HashMap<u64, AbortHandle>,
    next_look_ms: i64,
    led: bool,
}

impl Runner {
    async fn round(&mut self) {
        let engine = self.engine.clone();
        if !engine.meta.is_leader() {
            if std::mem::take(&mut self.led) {
                self.calls.drain().for_each(|(_, call)| call.abort());
                engine.replicas.scheduler.lock().reset();
                engine.replicas.dropped.lock().clear();
                engine.counts.replicas_scheduled.set(0);
            }
            return;
        }
        self.led = true;
        let catalog = engine.meta.snapshot();
        let (now_ms, policy, cluster) = (engine.clock.now_ms(), policy(&engine), observe(&engine, &catalog));
        // A look at a large catalog takes its time: it is not repeated for every copy that ends.
        let small = catalog.tablets.len() <= TABLETS_PER_TICK;
        let due = now_ms >= self.next_look_ms || engine.replicas.changed.swap(false, Ordering::AcqRel) && small;
        let effects = {
            let mut scheduler = engine.replicas.scheduler.lock();
            let mut effects = Vec::new();
            if due {
                effects = scheduler.check(&catalog, &cluster, &engine.statistics, &policy, now_ms);
                let pause_s = if small { 1 } else { engine.setting_int("tablet_sched_checker_interval_seconds").max(1) };
                self.next_look_ms = now_ms + pause_s * 1000 - 1;
            }
            effects.extend(scheduler.step(&catalog, &cluster, &engine.statistics, &policy, now_ms));
            engine.counts.replicas_scheduled.set((scheduler.waiting() + scheduler.running().count()) as i64);
            effects
        };
        for effect in effects {
            match effect {
                Effect::Copy(task) => self.copy(&catalog, &task),
                Effect::Cancel(id) => {
                    if let Some(call) = self.calls.remove(&id) {
                        call.abort();
                    }
                    let why = "cancelled: it took too long, or nobody needs it any more";
                    engine.replicas.scheduler.lock().end(id, Err(why.to_owned()), true, now_ms);
                }
                Effect::Propose(op) => propose(&engine, op, now_ms).await,
            }
        }
        if due {
            leave(&engine, &catalog, &cluster).await;
            sweep(&engine, now_ms);
        }
    }

    fn copy(&mut self, catalog: &CatalogState, task: &Task) {
        let address = |node: &NodeId| catalog.backends.get(node).map(|b| format!("{}:{}", b.host, b.brpc_port));
        let renew = matches!(task.work, Work::Refresh { renew: true, .. });
        let wanted = CatchUpTablet {
            tablet_id: task.tablet.0,
            version: task.version,
            sources: task.sources.iter().filter_map(address).collect(),
            renew,
            dir: task.disk.clone(),
        };
        let timeout = Duration::from_millis(u64::try_from(task.deadline_ms - task.started_ms).unwrap_or(1).max(1));
        let target = catalog.backends.get(&task.work.node()).map(|b| format!("{}:{}", b.host, b.be_port));
        debug!(task = task.id, tablet = %task.tablet, health = task.health.name(), to = %task.work.node(), "a replica is copied");
        let (engine, sender, id) = (self.engine.clone(), self.sender.clone(), task.id);
        let call = tokio::spawn(async move {
            let result = match target {
                Some(address) => call(&engine, &address, wanted, timeout).await,
                None => Err(err!(Unavailable, "the backend is gone")),
            };
            let _ = sender.send((id, result));
        });
        self.calls.insert(id, call.abort_handle());
    }

    /// Makes what was copied known.
    async fn take_in(&mut self, ended: Vec<Outcome>) {
        let engine = &self.engine;
        let tasks: HashMap<u64, Task> = {
            let scheduler = engine.replicas.scheduler.lock();
            let ids: Vec<u64> = ended.iter().map(|(id, _)| *id).collect();
            scheduler.running().filter(|t| ids.contains(&t.id)).map(|t| (t.id, t.clone())).collect()
        };
        let (mut raised, mut added, mut done) = (Vec::new(), Vec::new(), Vec::new());
        for (id, result) in ended {
            self.calls.remove(&id);
            let Some(task) = tasks.get(&id) else { continue };
            match result {
                Ok(version) => {
                    if !task.disk.is_empty() {
                        // The next report says the same, or better.
                        engine.statistics.moved(task.tablet, task.work.node(), &task.disk);
                    }
                    match task.work {
                        Work::Refresh { node, .. } => raised.push((task.tablet, node, version)),
                        Work::Add { node, .. } => added.push((task.tablet, node, version)),
                    }
                    done.push(id);
                }
                Err(e) => {
                    warn!(tablet = %task.tablet, backend = %task.work.node(), health = task.health.name(), "a replica could not be copied: {e}");
                    engine.replicas.scheduler.lock().end(id, Err(e.message().to_owned()), false, engine.clock.now_ms());
                }
            }
        }
        if done.is_empty() {
            return;
        }
        info!(caught_up = raised.len(), new = added.len(), "replicas have been copied");
        let recorded = record(engine, raised, added).await;
        let (mut scheduler, now_ms) = (engine.replicas.scheduler.lock(), engine.clock.now_ms());
        for id in done {
            scheduler.end(id, recorded.as_ref().map(|_| ()).map_err(|e| e.message().to_owned()), false, now_ms);
        }
        drop(scheduler);
        engine.replicas.look_again();
    }
}

async fn record(engine: &Engine, raised: Vec<(TabletId, NodeId, i64)>, added: Vec<(TabletId, NodeId, i64)>) -> Result<()> {
    if !raised.is_empty() {
        engine.meta.submit(Op::RaiseReplicas { replicas: raised }).await?;
    }
    if !added.is_empty() {
        let first = engine.meta.next_ids(added.len() as u64).await?;
        let replicas = added.into_iter().zip(first..).map(|((tablet, node, version), id)| (tablet, Replica::new(ReplicaId(id), node, version))).collect();
        engine.meta.submit(Op::AddReplicas { replicas }).await?;
    }
    Ok(())
}

async fn propose(engine: &Arc<Engine>, op: Op, now_ms: i64) {
    let going = if let Op::DropReplicas { replicas } = &op { replicas.clone() } else { Vec::new() };
    if let Err(e) = engine.meta.submit(op).await {
        warn!("what is to become of replicas could not be recorded: {e}");
        return;
    }
    let catalog = engine.meta.snapshot();
    let gone = going.into_iter().filter(|(tablet, node)| !is_known(&catalog, *tablet, *node));
    engine.replicas.dropped.lock().extend(gone.map(|(tablet, node)| (now_ms, node, tablet)));
}

/// Whether the catalog has a replica of a tablet on a backend.
pub fn is_known(catalog: &CatalogState, tablet: TabletId, node: NodeId) -> bool {
    catalog.known_partition(tablet).is_some_and(|(_, p)| p.tablet(tablet).is_some_and(|t| t.replica(node).is_some()))
}

/// Dropped replicas leave their disks when queries that may have been planned with them are over.
fn sweep(engine: &Arc<Engine>, now_ms: i64) {
    let delay_ms = engine.setting_int("tablet_report_drop_tablet_delay_sec").max(0).saturating_mul(1000);
    let mut per_node: BTreeMap<NodeId, Vec<u64>> = BTreeMap::new();
    {
        let catalog = engine.meta.snapshot();
        let scheduler = engine.replicas.scheduler.lock();
        let mut dropped = engine.replicas.dropped.lock();
        while dropped.front().is_some_and(|(at, ..)| now_ms >= at.saturating_add(delay_ms)) {
            let Some((_, node, tablet)) = dropped.pop_front() else { break };
            // It may have come back meanwhile.
            if !is_known(&catalog, tablet, node) && !scheduler.is_copying(tablet, node) {
                per_node.entry(node).or_default().push(tablet.0);
            }
        }
    }
    if !per_node.is_empty() {
        tablets::drop_on_backends(engine, per_node);
    }
}

/// Backends that were to be emptied and are empty leave the cluster.
async fn leave(engine: &Arc<Engine>, catalog: &CatalogState, cluster: &Cluster) {
    let leaving: Vec<NodeId> = catalog.backends.values().filter(|b| b.decommissioned).map(|b| b.id).collect();
    if leaving.is_empty() || !engine.setting_bool("drop_backend_after_decommission") {
        return;
    }
    let mut holding: BTreeMap<NodeId, usize> = BTreeMap::new();
    for replica in partitions(catalog).flat_map(|(_, _, p)| &p.indexes).flat_map(|i| &i.tablets).flat_map(|t| &t.replicas) {
        *holding.entry(replica.node).or_default() += 1;
    }
    for node in leaving {
        let on_disk = cluster.backends.get(&node).filter(|b| b.alive).map_or(0, |b| b.tablets);
        if holding.contains_key(&node) || on_disk > 0 {
            continue;
        }
        match engine.meta.submit(Op::DropBackend { node }).await {
            Ok(_) => {
                info!(backend = %node, "a backend is empty and leaves the cluster");
                engine.nodes.forget(node);
            }
            Err(e) => warn!(backend = %node, "an empty backend could not be dropped: {e}"),
        }
    }
}

async fn call(engine: &Engine, address: &str, wanted: CatchUpTablet, timeout: Duration) -> Result<i64> {
    let tablet = wanted.tablet_id;
    let mut request = tonic::Request::new(CatchUpRequest { tablets: vec![wanted] });
    request.set_timeout(timeout);
    let reply = engine.pool.be(address)?.catch_up(request).await.map_err(|e| status::from_grpc(&e, address))?.into_inner();
    status::from_message(reply.status)?;
    match reply.tablets.iter().find(|t| t.tablet_id == tablet) {
        Some(done) => Ok(done.version),
        None => bail!(Unavailable, "{}", if reply.problem.is_empty() { "the backend does not say why" } else { &reply.problem }),
    }
}

/// Looks at every tablet of tables as the scheduler does.
pub fn judge_tables<'c>(
    engine: &Engine,
    catalog: &'c CatalogState,
    tables: impl Iterator<Item = &'c Arc<Table>>,
    mut each: impl FnMut(&Partition, &Tablet, &Verdict),
) {
    let (cluster, policy, now_ms) = (observe(engine, catalog), policy(engine), engine.clock.now_ms());
    let targets = fe_jobs::tablet::colocate::targets(catalog);
    for (table, olap) in tables.filter_map(|t| Some((t, t.as_olap()?))) {
        let buckets = olap.colocate_group.as_ref().and_then(|g| targets.get(&(table.db_id, g.clone())));
        for partition in olap.partitions.values() {
            let medium = medium_of(olap, partition, now_ms);
            for (at, tablet) in partition.indexes.iter().flat_map(|i| i.tablets.iter().enumerate()) {
                let cx = Context {
                    cluster: &cluster,
                    policy: &policy,
                    now_ms,
                    bucket: buckets.and_then(|b| b.get(at)).map(Vec::as_slice),
                    given_up: &|_| false,
                    moved_from: None,
                    load: &|_| 0.0,
                    movable: !olap.is_changing(),
                    location: fe_jobs::tablet::place::wanted(olap),
                    misplaced: &|node| {
                        let disk = tablet.replica(node).map(|_| engine.statistics.disk(tablet.id, node));
                        on_wrong_medium(&cluster, medium, node, disk.as_deref())
                    },
                };
                each(partition, tablet, &judge(tablet, partition, &cx));
            }
        }
    }
}
