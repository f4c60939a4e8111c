//! Where the buckets of colocate groups are to be. A group moves whole: its buckets are given to other backends here, and every tablet
//! of every table follows (`health::judge`), new replicas first.

use std::{collections::BTreeMap, sync::Arc};

use common_base::ids::{DbId, NodeId};
use fe_catalog::{CatalogState, Op, model::Partition};

use super::{cluster::{Cluster, Policy, partitions}, health::place};

/// The backends of each bucket, by database and group.
pub type Targets = BTreeMap<(DbId, String), Arc<Vec<Vec<NodeId>>>>;

/// Where the groups that exist are to be; a group that has no place yet is not in it.
pub fn targets(catalog: &CatalogState) -> Targets {
    catalog.colocate_buckets.iter().map(|(key, buckets)| (key.clone(), buckets.clone())).collect()
}

/// Where a partition has its buckets now.
pub fn sequence(partition: &Partition) -> Vec<Vec<NodeId>> {
    let nodes = |t: &fe_catalog::model::Tablet| {
        let mut nodes: Vec<NodeId> = t.replicas.iter().map(|r| r.node).collect();
        nodes.sort_unstable();
        nodes
    };
    partition.indexes.first().map(|i| i.tablets.iter().map(nodes).collect()).unwrap_or_default()
}

/// What is to change: groups that are new or gone, buckets of backends that will not come back, and, when nothing else is to be done
/// (`calm`), a bucket of the backend that has most.
pub fn step(catalog: &CatalogState, cluster: &Cluster, policy: &Policy, targets: &Targets, calm: bool, now_ms: i64) -> Vec<Op> {
    let mut first: BTreeMap<(DbId, &str), &Partition> = BTreeMap::new();
    for (table, olap, partition) in partitions(catalog) {
        if let Some(group) = &olap.colocate_group {
            first.entry((table.db_id, group)).or_insert(partition);
        }
    }
    let mut ops = Vec::new();
    for (db, group) in targets.keys().filter(|(db, group)| !first.contains_key(&(*db, group.as_str()))) {
        ops.push(Op::PutColocateBuckets { db: *db, group: group.clone(), buckets: None });
    }
    for ((db, group), partition) in first {
        let wanted = usize::from(partition.replication_num);
        let known = targets.get(&(db, group.to_owned())).filter(|b| b.len() == partition.buckets as usize && b.iter().all(|nodes| nodes.len() == wanted));
        let buckets = match known {
            Some(known) => {
                let mended = mended(known, cluster, policy, now_ms);
                if mended == **known && calm && policy.balance && policy.balance_colocated { balanced(&mended, cluster) } else { mended }
            }
            None => sequence(partition).into_iter().map(|mut nodes| {
                nodes.truncate(wanted);
                nodes
            }).collect(),
        };
        let complete = buckets.iter().all(|nodes| nodes.len() == wanted);
        if complete && known.is_none_or(|known| **known != buckets) {
            ops.push(Op::PutColocateBuckets { db, group: group.to_owned(), buckets: Some(buckets) });
        }
    }
    ops
}

fn counts(buckets: &[Vec<NodeId>], cluster: &Cluster) -> BTreeMap<NodeId, usize> {
    let mut counts: BTreeMap<NodeId, usize> = cluster.takers().map(|(n, _)| (n, 0)).collect();
    for node in buckets.iter().flatten() {
        if let Some(n) = counts.get_mut(node) {
            *n += 1;
        }
    }
    counts
}

/// Buckets of backends that will not come back go to those that have fewest.
fn mended(buckets: &[Vec<NodeId>], cluster: &Cluster, policy: &Policy, now_ms: i64) -> Vec<Vec<NodeId>> {
    let gone = |node: &NodeId| match cluster.backends.get(node) {
        None => true,
        Some(b) => b.decommissioned || !b.alive && now_ms >= b.away_since_ms.saturating_add(policy.grace_ms),
    };
    let mut counts = counts(buckets, cluster);
    let mut out = buckets.to_vec();
    for bucket in &mut out {
        for at in 0..bucket.len() {
            if !gone(&bucket[at]) {
                continue;
            }
            let shares = |n: NodeId| bucket.iter().enumerate().any(|(i, o)| i != at && place(*o, cluster) == place(n, cluster));
            let free = counts.iter().filter(|(n, _)| !bucket.contains(n)).map(|(n, c)| (shares(*n), *c, *n)).min();
            if let Some((_, _, node)) = free {
                bucket[at] = node;
                *counts.entry(node).or_default() += 1;
            }
        }
        bucket.sort_unstable();
    }
    out
}

/// One bucket goes from the backend with most to the one with fewest, when that helps.
fn balanced(buckets: &[Vec<NodeId>], cluster: &Cluster) -> Vec<Vec<NodeId>> {
    let counts = counts(buckets, cluster);
    let mut out = buckets.to_vec();
    let Some((low, fewest)) = counts.iter().min_by_key(|(n, c)| (**c, **n)) else { return out };
    let mut crowded: Vec<(&NodeId, &usize)> = counts.iter().filter(|(_, c)| **c >= *fewest + 2).collect();
    crowded.sort_by_key(|(n, c)| (std::cmp::Reverse(**c), **n));
    for (high, _) in crowded {
        let shared = |bucket: &[NodeId], n: NodeId| bucket.iter().filter(|o| **o != *high && place(**o, cluster) == place(n, cluster)).count();
        let fits = |bucket: &&mut Vec<NodeId>| bucket.contains(high) && !bucket.contains(low) && shared(bucket, *low) <= shared(bucket, *high);
        if let Some(bucket) = out.iter_mut().find(fits) {
            bucket.retain(|n| n != high);
            bucket.push(*low);
            bucket.sort_unstable();
            return out;
        }
    }
    out
}
