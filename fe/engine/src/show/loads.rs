//! SHOW LOAD, SHOW STREAM LOAD, SHOW TRANSACTION, SHOW DELETE: transactions as the catalog keeps them.

use common_base::{Result, ids::QueryId};
use common_types::Scalar;
use fe_catalog::model::{Database, LoadSource, Transaction, TxnState};
use fe_parser::ast::{encoding, sql};

use super::{Table, time};
use crate::{result::text, session::Session, statement::names};

/// The state of a load job.
pub fn job_state(txn: &Transaction) -> &'static str {
    match txn.state {
        TxnState::Prepare => "LOADING",
        TxnState::Prepared => "PREPARED",
        TxnState::Committed => "COMMITTED",
        TxnState::Visible => "FINISHED",
        TxnState::Aborted { .. } => "CANCELLED",
    }
}

fn txn_state(txn: &Transaction) -> &'static str {
    match txn.state {
        TxnState::Prepare => "PREPARE",
        TxnState::Prepared => "PREPARED",
        TxnState::Committed => "COMMITTED",
        TxnState::Visible => "VISIBLE",
        TxnState::Aborted { .. } => "ABORTED",
    }
}

/// What kind of load a transaction is.
pub fn source_name(source: LoadSource) -> &'static str {
    match source {
        LoadSource::StreamLoad => "STREAM_LOAD",
        LoadSource::Insert => "INSERT",
        LoadSource::Delete => "DELETE",
    }
}

/// Why an aborted one was.
pub fn reason(txn: &Transaction) -> &str {
    match &txn.state {
        TxnState::Aborted { reason } => reason,
        _ => "",
    }
}

/// SHOW LOAD: INSERT jobs of a database.
pub fn load(session: &Session, db: Option<&sql::ObjectName>, all: bool) -> Result<Table> {
    let catalog = session.engine.meta.snapshot();
    let db = if all && db.is_none() { None } else { Some(names::find_database(&catalog, &names::database_or_current(session, db)?)?) };
    let zone = session.variables.get_text("time_zone");
    let moment = |ms| text(time::moment(ms, &zone));
    let of_db = |t: &Transaction| db.as_ref().is_none_or(|d| d.id == t.db_id) && t.source == LoadSource::Insert;
    let rows = catalog.txns.values().filter(|t| of_db(t)).map(|t| {
        let finished = t.state == TxnState::Visible;
        vec![
            text(t.id.to_string()),
            text(t.label.clone()),
            text(job_state(t)),
            text(if finished { "ETL:100%; LOAD:100%" } else { "ETL:N/A; LOAD:99%" }),
            text(source_name(t.source)),
            text("NORMAL"),
            text((t.loaded_rows + t.filtered_rows + t.unselected_rows).to_string()),
            text(t.filtered_rows.to_string()),
            text(t.unselected_rows.to_string()),
            text(t.loaded_rows.to_string()),
            Scalar::Null,
            text(format!("resource:N/A; timeout(s):{}; max_filter_ratio:0.0", t.timeout_ms / 1000)),
            if reason(t).is_empty() { Scalar::Null } else { text(reason(t)) },
            moment(t.begin_ms),
            moment(t.begin_ms),
            moment(t.begin_ms),
            moment(t.begin_ms),
            moment(t.finish_ms),
            text(""),
            text(format!("{{\"InternalTableLoadBytes\":{},\"InternalTableLoadRows\":{}}}", t.loaded_bytes, t.loaded_rows)),
            text("default_warehouse"),
        ]
    });
    let names = [
        "JobId",
        "Label",
        "State",
        "Progress",
        "Type",
        "Priority",
        "ScanRows",
        "FilteredRows",
        "UnselectedRows",
        "SinkRows",
        "EtlInfo",
        "TaskInfo",
        "ErrorMsg",
        "CreateTime",
        "EtlStartTime",
        "EtlFinishTime",
        "LoadStartTime",
        "LoadFinishTime",
        "TrackingSQL",
        "JobDetails",
        "Warehouse",
    ];
    Ok(Table { like: 1, ..Table::new(&names, rows.collect()) })
}

/// SHOW STREAM LOAD.
pub fn stream_load(session: &Session, label: Option<&sql::ObjectName>, db: Option<&sql::ObjectName>, all: bool) -> Result<Table> {
    let catalog = session.engine.meta.snapshot();
    let label_parts: Vec<String> = label.map(|l| encoding::name_parts(l).into_iter().map(|i| i.value.clone()).collect()).unwrap_or_default();
    let database = match (label_parts.as_slice(), db) {
        ([db, _], _) => Some(names::find_database(&catalog, db)?),
        (_, None) if all => None,
        _ => Some(names::find_database(&catalog, &names::database_or_current(session, db)?)?),
    };
    let wanted = label_parts.last();
    let zone = session.variables.get_text("time_zone");
    let moment = |ms: i64| if ms == 0 { Scalar::Null } else { text(time::moment(ms, &zone)) };
    let shown = |t: &Transaction| {
        let asked = all || wanted.is_some() || t.is_running();
        asked && t.source == LoadSource::StreamLoad && database.as_ref().is_none_or(|d| d.id == t.db_id) && wanted.is_none_or(|w| *w == t.label)
    };
    let rows = catalog.txns.values().filter(|t| shown(t)).map(|t| {
        let db = catalog.databases.get(&t.db_id).map(|d| d.name.clone()).unwrap_or_default();
        let table = t.tables.first().and_then(|id| catalog.tables.get(id)).map(|t| t.name.clone()).unwrap_or_default();
        let prepared = if t.prepared_ms == 0 { t.commit_ms } else { t.prepared_ms };
        vec![
            text(t.label.clone()),
            text(t.id.to_string()),
            text(QueryId(t.request_id).to_string()),
            text(t.id.to_string()),
            text(db),
            text(table),
            text(stream_state(t)),
            text(reason(t)),
            text(t.error_url.clone()),
            text("1"),
            text(if prepared == 0 { "0" } else { "1" }),
            text(t.loaded_rows.to_string()),
            text(t.filtered_rows.to_string()),
            text(t.unselected_rows.to_string()),
            text(t.loaded_bytes.to_string()),
            text((t.timeout_ms / 1000).to_string()),
            moment(t.begin_ms),
            moment(t.begin_ms),
            moment(t.begin_ms),
            moment(prepared),
            moment(prepared),
            moment(t.finish_ms),
            text(""),
            text("STREAM_LOAD"),
            Scalar::Null,
        ]
    });
    Ok(Table::new(STREAM_LOAD, rows.collect()))
}

