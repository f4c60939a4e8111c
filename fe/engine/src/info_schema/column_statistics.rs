//! `_statistics_`: what is known of columns, histograms, columns together; and `information_schema.analyze_status`.

use std::sync::Arc;

use common_types::Scalar;
use fe_catalog::model::{Collected, CollectedKind, Database, Table};

use super::{Context, Provider, TEXT, Ty, number};
use crate::{result::text, show::time};

const COLUMN_STATISTICS: Provider = Provider {
    asks_backends: false,
    db: "_statistics_",
    name: "column_statistics",
    columns: &[
        ("table_id", Ty::BigInt),
        ("partition_id", Ty::BigInt),
        ("column_name", TEXT),
        ("db_id", Ty::BigInt),
        ("table_name", TEXT),
        ("partition_name", TEXT),
        ("row_count", Ty::BigInt),
        ("data_size", Ty::BigInt),
        ("ndv", Ty::BigInt),
        ("null_count", Ty::BigInt),
        ("max", Ty::Text(1_048_576)),
        ("min", Ty::Text(1_048_576)),
        ("update_time", Ty::Datetime),
        ("collection_size", Ty::BigInt),
    ],
    // Figures are kept of whole tables: the row says so where a partition would stand.
    rows: |cx| {
        let mut rows = Vec::new();
        for (db, table) in user_tables(cx) {
            let Some(statistics) = cx.catalog.statistics_of(table.id) else { continue };
            let analyzed = cx.catalog.collected.get(&table.id);
            let listed = |name: &str| analyzed.is_some_and(|all| all.iter().any(|c| c.kind == CollectedKind::Columns && c.name == name));
            for column in &table.columns {
                let Some(known) = statistics.columns.iter().find(|c| c.uid == column.uid).filter(|_| listed(&column.name)) else { continue };
                rows.push(vec![
                    number(table.id.0),
                    number(table.id.0),
                    text(column.name.clone()),
                    number(db.id.0),
                    text(full_name(&db, &table)),
                    text(table.name.clone()),
                    number(statistics.rows()),
                    number(known.bytes),
                    number(known.distinct),
                    number(known.nulls),
                    text(value_text(&known.max)),
                    text(value_text(&known.min)),
                    time::datetime(statistics.updated_ms),
                    Scalar::BigInt(-1),
                ]);
            }
        }
        rows
    },
};

const HISTOGRAM_STATISTICS: Provider = Provider {
    asks_backends: false,
    db: "_statistics_",
    name: "histogram_statistics",
    columns: &[
        ("table_id", Ty::BigInt),
        ("column_name", TEXT),
        ("db_id", Ty::BigInt),
        ("table_name", TEXT),
        ("buckets", Ty::Text(1_048_576)),
        ("mcv", Ty::Text(1_048_576)),
        ("update_time", Ty::Datetime),
    ],
    rows: |cx| {
        entries(cx, CollectedKind::Histogram, |db, table, entry| {
            let histogram = entry.histogram.as_deref();
            let mut before = 0;
            let buckets = histogram.iter().flat_map(|h| &h.buckets).map(|b| {
                before += b.rows;
                format!("[\"{}\",\"{}\",\"{before}\",\"{}\",\"{}\"]", value_text(&b.lower), value_text(&b.upper), b.rows, b.distinct)
            });
            let buckets: Vec<String> = buckets.collect();
            let common: Vec<String> = histogram.iter().flat_map(|h| &h.common).map(|c| format!("[\"{}\",\"{}\"]", value_text(&c.value), c.rows)).collect();
            vec![
                number(table.id.0),
                text(entry.name.clone()),
                number(db.id.0),
                text(full_name(db, table)),
                text(format!("[{}]", buckets.join(","))),
                text(format!("[{}]", common.join(","))),
                time::datetime(entry.updated_ms),
            ]
        })
    },
};

const MULTI_COLUMN_STATISTICS: Provider = Provider {
    asks_backends: false,
    db: "_statistics_",
    name: "multi_column_statistics",
    columns: &[
        ("table_id", Ty::BigInt),
        ("column_ids", TEXT),
        ("db_id", Ty::BigInt),
        ("table_name", TEXT),
        ("column_names", TEXT),
        ("ndv", Ty::BigInt),
        ("update_time", Ty::Datetime),
    ],
    rows: |cx| {
        entries(cx, CollectedKind::Together, |db, table, entry| {
            let ids: Vec<String> = entry.name.split(',').filter_map(|n| table.column(n)).map(|c| c.uid.to_string()).collect();
            vec![
                number(table.id.0),
                text(ids.join("#")),
                number(db.id.0),
                text(full_name(db, table)),
                text(entry.name.clone()),
                number(entry.distinct),
                time::datetime(entry.updated_ms),
            ]
        })
    },
};

const ANALYZE_STATUS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "analyze_status",
    columns: &[
        ("Id", TEXT),
        ("Catalog", TEXT),
        ("Database", TEXT),
        ("Table", TEXT),
        ("Columns", TEXT),
        ("Type", TEXT),
        ("Schedule", TEXT),
        ("Status", TEXT),
        ("StartTime", TEXT),
        ("EndTime", TEXT),
        ("Properties", TEXT),
        ("Reason", TEXT),
    ],
    rows: |cx| {
        let row = |s: &fe_catalog::model::AnalyzeStatus| {
            vec![
                text(s.id.to_string()),
                text("default_catalog"),
                text(s.database.clone()),
                text(s.table.clone()),
                text(s.columns.clone()),
                text(s.kind.clone()),
                text(s.schedule.clone()),
                text(s.state.clone()),
                time::cell(s.start_ms, "UTC"),
                time::cell(s.end_ms, "UTC"),
                text(s.properties.clone()),
                text(s.reason.clone()),
            ]
        };
        cx.catalog.analyze_statuses.values().map(|s| row(s)).collect()
    },
};

/// All of this file.
pub(super) fn providers() -> Vec<Provider> {
    vec![COLUMN_STATISTICS, HISTOGRAM_STATISTICS, MULTI_COLUMN_STATISTICS, ANALYZE_STATUS]
}

fn user_tables(cx: &Context<'_>) -> Vec<(Arc<Database>, Arc<Table>)> {
    let database = |t: &Arc<Table>| Some((cx.catalog.databases.get(&t.db_id)?.clone(), t.clone()));
    cx.catalog.tables.values().filter(|t| t.as_olap().is_some()).filter_map(database).filter(|(db, t)| cx.wants("table_name", &full_name(db, t))).collect()
}

fn entries(cx: &Context<'_>, kind: CollectedKind, row: impl Fn(&Database, &Table, &Collected) -> Vec<Scalar>) -> Vec<Vec<Scalar>> {
    let mut rows = Vec::new();
    for (db, table) in user_tables(cx) {
        let all = cx.catalog.collected.get(&table.id);
        rows.extend(all.iter().flat_map(|all| all.iter()).filter(|c| c.kind == kind).map(|c| row(&db, &table, c)));
    }
    rows
}

fn full_name(db: &Database, table: &Table) -> String {
    format!("{}.{}", db.name, table.name)
}

fn value_text(value: &Scalar) -> String {
    if value.is_null() { String::new() } else { value.to_string() }
}
