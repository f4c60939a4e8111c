//! Balance: which replicas move from which backend to which.
//!
//! Two rules, each of which only ever makes things better, so that moving ends: within an index of a partition no backend has two
//! replicas more than another; over everything, the loads of backends — replicas and bytes, weighed — differ by less than a
//! threshold. A move for the second rule never breaks the first. Moves under way count as made.

use std::collections::BTreeMap;

use common_base::ids::{NodeId, TabletId};
use fe_catalog::{CatalogState, model::{Partition, Tablet}};

use super::{
    cluster::{Cluster, Facts, Policy, medium_of},
    health::{is_source, place},
    place::{allowed, wanted},
    scheduler::{Loads, is_colocated},
};

/// Data below this share of the capacity weighs nothing.
const SMALL_SHARE: f64 = 0.01;

/// How loaded a backend is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    pub replicas: u64,
    pub bytes: u64,
    pub capacity: u64,
    pub used_share: f64,
    pub room_weight: f64,
    pub replica_weight: f64,
    pub score: f64,
}

/// A replica to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    pub tablet: TabletId,
    pub from: NodeId,
    pub to: NodeId,
}

/// Where a tablet's replicas are when everything under way is done.
pub type Effective<'a> = &'a dyn Fn(&Tablet) -> Vec<NodeId>;

struct Weights {
    room: f64,
    replicas: f64,
    average_share: f64,
    average_replicas: f64,
}

impl Weights {
    fn score(&self, replicas: f64, bytes: f64, capacity: f64) -> f64 {
        let share = if capacity > 0.0 { bytes / capacity } else { 0.0 };
        self.room * share / self.average_share + self.replicas * replicas / self.average_replicas
    }
}

fn weights(loads: &Loads, cluster: &Cluster, policy: &Policy) -> Weights {
    let nodes: Vec<_> = cluster.takers().collect();
    let count = nodes.len().max(1) as f64;
    let replicas: u64 = nodes.iter().map(|(n, _)| loads.replicas.get(n).copied().unwrap_or(0)).sum();
    let share: f64 = nodes.iter().map(|(n, b)| loads.bytes.get(n).copied().unwrap_or(0) as f64 / b.capacity().max(1) as f64).sum();
    let fullest = nodes.iter().map(|(_, b)| b.used_share()).fold(0.0, f64::max);
    let room = if fullest < 0.5 { 0.5 } else if fullest >= policy.high_water { 1.0 } else { 2.0 * fullest - 0.5 };
    Weights { room, replicas: 1.0 - room, average_share: (share / count).max(SMALL_SHARE), average_replicas: (replicas as f64 / count).max(1.0) }
}

/// Loads of all backends that answer.
pub fn scores(loads: &Loads, cluster: &Cluster, policy: &Policy) -> BTreeMap<NodeId, Score> {
    let weights = weights(loads, cluster, policy);
    let of = |(id, b): (&NodeId, &super::BackendView)| {
        let (replicas, bytes) = (loads.replicas.get(id).copied().unwrap_or(0), loads.bytes.get(id).copied().unwrap_or(0));
        let score = weights.score(replicas as f64, bytes as f64, b.capacity() as f64);
        (*id, Score { replicas, bytes, capacity: b.capacity(), used_share: b.used_share(), room_weight: weights.room, replica_weight: weights.replicas, score })
    };
    cluster.backends.iter().filter(|(_, b)| b.alive).map(of).collect()
}

struct Plan<'a> {
    cluster: &'a Cluster,
    facts: &'a dyn Facts,
    weights: Weights,
    replicas: BTreeMap<NodeId, f64>,
    bytes: BTreeMap<NodeId, f64>,
    moves: Vec<Move>,
    room: usize,
}

/// A tablet that could move.
struct Candidate<'c> {
    tablet: &'c Tablet,
    /// Which index of which partition it is of.
    group: usize,
    wants: Wants<'c>,
}

/// Where a partition's replicas may be.
#[derive(Clone, Copy)]
struct Wants<'c> {
    location: &'c str,
    medium: &'c str,
}

