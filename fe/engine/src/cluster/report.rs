//! Reports of backends: what tablets and disks they hold. Unknown tablets are to be dropped; damaged and lost replicas are marked
//! in the catalog, so that queries go elsewhere and repair begins; sketches feed the statistics.

use std::{collections::{BTreeMap, BTreeSet, HashMap}, sync::Arc, time::Duration};

use common_base::{Result, ids::{NodeId, TableId, TabletId, TxnId}, runtime::blocking};
use fe_catalog::{CatalogState, Op, model::TxnState};
use fe_jobs::tablet::report::{Holdings, Reported, judge};
use parking_lot::Mutex;
use proto_services::fe_service::{ReportReply, ReportRequest};
use tracing::warn;

use crate::{engine::Engine, statistics::StatisticsCache};

/// Replicas that a report lacked, or showed at a lower version than the catalog knew, with that version. The report may simply have
/// been older than the catalog: the next one decides.
#[derive(Default)]
pub struct Suspects {
    of_node: Mutex<HashMap<NodeId, BTreeMap<TabletId, i64>>>,
    /// Tablets on a backend where the cluster has no replica of them, and since when: what a broken copy or a dropped replica left.
    strays: Mutex<HashMap<NodeId, BTreeMap<TabletId, i64>>>,
    /// What reports are compared with, and when it was found.
    holdings: Mutex<Option<(Duration, Arc<Holdings>)>>,
}

/// Takes one report in; the answer names tablets the backend should drop.
pub async fn take_in(engine: &Arc<Engine>, report: ReportRequest) -> Result<ReportReply> {
    let _counted = engine.counts.reports_in_hand.scope();
    let node = NodeId(report.node_id);
    let taker = engine.clone();
    // Reports of backends with many tablets come all at once when the leader is new.
    let mut taken = blocking("taking a report in", move || Ok(look(&taker, report))).await?;
    if !taken.changes.is_empty() {
        let bad = taken.changes.iter().filter(|(_, _, bad)| *bad).count();
        warn!(backend = %node, bad, whole_again = taken.changes.len() - bad, "replicas have changed their health");
        engine.meta.submit(Op::MarkReplicas { replicas: std::mem::take(&mut taken.changes) }).await?;
        engine.replicas.look_again();
    }
    let small = engine.meta.snapshot().tablets.len() <= SMALL;
    if engine.meta.is_leader() && !small {
        StatisticsCache::publish_later(engine, taken.tables);
    } else if engine.meta.is_leader() {
        for table in taken.tables {
            engine.statistics.publish(engine, table).await;
        }
    }
    Ok(taken.reply)
}

/// What a report has changed.
struct Taken {
    reply: ReportReply,
    changes: Vec<(TabletId, NodeId, bool)>,
    /// Tables whose statistics have changed.
    tables: BTreeSet<TableId>,
}

fn look(engine: &Engine, report: ReportRequest) -> Taken {
    let node = NodeId(report.node_id);
    let catalog = engine.meta.snapshot();
    let mut reply = ReportReply::default();
    let mut changes = Vec::new();
    if report.full {
        // CREATE TABLE makes tablets before the catalog knows them: a tablet is condemned only when its id is far behind the newest.
        let settled = catalog.next_id.saturating_sub(IDS_IN_FLIGHT);
        let unknown = |id: &u64| *id < settled && !catalog.tablets.contains_key(&TabletId(*id));
        reply.drop_tablets = report.tablets.iter().map(|t| t.tablet_id).filter(unknown).collect();
    }
    if report.full && engine.meta.is_leader() {
        engine.nodes.reported(node, engine.clock.now_ms());
        let holdings = engine.suspects.holdings(engine, &catalog);
        let reported = report.tablets.iter().map(|t| Reported { tablet: TabletId(t.tablet_id), version: t.version, bad: t.bad, converting: t.converting });
        let found = judge(&catalog, &holdings, node, reported, &engine.suspects.before(node));
        reply.again = engine.suspects.keep(node, found.suspects);
        reply.drop_tablets.extend(engine.suspects.condemned(engine, &catalog, node, found.strays));
        changes = found.changes;
    }
    engine.damages.take_in(node, &report.tablets);
    let tables = engine.statistics.take_in(&catalog, report.tablets.into_iter().map(|t| (node, t)).collect());
    reply.clear_txns = report.pending_txns.into_iter().filter(|id| is_over(&catalog, TxnId(*id))).collect();
    Taken { reply, changes, tables }
}

/// Whether rows that wait for a transaction wait in vain: it was aborted, or so long ago that it is forgotten.
fn is_over(catalog: &CatalogState, id: TxnId) -> bool {
    match catalog.txns.get(&id).map(|t| &t.state) {
        Some(TxnState::Aborted { .. }) => true,
        Some(_) => false,
        None => id.0 < catalog.next_id.saturating_sub(IDS_IN_FLIGHT),
    }
}

/// A catalog of no more tablets is looked through for every report.
const SMALL: usize = 20_000;
/// What was found in a larger one serves so long.
const HOLDINGS_AGE: Duration = Duration::from_secs(30);
/// Ids that may belong to objects still being created.
const IDS_IN_FLIGHT: u64 = 100_000;

impl Suspects {
    /// What each backend has to have. Of a large catalog it is an old one for a while: what is new is missed later.
    fn holdings(&self, engine: &Engine, catalog: &CatalogState) -> Arc<Holdings> {
        let mut kept = self.holdings.lock();
        let now = engine.clock.monotonic();
        let fresh = |at: &Duration| catalog.tablets.len() > SMALL && now.saturating_sub(*at) < HOLDINGS_AGE;
        if let Some((_, holdings)) = kept.as_ref().filter(|(at, _)| fresh(at)) {
            return holdings.clone();
        }
        let made = Arc::new(Holdings::of(catalog));
        *kept = Some((now, made.clone()));
        made
    }

    fn before(&self, node: NodeId) -> BTreeMap<TabletId, i64> {
        self.of_node.lock().get(&node).cloned().unwrap_or_default()
    }

    /// Keeps what the next report decides; whether that is anything.
    fn keep(&self, node: NodeId, suspects: BTreeMap<TabletId, i64>) -> bool {
        let mut of_node = self.of_node.lock();
        let any = !suspects.is_empty();
        if any { of_node.insert(node, suspects) } else { of_node.remove(&node) };
        any
    }

    /// Strays that have been such for long enough: no query can have been planned with them.
    fn condemned(&self, engine: &Engine, catalog: &CatalogState, node: NodeId, strays: Vec<TabletId>) -> Vec<u64> {
        let (now_ms, delay_ms) = (engine.clock.now_ms(), engine.setting_int("tablet_report_drop_tablet_delay_sec").max(0).saturating_mul(1000));
        let mut all = self.strays.lock();
        let before = all.remove(&node).unwrap_or_default();
        if strays.is_empty() {
            return Vec::new();
        }
        let of_jobs: BTreeSet<TabletId> = catalog.alter_jobs.values().flat_map(|j| j.garbage.iter().map(|(t, _)| *t)).collect();
        let scheduler = engine.replicas.scheduler.lock();
        let stray = |id: &TabletId| !of_jobs.contains(id) && !scheduler.is_copying(*id, node);
        let now: BTreeMap<TabletId, i64> = strays.into_iter().filter(stray).map(|id| (id, before.get(&id).copied().unwrap_or(now_ms))).collect();
        let over = now.iter().filter(|(_, since)| now_ms >= since.saturating_add(delay_ms)).map(|(id, _)| id.0).collect();
        if !now.is_empty() {
            all.insert(node, now);
        }
        over
    }
}
