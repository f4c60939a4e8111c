//! Indexes of a table beside its base index: the same rows with other columns, another order, or added up.

use std::sync::Arc;

use common_base::ids::{ColumnUid, IndexId};
use serde::{Deserialize, Serialize};

use super::{Column, KeysModel, OlapTable, Partition, Table, TableKind};

/// A rollup, a synchronous materialized view, or what a schema change makes of one of these or the base index.
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
    /// The index it will stand for once it is complete.
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
    /// The column's `before` for rows that exist, its default for new ones. In a rollup that is being built: for a column that the
    /// table gets together with it; new rows have no more of it than those that exist.
    Default,
}

/// Whether an index can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum IndexState {
    /// Loads write it, history is being converted.
    Building,
    Normal,
}

impl Table {
    /// A further index as a table of its own: its columns, its tablets, the partitions and buckets of the table.
    pub fn index_as_table(&self, index: &TableIndex) -> Option<Table> {
        let olap = self.as_olap()?;
        let mut view = OlapTable { partitions: imbl::OrdMap::new(), ..OlapTable::clone(olap) };
        for (id, partition) in &olap.partitions {
            let tablets = partition.indexes.iter().find(|i| i.index_id == index.id)?;
            let only = Partition { indexes: vec![tablets.clone()], ..Partition::clone(partition) };
            view.partitions.insert(*id, Arc::new(only));
        }
        view.keys = index.keys;
        view.base_index = index.id;
        view.sort_key.clone_from(&index.sort_key);
        view.short_key_columns = index.short_key_columns;
        view.schema_version = index.schema_version;
        view.further.clear();
        let columns = index.columns.iter().map(|c| c.column.clone()).collect();
        Some(Table { columns, kind: TableKind::Olap(Arc::new(view)), ..self.clone() })
    }
}
