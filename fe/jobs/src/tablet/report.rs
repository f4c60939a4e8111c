//! What a backend's full report says of its replicas: which are damaged, lost or whole again, and which tablets it has that the cluster
//! does not have there.
//!
//! A report is compared with [`Holdings`], a list made once for many reports; only what differs is looked up in the catalog. What the
//! list is too old for is found by a later report.

use std::collections::{BTreeMap, HashMap};

use common_base::ids::{NodeId, PartitionId, TableId, TabletId};
use fe_catalog::{CatalogState, model::{Partition, Tablet}};

use super::cluster::partitions;

/// A tablet as a backend reports it.
#[derive(Clone, Copy, Debug)]
pub struct Reported {
    pub tablet: TabletId,
    pub version: i64,
    pub bad: bool,
    /// A schema change is making it.
    pub converting: bool,
}

/// What each backend has to have, by a catalog that may have changed since: what differs from it is looked up again.
#[derive(Debug, Default)]
pub struct Holdings(HashMap<NodeId, Vec<Held>>);

/// A replica, in few bytes: there are millions.
#[derive(Clone, Copy, Debug)]
struct Held {
    tablet: TabletId,
    version: i64,
    bad: bool,
}

impl Holdings {
    /// Of all backends.
    pub fn of(catalog: &CatalogState) -> Self {
        let mut of_node: HashMap<NodeId, Vec<Held>> = HashMap::new();
        for tablet in partitions(catalog).flat_map(|(_, _, p)| &p.indexes).flat_map(|i| &i.tablets) {
            for replica in &tablet.replicas {
                of_node.entry(replica.node).or_default().push(Held { tablet: tablet.id, version: replica.version, bad: replica.bad });
            }
        }
        of_node.values_mut().for_each(|held| held.sort_unstable_by_key(|h| h.tablet));
        Self(of_node)
    }

    /// The tablets of one backend, ascending.
    pub fn on(&self, node: NodeId) -> impl Iterator<Item = TabletId> {
        self.held(node).iter().map(|h| h.tablet)
    }

    fn held(&self, node: NodeId) -> &[Held] {
        self.0.get(&node).map_or(&[], Vec::as_slice)
    }
}

/// What came of a report.
#[derive(Debug, Default)]
pub struct Findings {
    /// Replicas whose health is another than the catalog says: damaged, or whole again.
    pub changes: Vec<(TabletId, NodeId, bool)>,
    /// Replicas that the report lacks, or has at a lower version than the catalog, with that version. The report may simply be older
    /// than the catalog: the next one decides.
    pub suspects: BTreeMap<TabletId, i64>,
    /// Tablets that the cluster has, but not there.
    pub strays: Vec<TabletId>,
}

/// Looks at a full report. `before`: the suspects of the report before this one.
pub fn judge(catalog: &CatalogState, holdings: &Holdings, node: NodeId, reports: impl Iterator<Item = Reported>, before: &BTreeMap<TabletId, i64>) -> Findings {
    let places = Places::of(catalog);
    let mut found = Findings::default();
    let mut reports: Vec<Reported> = reports.collect();
    reports.sort_unstable_by_key(|r| r.tablet);
    let mut held = holdings.held(node).iter().peekable();
    for report in &reports {
        while let Some(missing) = held.next_if(|h| h.tablet < report.tablet) {
            found.missing(&places, missing.tablet, node, before);
        }
        let expected = held.next_if(|h| h.tablet == report.tablet);
        if expected.is_some_and(|h| !h.bad && !report.bad && !report.converting && report.version >= h.version) {
            continue;
        }
        match places.tablet(report.tablet) {
            Some(Some(tablet)) if tablet.replica(node).is_some() => found.add(tablet, node, Some(report), before),
            Some(_) => found.strays.push(report.tablet),
            None => {}
        }
    }
    for missing in held {
        found.missing(&places, missing.tablet, node, before);
    }
    found
}

impl Findings {
    fn missing(&mut self, places: &Places<'_>, tablet: TabletId, node: NodeId, before: &BTreeMap<TabletId, i64>) {
        if let Some(Some(tablet)) = places.tablet(tablet) {
            self.add(tablet, node, None, before);
        }
    }

    fn add(&mut self, tablet: &Tablet, node: NodeId, report: Option<&Reported>, before: &BTreeMap<TabletId, i64>) {
        let Some(replica) = tablet.replica(node).filter(|r| !r.declared_bad) else { return };
        let bad = match report {
            Some(report) if report.bad => true,
            // The job that makes it says what becomes of it.
            Some(report) if report.converting => return,
            Some(report) if report.version >= replica.version => false,
            behind => {
                self.suspects.insert(tablet.id, replica.version);
                let has = behind.map_or(0, |r| r.version);
                // Seen twice: no race explains it. A replica that is bad stays so until it is repaired.
                before.get(&tablet.id).is_some_and(|known| has < *known) || replica.bad
            }
        };
        if bad != replica.bad {
            self.changes.push((tablet.id, node, bad));
        }
    }
}

/// Finds tablets, also those in the recycle bin.
struct Places<'c> {
    catalog: &'c CatalogState,
    binned: HashMap<(TableId, PartitionId), &'c Partition>,
}

impl<'c> Places<'c> {
    fn of(catalog: &'c CatalogState) -> Self {
        let binned = catalog.recycled.values().flat_map(|r| r.partitions()).map(|(table, id, p)| ((table, id), &**p)).collect();
        Self { catalog, binned }
    }

    /// `None`: the cluster does not have it.
    fn tablet(&self, id: TabletId) -> Option<Option<&'c Tablet>> {
        let (table, partition) = self.catalog.tablets.get(&id)?;
        let live = self.catalog.tables.get(table).and_then(|t| t.as_olap()?.partitions.get(partition));
        let found = live.map(|p| &**p).or_else(|| self.binned.get(&(*table, *partition)).copied());
        Some(found.and_then(|p| p.tablet(id)))
    }
}
