//! INSERT, UPDATE, DELETE, TRUNCATE.

use super::{PartitionNames, Properties, sql};

/// Where inserted rows go.
#[derive(Clone, Debug, PartialEq)]
pub enum InsertTarget {
    Table(sql::ObjectName),
    /// `INSERT INTO FILES(..)`: unload.
    Files(Properties),
    /// `INSERT INTO BLACKHOLE()`: run and discard.
    Blackhole,
}

/// Where inserted rows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum InsertSource {
    /// `VALUES (..), (..)`; an element may be DEFAULT (`encoding::is_default`).
    Values(Vec<Vec<sql::Expr>>),
    Query(Box<sql::Query>),
}

/// `INSERT {INTO|OVERWRITE} …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Insert {
    /// CTEs before INSERT (`WITH … INSERT …`).
    pub with: Option<sql::With>,
    pub overwrite: bool,
    pub target: InsertTarget,
    pub partitions: Option<InsertPartitions>,
    pub label: Option<sql::Ident>,
    pub columns: Option<Vec<sql::Ident>>,
    pub by_name: bool,
    pub properties: Properties,
    pub source: InsertSource,
}

/// The PARTITION clause of INSERT.
#[derive(Clone, Debug, PartialEq)]
pub enum InsertPartitions {
    Names(PartitionNames),
    /// `PARTITION(k = v, ..)`: static partition values.
    Values(Vec<(sql::Ident, sql::Expr)>),
}

/// `c = expr|DEFAULT`.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    pub column: sql::Ident,
    pub value: sql::Expr,
}

/// `UPDATE t SET … [FROM …] [WHERE …]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    pub with: Option<sql::With>,
    pub table: sql::ObjectName,
    pub assignments: Vec<Assignment>,
    pub from: Vec<sql::TableWithJoins>,
    pub selection: Option<sql::Expr>,
}

/// `DELETE FROM t [PARTITION ..] [USING ..] [WHERE ..]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    pub with: Option<sql::With>,
    pub table: sql::ObjectName,
    pub alias: Option<sql::Ident>,
    pub partitions: Option<PartitionNames>,
    pub using: Vec<sql::TableWithJoins>,
    pub selection: Option<sql::Expr>,
}

/// `TRUNCATE TABLE t [PARTITION(..)]`.
#[derive(Clone, Debug, PartialEq)]
pub struct TruncateTable {
    pub table: sql::ObjectName,
    pub partitions: Option<PartitionNames>,
}
