//! information_schema.keywords: words that cannot name things without quotes.

use super::{Provider, Ty, number};
use crate::result::text;

const RESERVED: &[&str] = &[
    "ADD", "ALL", "ALTER", "ANALYZE", "AND", "ARRAY", "AS", "ASC", "BETWEEN", "BIGINT", "BITMAP", "BOTH", "BY", "CASE", "CHAR", "CHARACTER",
    "CHECK", "COLLATE", "COLUMN", "CONVERT", "CREATE", "CROSS", "CUBE", "CURRENT_DATE", "CURRENT_ROLE", "CURRENT_TIME", "CURRENT_TIMESTAMP",
    "CURRENT_USER", "DATABASE", "DATABASES", "DECIMAL", "DEFAULT", "DEFERRED", "DELETE", "DENSE_RANK", "DESC", "DESCRIBE", "DISTINCT", "DOUBLE",
    "DROP", "DUAL", "ELSE", "EXISTS", "EXPLAIN", "FALSE", "FIRST_VALUE", "FLOAT", "FOR", "FORCE", "FROM", "FULL", "FUNCTION", "GRANT", "GROUP",
    "GROUPING", "GROUPING_ID", "GROUPS", "HAVING", "HLL", "IF", "IGNORE", "IMMEDIATE", "IN", "INDEX", "INFILE", "INNER", "INSERT", "INT",
    "INTEGER", "INTERSECT", "INTO", "IS", "JOIN", "JSON", "KEY", "KEYS", "KILL", "LAG", "LARGEINT", "LAST_VALUE", "LATERAL", "LEAD", "LEFT",
    "LIKE", "LIMIT", "LOAD", "LOCALTIME", "LOCALTIMESTAMP", "MAXVALUE", "MOD", "NOT", "NTILE", "NULL", "ON", "OR", "ORDER", "OUTER", "OUTFILE",
    "OVER", "PARTITION", "PERCENTILE", "PRIMARY", "PROCEDURE", "RANGE", "READ", "REGEXP", "RELEASE", "RENAME", "REPLACE", "REVOKE", "RIGHT",
    "RLIKE", "ROWS", "ROW_NUMBER", "SCHEMA", "SCHEMAS", "SELECT", "SET", "SHOW", "SMALLINT", "TABLE", "TERMINATED", "TEXT", "THEN", "TINYINT",
    "TO", "TRUE", "UNION", "UNIQUE", "UNSIGNED", "UPDATE", "USE", "USING", "VALUES", "VARCHAR", "WHEN", "WHERE", "WITH",
];

pub(super) const KEYWORDS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "keywords",
    columns: &[("WORD", Ty::Text(64)), ("RESERVED", Ty::BigInt)],
    rows: |_| RESERVED.iter().map(|w| vec![text(*w), number(1)]).collect(),
};
