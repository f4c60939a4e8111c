//! information_schema.statistics: secondary indexes, as MySQL tools look for them.

use common_types::Scalar;

use super::{Provider, Ty, number};
use crate::{result::text, show::index::parse};

pub(super) const STATISTICS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "statistics",
    columns: &[
        ("TABLE_CATALOG", Ty::Text(512)),
        ("TABLE_SCHEMA", Ty::Text(64)),
        ("TABLE_NAME", Ty::Text(64)),
        ("NON_UNIQUE", Ty::BigInt),
        ("INDEX_SCHEMA", Ty::Text(64)),
        ("INDEX_NAME", Ty::Text(64)),
        ("SEQ_IN_INDEX", Ty::BigInt),
        ("COLUMN_NAME", Ty::Text(64)),
        ("COLLATION", Ty::Text(1)),
        ("CARDINALITY", Ty::BigInt),
        ("SUB_PART", Ty::BigInt),
        ("PACKED", Ty::Text(10)),
        ("NULLABLE", Ty::Text(3)),
        ("INDEX_TYPE", Ty::Text(16)),
        ("COMMENT", Ty::Text(16)),
        ("INDEX_COMMENT", Ty::Text(1024)),
        ("EXPRESSION", Ty::Text(1024)),
    ],
    rows: |cx| {
        let mut rows = Vec::new();
        for (db, table) in cx.tables("TABLE_SCHEMA", "TABLE_NAME") {
            for index in table.as_olap().iter().flat_map(|o| &o.indexes_ddl).filter_map(|ddl| parse(ddl)) {
                let nullable = table.column(&index.column).is_some_and(|c| c.nullable);
                let kind = index.kind.split('(').next().unwrap_or_default().to_owned();
                rows.push(vec![
                    text("def"),
                    text(db.name.clone()),
                    text(table.name.clone()),
                    number(1),
                    text(db.name.clone()),
                    text(index.name),
                    number(1),
                    text(index.column),
                    Scalar::Null,
                    Scalar::Null,
                    Scalar::Null,
                    Scalar::Null,
                    text(if nullable { "YES" } else { "" }),
                    text(kind),
                    text(""),
                    text(index.comment),
                    Scalar::Null,
                ]);
            }
        }
        rows
    },
};