/// Moves that make things better, at most `room`.
#[allow(clippy::too_many_arguments)]
pub fn moves(
    catalog: &CatalogState,
    cluster: &Cluster,
    facts: &dyn Facts,
    policy: &Policy,
    loads: &Loads,
    room: usize,
    fit: &dyn Fn(TabletId) -> bool,
    effective: Effective<'_>,
    now_ms: i64,
) -> Vec<Move> {
    let nodes: Vec<NodeId> = cluster.takers().map(|(n, _)| n).collect();
    if nodes.len() < 2 || room == 0 {
        return Vec::new();
    }
    let start = |m: &BTreeMap<NodeId, u64>| nodes.iter().map(|n| (*n, m.get(n).copied().unwrap_or(0) as f64)).collect();
    let mut plan =
        Plan { cluster, facts, weights: weights(loads, cluster, policy), replicas: start(&loads.replicas), bytes: start(&loads.bytes), moves: Vec::new(), room };
    let unbalanced = plan.extremes(&nodes).is_some_and(|(low, high)| plan.score(high) - plan.score(low) > policy.balance_threshold);
    let mut groups: Vec<BTreeMap<NodeId, usize>> = Vec::new();
    let mut candidates: BTreeMap<NodeId, Vec<Candidate<'_>>> = BTreeMap::new();
    let live = catalog.tables.values().filter_map(|t| t.as_olap()).filter(|o| !is_colocated(o) && !o.is_changing());
    for (olap, partition) in live.flat_map(|o| o.partitions.values().map(move |p| (o, p))) {
        let wants = Wants { location: wanted(olap), medium: medium_of(olap, partition, now_ms) };
        for index in &partition.indexes {
            if plan.moves.len() >= room {
                return plan.moves;
            }
            let mut counts: BTreeMap<NodeId, usize> = nodes.iter().map(|n| (*n, 0)).collect();
            for node in index.tablets.iter().flat_map(effective) {
                if let Some(n) = counts.get_mut(&node) {
                    *n += 1;
                }
            }
            plan.spread(partition, &index.tablets, wants, &mut counts, fit);
            if unbalanced {
                let moved: Vec<TabletId> = plan.moves.iter().rev().take(index.tablets.len()).map(|m| m.tablet).collect();
                for tablet in index.tablets.iter().filter(|t| fit(t.id) && !moved.contains(&t.id) && whole(t, partition, cluster)) {
                    for node in tablet.replicas.iter().map(|r| r.node).filter(|n| counts.contains_key(n)) {
                        candidates.entry(node).or_default().push(Candidate { tablet, group: groups.len(), wants });
                    }
                }
                groups.push(counts);
            }
        }
    }
    while unbalanced && plan.moves.len() < room {
        if !plan.level(&nodes, policy, &mut groups, &mut candidates) {
            break;
        }
    }
    plan.moves
}

/// Only what nobody has to mend moves.
fn whole(tablet: &Tablet, partition: &Partition, cluster: &Cluster) -> bool {
    tablet.replicas.len() == usize::from(partition.replication_num) && tablet.replicas.iter().all(|r| is_source(r, partition, cluster))
}

