//! What the schedulers know of backends, and what they may do.

use std::collections::BTreeMap;

use common_base::ids::{NodeId, TabletId};
use fe_catalog::{CatalogState, model::{OlapTable, Partition, Table}};

/// A disk of a backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskView {
    pub path: String,
    /// `SSD` or `HDD`.
    pub medium: String,
    pub total_bytes: u64,
    pub available_bytes: u64,
    /// By tablets.
    pub used_bytes: u64,
    /// It works and has room for more tablets.
    pub usable: bool,
}

/// A backend of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendView {
    pub host: String,
    /// `rack:r1`; empty = not said.
    pub location: String,
    pub alive: bool,
    /// Since when it does not answer.
    pub away_since_ms: i64,
    pub decommissioned: bool,
    /// Tablets it says it holds, also those the catalog does not know.
    pub tablets: u64,
    pub disks: Vec<DiskView>,
}

impl BackendView {
    /// Whether it can take replicas.
    pub fn takes_replicas(&self) -> bool {
        self.alive && !self.decommissioned && self.disks.iter().any(|d| d.usable)
    }

    /// The disk for a new tablet: of the medium (of any, when none has it), the most free bytes.
    pub fn best_disk(&self, medium: &str, has_slot: impl Fn(&DiskView) -> bool) -> Option<&DiskView> {
        let usable = || self.disks.iter().filter(|d| d.usable && has_slot(d));
        let of_medium = usable().filter(|d| medium.is_empty() || d.medium.eq_ignore_ascii_case(medium));
        of_medium.max_by_key(|d| d.available_bytes).or_else(|| usable().max_by_key(|d| d.available_bytes))
    }

    /// Share of its disks that is used, 0 to 1.
    pub fn used_share(&self) -> f64 {
        let (total, available) = self.disks.iter().fold((0, 0), |(t, a), d| (t + d.total_bytes, a + d.available_bytes));
        if total == 0 { 0.0 } else { total.saturating_sub(available) as f64 / total as f64 }
    }

    /// Bytes its tablets may use.
    pub fn capacity(&self) -> u64 {
        self.disks.iter().map(|d| d.used_bytes + d.available_bytes).sum()
    }
}

/// All backends of the catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    pub backends: BTreeMap<NodeId, BackendView>,
    /// Somebody says where racks are. Asked for every replica of the cluster, so it is found once.
    pub(crate) located: bool,
}

impl Cluster {
    /// Of backends.
    pub fn new(backends: BTreeMap<NodeId, BackendView>) -> Self {
        let located = backends.values().any(|b| b.takes_replicas() && !b.location.is_empty());
        Self { backends, located }
    }

    /// Whether a backend answers.
    pub fn is_alive(&self, node: NodeId) -> bool {
        self.backends.get(&node).is_some_and(|b| b.alive)
    }

    /// Backends that can take replicas.
    pub fn takers(&self) -> impl Iterator<Item = (NodeId, &BackendView)> {
        self.backends.iter().filter(|(_, b)| b.takes_replicas()).map(|(id, b)| (*id, b))
    }
}

/// What reports say of tablets.
pub trait Facts {
    /// Bytes of one replica.
    fn bytes(&self, tablet: TabletId) -> u64;
    /// The root of the disk a replica is on; empty when not known.
    fn disk(&self, tablet: TabletId, node: NodeId) -> String;
}

/// What the schedulers may do; from settings.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How long a backend may be away until its replicas are made again elsewhere.
    pub grace_ms: i64,
    /// Copies at a time to or from one disk.
    pub slots_per_disk: usize,
    pub max_tasks: usize,
    pub max_balancing: usize,
    pub balance: bool,
    pub balance_colocated: bool,
    /// Differences of load below this are none.
    pub balance_threshold: f64,
    /// From this share of used disks on, room counts alone.
    pub high_water: f64,
    pub min_timeout_ms: i64,
    pub max_timeout_ms: i64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            grace_ms: 600_000,
            slots_per_disk: 8,
            max_tasks: 10_000,
            max_balancing: 500,
            balance: true,
            balance_colocated: true,
            balance_threshold: 0.1,
            high_water: 0.75,
            min_timeout_ms: 180_000,
            max_timeout_ms: 7_200_000,
        }
    }
}

/// Every partition whose replicas are looked after: those of tables, and those in the recycle bin.
pub fn partitions(catalog: &CatalogState) -> impl Iterator<Item = (&Table, &OlapTable, &Partition)> {
    let live = catalog.tables.values().filter_map(|t| Some((&**t, &**t.as_olap()?)));
    let binned = catalog.recycled.values().flat_map(|r| r.tables()).filter_map(|t| Some((&**t, &**t.as_olap()?)));
    let whole = live.chain(binned).flat_map(|(t, o)| o.partitions.values().map(move |p| (t, o, &**p)));
    let single = catalog.recycled.values().flat_map(move |r| {
        r.partitions().filter_map(move |(table, _, p)| {
            if !r.tables().is_empty() {
                return None;
            }
            let table = catalog.tables.get(&table)?;
            Some((&**table, &**table.as_olap()?, &**p))
        })
    });
    whole.chain(single)
}

/// Where a partition's replicas are to be; empty = anywhere.
pub fn medium_of<'c>(olap: &'c OlapTable, partition: &'c Partition, now_ms: i64) -> &'c str {
    let wanted = if partition.medium.is_empty() { olap.property("storage_medium").unwrap_or_default() } else { &partition.medium };
    if wanted.eq_ignore_ascii_case("SSD") && partition.cooldown_ms > 0 && now_ms >= partition.cooldown_ms { "HDD" } else { wanted }
}
