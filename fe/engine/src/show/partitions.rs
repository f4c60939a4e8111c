//! SHOW PARTITIONS and SHOW DYNAMIC PARTITION TABLES.

use std::sync::Arc;

use common_base::Result;
use common_types::{LogicalType, Scalar};
use fe_catalog::{
    CatalogState,
    calendar::Unit,
    model::{Distribution, OlapTable, Partition, PartitionInfo, PartitionItem, Table as CatalogTable},
};
use fe_jobs::dynamic_partition::{PREFIX, Rule};
use fe_parser::ast::sql;

use super::{
    Table,
    create_table::{bound_values, column_types, list_text, sort_partitions},
    time,
};
use crate::statement::replication::partition_medium;
use crate::{result::text, session::Session, statement::names};

/// SHOW PARTITIONS.
pub fn partitions(session: &Session, temporary: bool, table: &sql::ObjectName) -> Result<Table> {
    let (db, name) = names::qualified(session, table)?;
    let catalog = session.catalog();
    let table = names::find_table(&catalog, &db, &name)?;
    let olap = names::olap(&table)?;
    Ok(table_of(&catalog, &table, olap, temporary, &session.variables.get_text("time_zone")))
}

/// The partitions of a table.
pub fn table_of(catalog: &CatalogState, table: &CatalogTable, olap: &OlapTable, temporary: bool, zone: &str) -> Table {
    let list = matches!(olap.partition_info, PartitionInfo::List { .. });
    let mut partitions: Vec<Arc<Partition>> = olap.partitions.values().filter(|p| p.temporary == temporary).cloned().collect();
    sort_partitions(&mut partitions);
    let statistics = catalog.statistics_of(table.id);
    let rows = partitions.iter().map(|p| -> Vec<Scalar> {
        let stats = statistics.and_then(|s| s.partitions.iter().find(|x| x.partition == p.id));
        let (rows, bytes) = stats.map_or((0, 0), |s| (s.rows, s.bytes));
        vec![
            text(p.id.to_string()),
            text(p.name.clone()),
            text(p.visible_version.to_string()),
            text(time::moment(p.visible_time_ms, zone)),
            text("0"),
            text("NORMAL"),
            text(partition_key(table, olap)),
            text(item_text(table, olap, &p.item)),
            text(distribution_key(table, olap)),
            text(p.buckets.to_string()),
            text(p.replication_num.to_string()),
            text(partition_medium(olap, p)),
            text(if p.cooldown_ms > 0 { time::moment(p.cooldown_ms, zone) } else { "9999-12-31 23:59:59".to_owned() }),
            text("NULL"),
            text(time::short_size(bytes)),
            text(time::short_size(bytes)),
            text("false"),
            text(rows.to_string()),
            text(p.visible_version.to_string()),
            text("0"),
            text("TXN_NORMAL"),
            text("true"),
        ]
    });
    let names = [
        "PartitionId",
        "PartitionName",
        "VisibleVersion",
        "VisibleVersionTime",
        "VisibleVersionHash",
        "State",
        "PartitionKey",
        if list { "List" } else { "Range" },
        "DistributionKey",
        "Buckets",
        "ReplicationNum",
        "StorageMedium",
        "CooldownTime",
        "LastConsistencyCheckTime",
        "DataSize",
        "StorageSize",
        "IsInMemory",
        "RowCount",
        "DataVersion",
        "VersionEpoch",
        "VersionTxnType",
        "TabletBalanced",
    ];
    Table { like: 1, ..Table::new(&names, rows.collect()) }
}

/// Partition columns by name; empty for an unpartitioned table.
pub fn partition_key(table: &CatalogTable, olap: &OlapTable) -> String {
    let columns = match &olap.partition_info {
        PartitionInfo::Unpartitioned => return String::new(),
        PartitionInfo::Range { columns } | PartitionInfo::List { columns } | PartitionInfo::Expression { columns, .. } => columns,
    };
    plain_names(table, columns)
}

/// Bucket columns by name, or how rows spread without any.
pub fn distribution_key(table: &CatalogTable, olap: &OlapTable) -> String {
    match &olap.distribution {
        Distribution::Hash { columns, .. } => plain_names(table, columns),
        Distribution::Random { .. } => "ALL KEY".to_owned(),
    }
}

