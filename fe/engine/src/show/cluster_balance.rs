//! SHOW PROC '/cluster_balance/…': what the scheduler of replicas sees, does and has done. It is the leader's: another frontend has
//! nothing to show.

use std::collections::BTreeMap;

use common_base::{Result, bail, ids::NodeId};
use common_types::Scalar;
use fe_jobs::tablet::{Task, TaskKind, TaskState, Work};

use super::{Table, nodes::path_hash, time};
use crate::{cluster::repair, engine::Engine, result::text, session::Session};

const TASKS: &[&str] = &[
    "TabletId",
    "Type",
    "Medium",
    "Status",
    "State",
    "OrigPrio",
    "DynmPrio",
    "SrcBe",
    "SrcPath",
    "DestBe",
    "DestPath",
    "Timeout",
    "Create",
    "LstSched",
    "LstVisit",
    "Finished",
    "Rate",
    "FailedSched",
    "FailedRunning",
    "LstAdjPrio",
    "VisibleVer",
    "VisibleVerHash",
    "CmtVer",
    "CmtVerHash",
    "ErrMsg",
];

/// The rows below `/cluster_balance`.
pub fn proc(session: &Session, path: &[&str]) -> Result<Table> {
    let engine = &session.engine;
    let zone = session.variables.get_text("time_zone");
    let scheduler = engine.replicas.scheduler.lock();
    Ok(match path {
        [] => {
            let count = |n: usize| text(n.to_string());
            let rows = vec![
                vec![text("cluster_load_stat"), count(media(engine).len())],
                vec![text("working_slots"), count(slots(engine, &BTreeMap::new()).len())],
                vec![text("sched_stat"), count(STATS.len())],
                vec![text("priority_repair"), count(scheduler.asked().len())],
                vec![text("pending_tablets"), count(scheduler.pending().count())],
                vec![text("running_tablets"), count(scheduler.running().count())],
                vec![text("history_tablets"), count(scheduler.history().len())],
                vec![text("balance_stat"), count(media(engine).len())],
            ];
            Table::new(&["Item", "Number"], rows)
        }
        ["cluster_load_stat"] => {
            let balanced = format!("{{\"balanced\":{}}}", scheduler.balanced);
            Table::new(&["StorageMedium", "ClusterDiskBalanceStat"], media(engine).into_iter().map(|m| vec![text(m), text(balanced.clone())]).collect())
        }
        ["cluster_load_stat", medium] => load_stat(engine, &scheduler, medium),
        ["working_slots"] => {
            let mut used: BTreeMap<(NodeId, String), usize> = BTreeMap::new();
            for task in scheduler.running() {
                let source = task.sources.first().map(|n| (*n, task.source_disk.clone()));
                source.into_iter().chain([(task.work.node(), task.disk.clone())]).for_each(|end| *used.entry(end).or_default() += 1);
            }
            Table::new(&["BeId", "PathHash", "AvailSlots", "TotalSlots", "AvgRate"], slots(engine, &used))
        }
        ["sched_stat"] => {
            let values = [scheduler.finished, scheduler.failed, scheduler.cancelled, scheduler.running().count() as u64, scheduler.waiting() as u64, scheduler.checks];
            let rows = STATS.iter().zip(values).map(|(name, value)| vec![text(*name), text(value.to_string()), text("0")]).collect();
            Table::new(&["Item", "Value", "Increase"], rows)
        }
        ["priority_repair"] => {
            let catalog = engine.meta.snapshot();
            let now_ms = engine.clock.now_ms();
            let row = |(id, until): (&common_base::ids::PartitionId, &i64)| {
                let table = catalog.tables.values().find(|t| t.as_olap().is_some_and(|o| o.partitions.contains_key(id)))?;
                let db = catalog.databases.get(&table.db_id)?;
                let partition = table.as_olap()?.partitions.get(id)?;
                Some(vec![text(db.name.clone()), text(table.name.clone()), text(partition.name.clone()), text((until - now_ms).to_string())])
            };
            Table::new(&["Database", "Table", "Partition", "RemainingTimeMs"], scheduler.asked().iter().filter_map(row).collect())
        }
        ["pending_tablets"] => tasks(scheduler.pending(), &zone),
        ["running_tablets"] => tasks(scheduler.running().cloned(), &zone),
        ["history_tablets"] => tasks(scheduler.history().iter().rev().cloned(), &zone),
        ["balance_stat"] => {
            let running = scheduler.running().filter(|t| t.kind == TaskKind::Balance).count();
            let waiting = scheduler.moves_waiting();
            let row = |m: String| vec![text(m), text("inter-node tablet distribution"), text(scheduler.balanced.to_string()), text(waiting.to_string()), text(running.to_string())];
            Table::new(&["StorageMedium", "BalanceType", "Balanced", "PendingTablets", "RunningTablets"], media(engine).into_iter().map(row).collect())
        }
        _ => bail!(User, "Cannot find path: /cluster_balance/{}", path.join("/")),
    })
}

const STATS: &[&str] = &["num of clone task succeeded", "num of clone task failed", "num of clone task cancelled", "num of running tasks", "num of pending tasks", "num of checks"];

