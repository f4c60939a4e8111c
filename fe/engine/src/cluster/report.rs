//! Reports of backends: what tablets and disks they hold. Unknown tablets are to be dropped; damaged and lost replicas are marked
//! in the catalog, so that queries go elsewhere and repair begins; sketches feed the statistics.

use std::{collections::{BTreeMap, BTreeSet, HashMap}, sync::Arc};

use common_base::{Result, ids::{NodeId, TabletId, TxnId}};
use fe_catalog::{CatalogState, Op, model::TxnState};
use parking_lot::Mutex;
use proto_services::fe_service::{ReportReply, ReportRequest, TabletReport};
use tracing::warn;

use crate::engine::Engine;

/// Replicas that a report lacked, or showed at a lower version than the catalog knew, with that version. The report may simply have
/// been older than the catalog: the next one decides.
#[derive(Default)]
pub struct Suspects {
    of_node: Mutex<HashMap<NodeId, BTreeMap<TabletId, i64>>>,
}

/// Takes one report in; the answer names tablets the backend should drop.
pub async fn take_in(engine: &Arc<Engine>, report: ReportRequest) -> Result<ReportReply> {
    let _counted = engine.counts.reports_in_hand.scope();
    let node = NodeId(report.node_id);
    let catalog = engine.meta.snapshot();
    let unknown = |id: u64| !catalog.tablets.contains_key(&TabletId(id));
    // CREATE TABLE makes tablets before the catalog knows them: a tablet is condemned only when its id is far behind the newest.
    let settled = catalog.next_id.saturating_sub(IDS_IN_FLIGHT);
    let drop_tablets = if report.full { report.tablets.iter().map(|t| t.tablet_id).filter(|id| *id < settled && unknown(*id)).collect() } else { Vec::new() };
    if report.full && engine.meta.is_leader() {
        let changes = engine.suspects.judge(&catalog, node, &report.tablets);
        if !changes.is_empty() {
            let bad = changes.iter().filter(|(_, _, bad)| *bad).count();
            warn!(backend = %node, bad, whole_again = changes.len() - bad, "replicas have changed their health");
            engine.meta.submit(Op::MarkReplicas { replicas: changes }).await?;
        }
    }
    let tables: BTreeSet<_> = report.tablets.iter().filter_map(|t| catalog.tablets.get(&TabletId(t.tablet_id)).map(|(table, _)| *table)).collect();
    let with_sketches = report.tablets.iter().any(|t| t.statistics.is_some());
    engine.statistics.take_in(&catalog, report.tablets.into_iter().map(|t| (node, t)).collect());
    if with_sketches && engine.meta.is_leader() {
        for table in tables {
            engine.statistics.publish(engine, table).await;
        }
    }
    let clear_txns = report.pending_txns.into_iter().filter(|id| is_over(&catalog, TxnId(*id))).collect();
    Ok(ReportReply { status: None, drop_tablets, clear_txns })
}

/// Whether rows that wait for a transaction wait in vain: it was aborted, or so long ago that it is forgotten.
fn is_over(catalog: &CatalogState, id: TxnId) -> bool {
    match catalog.txns.get(&id).map(|t| &t.state) {
        Some(TxnState::Aborted { .. }) => true,
        Some(_) => false,
        None => id.0 < catalog.next_id.saturating_sub(IDS_IN_FLIGHT),
    }
}

/// Ids that may belong to objects still being created.
const IDS_IN_FLIGHT: u64 = 100_000;

impl Suspects {
    /// Replicas of a node whose health is another than the catalog says.
    fn judge(&self, catalog: &CatalogState, node: NodeId, reports: &[TabletReport]) -> Vec<(TabletId, NodeId, bool)> {
        let reported: HashMap<u64, &TabletReport> = reports.iter().map(|t| (t.tablet_id, t)).collect();
        let mut of_node = self.of_node.lock();
        let before = of_node.remove(&node).unwrap_or_default();
        let mut suspects = BTreeMap::new();
        let mut changes = Vec::new();
        let partitions = catalog.tables.values().filter_map(|t| t.as_olap()).flat_map(|o| o.partitions.values());
        for tablet in partitions.flat_map(|p| &p.indexes).flat_map(|i| &i.tablets) {
            for replica in tablet.replicas.iter().filter(|r| r.node == node) {
                let bad = match reported.get(&tablet.id.0) {
                    Some(report) if report.bad => true,
                    // The job that makes it says what becomes of it.
                    Some(report) if report.converting => continue,
                    Some(report) if report.version >= replica.version => false,
                    found => {
                        suspects.insert(tablet.id, replica.version);
                        let has = found.map_or(0, |r| r.version);
                        // Seen twice: no race explains it. A replica that is bad stays so until it is repaired.
                        before.get(&tablet.id).is_some_and(|known| has < *known) || replica.bad
                    }
                };
                if bad != replica.bad {
                    changes.push((tablet.id, node, bad));
                }
            }
        }
        if !suspects.is_empty() {
            of_node.insert(node, suspects);
        }
        changes
    }
}
