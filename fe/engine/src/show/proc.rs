//! SHOW PROC: the tree of internal state an operator walks. The parts that exist here.

use std::sync::Arc;

use common_base::{Result, bail, err};
use fe_catalog::model::{Database, OlapTable, PartitionInfo, Table as CatalogTable};

use super::{Table, cluster_balance, columns, loads, nodes, partitions, processlist, statistic, tables, time};
use crate::{cluster::colocate, info_schema, result::text, session::Session, statement::names};

const ROOT: &[&str] = &["backends", "brokers", "catalog", "cluster_balance", "colocation_group", "compute_nodes", "current_queries", "dbs", "frontends", "global_current_queries", "statistic", "transactions"];

/// SHOW PROC 'path'.
pub async fn proc(session: &Session, path: &str) -> Result<Table> {
    let Some(inner) = path.strip_prefix('/') else { bail!(User, "Path({path}) does not start with '/'") };
    let parts: Vec<&str> = inner.split('/').filter(|p| !p.is_empty()).collect();
    let unknown = || err!(User, "Cannot find path: {path}");
    let catalog = session.engine.meta.snapshot();
    Ok(match parts.as_slice() {
        [] => Table::new(&["name"], ROOT.iter().map(|n| vec![text(*n)]).collect()),
        ["frontends"] => nodes::frontends(session),
        ["backends"] => nodes::backends(session),
        ["backends", id] => {
            let backend = catalog.backends.values().find(|b| b.id.to_string() == *id).ok_or_else(unknown)?;
            nodes::disks(&session.engine, backend)
        }
        ["backends", id, "history"] => {
            let backend = catalog.backends.values().find(|b| b.id.to_string() == *id).ok_or_else(unknown)?;
            nodes::history(session, backend)
        }
        ["brokers"] => Table::empty(&["Name", "IP", "Port", "Alive", "LastStartTime", "LastUpdateTime", "ErrMsg"]),
        ["compute_nodes"] => super::empty::columns(&fe_parser::ast::ShowKind::ComputeNodes).map(Table::empty).ok_or_else(unknown)?,
        ["catalog"] => super::databases::catalogs(),
        ["current_queries"] => processlist::current_queries(session, false).await,
        ["global_current_queries"] => processlist::current_queries(session, true).await,
        ["dbs"] => dbs(session),
        ["dbs", db] => db_tables(session, &*find_db(session, db).ok_or_else(unknown)?),
        ["dbs", db, table] => {
            find_table(session, db, table).ok_or_else(unknown)?;
            Table::new(&["Nodes"], ["partitions", "temp_partitions", "index_schema"].iter().map(|n| vec![text(*n)]).collect())
        }
        ["dbs", db, table, kind @ ("partitions" | "temp_partitions")] => {
            let table = find_table(session, db, table).ok_or_else(unknown)?;
            let zone = session.variables.get_text("time_zone");
            partitions::table_of(&catalog, &table, names::olap(&table)?, *kind == "temp_partitions", &zone)
        }
        ["dbs", db, table, "index_schema"] => {
            let table = find_table(session, db, table).ok_or_else(unknown)?;
            index_schema(&table, names::olap(&table)?)
        }
        ["dbs", db, table, "partitions", partition] => {
            let table = find_table(session, db, table).ok_or_else(unknown)?;
            let olap = names::olap(&table)?;
            let found = olap.partitions.values().find(|p| p.name == *partition || p.id.to_string() == *partition).ok_or_else(unknown)?;
            let row = |i: &Arc<fe_catalog::model::TabletIndex>| {
                vec![text(i.index_id.to_string()), text(table.name.clone()), text("NORMAL"), text("NULL"), text("true"), text(i.tablets.len().to_string())]
            };
            let names = ["IndexId", "IndexName", "State", "LastConsistencyCheckTime", "TabletBalanceStat", "Tablets"];
            Table::new(&names, found.indexes.iter().map(row).collect())
        }
        ["colocation_group"] => colocation_groups(session),
        ["colocation_group", id] => bucket_sequence(session, id).ok_or_else(unknown)?,
        ["statistic"] => statistic::databases(session),
        ["statistic", db] => statistic::tablets(session, &*find_db(session, db).ok_or_else(unknown)?),
        ["cluster_balance", rest @ ..] => cluster_balance::proc(session, rest)?,
        ["transactions"] => {
            let rows = catalog.databases.values().map(|d| vec![text(d.id.to_string()), text(d.name.clone())]).collect();
            Table::new(&["DbId", "DbName"], rows)
        }
        ["transactions", db] => {
            let db = find_db(session, db).ok_or_else(unknown)?;
            let (running, finished): (Vec<_>, Vec<_>) = catalog.txns.values().filter(|t| t.db_id == db.id).partition(|t| t.is_running());
            let rows = vec![vec![text("running"), text(running.len().to_string())], vec![text("finished"), text(finished.len().to_string())]];
            Table::new(&["State", "Number"], rows)
        }
        ["transactions", db, state @ ("running" | "finished")] => {
            let db = find_db(session, db).ok_or_else(unknown)?;
            loads::transactions_of(session, &db, |t| t.is_running() == (*state == "running"))
        }
        ["meta_recovery"] => Table::empty(&["Database", "Table", "Partition", "PartitionId", "Reason", "Advise"]),
        ["jobs" | "tasks" | "routine_loads" | "stream_loads" | "resources" | "monitor" | "compactions", ..] => {
            bail!(NotSupported, "SHOW PROC '{path}' is not supported yet")
        }
        _ => return Err(unknown()),
    })
}

