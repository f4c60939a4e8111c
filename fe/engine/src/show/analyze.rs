//! SHOW ANALYZE STATUS, ANALYZE JOB, STATS META, HISTOGRAM META, MULTIPLE COLUMNS STATS META.

use common_types::Scalar;
use fe_catalog::model::{CollectedKind, Table as CatalogTable};

use super::{Table, time};
use crate::{result::text, session::Session};

/// SHOW ANALYZE STATUS.
pub fn status(session: &Session) -> Table {
    let zone = session.variables.get_text("time_zone");
    let catalog = session.engine.meta.snapshot();
    let row = |s: &fe_catalog::model::AnalyzeStatus| {
        vec![
            text(s.id.to_string()),
            text(format!("default_catalog.{}", s.database)),
            text(s.table.clone()),
            text(s.columns.clone()),
            text(s.kind.clone()),
            text(s.schedule.clone()),
            text(s.state.clone()),
            time::cell(s.start_ms, &zone),
            time::cell(s.end_ms, &zone),
            text(s.properties.clone()),
            text(s.reason.clone()),
        ]
    };
    let names = ["Id", "Database", "Table", "Columns", "Type", "Schedule", "Status", "StartTime", "EndTime", "Properties", "Reason"];
    Table::new(&names, catalog.analyze_statuses.values().map(|s| row(s)).collect())
}

/// SHOW ANALYZE JOB.
pub fn jobs(session: &Session) -> Table {
    let all = |s: &str| text(if s.is_empty() { "ALL" } else { s });
    let catalog = session.engine.meta.snapshot();
    let row = |j: &fe_catalog::model::AnalyzeJob| {
        vec![
            text(j.id.to_string()),
            text("default_catalog"),
            all(&j.database),
            all(&j.table),
            text(j.columns.clone()),
            text(if j.sample { "SAMPLE" } else { "FULL" }),
            text("SCHEDULE"),
            text(j.properties.clone()),
            text("PENDING"),
            text("None"),
            text(""),
        ]
    };
    let names = ["Id", "Catalog", "Database", "Table", "Columns", "Type", "Schedule", "Properties", "Status", "LastWorkTime", "Reason"];
    Table::new(&names, catalog.analyze_jobs.values().map(|j| row(j)).collect())
}

/// SHOW STATS META: one row per table with rows. Without ANALYZE the figures are those that loads brought along.
pub fn stats_meta(session: &Session) -> Table {
    let zone = session.variables.get_text("time_zone");
    let catalog = session.engine.meta.snapshot();
    let mut rows: Vec<Vec<Scalar>> = Vec::new();
    for (id, table) in &catalog.tables {
        let entries = catalog.collected.get(id).into_iter().flat_map(|all| all.iter());
        let columns: Vec<_> = entries.filter(|e| e.kind == CollectedKind::Columns).collect();
        let counted = catalog.statistics_of(*id).filter(|s| s.rows() > 0);
        let counted_ms = counted.map_or(0, |s| s.updated_ms);
        let newest = columns.iter().max_by_key(|e| e.updated_ms);
        if newest.is_none() && counted.is_none() {
            continue;
        }
        let listed: Vec<String> = columns.iter().map(|e| e.name.clone()).collect();
        let shown = if listed.is_empty() || listed.len() == table.columns.len() { "ALL".to_owned() } else { listed.join(",") };
        rows.push(vec![
            text(database(session, table)),
            text(table.name.clone()),
            text(shown),
            text(newest.map_or("FULL", |e| e.how.as_str())),
            time::cell(newest.map_or(counted_ms, |e| e.updated_ms), &zone),
            text(newest.map_or("{}", |e| e.properties.as_str())),
            // Figures follow every load.
            text("100%"),
            text(""),
            time::cell(counted_ms, &zone),
            text(""),
            time::cell(table.updated_ms, &zone),
        ]);
    }
    let names = [
        "Database",
        "Table",
        "Columns",
        "Type",
        "UpdateTime",
        "Properties",
        "Healthy",
        "ColumnStats",
        "TabletStatsReportTime",
        "TableHealthyMetrics",
        "TableUpdateTime",
    ];
    Table::new(&names, rows)
}

/// SHOW HISTOGRAM META, SHOW MULTIPLE COLUMNS STATS META.
pub fn entries_meta(session: &Session, kind: CollectedKind) -> Table {
    let zone = session.variables.get_text("time_zone");
    let catalog = session.engine.meta.snapshot();
    let together = kind == CollectedKind::Together;
    let mut rows = Vec::new();
    for (id, entries) in &catalog.collected {
        let Some(table) = catalog.tables.get(id) else { continue };
        for entry in entries.iter().filter(|e| e.kind == kind) {
            let mut cells = vec![text(database(session, table)), text(table.name.clone()), text(entry.name.clone()), text(entry.how.clone())];
            if together {
                cells.push(text("NDV"));
            }
            cells.extend([time::cell(entry.updated_ms, &zone), text(entry.properties.clone())]);
            rows.push(cells);
        }
    }
    if together {
        return Table::new(&["Database", "Table", "Columns", "Type", "StatisticsTypes", "UpdateTime", "Properties"], rows);
    }
    Table::new(&["Database", "Table", "Column", "Type", "UpdateTime", "Properties"], rows)
}

fn database(session: &Session, table: &CatalogTable) -> String {
    session.engine.meta.snapshot().databases.get(&table.db_id).map(|d| format!("default_catalog.{}", d.name)).unwrap_or_default()
}
