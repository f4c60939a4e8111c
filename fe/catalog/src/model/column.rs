//! Columns of a table.

use serde::{Deserialize, Serialize};
use common_base::ids::ColumnUid;
use common_types::{LogicalType, Scalar};

/// How a value column of an AGGREGATE table combines equal keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Aggregation {
    Sum,
    Min,
    Max,
    Replace,
    ReplaceIfNotNull,
    HllUnion,
    BitmapUnion,
    PercentileUnion,
    /// States of an aggregate function, which the type of the column names.
    StateUnion,
}

/// What a column gets when an INSERT or a load leaves it out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum DefaultValue {
    /// NULL for a nullable column, an error for a NOT NULL one.
    None,
    /// Explicit `DEFAULT NULL` or a literal, as its SQL text value (already checked against the type).
    Literal(#[serde(with = "crate::wire::scalar")] Scalar),
    /// `CURRENT_TIMESTAMP[(p)]`.
    CurrentTimestamp(u8),
    /// An expression such as `(uuid())`, as SQL text.
    Expression(String),
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Unique in the table for its whole life; data files know columns by it.
    pub uid: ColumnUid,
    pub name: String,
    #[serde(with = "crate::wire::logical_type")]
    pub ty: LogicalType,
    pub nullable: bool,
    /// Part of the table's key (duplicate, aggregate, unique or primary).
    pub key: bool,
    pub aggregation: Option<Aggregation>,
    pub default: DefaultValue,
    /// What rows written before the column was added have.
    #[serde(default, with = "crate::wire::scalar")]
    pub before: Scalar,
    pub auto_increment: bool,
    /// `AS (expr)`: SQL text of a generated column.
    pub generated: Option<String>,
    pub comment: String,
}
