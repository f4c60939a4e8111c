//! information_schema.table_constraints and key_column_usage: the keys of PRIMARY KEY tables.

use std::sync::Arc;

use common_types::Scalar;
use fe_catalog::model::{Database, KeysModel, Table};

use super::{Context, Provider, Ty, number};
use crate::result::text;

fn keyed(cx: &Context<'_>) -> Vec<(Arc<Database>, Arc<Table>)> {
    let mut found = cx.tables("TABLE_SCHEMA", "TABLE_NAME");
    found.retain(|(_, t)| t.as_olap().is_some_and(|o| o.keys == KeysModel::Primary));
    found
}

pub(super) const TABLE_CONSTRAINTS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "table_constraints",
    columns: &[
        ("CONSTRAINT_CATALOG", Ty::Text(512)),
        ("CONSTRAINT_SCHEMA", Ty::Text(64)),
        ("CONSTRAINT_NAME", Ty::Text(64)),
        ("TABLE_SCHEMA", Ty::Text(64)),
        ("TABLE_NAME", Ty::Text(64)),
        ("CONSTRAINT_TYPE", Ty::Text(64)),
        ("ENFORCED", Ty::Text(3)),
    ],
    rows: |cx| {
        let row = |(db, table): &(Arc<Database>, Arc<Table>)| {
            vec![
                text("def"),
                text(db.name.clone()),
                text("PRIMARY"),
                text(db.name.clone()),
                text(table.name.clone()),
                text("PRIMARY KEY"),
                text("YES"),
            ]
        };
        keyed(cx).iter().map(row).collect()
    },
};

pub(super) const KEY_COLUMN_USAGE: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "key_column_usage",
    columns: &[
        ("CONSTRAINT_CATALOG", Ty::Text(512)),
        ("CONSTRAINT_SCHEMA", Ty::Text(64)),
        ("CONSTRAINT_NAME", Ty::Text(64)),
        ("TABLE_CATALOG", Ty::Text(512)),
        ("TABLE_SCHEMA", Ty::Text(64)),
        ("TABLE_NAME", Ty::Text(64)),
        ("COLUMN_NAME", Ty::Text(64)),
        ("ORDINAL_POSITION", Ty::BigInt),
        ("POSITION_IN_UNIQUE_CONSTRAINT", Ty::BigInt),
        ("REFERENCED_TABLE_SCHEMA", Ty::Text(64)),
        ("REFERENCED_TABLE_NAME", Ty::Text(64)),
        ("REFERENCED_COLUMN_NAME", Ty::Text(64)),
    ],
    rows: |cx| {
        let mut rows = Vec::new();
        for (db, table) in keyed(cx) {
            for (i, column) in table.columns.iter().filter(|c| c.key).enumerate() {
                rows.push(vec![
                    text("def"),
                    text(db.name.clone()),
                    text("PRIMARY"),
                    text("def"),
                    text(db.name.clone()),
                    text(table.name.clone()),
                    text(column.name.clone()),
                    number(i as u64 + 1),
                    Scalar::Null,
                    Scalar::Null,
                    Scalar::Null,
                    Scalar::Null,
                ]);
            }
        }
        rows
    },
};
