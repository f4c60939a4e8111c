//! SHOW BACKENDS and SHOW FRONTENDS.

use fe_catalog::model::{Backend, FrontendRole};

use super::{Table, time};
use crate::{cluster::frontends::{has_joined, role_name}, engine::Engine, result::text, session::Session};

const BACKENDS: &[&str] = &[
    "BackendId",
    "IP",
    "HeartbeatPort",
    "BePort",
    "HttpPort",
    "BrpcPort",
    "LastStartTime",
    "LastHeartbeat",
    "Alive",
    "SystemDecommissioned",
    "ClusterDecommissioned",
    "TabletNum",
    "DataUsedCapacity",
    "AvailCapacity",
    "TotalCapacity",
    "UsedPct",
    "MaxDiskUsedPct",
    "ErrMsg",
    "Version",
    "Status",
    "DataTotalCapacity",
    "DataUsedPct",
    "CpuCores",
    "MemLimit",
    "NumRunningQueries",
    "MemUsedPct",
    "CpuUsedPct",
    "DataCacheMetrics",
    "Location",
    "StatusCode",
];

/// SHOW BACKENDS.
pub fn backends(session: &Session) -> Table {
    let zone = session.variables.get_text("time_zone");
    let catalog = session.engine.meta.snapshot();
    let rows = catalog.backends.values().map(|b| backend(&session.engine, b, &zone)).collect();
    Table::new(BACKENDS, rows)
}

fn backend(engine: &Engine, b: &Backend, zone: &str) -> Vec<common_types::Scalar> {
    let health = engine.nodes.get(b.id);
    let reply = health.reply.clone().unwrap_or_default();
    let total: u64 = reply.disks.iter().map(|d| d.total_bytes).sum();
    let available: u64 = reply.disks.iter().map(|d| d.available_bytes).sum();
    let used: u64 = reply.disks.iter().map(|d| d.used_bytes).sum();
    let fullest = reply.disks.iter().map(|d| time::percent(d.total_bytes.saturating_sub(d.available_bytes), d.total_bytes)).max_by(|a, b| {
        let number = |s: &String| s.trim_end_matches(" %").parse::<f64>().unwrap_or_default();
        number(a).total_cmp(&number(b))
    });
    let decommissioned = if b.decommissioned { "true" } else { "false" };
    let status_code = if health.reply.is_none() && health.error.is_empty() { "UNKNOWN" } else if health.alive { "OK" } else { "CONNECTING" };
    [
        b.id.to_string(),
        b.host.clone(),
        b.heartbeat_port.to_string(),
        port(b.be_port),
        port(b.http_port),
        port(b.brpc_port),
        time::moment(health.last_start_ms, zone),
        time::moment(health.last_heartbeat_ms, zone),
        health.alive.to_string(),
        decommissioned.to_owned(),
        "false".to_owned(),
        reply.tablet_count.to_string(),
        time::size(used),
        time::size(available),
        time::size(total),
        time::percent(total.saturating_sub(available), total),
        fullest.unwrap_or_else(|| time::percent(0, 0)),
        health.error.clone(),
        reply.version.clone(),
        format!("{{\"lastSuccessReportTabletsTime\":\"{}\"}}", if health.last_report_ms == 0 { "N/A".to_owned() } else { time::moment(health.last_report_ms, zone) }),
        time::size(used + available),
        time::percent(used, used + available),
        reply.cores.to_string(),
        time::short_size(reply.memory_limit),
        reply.running_queries.to_string(),
        time::percent(reply.memory_used, reply.memory_limit),
        format!("{:.1} %", f64::from(reply.cpu_used_permille) / 10.0),
        "N/A".to_owned(),
        b.location.clone(),
        status_code.to_owned(),
    ]
    .into_iter()
    .map(text)
    .collect()
}

/// A port learned from a heartbeat; -1 before the first.
fn port(port: u16) -> String {
    if port == 0 { "-1".to_owned() } else { port.to_string() }
}

