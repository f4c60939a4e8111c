//! Schema changes and index builds.
//!
//! Flow: the statement adds an index under construction, which every load from then on writes beside the others → wait until the
//! loads that do not know it have ended → convert, on each backend, the base tablet at the visible version into its counterpart →
//! swap the index in (or make it readable) → drop what is left over once nobody can read it any more. Rollups are made of the base
//! index too, also when they take the place of one. Of the rollups that one statement adds, one is converted at a time.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use common_base::ids::{NodeId, TableId, TabletId};
use fe_catalog::{
    CatalogState, Op,
    model::{AlterJob, AlterState, OlapTable, Replica, Tablet},
};

/// Queries that were planned before a swap have opened their tablets by then.
pub const GARBAGE_AGE_MS: i64 = 60_000;
/// Finished jobs are shown this long.
pub const JOB_KEEP_MS: i64 = 7 * 24 * 3600 * 1000;
/// A replica that failed this often is given up.
const ATTEMPTS: u32 = 3;
/// A replica on a backend that is away is given up after the job has converted for so long.
const AWAY_MS: i64 = 120_000;

/// What the runner has seen since it began.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    pub now_ms: i64,
    pub alive: BTreeSet<NodeId>,
    /// Converted replicas and the version they hold.
    pub converted: BTreeMap<(TabletId, NodeId), i64>,
    /// How often a conversion failed, and why the last time.
    pub failed: BTreeMap<(TabletId, NodeId), (u32, String)>,
    /// When this runner first saw the job convert.
    pub converting_since_ms: i64,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Propose(Op),
    Convert(Conversion),
    /// Drop tablets on their backends, then forget them.
    DropTablets { job: u64, tablets: Vec<(TabletId, Vec<NodeId>)> },
}

/// One replica to convert: the base tablet at a version into its counterpart on the same node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    pub job: u64,
    pub table: TableId,
    pub base: TabletId,
    pub new: TabletId,
    pub node: NodeId,
    pub version: i64,
}

/// The next effects of a job.
pub fn step(catalog: &CatalogState, job: &AlterJob, seen: &Observations) -> Vec<Effect> {
    match job.state {
        AlterState::WaitingTxn | AlterState::Running => advance(catalog, job, seen),
        AlterState::Finished | AlterState::Cancelled => clean_up(catalog, job, seen),
    }
}

fn advance(catalog: &CatalogState, job: &AlterJob, seen: &Observations) -> Vec<Effect> {
    let cancel = |reason: String| vec![Effect::Propose(Op::CancelAlter { job: job.id, reason, now_ms: seen.now_ms })];
    let table = catalog.tables.get(&job.table_id);
    let Some(olap) = table.and_then(|t| t.as_olap()).filter(|o| o.further.iter().any(|i| i.id == job.index)) else {
        return cancel("table does not exist".to_owned());
    };
    if seen.now_ms > job.created_ms + job.timeout_ms {
        return cancel(format!("timeout after {} s", job.timeout_ms / 1000));
    }
    if job.state == AlterState::WaitingTxn {
        // max_running_rollup_job_num_per_table: the oldest job goes first.
        if catalog.alter_jobs.range(..job.id).any(|(_, j)| j.table_id == job.table_id && j.kind == job.kind && j.is_running()) {
            return Vec::new();
        }
        let running = job.waiting.iter().any(|id| catalog.txns.get(id).is_some_and(|t| t.is_running()));
        return if running { Vec::new() } else { vec![Effect::Propose(Op::StartConversion { job: job.id })] };
    }
    convert(olap, job, seen)
}

/// How far a replica is.
enum Progress {
    Converted(i64),
    Todo(Conversion),
    /// Nothing can be done now.
    Waiting,
    Lost(String),
}

fn convert(olap: &OlapTable, job: &AlterJob, seen: &Observations) -> Vec<Effect> {
    let (mut effects, mut lost, mut converted) = (Vec::new(), Vec::new(), Vec::new());
    let mut complete = true;
    for partition in olap.partitions.values() {
        let of = |id| partition.indexes.iter().find(|i| i.index_id == id);
        let (Some(base), Some(new)) = (of(olap.base_index), of(job.index)) else { continue };
        for (base, new) in base.tablets.iter().zip(&new.tablets) {
            let (mut good, mut open, mut reason) = (0, false, String::new());
            for replica in &new.replicas {
                match progress(base, new, replica, partition.visible_version, job, seen) {
                    Progress::Converted(version) => {
                        good += 1;
                        converted.push((new.id, replica.node, version));
                    }
                    Progress::Todo(task) => {
                        open = true;
                        effects.push(Effect::Convert(task));
                    }
                    Progress::Waiting => open = true,
                    Progress::Lost(why) => {
                        lost.push((new.id, replica.node));
                        reason = why;
                    }
                }
            }
            if !open && good < new.replicas.len() / 2 + 1 {
                let reason = format!("tablet {} could not be converted on a majority of its replicas: {reason}", base.id);
                return vec![Effect::Propose(Op::CancelAlter { job: job.id, reason, now_ms: seen.now_ms })];
            }
            complete &= !open;
        }
    }
    if complete {
        return vec![Effect::Propose(Op::FinishAlter { job: job.id, converted, lost, now_ms: seen.now_ms })];
    }
    effects
}

fn progress(base: &Tablet, new: &Tablet, replica: &Replica, version: i64, job: &AlterJob, seen: &Observations) -> Progress {
    let node = replica.node;
    if let Some(version) = seen.converted.get(&(new.id, node)) {
        return Progress::Converted(*version);
    }
    if replica.bad {
        return Progress::Lost(format!("backend {node} has no tablet {}", new.id));
    }
    let patient = seen.now_ms < seen.converting_since_ms + AWAY_MS;
    let wait_or = |why: String| if patient { Progress::Waiting } else { Progress::Lost(why) };
    if !seen.alive.contains(&node) {
        return wait_or(format!("backend {node} is not alive"));
    }
    if let Some((times, why)) = seen.failed.get(&(new.id, node)) {
        if *times >= ATTEMPTS {
            return Progress::Lost(why.clone());
        }
    }
    match base.replicas.iter().find(|r| r.node == node) {
        None => Progress::Lost(format!("backend {node} has no replica of tablet {}", base.id)),
        Some(replica) if replica.bad => Progress::Lost(format!("the replica of tablet {} on backend {node} is bad", base.id)),
        Some(replica) if replica.version < version => wait_or(format!("the replica of tablet {} on backend {node} is behind", base.id)),
        Some(_) => Progress::Todo(Conversion { job: job.id, table: job.table_id, base: base.id, new: new.id, node, version }),
    }
}

fn clean_up(catalog: &CatalogState, job: &AlterJob, seen: &Observations) -> Vec<Effect> {
    if !job.garbage.is_empty() {
        // Loads planned before the end still write the old tablets.
        let in_use = catalog.txns.values().any(|t| t.is_running() && t.begin_ms <= job.finished_ms && t.tables.contains(&job.table_id));
        if in_use || seen.now_ms < job.finished_ms + GARBAGE_AGE_MS {
            return Vec::new();
        }
        return vec![Effect::DropTablets { job: job.id, tablets: job.garbage.clone() }];
    }
    if seen.now_ms > job.finished_ms + JOB_KEEP_MS {
        return vec![Effect::Propose(Op::ForgetAlterJobs { jobs: vec![job.id] })];
    }
    Vec::new()
}
