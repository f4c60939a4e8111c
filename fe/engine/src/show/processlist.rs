//! SHOW PROCESSLIST, SHOW RUNNING QUERIES and the like: the sessions of all frontends.

use common_types::{LogicalType, Scalar};

use proto_services::fe_peer::SessionState;

use super::{Table, time};
use crate::{cluster::sessions, engine::Engine, result::text, session::Session};

/// Characters of a statement without FULL.
const SHORT_STATEMENT: usize = 100;

const NAMES: &[&str] = &[
    "ServerName",
    "Id",
    "User",
    "Host",
    "Db",
    "Command",
    "ConnectionStartTime",
    "Time",
    "State",
    "Info",
    "IsPending",
    "Warehouse",
    "CNGroup",
    "Catalog",
    "QueryId",
];

/// SHOW [FULL] PROCESSLIST.
pub async fn processlist(session: &Session, full: bool, user: Option<&str>) -> Table {
    let zone = session.variables.get_text("time_zone");
    let all = sessions::everywhere(&session.engine, (!full).then_some(SHORT_STATEMENT)).await;
    let rows = all.into_iter().filter(|(_, s)| user.is_none_or(|u| s.user == u)).map(|(server, s)| {
        vec![
            text(server),
            Scalar::BigInt(i64::from(s.id)),
            text(s.user),
            text(s.host),
            text(s.database),
            text(&*s.command),
            text(time::moment(s.connected_ms, &zone)),
            Scalar::Int((s.since_ms / 1000) as i32),
            text(if s.command == "Query" { "OK" } else { "EOF" }),
            text(s.statement),
            text("false"),
            text("default_warehouse"),
            text(""),
            text("default_catalog"),
            text(s.query_id),
        ]
    });
    let mut table = Table::new(NAMES, rows.collect());
    table.columns[1].ty = LogicalType::BigInt;
    table.columns[7].ty = LogicalType::Int;
    table
}

/// When a statement began, by this frontend's clock.
fn begun(engine: &Engine, s: &SessionState, zone: &str) -> String {
    time::moment(engine.clock.now_ms() - s.since_ms, zone)
}

/// SHOW RUNNING QUERIES.
pub async fn running(session: &Session) -> Table {
    let engine = &session.engine;
    let zone = session.variables.get_text("time_zone");
    let catalog = engine.meta.snapshot();
    let started = |server: &str| catalog.frontends.values().find(|f| f.name == *server).map_or(engine.options.started_ms, |f| engine.frontends.get(engine, f.id).start_ms);
    let all = sessions::everywhere(engine, Some(SHORT_STATEMENT)).await;
    let rows = all.into_iter().filter(|(_, s)| !s.query_id.is_empty()).map(|(server, s)| {
        let (begun, fe_start) = (begun(engine, &s, &zone), time::moment(started(&server), &zone));
        [&*s.query_id, "0", "-", &begun, "", "", "RUNNING", "1", "", "", &server, &fe_start].map(text).into()
    });
    let names = [
        "QueryId",
        "WarehouseId",
        "ResourceGroupId",
        "StartTime",
        "PendingTimeout",
        "QueryTimeout",
        "State",
        "Slots",
        "Fragments",
        "DOP",
        "Frontend",
        "FeStartTime",
    ];
    Table::new(&names, rows.collect())
}

/// SHOW PROC '/current_queries': those of this frontend; '/global_current_queries': those of all.
pub async fn current_queries(session: &Session, global: bool) -> Table {
    let engine = &session.engine;
    let zone = session.variables.get_text("time_zone");
    let all = match global {
        true => sessions::everywhere(engine, Some(SHORT_STATEMENT)).await,
        false => {
            let own = sessions::server_name(engine);
            sessions::here(engine, Some(SHORT_STATEMENT)).into_iter().map(|s| (own.clone(), s)).collect()
        }
    };
    let rows = all.into_iter().filter(|(_, s)| !s.query_id.is_empty()).map(|(server, s)| {
        let (begun, id, seconds) = (begun(engine, &s, &zone), s.id.to_string(), format!("{:.3} s", s.since_ms as f64 / 1000.0));
        [&*begun, &server, &s.query_id, &id, &s.database, &s.user, "0", "0", "0", "0", "0", &seconds, "", "RUNNING", "default_warehouse", &s.custom_query_id, ""].map(text).into()
    });
    let names = [
        "StartTime",
        "feIp",
        "QueryId",
        "ConnectionId",
        "Database",
        "User",
        "ScanBytes",
        "ScanRows",
        "MemoryUsage",
        "DiskSpillSize",
        "CPUTime",
        "ExecTime",
        "ExecProgress",
        "ExecState",
        "Warehouse",
        "CustomQueryId",
        "ResourceGroup",
    ];
    Table::new(&names, rows.collect())
}
