//! SHOW TABLES and SHOW TABLE STATUS.

use std::sync::Arc;

use common_base::{Result, ids::TableId};
use common_types::{LogicalType, Scalar};
use fe_catalog::{
    CatalogSnapshot,
    model::{Table as CatalogTable, TableKind},
};
use fe_parser::ast::sql;

use super::{Table, time};
use crate::{info_schema, result::{ResultColumn, text}, session::Session, statement::names};

/// SHOW [FULL] TABLES.
pub fn tables(session: &Session, full: bool, temporary: bool, db: Option<&sql::ObjectName>) -> Result<Table> {
    let name = names::database_or_current(session, db)?;
    let catalog = session.engine.meta.snapshot();
    let all = if temporary {
        let db = names::find_database(&catalog, &name)?;
        catalog.temporary_tables_of(&session.uuid).filter(|t| t.db_id == db.id).cloned().collect()
    } else {
        tables_of(&catalog, &name)?
    };
    let first = format!("Tables_in_{name}");
    let row = |t: &Arc<CatalogTable>| {
        let mut row = vec![text(t.name.clone())];
        if full {
            row.push(text(table_type(t)));
        }
        row
    };
    let columns: Vec<&str> = if full { vec![&first, "Table_type"] } else { vec![&first] };
    Ok(Table::new(&columns, all.iter().map(row).collect()).case_sensitive())
}

/// Tables and views of a database, system databases too, by name.
pub fn tables_of(catalog: &CatalogSnapshot, db: &str) -> Result<Vec<Arc<CatalogTable>>> {
    if info_schema::is_system_database(db) {
        return Ok(info_schema::tables(db));
    }
    let db = names::find_database(catalog, db)?;
    Ok(catalog.tables_of(db.id).cloned().collect())
}

/// The type MySQL clients know.
pub fn table_type(table: &CatalogTable) -> &'static str {
    match table.kind {
        TableKind::Olap(_) => "BASE TABLE",
        TableKind::View(_) => "VIEW",
        TableKind::System => "SYSTEM VIEW",
    }
}

/// Rows and bytes of a table as the last statistics say.
pub fn rows_and_bytes(catalog: &CatalogSnapshot, table: TableId) -> (u64, u64) {
    catalog.statistics_of(table).map_or((0, 0), |s| (s.rows(), s.bytes()))
}

/// When a table's data last changed.
pub fn data_changed_ms(table: &CatalogTable) -> i64 {
    let partitions = table.as_olap().into_iter().flat_map(|o| o.partitions.values());
    partitions.map(|p| p.visible_time_ms).max().unwrap_or(table.updated_ms)
}

/// SHOW TABLE STATUS.
pub fn status(session: &Session, db: Option<&sql::ObjectName>) -> Result<Table> {
    let name = names::database_or_current(session, db)?;
    let catalog = session.engine.meta.snapshot();
    let zone = session.variables.get_text("time_zone");
    let row = |t: &Arc<CatalogTable>| {
        let (rows, bytes) = rows_and_bytes(&catalog, t.id);
        let stored = t.as_olap().is_some();
        let number = |n: u64| if stored { Scalar::BigInt(n as i64) } else { Scalar::Null };
        vec![
            text(t.name.clone()),
            if stored { text("StarRocks") } else { Scalar::Null },
            Scalar::Null,
            Scalar::Null,
            number(rows),
            number(bytes.checked_div(rows).unwrap_or(0)),
            number(bytes),
            Scalar::Null,
            Scalar::Null,
            Scalar::Null,
            Scalar::Null,
            time::cell(t.created_ms, &zone),
            if stored { time::cell(data_changed_ms(t), &zone) } else { Scalar::Null },
            Scalar::Null,
            text("utf8_general_ci"),
            Scalar::Null,
            text(""),
            text(if matches!(t.kind, TableKind::View(_)) && t.comment.is_empty() { "VIEW".to_owned() } else { t.comment.clone() }),
        ]
    };
    let names: &[(&str, bool)] = &[
        ("Name", false),
        ("Engine", false),
        ("Version", true),
        ("Row_format", false),
        ("Rows", true),
        ("Avg_row_length", true),
        ("Data_length", true),
        ("Max_data_length", true),
        ("Index_length", true),
        ("Data_free", true),
        ("Auto_increment", true),
        ("Create_time", false),
        ("Update_time", false),
        ("Check_time", false),
        ("Collation", false),
        ("Checksum", true),
        ("Create_options", false),
        ("Comment", false),
    ];
    let columns = names.iter().map(|(name, number)| ResultColumn {
        name: (*name).to_owned(),
        ty: if *number { LogicalType::BigInt } else { LogicalType::varchar() },
    });
    let all = tables_of(&catalog, &name)?;
    Ok(Table { columns: columns.collect(), rows: all.iter().map(row).collect(), like: 0, case_sensitive: true, aliases: &[] })
}
