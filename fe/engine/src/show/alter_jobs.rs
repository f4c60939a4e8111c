//! SHOW ALTER TABLE: schema changes, index builds and optimize jobs of a database.

use common_base::Result;
use common_types::Scalar;
use fe_catalog::model::{AlterJob, AlterKind, AlterState};
use fe_parser::ast::{AlterJobKind, sql};

use super::{Table, time};
use crate::{result::text, session::Session, statement::names};

const COLUMN: &[&str] = &[
    "JobId",
    "TableName",
    "CreateTime",
    "FinishTime",
    "IndexName",
    "IndexId",
    "OriginIndexId",
    "SchemaVersion",
    "TransactionId",
    "State",
    "Msg",
    "Progress",
    "Timeout",
];
const ROLLUP: &[&str] = &[
    "JobId",
    "TableName",
    "CreateTime",
    "FinishedTime",
    "BaseIndexName",
    "RollupIndexName",
    "RollupId",
    "TransactionId",
    "State",
    "Msg",
    "Progress",
    "Timeout",
];
const OPTIMIZE: &[&str] = &["JobId", "TableName", "CreateTime", "FinishTime", "Operation", "TransactionId", "State", "Msg", "Progress", "Timeout"];

/// The jobs of a kind.
pub fn jobs(session: &Session, kind: AlterJobKind, db: Option<&sql::ObjectName>) -> Result<Table> {
    let catalog = session.engine.meta.snapshot();
    let db = names::find_database(&catalog, &names::database_or_current(session, db)?)?;
    let (wanted, columns) = match kind {
        AlterJobKind::Column => (AlterKind::Column, COLUMN),
        AlterJobKind::Rollup | AlterJobKind::MaterializedView => (AlterKind::Rollup, ROLLUP),
        AlterJobKind::Optimize => (AlterKind::Optimize, OPTIMIZE),
    };
    let zone = session.variables.get_text("time_zone");
    // The newest first, also among those of one second.
    let of_kind = catalog.alter_jobs.values().rev().filter(|j| j.kind == wanted && j.db_id == db.id);
    let rows = of_kind.map(|job| {
        // A renamed table shows under its name of today.
        let name = catalog.tables.get(&job.table_id).map_or(&job.table_name, |t| &t.name);
        row(job, name, &zone)
    });
    Ok(Table::new(columns, rows.collect()))
}

fn row(job: &AlterJob, table: &str, zone: &str) -> Vec<Scalar> {
    let cell = |ms| if ms == 0 { text("NULL") } else { text(time::moment(ms, zone)) };
    let mut row = vec![text(job.id.to_string()), text(table), cell(job.created_ms), cell(job.finished_ms)];
    match job.kind {
        AlterKind::Column => row.extend([
            text(job.index_name.clone()),
            text(job.index.to_string()),
            text(job.base_index.to_string()),
            text(format!("{}:0", job.schema_version)),
        ]),
        AlterKind::Rollup => row.extend([text(table), text(job.index_name.clone()), text(job.index.to_string())]),
        AlterKind::Optimize => row.push(text(job.operation.clone())),
    }
    let progress = if job.state == AlterState::Running { text("0%") } else { text("NULL") };
    row.extend([text(job.id.to_string()), text(job.state_name()), text(job.message.clone()), progress, text((job.timeout_ms / 1000).to_string())]);
    row
}
