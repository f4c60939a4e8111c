//! SHOW TABLET, SHOW TABLETS and the ADMIN views of replicas.

use std::{collections::BTreeMap, sync::Arc};

use common_base::{Result, err, ids::{NodeId, TabletId}};
use common_types::Scalar;
use fe_catalog::model::{OlapTable, Partition, Replica, Table as CatalogTable, Tablet};
use fe_parser::ast::{PartitionNames, sql};

use super::Table;
use crate::{result::text, session::Session, statement::names};

const TABLETS: &[&str] = &[
    "TabletId",
    "ReplicaId",
    "BackendId",
    "SchemaHash",
    "Version",
    "VersionHash",
    "LstSuccessVersion",
    "LstSuccessVersionHash",
    "LstFailedVersion",
    "LstFailedVersionHash",
    "LstFailedTime",
    "DataSize",
    "RowCount",
    "State",
    "LstConsistencyCheckTime",
    "CheckVersion",
    "CheckVersionHash",
    "VersionCount",
    "PathHash",
    "MetaUrl",
    "CompactionStatus",
    "DiskRootPath",
    "IsConsistent",
    "Checksum",
];

/// SHOW TABLETS FROM t.
pub fn tablets(session: &Session, table: &sql::ObjectName, only: Option<&PartitionNames>) -> Result<Table> {
    let (_, partitions) = chosen(session, table, only)?;
    let rows = partitions.iter().flat_map(|p| replicas(p)).map(|(_, tablet, replica)| replica_row(session, tablet, replica)).collect();
    Ok(Table::new(TABLETS, rows))
}

fn replica_row(session: &Session, tablet: &Tablet, replica: &Replica) -> Vec<Scalar> {
    let catalog = session.catalog();
    let http = catalog.backends.get(&replica.node).map_or_else(String::new, |b| format!("{}:{}", b.host, b.http_port));
    let size = session.engine.statistics.tablet(tablet.id);
    let (rows, bytes) = size.map_or((0, 0), |s| (s.rows, s.bytes));
    let facts = session.engine.statistics.replica(tablet.id, replica.node);
    let version = replica.version.to_string();
    vec![
        text(tablet.id.to_string()),
        text(replica.id.to_string()),
        text(replica.node.to_string()),
        text("0"),
        text(version.clone()),
        text("0"),
        text(version),
        text("0"),
        text("-1"),
        text("0"),
        text("NULL"),
        text(bytes.to_string()),
        text(rows.to_string()),
        text(replica_state(&catalog, replica)),
        text("NULL"),
        text("-1"),
        text("0"),
        text(facts.as_ref().map_or_else(|| "-1".to_owned(), |f| f.rowsets.to_string())),
        text(facts.as_ref().map_or_else(|| "-1".to_owned(), |f| super::nodes::path_hash(replica.node.0, &f.dir).to_string())),
        text(format!("http://{http}/api/meta/header/{}", tablet.id)),
        text(format!("http://{http}/api/compaction/show?tablet_id={}", tablet.id)),
        text(facts.map_or_else(String::new, |f| f.dir.to_string())),
        text(if replica.bad { "false" } else { "true" }),
        text("-1"),
    ]
}

/// SHOW TABLET id: where it belongs.
pub fn tablet(session: &Session, id: i64) -> Result<Table> {
    let names =
        ["DbName", "TableName", "PartitionName", "IndexName", "DbId", "TableId", "PartitionId", "IndexId", "IsSync", "DetailCmd"];
    let catalog = session.catalog();
    let wanted = TabletId(id as u64);
    let Some((table, partition)) = catalog.partition_of_tablet(wanted) else {
        return Ok(Table::empty(&names));
    };
    let index = partition.indexes.iter().find(|i| i.tablets.iter().any(|t| t.id == wanted)).map(|i| i.index_id);
    let index_id = index.map(|i| i.to_string()).unwrap_or_default();
    let db = catalog.databases.get(&table.db_id).map(|d| d.name.clone()).unwrap_or_default();
    let detail = format!("SHOW PROC '/dbs/{}/{}/partitions/{}/{index_id}/{id}';", table.db_id, table.id, partition.id);
    let row = vec![
        text(db),
        text(table.name.clone()),
        text(partition.name.clone()),
        text(table.name.clone()),
        text(table.db_id.to_string()),
        text(table.id.to_string()),
        text(partition.id.to_string()),
        text(index_id),
        text("true"),
        text(detail),
    ];
    Ok(Table::new(&names, vec![row]))
}

