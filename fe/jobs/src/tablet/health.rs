//! What is wrong with one tablet, and the next thing to do about it. Pure: catalog and view in, verdict out.

use std::collections::BTreeSet;

use common_base::ids::NodeId;
use fe_catalog::model::{Partition, Replica, Tablet};

use super::cluster::{Cluster, Policy};

/// State of a tablet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Health {
    Healthy,
    /// Too few replicas.
    ReplicaMissing,
    /// A replica lacks versions.
    VersionIncomplete,
    /// A replica is damaged or lost.
    ReplicaBad,
    /// A replica is on a backend that is to be emptied.
    ReplicaRelocating,
    /// Two replicas share a host or rack, and another one is free.
    LocationMismatch,
    /// A replica is on a disk of the wrong medium.
    DiskMigration,
    Redundant,
    ColocateMismatch,
    ColocateRedundant,
    /// A backend is away, and may come back.
    ReplicaAway,
    /// No replica is whole that one could copy.
    Lost,
}

impl Health {
    /// As users see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::ReplicaMissing => "REPLICA_MISSING",
            Self::VersionIncomplete => "VERSION_INCOMPLETE",
            Self::ReplicaBad => "NEED_FURTHER_REPAIR",
            Self::ReplicaRelocating => "REPLICA_RELOCATING",
            Self::LocationMismatch => "LOCATION_MISMATCH",
            Self::DiskMigration => "DISK_MIGRATION",
            Self::Redundant => "REDUNDANT",
            Self::ColocateMismatch => "COLOCATE_MISMATCH",
            Self::ColocateRedundant => "COLOCATE_REDUNDANT",
            Self::ReplicaAway => "REPLICA_AWAY",
            Self::Lost => "UNRECOVERABLE",
        }
    }
}

/// The order of repairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    Low,
    Normal,
    High,
    VeryHigh,
}

impl Priority {
    /// As users see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "LOW",
            Self::Normal => "NORMAL",
            Self::High => "HIGH",
            Self::VeryHigh => "VERY_HIGH",
        }
    }
}

/// State of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Good,
    Lagging,
    Bad,
    /// Its backend does not answer, but may come back.
    Away,
    /// It will not come back: its backend is dropped or away for too long, or its disks are gone.
    Gone,
    /// Whole, on a backend that is to be emptied.
    Leaving,
    /// The same, and it lacks versions.
    LeavingLagging,
}

/// The next thing to do for a tablet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    Nothing,
    /// A replica takes what it lacks from others; `renew`: all of it, what it has is worthless.
    Refresh { node: NodeId, renew: bool },
    /// One more replica, on a backend of choice or on this one.
    Add { on: Option<NodeId> },
    /// One of these replicas goes, the first that may.
    Remove { nodes: Vec<NodeId> },
}

/// What [`judge`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub health: Health,
    pub priority: Priority,
    pub need: Need,
}

/// What a verdict rests on beside the tablet.
pub struct Context<'a> {
    pub cluster: &'a Cluster,
    pub policy: &'a Policy,
    pub now_ms: i64,
    /// Where the bucket is to be, when the table is in a colocate group.
    pub bucket: Option<&'a [NodeId]>,
    /// Backends on which repair of this tablet has failed too often.
    pub given_up: &'a dyn Fn(NodeId) -> bool,
    /// The replica on this backend was moved elsewhere.
    pub moved_from: Option<NodeId>,
    /// How loaded a backend is: of redundant replicas the one on the most loaded goes.
    pub load: &'a dyn Fn(NodeId) -> f64,
    /// Whether new replicas may be made and old ones dropped (not while a schema change pairs them).
    pub movable: bool,
    /// `labels.location` of the table; nothing in a colocate group, whose buckets lie alike.
    pub location: &'a str,
    /// Whether a replica is on the wrong medium, and how it can get to the right one.
    pub misplaced: &'a dyn Fn(NodeId) -> Medium,
}

impl Context<'_> {
    /// Whether the table wants replicas on a backend.
    fn wants(&self, node: NodeId) -> bool {
        // Most tables say nothing.
        self.location.is_empty() || self.cluster.backends.get(&node).is_some_and(|b| super::place::allowed(self.location, &b.location))
    }
}

/// Whether a replica is on the medium its partition asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    Fine,
    /// Its own backend has the right one.
    Here,
    /// Only another backend has.
    Elsewhere,
}