fn plain_names(table: &CatalogTable, uids: &[common_base::ids::ColumnUid]) -> String {
    let names: Vec<&str> = uids.iter().filter_map(|uid| table.column_by_uid(*uid)).map(|c| c.name.as_str()).collect();
    names.join(", ")
}

/// `[types: [DATE]; keys: [2020-01-08]; ..types: [DATE]; keys: [2020-01-09]; )` or the values of a list.
pub fn item_text(table: &CatalogTable, olap: &OlapTable, item: &PartitionItem) -> String {
    match item {
        PartitionItem::All => String::new(),
        PartitionItem::List(_) => list_text(item),
        PartitionItem::Range { lower, upper } => {
            let columns = match &olap.partition_info {
                PartitionInfo::Range { columns } | PartitionInfo::List { columns } | PartitionInfo::Expression { columns, .. } => columns.as_slice(),
                PartitionInfo::Unpartitioned => &[],
            };
            let types = column_types(table, columns);
            let type_names: Vec<String> = types.iter().map(type_name).collect();
            let end = |bound| format!("types: [{}]; keys: [{}]; ", type_names.join(", "), bound_values(bound, &types).join(", "));
            // The two dots are one character, as the reference prints them.
            format!("[{}\u{2025}{})", end(lower), end(upper))
        }
    }
}

fn type_name(ty: &LogicalType) -> String {
    match ty {
        LogicalType::Varchar(_) | LogicalType::Char(_) => "VARCHAR".to_owned(),
        other => other.to_string().to_uppercase(),
    }
}

const DAYS: [&str; 7] = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];

/// `1st`, `22nd`.
fn ordinal(n: i64) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

/// SHOW DYNAMIC PARTITION TABLES: tables that ask for it.
pub fn dynamic(session: &Session, db: Option<&sql::ObjectName>) -> Result<Table> {
    let db = names::database_or_current(session, db)?;
    let catalog = session.catalog();
    let zone = session.variables.get_text("time_zone");
    let mut rows = Vec::new();
    for table in super::tables::tables_of(&catalog, &db)? {
        let Some(olap) = table.as_olap() else { continue };
        let Ok(Some(rule)) = Rule::of(&olap.properties) else { continue };
        let property = |key: &str| olap.property(&format!("{PREFIX}{key}")).filter(|v| !v.trim().is_empty());
        let declared = match &olap.distribution {
            Distribution::Hash { buckets, .. } | Distribution::Random { buckets } => *buckets,
        };
        let start_of = match rule.unit {
            Unit::Week => DAYS.get(rule.start_day_of_week as usize - 1).copied().unwrap_or_default().to_owned(),
            Unit::Month => ordinal(rule.start_day_of_month),
            _ => "N/A".to_owned(),
        };
        let round = session.engine.partition_rounds.of(table.id).unwrap_or_default();
        let failed = round.create_error.is_some() || round.drop_error.is_some();
        rows.push(vec![
            text(table.name.clone()),
            text(rule.enabled.to_string()),
            text(property("time_unit").unwrap_or_default().to_uppercase()),
            text(property("start").unwrap_or("-2147483648")),
            text(rule.end.to_string()),
            text(rule.prefix.clone()),
            text(rule.buckets.unwrap_or(declared).to_string()),
            text(rule.replication_num.map_or_else(|| olap.property("replication_num").unwrap_or("1").to_owned(), |n| n.to_string())),
            text(start_of),
            text(time::moment(round.updated_ms, &zone)),
            text(time::moment(round.at_ms, &zone)),
            text(if failed { "ERROR" } else { "NORMAL" }),
            text(round.create_error.unwrap_or_else(|| "NULL".to_owned())),
            text(round.drop_error.unwrap_or_else(|| "NULL".to_owned())),
            text(rule.enabled.to_string()),
        ]);
    }
    let names = [
        "TableName",
        "Enable",
        "TimeUnit",
        "Start",
        "End",
        "Prefix",
        "Buckets",
        "ReplicationNum",
        "StartOf",
        "LastUpdateTime",
        "LastSchedulerTime",
        "State",
        "LastCreatePartitionMsg",
        "LastDropPartitionMsg",
        "InScheduler",
    ];
    Ok(Table::new(&names, rows))
}
