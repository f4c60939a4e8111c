//! Indexes of a table beside its base index: the same rows with other columns, another order, or added up.

use common_base::ids::{ColumnUid, IndexId};
use serde::{Deserialize, Serialize};

use super::{Column, KeysModel};

/// A rollup, a synchronous materialized view, or the coming base index of a schema change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableIndex {
    pub id: IndexId,
    pub name: String,
    pub keys: KeysModel,
    pub columns: Vec<IndexColumn>,
    /// Sort columns when they are not the key columns.
    pub sort_key: Vec<ColumnUid>,
    pub short_key_columns: u32,
    pub schema_version: u32,
    pub state: IndexState,
    /// The base index it will stand for once it is complete.
    pub replaces: Option<IndexId>,
    /// Only these rows are in it, as SQL text over the base columns.
    pub predicate: Option<String>,
    /// The query of CREATE MATERIALIZED VIEW.
    pub definition: Option<String>,
    pub created_ms: i64,
}

/// A column of an index and where its values come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexColumn {
    pub column: Column,
    pub source: ColumnSource,
}

/// Where an index column's values come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ColumnSource {
    /// A base column, converted when the types differ.
    Column(ColumnUid),
    /// SQL text over the base columns.
    Expr(String),
    /// The column's `before` for rows that exist, its default for new ones.
    Default,
}

/// Whether an index can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum IndexState {
    /// Loads write it, history is being converted.
    Building,
    Normal,
}