/// State of a replica.
pub fn condition(replica: &Replica, partition: &Partition, cx: &Context<'_>) -> Condition {
    let Some(backend) = cx.cluster.backends.get(&replica.node) else { return Condition::Gone };
    if !backend.alive {
        let over = cx.now_ms >= backend.away_since_ms.saturating_add(cx.policy.grace_ms);
        return if over { Condition::Gone } else { Condition::Away };
    }
    let lagging = replica.version < partition.visible_version;
    if replica.bad {
        // Nowhere to make it again.
        let hopeless = backend.decommissioned || !backend.disks.is_empty() && backend.disks.iter().all(|d| !d.usable) || (cx.given_up)(replica.node);
        return if hopeless { Condition::Gone } else { Condition::Bad };
    }
    match (backend.decommissioned, lagging) {
        (true, false) => Condition::Leaving,
        (true, true) => Condition::LeavingLagging,
        (false, true) if (cx.given_up)(replica.node) => Condition::Gone,
        (false, true) => Condition::Lagging,
        (false, false) => Condition::Good,
    }
}

/// Whether others can copy from it.
pub fn is_source(replica: &Replica, partition: &Partition, cluster: &Cluster) -> bool {
    !replica.bad && replica.version >= partition.visible_version && cluster.is_alive(replica.node)
}

/// Looks at one tablet.
pub fn judge(tablet: &Tablet, partition: &Partition, cx: &Context<'_>) -> Verdict {
    let wanted = usize::from(partition.replication_num.max(1));
    let conditions: Vec<(NodeId, Condition)> = tablet.replicas.iter().map(|r| (r.node, condition(r, partition, cx))).collect();
    let count = |c: Condition| conditions.iter().filter(|(_, x)| *x == c).count();
    let find = |c: Condition| conditions.iter().find(|(_, x)| *x == c).map(|(n, _)| *n);
    let good = count(Condition::Good);
    let sources = tablet.replicas.iter().filter(|r| is_source(r, partition, cx.cluster)).count();
    // The fewer can be read, the more urgent it is.
    let urgency = if sources <= 1 && wanted > 1 { Priority::VeryHigh } else if sources < wanted / 2 + 1 { Priority::High } else { Priority::Normal };
    let verdict = |health, priority, need| Verdict { health, priority, need };
    let all_there = good == wanted && conditions.len() == wanted;
    if all_there && cx.bucket.is_none_or(|bucket| conditions.iter().all(|(n, _)| bucket.contains(n))) {
        let nowhere = !cx.movable || cx.bucket.is_some();
        let outside = |n: NodeId| !cx.wants(n);
        if !nowhere && (misplaced(&conditions, wanted, cx).is_some() || conditions.iter().any(|(n, _)| outside(*n)) && another_is_wanted(tablet, cx)) {
            return verdict(Health::LocationMismatch, Priority::Low, Need::Add { on: None });
        }
        let wrong = |m: Medium| conditions.iter().map(|(n, _)| *n).find(|n| (cx.misplaced)(*n) == m);
        // While one copy is made again another one is read.
        if let Some(node) = wrong(Medium::Here).filter(|_| good > 1) {
            return verdict(Health::DiskMigration, Priority::Low, Need::Refresh { node, renew: true });
        }
        if !nowhere && wrong(Medium::Elsewhere).or(wrong(Medium::Here)).is_some() && another_has_the_medium(tablet, cx) {
            return verdict(Health::DiskMigration, Priority::Low, Need::Add { on: None });
        }
        return verdict(Health::Healthy, Priority::Low, Need::Nothing);
    }
    if sources == 0 {
        let away = conditions.iter().any(|(_, c)| *c == Condition::Away);
        return verdict(if away { Health::ReplicaAway } else { Health::Lost }, Priority::VeryHigh, Need::Nothing);
    }
    // What is there already is the least work.
    if let Some(node) = find(Condition::Lagging) {
        return verdict(Health::VersionIncomplete, urgency, Need::Refresh { node, renew: false });
    }
    let renew = |node| tablet.replica(node).is_some_and(|r| r.declared_bad);
    if let Some(node) = find(Condition::Bad).filter(|node| cx.bucket.is_none_or(|b| b.contains(node))) {
        return verdict(Health::ReplicaBad, urgency, Need::Refresh { node, renew: renew(node) });
    }
    if !cx.movable {
        let health = if count(Condition::Away) > 0 { Health::ReplicaAway } else if good < wanted { Health::ReplicaMissing } else { Health::Redundant };
        return verdict(health, Priority::Low, Need::Nothing);
    }
    if let Some(bucket) = cx.bucket {
        return judge_bucket(bucket, &conditions, urgency, cx);
    }
    let expected = good + count(Condition::Away) + count(Condition::Bad);
    if expected < wanted {
        let leaving = count(Condition::Leaving) + count(Condition::LeavingLagging);
        let (health, priority) = if expected + leaving >= wanted { (Health::ReplicaRelocating, Priority::Normal) } else { (Health::ReplicaMissing, urgency) };
        return verdict(health, priority, Need::Add { on: None });
    }
    if good >= wanted && conditions.len() > wanted {
        return verdict(Health::Redundant, Priority::Low, Need::Remove { nodes: redundant(&conditions, cx) });
    }
    verdict(Health::ReplicaAway, Priority::Low, Need::Nothing)
}

