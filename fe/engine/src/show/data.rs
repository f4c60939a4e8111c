//! SHOW DATA: how much tables hold, by the last statistics.

use common_base::Result;
use fe_catalog::{CatalogState, model::{OlapTable, Table as CatalogTable}};
use fe_parser::ast::{PartitionNames, sql};

use super::{Table, tables, tablets, time};
use crate::{result::text, session::Session, statement::names};

/// The default quota: none.
const NO_QUOTA: u64 = i64::MAX as u64;

/// SHOW DATA [FROM t].
pub fn data(session: &Session, table: Option<&sql::ObjectName>) -> Result<Table> {
    let catalog = session.catalog();
    let Some(name) = table else { return database(session, &catalog) };
    let (db, name) = names::qualified(session, name)?;
    let table = names::find_table(&catalog, &db, &name)?;
    let olap = names::olap(&table)?;
    let (rows, bytes) = tables::rows_and_bytes(&catalog, table.id);
    let count = replica_count(olap);
    let line = |table_name: &str, index: &str, rows: String| {
        vec![text(table_name), text(index), text(time::size(bytes)), text(count.to_string()), text(rows)]
    };
    let all = vec![line(&table.name, &table.name, rows.to_string()), line("", "Total", String::new())];
    Ok(Table::new(&["TableName", "IndexName", "Size", "ReplicaCount", "RowCount"], all))
}

fn database(session: &Session, catalog: &fe_catalog::CatalogSnapshot) -> Result<Table> {
    let db = names::database_or_current(session, None)?;
    let mut rows = Vec::new();
    let (mut total, mut replicas) = (0, 0);
    let measured = |t: &CatalogTable, o: &OlapTable, catalog: &CatalogState| (catalog.statistics_of(t.id).map_or(0, |s| s.bytes()), replica_count(o));
    for table in tables::tables_of(catalog, &db)? {
        let Some(olap) = table.as_olap() else { continue };
        let (bytes, count) = measured(&table, olap, catalog);
        rows.push(vec![text(table.name.clone()), text(time::size(bytes)), text(count.to_string())]);
        total += bytes;
        replicas += count;
    }
    rows.push(vec![text("Total"), text(time::size(total)), text(replicas.to_string())]);
    rows.push(vec![text("Quota"), text(time::size(NO_QUOTA)), text(NO_QUOTA.to_string())]);
    rows.push(vec![text("Left"), text(time::size(NO_QUOTA - total)), text((NO_QUOTA - replicas).to_string())]);
    Ok(Table::new(&["TableName", "Size", "ReplicaCount"], rows))
}

/// Replicas of a table.
pub fn replica_count(olap: &OlapTable) -> u64 {
    olap.partitions.values().map(|p| tablets::replicas(p).count() as u64).sum()
}

/// SHOW DATA DISTRIBUTION.
pub fn distribution(session: &Session, table: &sql::ObjectName, only: Option<&PartitionNames>) -> Result<Table> {
    let (table, partitions) = tablets::chosen(session, table, only)?;
    let mut sizes = Vec::new();
    for partition in &partitions {
        for tablet in partition.indexes.iter().flat_map(|i| &i.tablets) {
            let (rows, bytes) = session.engine.statistics.tablet(tablet.id).map_or((0, 0), |s| (s.rows, s.bytes));
            sizes.push((partition, rows, bytes));
        }
    }
    let (all_rows, all_bytes) = sizes.iter().fold((0, 0), |(r, b), (_, rows, bytes)| (r + rows, b + bytes));
    let row = |(partition, rows, bytes): &(&std::sync::Arc<fe_catalog::model::Partition>, u64, u64)| {
        vec![
            text(partition.name.clone()),
            text(partition.id.to_string()),
            text(table.name.clone()),
            text(rows.to_string()),
            text(time::percent(*rows, all_rows)),
            text(time::short_size(*bytes)),
            text(time::percent(*bytes, all_bytes)),
        ]
    };
    let names = ["PartitionName", "SubPartitionId", "MaterializedIndexName", "RowCount", "RowCount%", "DataSize", "DataSize%"];
    Ok(Table::new(&names, sizes.iter().map(row).collect()))
}
