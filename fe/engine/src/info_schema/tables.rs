//! information_schema.tables and temp_tables.

use common_types::Scalar;
use fe_catalog::model::{Database, Table};

use super::{Context, Provider, Ty, number};
use crate::{
    result::text,
    show::{tables::{data_changed_ms, rows_and_bytes, table_type}, time},
};

pub(super) const TABLES: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "tables",
    columns: &[
        ("TABLE_CATALOG", Ty::Text(512)),
        ("TABLE_SCHEMA", Ty::Text(2048)),
        ("TABLE_NAME", Ty::Text(2048)),
        ("TABLE_TYPE", Ty::Text(2048)),
        ("ENGINE", Ty::Text(2048)),
        ("VERSION", Ty::BigInt),
        ("ROW_FORMAT", Ty::Text(10)),
        ("TABLE_ROWS", Ty::BigInt),
        ("AVG_ROW_LENGTH", Ty::BigInt),
        ("DATA_LENGTH", Ty::BigInt),
        ("MAX_DATA_LENGTH", Ty::BigInt),
        ("INDEX_LENGTH", Ty::BigInt),
        ("DATA_FREE", Ty::BigInt),
        ("AUTO_INCREMENT", Ty::BigInt),
        ("CREATE_TIME", Ty::Datetime),
        ("UPDATE_TIME", Ty::Datetime),
        ("CHECK_TIME", Ty::Datetime),
        ("TABLE_COLLATION", Ty::Text(32)),
        ("CHECKSUM", Ty::BigInt),
        ("CREATE_OPTIONS", Ty::Text(255)),
        ("TABLE_COMMENT", Ty::Text(2048)),
    ],
    rows: |cx| cx.tables("TABLE_SCHEMA", "TABLE_NAME").iter().map(|(db, t)| row(cx, db, t)).collect(),
};

fn row(cx: &Context<'_>, db: &Database, t: &Table) -> Vec<Scalar> {
    let (rows, bytes) = rows_and_bytes(cx.catalog, t.id);
    let stored = t.as_olap().is_some();
    let size = |n: u64| if stored { number(n) } else { Scalar::Null };
    vec![
        text("def"),
        text(db.name.clone()),
        text(t.name.clone()),
        text(table_type(t)),
        if stored { text("StarRocks") } else { text("") },
        Scalar::Null,
        Scalar::Null,
        size(rows),
        size(bytes.checked_div(rows).unwrap_or(0)),
        size(bytes),
        Scalar::Null,
        Scalar::Null,
        Scalar::Null,
        Scalar::Null,
        time::datetime(t.created_ms),
        if stored { time::datetime(data_changed_ms(t)) } else { Scalar::Null },
        Scalar::Null,
        text("utf8_general_ci"),
        Scalar::Null,
        text(""),
        text(t.comment.clone()),
    ]
}

pub(super) const TEMP_TABLES: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "temp_tables",
    columns: &[
        ("TABLE_CATALOG", Ty::Text(512)),
        ("TABLE_SCHEMA", Ty::Text(2048)),
        ("TABLE_NAME", Ty::Text(2048)),
        ("TABLE_TYPE", Ty::Text(2048)),
        ("ENGINE", Ty::Text(2048)),
        ("VERSION", Ty::BigInt),
        ("ROW_FORMAT", Ty::Text(10)),
        ("TABLE_ROWS", Ty::BigInt),
        ("AVG_ROW_LENGTH", Ty::BigInt),
        ("DATA_LENGTH", Ty::BigInt),
        ("MAX_DATA_LENGTH", Ty::BigInt),
        ("INDEX_LENGTH", Ty::BigInt),
        ("DATA_FREE", Ty::BigInt),
        ("AUTO_INCREMENT", Ty::BigInt),
        ("CREATE_TIME", Ty::Datetime),
        ("UPDATE_TIME", Ty::Datetime),
        ("CHECK_TIME", Ty::Datetime),
        ("TABLE_COLLATION", Ty::Text(32)),
        ("CHECKSUM", Ty::BigInt),
        ("CREATE_OPTIONS", Ty::Text(255)),
        ("TABLE_COMMENT", Ty::Text(2048)),
        ("SESSION", Ty::Text(128)),
        ("TABLE_ID", Ty::BigInt),
    ],
    rows: |cx| {
        let all = cx.catalog.temporary_tables.iter();
        all.filter_map(|((session, db, _), t)| {
            let (db, table) = (cx.catalog.databases.get(db)?, cx.catalog.tables.get(&t.table)?);
            let mut cells = row(cx, db, table);
            cells.extend([text(session.clone()), number(t.table.0)]);
            Some(cells)
        })
        .collect()
    },
};
