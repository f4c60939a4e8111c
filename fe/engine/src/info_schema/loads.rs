//! information_schema.loads and stream_loads: transactions as jobs.

use common_base::ids::QueryId;
use common_types::Scalar;
use fe_catalog::model::{LoadSource, Transaction, TxnState};

use super::{Context, Provider, TEXT, Ty, number};
use crate::{
    result::text,
    show::{loads::{job_state, reason, source_name, stream_state}, time},
};

fn names(cx: &Context<'_>, txn: &Transaction) -> (String, String) {
    let db = cx.catalog.databases.get(&txn.db_id).map(|d| d.name.clone()).unwrap_or_default();
    let table = txn.tables.first().and_then(|id| cx.catalog.tables.get(id)).map(|t| t.name.clone()).unwrap_or_default();
    (db, table)
}

pub(super) const LOADS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "loads",
    columns: &[
        ("ID", Ty::BigInt),
        ("LABEL", TEXT),
        ("PROFILE_ID", TEXT),
        ("DB_NAME", TEXT),
        ("TABLE_NAME", TEXT),
        ("USER", TEXT),
        ("WAREHOUSE", TEXT),
        ("STATE", TEXT),
        ("PROGRESS", TEXT),
        ("TYPE", TEXT),
        ("PRIORITY", TEXT),
        ("SCAN_ROWS", Ty::BigInt),
        ("SCAN_BYTES", Ty::BigInt),
        ("FILTERED_ROWS", Ty::BigInt),
        ("UNSELECTED_ROWS", Ty::BigInt),
        ("SINK_ROWS", Ty::BigInt),
        ("RUNTIME_DETAILS", Ty::Text(65533)),
        ("CREATE_TIME", Ty::Datetime),
        ("LOAD_START_TIME", Ty::Datetime),
        ("LOAD_COMMIT_TIME", Ty::Datetime),
        ("LOAD_FINISH_TIME", Ty::Datetime),
        ("PROPERTIES", Ty::Text(65533)),
        ("ERROR_MSG", Ty::Text(65533)),
        ("TRACKING_SQL", Ty::Text(65533)),
        ("REJECTED_RECORD_PATH", Ty::Text(65533)),
        ("JOB_ID", Ty::BigInt),
    ],
    rows: |cx| {
        let wanted = cx.catalog.txns.values().filter(|t| cx.wants("LABEL", &t.label));
        wanted
            .map(|t| {
                let (db, table) = names(cx, t);
                let finished = t.state == TxnState::Visible;
                vec![
                    number(t.id.0),
                    text(t.label.clone()),
                    Scalar::Null,
                    text(db),
                    text(table),
                    text(""),
                    text("default_warehouse"),
                    text(job_state(t)),
                    text(if finished { "ETL:100%; LOAD:100%" } else { "ETL:N/A; LOAD:99%" }),
                    text(source_name(t.source)),
                    text("NORMAL"),
                    number(t.loaded_rows + t.filtered_rows + t.unselected_rows),
                    number(t.loaded_bytes),
                    number(t.filtered_rows),
                    number(t.unselected_rows),
                    number(t.loaded_rows),
                    text("{}"),
                    time::datetime(t.begin_ms),
                    time::datetime(t.begin_ms),
                    time::datetime(t.commit_ms),
                    time::datetime(t.finish_ms),
                    text(format!("{{\"timeout\":\"{}\"}}", t.timeout_ms / 1000)),
                    if reason(t).is_empty() { Scalar::Null } else { text(reason(t)) },
                    Scalar::Null,
                    Scalar::Null,
                    number(t.id.0),
                ]
            })
            .collect()
    },
};

pub(super) const STREAM_LOADS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "stream_loads",
    columns: &[
        ("LABEL", TEXT),
        ("ID", Ty::BigInt),
        ("LOAD_ID", TEXT),
        ("TXN_ID", Ty::BigInt),
        ("DB_NAME", TEXT),
        ("TABLE_NAME", TEXT),
        ("STATE", TEXT),
        ("ERROR_MSG", TEXT),
        ("TRACKING_URL", TEXT),
        ("CHANNEL_NUM", Ty::BigInt),
        ("PREPARED_CHANNEL_NUM", Ty::BigInt),
        ("NUM_ROWS_NORMAL", Ty::BigInt),
        ("NUM_ROWS_AB_NORMAL", Ty::BigInt),
        ("NUM_ROWS_UNSELECTED", Ty::BigInt),
        ("NUM_LOAD_BYTES", Ty::BigInt),
        ("TIMEOUT_SECOND", Ty::BigInt),
        ("CREATE_TIME_MS", Ty::Datetime),
        ("BEFORE_LOAD_TIME_MS", Ty::Datetime),
        ("START_LOADING_TIME_MS", Ty::Datetime),
        ("START_PREPARING_TIME_MS", Ty::Datetime),
        ("FINISH_PREPARING_TIME_MS", Ty::Datetime),
        ("END_TIME_MS", Ty::Datetime),
        ("CHANNEL_STATE", TEXT),
        ("TYPE", TEXT),
        ("TRACKING_SQL", TEXT),
    ],
    rows: |cx| {
        let wanted = cx.catalog.txns.values().filter(|t| t.source == LoadSource::StreamLoad && cx.wants("LABEL", &t.label));
        wanted
            .map(|t| {
                let (db, table) = names(cx, t);
                vec![
                    text(t.label.clone()),
                    number(t.id.0),
                    text(QueryId(t.request_id).to_string()),
                    number(t.id.0),
                    text(db),
                    text(table),
                    text(stream_state(t)),
                    text(reason(t)),
                    text(t.error_url.clone()),
                    number(1),
                    number(u64::from(t.prepared_ms != 0)),
                    number(t.loaded_rows),
                    number(t.filtered_rows),
                    number(t.unselected_rows),
                    number(t.loaded_bytes),
                    Scalar::BigInt(t.timeout_ms / 1000),
                    time::datetime(t.begin_ms),
                    time::datetime(t.begin_ms),
                    time::datetime(t.begin_ms),
                    if t.prepared_ms == 0 { Scalar::Null } else { time::datetime(t.prepared_ms) },
                    if t.prepared_ms == 0 { Scalar::Null } else { time::datetime(t.prepared_ms) },
                    time::datetime(t.finish_ms),
                    text(""),
                    text("STREAM LOAD"),
                    Scalar::Null,
                ]
            })
            .collect()
    },
};
