//! Reports of backends: what tablets and disks they hold. Unknown tablets are to be dropped; sketches feed the statistics.

use std::sync::Arc;

use common_base::{Result, ids::{NodeId, TabletId, TxnId}};
use fe_catalog::{CatalogState, model::TxnState};
use proto_services::fe_service::{ReportReply, ReportRequest};

use crate::engine::Engine;

/// Takes one report in; the answer names tablets the backend should drop.
pub async fn take_in(engine: &Arc<Engine>, report: ReportRequest) -> Result<ReportReply> {
    let node = NodeId(report.node_id);
    let catalog = engine.meta.snapshot();
    let unknown = |id: u64| !catalog.tablets.contains_key(&TabletId(id));
    // CREATE TABLE makes tablets before the catalog knows them: a tablet is condemned only when its id is far behind the newest.
    let settled = catalog.next_id.saturating_sub(IDS_IN_FLIGHT);
    let drop_tablets = if report.full { report.tablets.iter().map(|t| t.tablet_id).filter(|id| *id < settled && unknown(*id)).collect() } else { Vec::new() };
    let tables: std::collections::BTreeSet<_> = report.tablets.iter().filter_map(|t| catalog.tablets.get(&TabletId(t.tablet_id)).map(|(table, _)| *table)).collect();
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
