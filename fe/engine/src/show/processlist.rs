//! SHOW PROCESSLIST and SHOW RUNNING QUERIES: the sessions of this FE.

use common_types::{LogicalType, Scalar};

use super::{Table, time};
use crate::{engine::Engine, result::text, session::Session};

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

/// This FE's name in the cluster.
pub fn server_name(engine: &Engine) -> String {
    let id = engine.meta.node_id();
    let catalog = engine.meta.snapshot();
    catalog.frontends.values().find(|f| f.id.0 == id).map_or_else(|| engine.options.host.clone(), |f| f.name.clone())
}

/// SHOW [FULL] PROCESSLIST.
pub fn processlist(session: &Session, full: bool, user: Option<&str>) -> Table {
    let engine = &session.engine;
    let (now, zone, server) = (engine.clock.now_ms(), session.variables.get_text("time_zone"), server_name(engine));
    let shown = engine.sessions.all().into_iter().filter(|s| user.is_none_or(|u| s.user == u));
    let rows = shown.map(|info| {
        let state = info.state.read().clone();
        let statement = if full { state.statement.clone() } else { state.statement.chars().take(SHORT_STATEMENT).collect() };
        vec![
            text(server.clone()),
            Scalar::BigInt(i64::from(info.id)),
            text(info.user.clone()),
            text(info.host.clone()),
            text(state.database),
            text(state.command),
            text(time::moment(info.connected_ms, &zone)),
            Scalar::Int(((now - state.started_ms).max(0) / 1000) as i32),
            text(if state.command == "Query" { "OK" } else { "EOF" }),
            text(statement),
            text("false"),
            text("default_warehouse"),
            text(""),
            text("default_catalog"),
            state.query_id.map_or_else(|| text(""), |id| text(id.to_string())),
        ]
    });
    let mut table = Table::new(NAMES, rows.collect());
    table.columns[1].ty = LogicalType::BigInt;
    table.columns[7].ty = LogicalType::Int;
    table
}

/// SHOW RUNNING QUERIES.
pub fn running(session: &Session) -> Table {
    let engine = &session.engine;
    let (zone, server) = (session.variables.get_text("time_zone"), server_name(engine));
    let rows = engine.sessions.all().into_iter().filter_map(|info| {
        let state = info.state.read().clone();
        let id = state.query_id?;
        Some(vec![
            text(id.to_string()),
            text("0"),
            text("-"),
            text(time::moment(state.started_ms, &zone)),
            text(""),
            text(""),
            text("RUNNING"),
            text("1"),
            text(""),
            text(""),
            text(server.clone()),
            text(time::moment(engine.options.started_ms, &zone)),
        ])
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
