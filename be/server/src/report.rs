//! Reports to the leader: every tablet and disk, after start, now and then, and when the leader changes.
//!
//! Sketches of columns are large: each leader gets those of a tablet when they are new to it, and not all at once ([`Sent`]).

use std::{collections::{HashMap, HashSet}, sync::Arc, time::Duration};

use be_storage::{StorageEngine, TabletReport, rowset::RowsetStatistics};
use common_base::{Result, err, ids::{TabletId, TxnId}};
use common_rpc::status;
use common_types::wire;
use proto_services::fe_service::{ColumnStatistics, DiskReport, ReportRequest, TabletReport as TabletMessage, TabletStatistics};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::{app::Parts, identity::Leader};

/// The leader has seen something that another report is to confirm.
const SOON: Duration = Duration::from_secs(2);

/// Runs until shutdown.
pub async fn run(parts: Arc<Parts>, interval: Duration) {
    let mut leader = parts.identity.watch();
    let mut sent = Sent::default();
    loop {
        let mut again = false;
        if let Some(address) = parts.identity.leader_address() {
            parts.metrics.reports.inc();
            again = report(&parts, &address, &mut leader, &mut sent).await.unwrap_or_else(|e| {
                parts.metrics.reports_failed.inc();
                warn!("report to {address}: {e}");
                false
            });
        }
        tokio::select! {
            () = parts.shutdown.wait() => return,
            _ = leader.changed() => {}
            () = parts.report_now.notified() => {}
            () = tokio::time::sleep(if again { interval.min(SOON) } else { interval }) => {}
        }
    }
}

/// Reports; whether the leader wants another report soon.
async fn report(parts: &Parts, address: &str, leader: &mut watch::Receiver<u64>, sent: &mut Sent) -> Result<bool> {
    let storage = parts.storage.clone();
    let mut known = std::mem::take(sent).of(parts.identity.leader());
    let (tablets, known, more) = common_base::runtime::blocking("report", move || {
        let (tablets, more) = known.choose(&storage);
        Ok((tablets, known, more))
    })
    .await?;
    let request = ReportRequest {
        node_id: parts.identity.node_id(),
        host: parts.identity.host(),
        be_port: u32::from(parts.ports.be),
        disks: disks(&parts.storage),
        tablets: tablets.iter().map(tablet_message).collect(),
        full: true,
        pending_txns: parts.storage.pending_txns().into_iter().map(|(txn, _)| txn.0).collect(),
    };
    let mut client = parts.pool.fe(address)?;
    let reply = tokio::select! {
        biased;
        reply = client.report(request) => reply.map_err(|e| status::from_grpc(&e, address))?.into_inner(),
        // A leader that was cut off does not answer, and the new one waits for the report.
        Ok(()) = leader.changed() => {
            leader.mark_changed();
            return Err(err!(NotLeader, "it leads no more"));
        }
    };
    status::from_message(reply.status)?;
    if !reply.drop_tablets.is_empty() {
        info!(count = reply.drop_tablets.len(), "dropping tablets the cluster no longer has");
        let ids: Vec<TabletId> = reply.drop_tablets.into_iter().map(TabletId).collect();
        let storage = parts.storage.clone();
        common_base::runtime::blocking("drop tablets", move || storage.drop_tablets(&ids)).await?;
    }
    if !reply.clear_txns.is_empty() {
        info!(count = reply.clear_txns.len(), "dropping rows of loads that were aborted");
        let storage = parts.storage.clone();
        let txns = reply.clear_txns;
        common_base::runtime::blocking("clear txns", move || txns.into_iter().try_for_each(|txn| storage.clear_txn(TxnId(txn), &[]))).await?;
    }
    *sent = known.with(&tablets);
    Ok(reply.again || more)
}

/// Whose sketches a leader has. A report that failed leaves nothing: the next one begins anew.
#[derive(Default)]
struct Sent {
    leader: Leader,
    tablets: HashMap<u64, (i64, u64, u64)>,
}

