//! Materialized views.

use super::{Distribution, IndexDef, IntervalUnit, PartitionValue, Properties, SortKey, ViewColumn, sql};

/// `CREATE MATERIALIZED VIEW …`; without distribution and refresh it is a synchronous one.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateMaterializedView {
    pub name: sql::ObjectName,
    pub if_not_exists: bool,
    pub columns: Vec<ViewColumn>,
    pub indexes: Vec<IndexDef>,
    pub comment: Option<String>,
    pub partition_by: Vec<sql::Expr>,
    pub distribution: Option<Distribution>,
    pub order_by: Option<Vec<SortKey>>,
    pub refresh: Option<RefreshScheme>,
    pub properties: Properties,
    pub query: Box<sql::Query>,
    /// The text of the query as written.
    pub query_text: String,
}

/// `REFRESH [IMMEDIATE|DEFERRED] kind`.
#[derive(Clone, Debug, PartialEq)]
pub struct RefreshScheme {
    /// `Some(true)` = IMMEDIATE, `Some(false)` = DEFERRED.
    pub immediate: Option<bool>,
    pub kind: RefreshKind,
}

/// When a materialized view is refreshed.
#[derive(Clone, Debug, PartialEq)]
pub enum RefreshKind {
    Async(Option<RefreshSchedule>),
    Manual,
    Incremental,
    /// Only a moment was written.
    Unspecified,
}

/// `[START ('ts')] EVERY (INTERVAL n unit)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshSchedule {
    pub start: Option<String>,
    pub every: i64,
    pub unit: IntervalUnit,
}

/// `ALTER MATERIALIZED VIEW mv action`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterMaterializedView {
    pub name: sql::ObjectName,
    pub action: AlterMaterializedViewAction,
}

/// What ALTER MATERIALIZED VIEW changes.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterMaterializedViewAction {
    Rename(sql::Ident),
    Refresh(RefreshScheme),
    Active,
    Inactive,
    SwapWith(sql::Ident),
    SetProperties(Properties),
    AddIndex(IndexDef),
    DropIndex(sql::Ident),
}

/// `DROP MATERIALIZED VIEW [IF EXISTS] mv`.
#[derive(Clone, Debug, PartialEq)]
pub struct DropMaterializedView {
    pub name: sql::ObjectName,
    pub if_exists: bool,
}

/// Which partitions a refresh is limited to.
#[derive(Clone, Debug, PartialEq)]
pub enum RefreshPartitions {
    Range { start: String, end: String },
    List(Vec<Vec<PartitionValue>>),
}

/// `REFRESH MATERIALIZED VIEW …`.
#[derive(Clone, Debug, PartialEq)]
pub struct RefreshMaterializedView {
    pub name: sql::ObjectName,
    pub partitions: Option<RefreshPartitions>,
    pub force: bool,
    /// `WITH {SYNC|ASYNC} MODE`.
    pub sync: Option<bool>,
    pub priority: Option<i64>,
}

/// `CANCEL REFRESH MATERIALIZED VIEW mv [FORCE]`.
#[derive(Clone, Debug, PartialEq)]
pub struct CancelRefreshMaterializedView {
    pub name: sql::ObjectName,
    pub force: bool,
}