fn media(engine: &Engine) -> Vec<String> {
    let cluster = repair::observe(engine, &engine.meta.snapshot());
    let mut media: Vec<String> = cluster.backends.values().flat_map(|b| b.disks.iter().map(|d| d.medium.clone())).collect();
    media.sort();
    media.dedup();
    media
}

fn slots(engine: &Engine, used: &BTreeMap<(NodeId, String), usize>) -> Vec<Vec<Scalar>> {
    let total = repair::policy(engine).slots_per_disk;
    let cluster = repair::observe(engine, &engine.meta.snapshot());
    let disks = cluster.backends.iter().filter(|(_, b)| b.alive).flat_map(|(id, b)| b.disks.iter().map(move |d| (*id, d.path.clone())));
    let row = |(node, path): (NodeId, String)| {
        let hash = path_hash(node.0, &path);
        let taken = used.get(&(node, path)).copied().unwrap_or(0);
        vec![text(node.to_string()), text(hash.to_string()), text(total.saturating_sub(taken).to_string()), text(total.to_string()), text("0.0")]
    };
    disks.map(row).collect()
}

fn load_stat(engine: &Engine, scheduler: &fe_jobs::tablet::Scheduler, medium: &str) -> Table {
    let cluster = repair::observe(engine, &engine.meta.snapshot());
    let scores = &scheduler.loads().scores;
    let (sum, count) = scores.values().fold((0.0, 0.0), |(s, n), x| (s + x.score, n + 1.0));
    let average = if count > 0.0 { sum / count } else { 0.0 };
    let rows = scores.iter().filter_map(|(id, score)| {
        let backend = cluster.backends.get(id)?;
        let disks: Vec<_> = backend.disks.iter().filter(|d| d.medium.eq_ignore_ascii_case(medium)).collect();
        if disks.is_empty() {
            return None;
        }
        let class = if score.score > average * 1.1 { "HIGH" } else if score.score < average * 0.9 { "LOW" } else { "MID" };
        let used: u64 = disks.iter().map(|d| d.used_bytes).sum();
        let capacity: u64 = disks.iter().map(|d| d.used_bytes + d.available_bytes).sum();
        let share = if capacity == 0 { 0.0 } else { used as f64 * 100.0 / capacity as f64 };
        Some(
            [
                id.to_string(),
                "default_cluster".to_owned(),
                backend.takes_replicas().to_string(),
                used.to_string(),
                capacity.to_string(),
                format!("{share:.3}"),
                score.replicas.to_string(),
                format!("{:.3}", score.room_weight),
                format!("{:.3}", score.replica_weight),
                format!("{:.3}", score.score),
                class.to_owned(),
                "{}".to_owned(),
            ]
            .into_iter()
            .map(text)
            .collect(),
        )
    });
    let names =
        ["BeId", "Cluster", "Available", "UsedCapacity", "Capacity", "UsedPercent", "ReplicaNum", "CapCoeff", "ReplCoeff", "Score", "Class", "BackendDiskBalanceStat"];
    Table::new(&names, rows.collect())
}

/// A task's state as users see it.
pub fn state_name(state: TaskState) -> &'static str {
    match state {
        TaskState::Pending => "PENDING",
        TaskState::Running => "RUNNING",
        TaskState::Finished => "FINISHED",
        TaskState::Failed => "UNEXPECTED",
        TaskState::Cancelled => "CANCELLED",
    }
}

fn tasks(all: impl Iterator<Item = Task>, zone: &str) -> Table {
    Table::new(TASKS, all.map(|t| task(&t, zone)).collect())
}

fn task(t: &Task, zone: &str) -> Vec<Scalar> {
    let or_none = |n: Option<NodeId>| n.filter(|n| n.0 != 0).map_or_else(|| "-1".to_owned(), |n| n.to_string());
    let source = match &t.work {
        Work::Add { instead_of: Some(from), .. } => Some(*from),
        _ => t.sources.first().copied(),
    };
    let rate = if t.state == TaskState::Finished && t.finished_ms > t.started_ms { t.bytes as f64 / 1048.576 / (t.finished_ms - t.started_ms) as f64 } else { 0.0 };
    [
        t.tablet.to_string(),
        if t.kind == TaskKind::Balance { "BALANCE" } else { "REPAIR" }.to_owned(),
        if t.medium.is_empty() { "HDD".to_owned() } else { t.medium.to_uppercase() },
        t.health.name().to_owned(),
        state_name(t.state).to_owned(),
        t.priority.name().to_owned(),
        t.priority.name().to_owned(),
        or_none(source),
        t.source_disk.clone(),
        or_none(Some(t.work.node())),
        t.disk.clone(),
        (t.deadline_ms - t.started_ms).max(0).to_string(),
        time::moment(t.created_ms, zone),
        time::moment(t.started_ms, zone),
        time::moment(t.started_ms, zone),
        time::moment(t.finished_ms, zone),
        format!("{rate:.2}"),
        "0".to_owned(),
        t.failures.to_string(),
        "NULL".to_owned(),
        t.version.to_string(),
        "0".to_owned(),
        t.version.to_string(),
        "0".to_owned(),
        t.message.clone(),
    ]
    .into_iter()
    .map(text)
    .collect()
}
