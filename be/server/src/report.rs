//! Reports to the leader: every tablet and disk, after start, now and then, and when the leader changes.

use std::{sync::Arc, time::Duration};

use be_storage::{StorageEngine, TabletReport, rowset::RowsetStatistics};
use common_base::{Result, ids::{TabletId, TxnId}};
use common_rpc::status;
use common_types::wire;
use proto_services::fe_service::{ColumnStatistics, DiskReport, ReportRequest, TabletReport as TabletMessage, TabletStatistics};
use tracing::{info, warn};

use crate::app::Parts;

/// Runs until shutdown.
pub async fn run(parts: Arc<Parts>, interval: Duration) {
    let mut leader = parts.identity.watch();
    loop {
        if let Some(address) = parts.identity.leader_address() {
            parts.metrics.reports.inc();
            if let Err(e) = report(&parts, &address).await {
                parts.metrics.reports_failed.inc();
                warn!("report to {address}: {e}");
            }
        }
        tokio::select! {
            () = parts.shutdown.wait() => return,
            _ = leader.changed() => {}
            () = parts.report_now.notified() => {}
            () = tokio::time::sleep(interval) => {}
        }
    }
}

async fn report(parts: &Parts, address: &str) -> Result<()> {
    let storage = parts.storage.clone();
    let tablets = common_base::runtime::blocking("report", move || Ok(storage.report(true))).await?;
    let request = ReportRequest {
        node_id: parts.identity.node_id(),
        host: parts.identity.host(),
        be_port: u32::from(parts.ports.be),
        disks: disks(&parts.storage),
        tablets: tablets.iter().map(tablet_message).collect(),
        full: true,
        pending_txns: parts.storage.pending_txns().into_iter().map(|(txn, _)| txn.0).collect(),
    };
    let reply = parts.pool.fe(address)?.report(request).await.map_err(|e| status::from_grpc(&e, address))?.into_inner();
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
    Ok(())
}

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