/// ADMIN SHOW REPLICA DISTRIBUTION.
pub fn distribution(session: &Session, table: &sql::ObjectName, only: Option<&PartitionNames>) -> Result<Table> {
    let (_, partitions) = chosen(session, table, only)?;
    let catalog = session.catalog();
    let mut counts: BTreeMap<NodeId, u64> = catalog.backends.keys().map(|id| (*id, 0)).collect();
    for (_, _, replica) in partitions.iter().flat_map(|p| replicas(p)) {
        *counts.entry(replica.node).or_default() += 1;
    }
    let total: u64 = counts.values().sum();
    let row = |(node, count): (&NodeId, &u64)| {
        let share = if total == 0 { 0.0 } else { *count as f64 * 100.0 / total as f64 };
        vec![text(node.to_string()), text(count.to_string()), text(">".repeat(share.round() as usize)), text(format!("{share:.2} %"))]
    };
    Ok(Table::new(&["BackendId", "ReplicaNum", "Graph", "Percent"], counts.iter().map(row).collect()))
}

/// ADMIN SHOW REPLICA STATUS.
pub fn status(session: &Session, table: &sql::ObjectName, only: Option<&PartitionNames>) -> Result<Table> {
    let (_, partitions) = chosen(session, table, only)?;
    let catalog = session.catalog();
    let row = |(partition, tablet, replica): (&Partition, &Tablet, &Replica)| {
        let lags = replica.version < partition.visible_version;
        let rowsets = session.engine.statistics.replica(tablet.id, replica.node).map_or(-1, |f| i64::from(f.rowsets));
        let state = if !session.engine.nodes.is_alive(replica.node) {
            "DEAD"
        } else if lags {
            "VERSION_ERROR"
        } else {
            "OK"
        };
        vec![
            text(tablet.id.to_string()),
            text(replica.id.to_string()),
            text(replica.node.to_string()),
            text(replica.version.to_string()),
            text(if lags { (replica.version + 1).to_string() } else { "-1".to_owned() }),
            text(replica.version.to_string()),
            text(partition.visible_version.to_string()),
            text("0"),
            text(rowsets.to_string()),
            text(replica.bad.to_string()),
            text(replica.declared_bad.to_string()),
            text(replica_state(&catalog, replica)),
            text(state),
        ]
    };
    let wanted = partitions.iter().flat_map(|p| p.indexes.iter().flat_map(|i| &i.tablets).map(move |t| (p, t)));
    let missing = wanted.flat_map(|(p, t)| (t.replicas.len()..usize::from(p.replication_num)).map(|_| t.id)).map(|tablet| {
        let mut row = vec![text(tablet.to_string())];
        row.extend((0..8).map(|_| text("-1")));
        row.extend([text("false"), text("false"), text("NORMAL"), text("MISSING")]);
        row
    });
    let names = [
        "TabletId",
        "ReplicaId",
        "BackendId",
        "Version",
        "LastFailedVersion",
        "LastSuccessVersion",
        "CommittedVersion",
        "SchemaHash",
        "VersionNum",
        "IsBad",
        "IsSetBadForce",
        "State",
        "Status",
    ];
    Ok(Table::new(&names, partitions.iter().flat_map(|p| replicas(p)).map(row).chain(missing).collect()))
}

/// A replica's state as users see it.
fn replica_state(catalog: &fe_catalog::CatalogState, replica: &Replica) -> &'static str {
    if catalog.backends.get(&replica.node).is_some_and(|b| b.decommissioned) { "DECOMMISSION" } else { "NORMAL" }
}

/// Every replica of a partition.
pub fn replicas(partition: &Partition) -> impl Iterator<Item = (&Partition, &Tablet, &Replica)> {
    partition.indexes.iter().flat_map(move |i| i.tablets.iter().flat_map(move |t| t.replicas.iter().map(move |r| (partition, t, r))))
}

/// A table and its formal partitions, or the named ones.
pub fn chosen(session: &Session, table: &sql::ObjectName, only: Option<&PartitionNames>) -> Result<(Arc<CatalogTable>, Vec<Arc<Partition>>)> {
    let (db, name) = names::qualified(session, table)?;
    let table = names::find_table(&session.catalog(), &db, &name)?;
    let olap: &OlapTable = names::olap(&table)?;
    let partitions = match only {
        None => olap.partitions.values().filter(|p| !p.temporary).cloned().collect(),
        Some(only) => only
            .names
            .iter()
            .map(|n| olap.partition_by_name(&n.value, only.temporary).cloned().ok_or_else(|| err!(UnknownPartition, "Unknown partition '{}'", n.value)))
            .collect::<Result<_>>()?,
    };
    Ok((table, partitions))
}