/// SHOW FRONTENDS.
pub fn frontends(session: &Session) -> Table {
    let engine = &session.engine;
    let zone = session.variables.get_text("time_zone");
    let catalog = engine.meta.snapshot();
    let leader = engine.meta.leader();
    let rows = catalog.frontends.values().map(|f| {
        let health = engine.frontends.get(engine, f.id);
        let role = if leader == Some(f.id.0) { "LEADER" } else { role_name(f.role) };
        let moment = |ms: i64| if ms == 0 { "NULL".to_owned() } else { time::moment(ms, &zone) };
        [
            f.id.to_string(),
            f.name.clone(),
            f.host.clone(),
            f.edit_log_port.to_string(),
            f.http_port.to_string(),
            f.query_port.to_string(),
            f.rpc_port.to_string(),
            role.to_owned(),
            catalog.cluster_id.to_string(),
            has_joined(f).to_string(),
            health.alive.to_string(),
            health.applied.to_string(),
            moment(health.last_heartbeat_ms),
            (f.role == FrontendRole::Follower).to_string(),
            if has_joined(f) || !health.error.is_empty() { health.error } else { "it has not joined yet: start it with --helper".to_owned() },
            moment(health.start_ms),
            health.version,
        ]
        .into_iter()
        .map(text)
        .collect()
    });
    let names = [
        "Id",
        "Name",
        "IP",
        "EditLogPort",
        "HttpPort",
        "QueryPort",
        "RpcPort",
        "Role",
        "ClusterId",
        "Join",
        "Alive",
        "ReplayedJournalId",
        "LastHeartbeat",
        "IsHelper",
        "ErrMsg",
        "StartTime",
        "Version",
    ];
    Table::new(&names, rows.collect())
}

/// What happened to one backend (SHOW PROC '/backends/id/history'), as this FE has seen it.
pub fn history(session: &Session, b: &Backend) -> Table {
    let zone = session.variables.get_text("time_zone");
    let row = |c: &crate::cluster::nodes::Change| vec![text(time::moment(c.at_ms, &zone)), text(c.alive.to_string()), text(c.reason.name()), text(c.detail.clone())];
    let rows = session.engine.nodes.get(b.id).history.iter().map(row).collect();
    Table::new(&["Time", "Alive", "Reason", "Detail"], rows)
}

/// A number for a disk, the same as long as its path is.
pub fn path_hash(node: u64, path: &str) -> i64 {
    common_types::hash::hash_bytes(format!("{node}:{path}").as_bytes()) as i64
}

/// The disks of one backend (SHOW PROC '/backends/id').
pub fn disks(engine: &Engine, b: &Backend) -> Table {
    let reply = engine.nodes.get(b.id).reply.unwrap_or_default();
    let row = |d: &proto_services::fe_service::DiskReport| {
        [
            d.path.clone(),
            time::size(d.used_bytes),
            time::size(d.total_bytes.saturating_sub(d.available_bytes).saturating_sub(d.used_bytes)),
            time::size(d.available_bytes),
            time::size(d.total_bytes),
            time::percent(d.total_bytes.saturating_sub(d.available_bytes), d.total_bytes),
            if d.broken { "OFFLINE" } else { "ONLINE" }.to_owned(),
            path_hash(b.id.0, &d.path).to_string(),
            if d.medium.is_empty() { "HDD".to_owned() } else { d.medium.clone() },
            d.tablets.to_string(),
            time::size(d.used_bytes + d.available_bytes),
            time::percent(d.used_bytes, d.used_bytes + d.available_bytes),
        ]
        .into_iter()
        .map(text)
        .collect()
    };
    let names = [
        "RootPath",
        "DataUsedCapacity",
        "OtherUsedCapacity",
        "AvailCapacity",
        "TotalCapacity",
        "TotalUsedPct",
        "State",
        "PathHash",
        "StorageMedium",
        "TabletNum",
        "DataTotalCapacity",
        "DataUsedPct",
    ];
    Table::new(&names, reply.disks.iter().map(row).collect())
}