fn judge_bucket(bucket: &[NodeId], conditions: &[(NodeId, Condition)], urgency: Priority, cx: &Context<'_>) -> Verdict {
    let verdict = |health, priority, need| Verdict { health, priority, need };
    let of = |node: &NodeId| conditions.iter().find(|(n, _)| n == node).map(|(_, c)| *c);
    let absent = |node: &&NodeId| of(node).is_none() && cx.cluster.backends.get(node).is_some_and(|b| b.takes_replicas());
    if let Some(node) = bucket.iter().find(absent) {
        return verdict(Health::ColocateMismatch, urgency, Need::Add { on: Some(*node) });
    }
    let whole = bucket.iter().all(|node| of(node) == Some(Condition::Good));
    if whole && conditions.len() > bucket.len() {
        let nodes = conditions.iter().map(|(n, _)| *n).filter(|n| !bucket.contains(n)).collect();
        return verdict(Health::ColocateRedundant, Priority::Low, Need::Remove { nodes });
    }
    verdict(if whole { Health::Healthy } else { Health::ReplicaAway }, Priority::Low, Need::Nothing)
}

/// Whether a backend without a replica is where the table wants them.
fn another_is_wanted(tablet: &Tablet, cx: &Context<'_>) -> bool {
    cx.cluster.takers().any(|(n, _)| tablet.replica(n).is_none() && cx.wants(n) && !(cx.given_up)(n))
}

/// Whether a backend without a replica has the medium that the tablet's replicas should be on.
fn another_has_the_medium(tablet: &Tablet, cx: &Context<'_>) -> bool {
    let mut others = cx.cluster.takers().map(|(n, _)| n).filter(|n| tablet.replica(*n).is_none() && !(cx.given_up)(*n));
    others.any(|n| (cx.misplaced)(n) == Medium::Here)
}

/// Replicas that may go, the first choice first.
fn redundant(conditions: &[(NodeId, Condition)], cx: &Context<'_>) -> Vec<NodeId> {
    let rank = |c: Condition| match c {
        Condition::Gone => 0,
        Condition::Bad => 1,
        Condition::LeavingLagging => 2,
        Condition::Leaving => 3,
        Condition::Lagging => 4,
        Condition::Away => 5,
        Condition::Good => 6,
    };
    let crowded = crowded(conditions, cx);
    let mut out: Vec<(NodeId, Condition)> = conditions.to_vec();
    out.sort_by(|(a, x), (b, y)| {
        let key = |n: NodeId, c: Condition| (rank(c), cx.moved_from != Some(n), cx.wants(n), (cx.misplaced)(n) == Medium::Fine, crowded != Some(n));
        key(*a, *x).cmp(&key(*b, *y)).then((cx.load)(*b).total_cmp(&(cx.load)(*a)))
    });
    out.into_iter().map(|(n, _)| n).collect()
}

/// Rack of a backend, or its host when nobody says where racks are.
pub fn place(node: NodeId, cluster: &Cluster) -> Option<&str> {
    cluster.backends.get(&node).map(|b| if cluster.located { b.location.as_str() } else { b.host.as_str() })
}

/// A good replica that shares its place with another one.
fn crowded(conditions: &[(NodeId, Condition)], cx: &Context<'_>) -> Option<NodeId> {
    let places: BTreeSet<&str> = cx.cluster.takers().filter(|(n, _)| cx.wants(*n)).filter_map(|(n, _)| place(n, cx.cluster)).collect();
    if places.len() < 2 {
        return None;
    }
    let mut seen = BTreeSet::new();
    let good = conditions.iter().rev().filter(|(_, c)| *c == Condition::Good).map(|(n, _)| *n);
    good.into_iter().find(|n| place(*n, cx.cluster).is_some_and(|p| !seen.insert(p)))
}

/// The same, when a place without a replica is free.
fn misplaced(conditions: &[(NodeId, Condition)], wanted: usize, cx: &Context<'_>) -> Option<NodeId> {
    let used: BTreeSet<&str> = conditions.iter().filter_map(|(n, _)| place(*n, cx.cluster)).collect();
    // So it is with nearly every tablet: nothing is looked at further.
    if used.len() >= wanted {
        return None;
    }
    let free = cx.cluster.takers().filter(|(n, _)| cx.wants(*n)).filter_map(|(n, _)| place(n, cx.cluster)).any(|p| !used.contains(p));
    if free { crowded(conditions, cx) } else { None }
}
