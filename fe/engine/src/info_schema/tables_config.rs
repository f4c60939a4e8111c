//! information_schema.tables_config.

use common_base::ids::ColumnUid;
use fe_catalog::model::{Distribution, KeysModel, PartitionInfo};

use super::{Provider, TEXT, Ty, number};
use crate::{
    result::text,
    show::create_table::{column_names, shown_properties},
};

pub(super) const TABLES_CONFIG: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "tables_config",
    columns: &[
        ("TABLE_SCHEMA", Ty::Text(64)),
        ("TABLE_NAME", Ty::Text(64)),
        ("TABLE_ENGINE", Ty::Text(64)),
        ("TABLE_MODEL", Ty::Text(64)),
        ("PRIMARY_KEY", TEXT),
        ("PARTITION_KEY", TEXT),
        ("DISTRIBUTE_KEY", TEXT),
        ("DISTRIBUTE_TYPE", Ty::Text(64)),
        ("DISTRIBUTE_BUCKET", Ty::BigInt),
        ("SORT_KEY", TEXT),
        ("PROPERTIES", TEXT),
        ("TABLE_ID", Ty::BigInt),
    ],
    rows: |cx| {
        let mut rows = Vec::new();
        for (db, table) in cx.tables("TABLE_SCHEMA", "TABLE_NAME") {
            let Some(olap) = table.as_olap() else { continue };
            let key: Vec<ColumnUid> = table.columns.iter().filter(|c| c.key).map(|c| c.uid).collect();
            let has_unique_key = matches!(olap.keys, KeysModel::Primary | KeysModel::Unique);
            let partition_key = match &olap.partition_info {
                PartitionInfo::Unpartitioned => String::new(),
                PartitionInfo::Range { columns } | PartitionInfo::List { columns } | PartitionInfo::Expression { columns, .. } => column_names(&table, columns),
            };
            let (hash, kind, buckets) = match &olap.distribution {
                Distribution::Hash { columns, buckets } => (column_names(&table, columns), "HASH", *buckets),
                Distribution::Random { buckets } => (String::new(), "RANDOM", *buckets),
            };
            let properties: serde_json::Map<String, serde_json::Value> =
                shown_properties(olap).into_iter().map(|(k, v)| (k, serde_json::Value::String(v))).collect();
            rows.push(vec![
                text(db.name.clone()),
                text(table.name.clone()),
                text("OLAP"),
                text(match olap.keys {
                    KeysModel::Duplicate => "DUP_KEYS",
                    KeysModel::Aggregate => "AGG_KEYS",
                    KeysModel::Unique => "UNQ_KEYS",
                    KeysModel::Primary => "PRI_KEYS",
                }),
                text(if has_unique_key { column_names(&table, &key) } else { String::new() }),
                text(partition_key),
                text(hash),
                text(kind),
                number(u64::from(buckets)),
                text(column_names(&table, if olap.sort_key.is_empty() { &key } else { &olap.sort_key })),
                text(serde_json::Value::Object(properties).to_string()),
                number(table.id.0),
            ]);
        }
        rows
    },
};