impl Plan<'_> {
    fn score(&self, node: NodeId) -> f64 {
        self.score_with(node, 0.0, 0.0)
    }

    fn score_with(&self, node: NodeId, replicas: f64, bytes: f64) -> f64 {
        let of = |m: &BTreeMap<NodeId, f64>| m.get(&node).copied().unwrap_or(0.0);
        let capacity = self.cluster.backends.get(&node).map_or(0, |b| b.capacity());
        self.weights.score(of(&self.replicas) + replicas, of(&self.bytes) + bytes, capacity as f64)
    }

    fn extremes(&self, nodes: &[NodeId]) -> Option<(NodeId, NodeId)> {
        let by_score = |a: &&NodeId, b: &&NodeId| self.score(**a).total_cmp(&self.score(**b)).then(a.cmp(b));
        Some((*nodes.iter().min_by(by_score)?, *nodes.iter().max_by(by_score)?))
    }

    fn add(&mut self, tablet: TabletId, from: NodeId, to: NodeId) {
        let bytes = self.facts.bytes(tablet) as f64;
        for (node, sign) in [(from, -1.0), (to, 1.0)] {
            *self.replicas.entry(node).or_default() += sign;
            *self.bytes.entry(node).or_default() += sign * bytes;
        }
        self.moves.push(Move { tablet, from, to });
    }

    /// Whether a replica may go from one backend to another: room there, and no worse a place.
    fn may(&self, tablet: &Tablet, wants: Wants<'_>, from: NodeId, to: NodeId) -> bool {
        if tablet.replica(to).is_some() || tablet.replica(from).is_none() {
            return false;
        }
        let Some(target) = self.cluster.backends.get(&to).filter(|b| b.takes_replicas() && allowed(wants.location, &b.location)) else { return false };
        let bytes = self.facts.bytes(tablet.id);
        let fits = |d: &super::DiskView| d.usable && d.available_bytes > bytes.saturating_mul(2);
        let of_medium = |d: &super::DiskView| wants.medium.is_empty() || d.medium.eq_ignore_ascii_case(wants.medium);
        // One that is on its medium does not leave it.
        let held = self.cluster.backends.get(&from).is_some_and(|b| b.disks.iter().any(of_medium));
        if !target.disks.iter().any(|d| fits(d) && (!held || of_medium(d))) {
            return false;
        }
        let others = || tablet.replicas.iter().map(|r| r.node).filter(|n| *n != from);
        let shared = |node: NodeId| others().filter(|n| place(*n, self.cluster) == place(node, self.cluster)).count();
        shared(to) <= shared(from)
    }

    /// Within one index: no backend has two replicas more than another.
    fn spread(&mut self, partition: &Partition, tablets: &[Tablet], wants: Wants<'_>, counts: &mut BTreeMap<NodeId, usize>, fit: &dyn Fn(TabletId) -> bool) {
        let first = self.moves.len();
        while self.moves.len() < self.room {
            let (least, most) = (counts.values().min().copied().unwrap_or(0), counts.values().max().copied().unwrap_or(0));
            if most < least + 2 {
                return;
            }
            let mut pairs: Vec<(NodeId, NodeId)> = Vec::new();
            for (high, h) in counts.iter() {
                pairs.extend(counts.iter().filter(|(_, l)| *h >= **l + 2).map(|(low, _)| (*high, *low)));
            }
            pairs.sort_by(|(h1, l1), (h2, l2)| {
                let gap = |h: &NodeId, l: &NodeId| counts[h] - counts[l];
                let load = |h: &NodeId, l: &NodeId| self.score(*h) - self.score(*l);
                gap(h2, l2).cmp(&gap(h1, l1)).then(load(h2, l2).total_cmp(&load(h1, l1)))
            });
            let found = pairs.into_iter().find_map(|(high, low)| {
                let free = |t: &&Tablet| fit(t.id) && whole(t, partition, self.cluster) && !self.moves[first..].iter().any(|m| m.tablet == t.id);
                tablets.iter().filter(free).find(|t| self.may(t, wants, high, low)).map(|t| (t.id, high, low))
            });
            let Some((tablet, high, low)) = found else { return };
            for (node, up) in [(high, false), (low, true)] {
                if let Some(n) = counts.get_mut(&node) {
                    *n = if up { *n + 1 } else { n.saturating_sub(1) };
                }
            }
            self.add(tablet, high, low);
        }
    }

    /// One move between the backends whose loads differ most; false when no move helps.
    fn level(&mut self, nodes: &[NodeId], policy: &Policy, groups: &mut [BTreeMap<NodeId, usize>], candidates: &mut BTreeMap<NodeId, Vec<Candidate<'_>>>) -> bool {
        let mut order = nodes.to_vec();
        order.sort_by(|a, b| self.score(*a).total_cmp(&self.score(*b)));
        for high in order.iter().rev() {
            for low in order.iter().take_while(|n| *n != high) {
                let before = self.score(*high);
                if before - self.score(*low) <= policy.balance_threshold {
                    break;
                }
                let Some(list) = candidates.get(high) else { break };
                let helps = |c: &Candidate<'_>| {
                    let bytes = self.facts.bytes(c.tablet.id) as f64;
                    let counts = &groups[c.group];
                    counts.get(high) > counts.get(low)
                        && self.score_with(*low, 1.0, bytes) < before - f64::EPSILON
                        && self.may(c.tablet, c.wants, *high, *low)
                };
                let Some(at) = list.iter().position(helps) else { continue };
                let (tablet, group) = (list[at].tablet.id, list[at].group);
                for list in candidates.values_mut() {
                    list.retain(|c| c.tablet.id != tablet);
                }
                if let Some(n) = groups[group].get_mut(high) {
                    *n = n.saturating_sub(1);
                }
                *groups[group].entry(*low).or_default() += 1;
                self.add(tablet, *high, *low);
                return true;
            }
        }
        false
    }
}