/// The state of a stream load.
pub fn stream_state(txn: &Transaction) -> &'static str {
    match txn.state {
        TxnState::Prepare => "LOADING",
        TxnState::Prepared => "PREPARED",
        TxnState::Committed => "COMMITED",
        TxnState::Visible => "FINISHED",
        TxnState::Aborted { .. } => "CANCELLED",
    }
}

const STREAM_LOAD: &[&str] = &[
    "Label",
    "Id",
    "LoadId",
    "TxnId",
    "DbName",
    "TableName",
    "State",
    "ErrorMsg",
    "TrackingURL",
    "ChannelNum",
    "PreparedChannelNum",
    "NumRowsNormal",
    "NumRowsAbNormal",
    "NumRowsUnselected",
    "NumLoadBytes",
    "TimeoutSecond",
    "CreateTimeMs",
    "BeforeLoadTimeMs",
    "StartLoadingTimeMs",
    "StartPreparingTimeMs",
    "FinishPreparingTimeMs",
    "EndTimeMs",
    "ChannelState",
    "Type",
    "TrackingSQL",
];

const TRANSACTION: &[&str] = &[
    "TransactionId",
    "Label",
    "Coordinator",
    "TransactionStatus",
    "LoadJobSourceType",
    "PrepareTime",
    "PreparedTime",
    "CommitTime",
    "PublishTime",
    "FinishTime",
    "Reason",
    "ErrorReplicasCount",
    "ListenerId",
    "TimeoutMs",
    "PreparedTimeoutMs",
    "ErrMsg",
];

/// SHOW TRANSACTION.
pub fn transaction(session: &Session, db: Option<&sql::ObjectName>) -> Result<Table> {
    let name = names::database_or_current(session, db)?;
    let db = names::find_database(&session.engine.meta.snapshot(), &name)?;
    Ok(transactions_of(session, &db, |_| true))
}

/// Transactions of a database that a test lets through.
pub fn transactions_of(session: &Session, db: &Database, keep: impl Fn(&Transaction) -> bool) -> Table {
    let zone = session.variables.get_text("time_zone");
    let catalog = session.engine.meta.snapshot();
    let rows = catalog.txns.values().filter(|t| t.db_id == db.id && keep(t)).map(|t| {
        let source = match t.source {
            LoadSource::StreamLoad => "BACKEND_STREAMING",
            LoadSource::Insert => "INSERT_STREAMING",
            LoadSource::Delete => "DELETE",
        };
        [
            t.id.to_string(),
            t.label.clone(),
            t.coordinator.clone(),
            txn_state(t).to_owned(),
            source.to_owned(),
            time::moment(t.begin_ms, &zone),
            if t.prepared_ms == 0 { "NULL".to_owned() } else { time::moment(t.prepared_ms, &zone) },
            time::moment(t.commit_ms, &zone),
            time::moment(t.finish_ms, &zone),
            time::moment(t.finish_ms, &zone),
            reason(t).to_owned(),
            "0".to_owned(),
            "-1".to_owned(),
            t.timeout_ms.to_string(),
            if t.prepared_timeout_ms == 0 { "86400000".to_owned() } else { t.prepared_timeout_ms.to_string() },
            String::new(),
        ]
        .into_iter()
        .map(text)
        .collect()
    });
    Table { like: 1, aliases: &[("id", 0)], ..Table::new(TRANSACTION, rows.collect()) }
}

/// SHOW DELETE.
pub fn delete(session: &Session, db: Option<&sql::ObjectName>) -> Result<Table> {
    let name = names::database_or_current(session, db)?;
    let catalog = session.engine.meta.snapshot();
    let db = names::find_database(&catalog, &name)?;
    let zone = session.variables.get_text("time_zone");
    let rows = catalog.txns.values().filter(|t| t.db_id == db.id && t.source == LoadSource::Delete).map(|t| {
        let table = t.tables.first().and_then(|id| catalog.tables.get(id));
        let partitions: Vec<String> = t
            .versions
            .iter()
            .filter_map(|(_, p, _)| table.and_then(|t| t.as_olap()?.partitions.get(p)).map(|p| p.name.clone()))
            .collect();
        vec![
            text(table.map(|t| t.name.clone()).unwrap_or_default()),
            text(partitions.join(", ")),
            text(time::moment(t.begin_ms, &zone)),
            text(t.delete_condition.as_str()),
            text(job_state(t)),
        ]
    });
    Ok(Table::new(&["TableName", "PartitionName", "CreateTime", "DeleteCondition", "State"], rows.collect()))
}
