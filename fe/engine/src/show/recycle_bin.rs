//! SHOW CATALOG RECYCLE BIN, and what information_schema.recyclebin_catalogs shows.

use fe_catalog::{CatalogState, model::RecycledObject};

use super::{Table, time};
use crate::{result::text, session::Session};

/// A thing in the bin: kind, name, ids as far as it has them, when it was dropped.
pub struct Entry {
    pub kind: &'static str,
    pub name: String,
    pub db: u64,
    pub table: Option<u64>,
    pub partition: Option<u64>,
    pub dropped_ms: i64,
}

/// Databases, then tables (also those of dropped databases), then partitions.
pub fn entries(catalog: &CatalogState) -> Vec<Entry> {
    let (mut databases, mut tables, mut partitions) = (Vec::new(), Vec::new(), Vec::new());
    for entry in catalog.recycled.values() {
        let (db, dropped_ms) = (entry.db_id().0, entry.dropped_ms);
        match &entry.object {
            RecycledObject::Database { database, .. } => {
                databases.push(Entry { kind: "Database", name: database.name.clone(), db, table: None, partition: None, dropped_ms });
            }
            RecycledObject::Table(_) => {}
            RecycledObject::Partition { table, partition, .. } => {
                partitions.push(Entry { kind: "Partition", name: partition.name.clone(), db, table: Some(table.0), partition: Some(partition.id.0), dropped_ms });
            }
        }
        tables.extend(entry.tables().iter().map(|t| Entry { kind: "Table", name: t.name.clone(), db, table: Some(t.id.0), partition: None, dropped_ms }));
    }
    databases.into_iter().chain(tables).chain(partitions).collect()
}

/// SHOW CATALOG RECYCLE BIN.
pub fn recycle_bin(session: &Session) -> Table {
    let zone = session.variables.get_text("time_zone");
    let id = |id: Option<u64>| text(id.map(|id| id.to_string()).unwrap_or_default());
    let rows = entries(&session.engine.meta.snapshot())
        .into_iter()
        .map(|e| vec![text(e.kind), text(e.name), id(Some(e.db)), id(e.table), id(e.partition), text(time::moment(e.dropped_ms, &zone))])
        .collect();
    Table { like: 1, ..Table::new(&["Type", "Name", "DbId", "TableId", "PartitionId", "DropTime"], rows) }
}