impl Sent {
    /// What this leader has.
    fn of(self, leader: Leader) -> Self {
        if self.leader == leader { self } else { Self { leader, tablets: HashMap::new() } }
    }

    /// Every tablet, with sketches where the leader lacks them, up to [`SKETCH_BYTES`]; whether there are more.
    fn choose(&mut self, storage: &StorageEngine) -> (Vec<TabletReport>, bool) {
        let (mut bytes, mut more) = (0, false);
        let mut tablets = storage.report(false);
        for tablet in tablets.iter_mut().filter(|t| self.tablets.get(&t.tablet_id) != Some(&key(t))) {
            if bytes >= SKETCH_BYTES {
                more = true;
                break;
            }
            // One that was dropped meanwhile is reported as it was.
            if let Ok(whole) = storage.report_tablet(TabletId(tablet.tablet_id), true) {
                bytes += whole.statistics.as_ref().map_or(0, |s| s.columns.len() * SKETCH);
                *tablet = whole;
            }
        }
        (tablets, more)
    }

    /// The leader has these now.
    fn with(mut self, tablets: &[TabletReport]) -> Self {
        self.tablets.extend(tablets.iter().filter(|t| t.statistics.is_some()).map(|t| (t.tablet_id, key(t))));
        if self.tablets.len() > tablets.len() {
            let there: HashSet<u64> = tablets.iter().map(|t| t.tablet_id).collect();
            self.tablets.retain(|id, _| there.contains(id));
        }
        self
    }
}

/// What a tablet's sketches depend on.
fn key(t: &TabletReport) -> (i64, u64, u64) {
    (t.version, t.rows, t.bytes)
}

/// Sketches in one report.
const SKETCH_BYTES: usize = 32 << 20;
/// About as much is said of one column.
const SKETCH: usize = 2200;

/// A tablet as a message.
pub fn tablet_message(report: &TabletReport) -> TabletMessage {
    // Sketches know nothing of rows that are deleted: they count as if they were like the others.
    let live = |s: &RowsetStatistics, n: u64| if s.rows > report.rows { (u128::from(n) * u128::from(report.rows) / u128::from(s.rows)) as u64 } else { n };
    let statistics = report.statistics.as_ref().map(|s| TabletStatistics {
        rows: report.rows,
        bytes: report.bytes,
        columns: s
            .columns
            .iter()
            .map(|c| ColumnStatistics {
                uid: c.uid,
                nulls: live(s, c.nulls),
                min: Some(wire::scalar_to_proto(&c.min, &c.min.ty())),
                max: Some(wire::scalar_to_proto(&c.max, &c.max.ty())),
                hll: c.hll.to_bytes().into(),
                bytes: live(s, c.data_bytes),
            })
            .collect(),
    });
    TabletMessage {
        tablet_id: report.tablet_id,
        version: report.version,
        rows: report.rows,
        bytes: report.bytes,
        rowsets: report.rowsets,
        bad: report.bad,
        bad_reason: report.bad_reason.clone(),
        schema_version: report.schema_version,
        converting: report.converting,
        dir: report.dir.clone(),
        statistics,
    }
}

/// Disks as messages.
pub fn disks(storage: &StorageEngine) -> Vec<DiskReport> {
    storage
        .dirs()
        .iter()
        .map(|dir| {
            let space = dir.space();
            let broken = dir.check().err().map(|e| e.to_string());
            let (tablets, data_bytes) = dir.usage();
            DiskReport {
                path: dir.path().display().to_string(),
                medium: dir.medium().to_owned(),
                total_bytes: space.as_ref().map_or(0, |s| s.total),
                available_bytes: space.as_ref().map_or(0, |s| s.free),
                used_bytes: data_bytes,
                tablets,
                full: space.is_ok_and(|s| storage.watermarks().reached(s, 0, be_storage::Purpose::Load)),
                broken: broken.is_some(),
                reason: broken.unwrap_or_default(),
            }
        })
        .collect()
}