/// Groups of all databases; a group is called by the id of the table that made it.
fn colocation_groups(session: &Session) -> Table {
    let catalog = session.engine.meta.snapshot();
    let mut seen = std::collections::BTreeSet::new();
    let mut rows = Vec::new();
    for table in catalog.tables.values() {
        let Some((olap, group)) = table.as_olap().and_then(|o| Some((o, o.colocate_group.as_deref()?))) else { continue };
        if !seen.insert((table.db_id, group.to_owned())) {
            continue;
        }
        let members: Vec<_> = colocate::members(&catalog, table.db_id, group).map(|(t, _)| t).collect();
        let join = |items: Vec<String>| text(items.join(", "));
        let shape = colocate::shape_of(table, olap);
        rows.push(vec![
            text(format!("{}.{}", table.db_id, table.id)),
            text(format!("{}_{group}", table.db_id)),
            join(members.iter().map(|t| t.id.to_string()).collect()),
            join(members.iter().map(|t| t.name.clone()).collect()),
            text(shape.as_ref().map_or(0, |s| s.buckets).to_string()),
            text(shape.as_ref().map_or(0, |s| s.replication_num).to_string()),
            join(shape.map(|s| s.types.iter().map(ToString::to_string).collect()).unwrap_or_default()),
            text(colocate::is_stable(&catalog, table.db_id, group).to_string()),
        ]);
    }
    Table::new(&["GroupId", "GroupName", "TableIds", "TableNames", "BucketsNum", "ReplicationNum", "DistCols", "IsStable"], rows)
}

/// Where a group has its buckets; its id names the database and the table that made it.
fn bucket_sequence(session: &Session, id: &str) -> Option<Table> {
    let catalog = session.engine.meta.snapshot();
    let (db, table) = id.split_once('.')?;
    let table = catalog.tables.values().find(|t| t.id.to_string() == table && t.db_id.to_string() == db)?;
    let partition = table.as_olap().filter(|o| o.colocate_group.is_some())?.partitions.values().next()?;
    let ids = |nodes: &Vec<common_base::ids::NodeId>| nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let rows = colocate::sequence(partition).iter().enumerate().map(|(i, nodes)| vec![text(i.to_string()), text(ids(nodes))]).collect();
    Some(Table::new(&["BucketIndex", "BackendIds"], rows))
}

fn find_db(session: &Session, name: &str) -> Option<Arc<Database>> {
    let catalog = session.engine.meta.snapshot();
    catalog.database(name).or_else(|| catalog.databases.values().find(|d| d.id.to_string() == name)).cloned()
}

fn find_table(session: &Session, db: &str, name: &str) -> Option<Arc<CatalogTable>> {
    let db = find_db(session, db)?;
    let catalog = session.engine.meta.snapshot();
    catalog.table(db.id, name).or_else(|| catalog.tables_of(db.id).find(|t| t.id.to_string() == name)).cloned()
}

fn dbs(session: &Session) -> Table {
    let catalog = session.engine.meta.snapshot();
    let row = |id: String, name: &str, tables: usize| {
        vec![text(id), text(name), text(tables.to_string()), text(time::size(i64::MAX as u64)), text("NULL"), text(i64::MAX.to_string())]
    };
    let mut rows: Vec<_> = catalog.databases.values().map(|d| row(d.id.to_string(), &d.name, catalog.tables_of(d.id).count())).collect();
    rows.extend(info_schema::databases().iter().map(|d| row(d.id.to_string(), &d.name, info_schema::tables(&d.name).len())));
    Table::new(&["DbId", "DbName", "TableNum", "Quota", "LastConsistencyCheckTime", "ReplicaQuota"], rows)
}

fn db_tables(session: &Session, db: &Database) -> Table {
    let catalog = session.engine.meta.snapshot();
    let row = |t: &Arc<CatalogTable>| {
        let olap = t.as_olap();
        let partition_type = match olap.map(|o| &o.partition_info) {
            None | Some(PartitionInfo::Unpartitioned) => "UNPARTITIONED",
            Some(PartitionInfo::Range { .. }) => "RANGE",
            Some(PartitionInfo::List { .. }) => "LIST",
            Some(PartitionInfo::Expression { .. }) => "EXPR",
        };
        let replicas = olap.map_or(0, |o| super::data::replica_count(o));
        [
            t.id.to_string(),
            t.name.clone(),
            if olap.is_some() { "1".to_owned() } else { "0".to_owned() },
            olap.map(|o| partitions::partition_key(t, o)).unwrap_or_default(),
            olap.map_or(0, |o| o.partitions.len()).to_string(),
            "NORMAL".to_owned(),
            if olap.is_some() { "OLAP".to_owned() } else { tables::table_type(t).to_owned() },
            "NULL".to_owned(),
            replicas.to_string(),
            partition_type.to_owned(),
            String::new(),
        ]
        .into_iter()
        .map(text)
        .collect()
    };
    let names = [
        "TableId",
        "TableName",
        "IndexNum",
        "PartitionColumnName",
        "PartitionNum",
        "State",
        "Type",
        "LastConsistencyCheckTime",
        "ReplicaCount",
        "PartitionType",
        "StoragePath",
    ];
    Table::new(&names, catalog.tables_of(db.id).map(row).collect())
}

fn index_schema(table: &CatalogTable, olap: &OlapTable) -> Table {
    let row = vec![
        text(olap.base_index.to_string()),
        text(table.name.clone()),
        text(olap.schema_version.to_string()),
        text("0"),
        text(olap.short_key_columns.to_string()),
        text("COLUMN"),
        text(columns::keys_name(olap.keys)),
    ];
    Table::new(&["IndexId", "IndexName", "SchemaVersion", "SchemaHash", "ShortKeyColumnCount", "StorageType", "Keys"], vec![row])
}
