//! What clients ask about character sets, engines and plugins: fixed answers of a UTF-8 server with one storage engine.

use common_types::{LogicalType, Scalar};

use super::Table;
use crate::result::text;

fn texts(row: &[&str]) -> Vec<Scalar> {
    row.iter().map(|v| text(*v)).collect()
}

/// Rows of SHOW ENGINES and information_schema.engines.
pub const ENGINES: &[[&str; 6]] = &[
    ["OLAP", "YES", "Default storage engine of StarRocks", "NO", "NO", "NO"],
    ["MySQL", "NO", "Tables of a MySQL server", "NO", "NO", "NO"],
    ["ELASTICSEARCH", "NO", "Indexes of an Elasticsearch cluster", "NO", "NO", "NO"],
    ["HIVE", "NO", "Tables of a Hive metastore", "NO", "NO", "NO"],
    ["ICEBERG", "NO", "Tables of an Iceberg catalog", "NO", "NO", "NO"],
];

/// SHOW ENGINES.
pub fn engines() -> Table {
    let rows = ENGINES.iter().map(|r| texts(r)).collect();
    Table::new(&["Engine", "Support", "Comment", "Transactions", "XA", "Savepoints"], rows)
}

/// SHOW AUTHORS.
pub fn authors() -> Table {
    Table::empty(&["Name", "Location", "Comment"])
}

/// SHOW CHARACTER SET.
pub fn charset() -> Table {
    let row = vec![text("utf8"), text("UTF-8 Unicode"), text("utf8_general_ci"), Scalar::BigInt(3)];
    let mut table = Table::new(&["Charset", "Description", "Default collation", "Maxlen"], vec![row]);
    table.columns[3].ty = LogicalType::BigInt;
    table
}

/// SHOW COLLATION.
pub fn collation() -> Table {
    let row = vec![text("utf8_general_ci"), text("utf8"), Scalar::BigInt(33), text("Yes"), text("Yes"), Scalar::BigInt(1)];
    let mut table = Table::new(&["Collation", "Charset", "Id", "Default", "Compiled", "Sortlen"], vec![row]);
    table.columns[2].ty = LogicalType::BigInt;
    table.columns[5].ty = LogicalType::BigInt;
    table
}

/// SHOW PLUGINS.
pub fn plugins() -> Table {
    Table::empty(&["Name", "Type", "Description", "Version", "JavaVersion", "ClassName", "SoName", "Sources", "Status", "Properties"])
}
