//! SHOW MATERIALIZED VIEWS: synchronous ones are indexes of their tables.

use common_base::Result;
use common_types::{LogicalType, Scalar};
use fe_catalog::model::IndexState;
use fe_parser::ast::sql;

use super::Table;
use crate::{
    result::{ResultColumn, text},
    session::Session,
    statement::names,
};

const COLUMNS: &[&str] = &[
    "id",
    "database_name",
    "name",
    "refresh_type",
    "is_active",
    "inactive_reason",
    "partition_type",
    "task_id",
    "task_name",
    "last_refresh_start_time",
    "last_refresh_finished_time",
    "last_refresh_duration",
    "last_refresh_state",
    "last_refresh_force_refresh",
    "last_refresh_start_partition",
    "last_refresh_end_partition",
    "last_refresh_base_refresh_partitions",
    "last_refresh_mv_refresh_partitions",
    "last_refresh_error_code",
    "last_refresh_error_message",
    "rows",
    "text",
    "extra_message",
    "query_rewrite_status",
    "creator",
    "last_refresh_process_time",
    "last_refresh_job_id",
];

/// The materialized views of a database.
pub fn views(session: &Session, db: Option<&sql::ObjectName>) -> Result<Table> {
    let catalog = session.engine.meta.snapshot();
    let db = names::find_database(&catalog, &names::database_or_current(session, db)?)?;
    let mut rows: Vec<Vec<Scalar>> = Vec::new();
    for table in catalog.tables_of(db.id) {
        for index in table.as_olap().iter().flat_map(|o| &o.further).filter(|i| i.state == IndexState::Normal && i.replaces.is_none()) {
            let mut row: Vec<Scalar> = vec![Scalar::Null; COLUMNS.len()];
            let mut set = |name: &str, value: Scalar| {
                if let Some(at) = COLUMNS.iter().position(|c| *c == name) {
                    row[at] = value;
                }
            };
            set("id", Scalar::BigInt(index.id.0 as i64));
            set("database_name", text(db.name.clone()));
            set("name", text(index.name.clone()));
            set("refresh_type", text("ROLLUP"));
            set("is_active", text("true"));
            set("inactive_reason", text(""));
            set("partition_type", text("UNPARTITIONED"));
            set("task_id", Scalar::BigInt(0));
            set("task_name", text(""));
            set("rows", Scalar::BigInt(0));
            let columns: Vec<&str> = index.columns.iter().map(|c| c.column.name.as_str()).collect();
            let definition = index.definition.clone().unwrap_or_else(|| format!("SELECT {} FROM {}", columns.join(", "), table.name));
            set("text", text(format!("CREATE MATERIALIZED VIEW {} AS {definition}", index.name)));
            rows.push(row);
        }
    }
    let ty = |name: &str| match name {
        "id" | "task_id" | "rows" => LogicalType::BigInt,
        _ => LogicalType::varchar(),
    };
    let columns = COLUMNS.iter().map(|name| ResultColumn { name: (*name).to_owned(), ty: ty(name) }).collect();
    Ok(Table { columns, rows, like: 2, case_sensitive: true, aliases: &[("TABLE_NAME", 2), ("TABLE_SCHEMA", 1)] })
}
