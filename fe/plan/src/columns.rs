//! Column ids of one query and what is known of each.

use common_base::ids::{ColumnUid, TableId};
use common_expr::expr::{ColumnId, Expr};
use common_types::LogicalType;

/// What the plan knows of a column.
#[derive(Clone, Debug)]
pub struct ColumnInfo {
    /// As EXPLAIN shows it: the table column's name, the alias, or the expression's text.
    pub name: String,
    pub ty: LogicalType,
    pub nullable: bool,
    /// The stored column it is, if it comes straight from a scan.
    pub source: Option<(TableId, ColumnUid)>,
}

/// Hands out column ids.
#[derive(Clone, Debug, Default)]
pub struct ColumnFactory {
    columns: Vec<ColumnInfo>,
}

impl ColumnFactory {
    /// A new column.
    pub fn add(&mut self, info: ColumnInfo) -> ColumnId {
        self.columns.push(info);
        (self.columns.len() - 1) as ColumnId
    }

    /// A new computed column.
    pub fn computed(&mut self, name: impl Into<String>, ty: LogicalType, nullable: bool) -> ColumnId {
        self.add(ColumnInfo { name: name.into(), ty, nullable, source: None })
    }

    /// What is known of a column.
    pub fn info(&self, id: ColumnId) -> &ColumnInfo {
        &self.columns[id as usize]
    }

    /// Marks a column that an outer join fills with NULLs.
    pub fn make_nullable(&mut self, id: ColumnId) {
        self.columns[id as usize].nullable = true;
    }

    /// An expression that reads the column.
    pub fn reference(&self, id: ColumnId) -> Expr {
        let info = self.info(id);
        Expr::column(id, info.ty.clone(), info.nullable)
    }

    /// How many columns there are.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether none was made yet.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
}
