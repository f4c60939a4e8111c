//! CREATE TABLE in its forms, ALTER TABLE and its clauses, indexes.

use super::{AddPartition, PartitionBy, PartitionNames, PartitionSelection, Properties, sql};

/// `CREATE [EXTERNAL|TEMPORARY] TABLE t (…) …`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTable {
    pub name: sql::ObjectName,
    pub temporary: bool,
    pub external: bool,
    pub if_not_exists: bool,
    pub columns: Vec<ColumnDef>,
    pub indexes: Vec<IndexDef>,
    pub engine: Option<String>,
    pub charset: Option<String>,
    pub key: Option<KeyDesc>,
    pub comment: Option<String>,
    pub partition_by: Option<PartitionBy>,
    pub distribution: Option<Distribution>,
    pub order_by: Option<Vec<SortKey>>,
    pub rollups: Vec<RollupDef>,
    pub properties: Properties,
}

/// `CREATE TABLE … AS query`; `columns` are names only.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTableAsSelect {
    pub table: CreateTable,
    /// Column names of `t (a, b) AS …`; none takes the query's.
    pub columns: Option<Vec<sql::Ident>>,
    pub query: Box<sql::Query>,
}

/// `CREATE TABLE t [partition] [distribution] [PROPERTIES] LIKE src`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTableLike {
    pub name: sql::ObjectName,
    pub temporary: bool,
    pub external: bool,
    pub if_not_exists: bool,
    pub partition_by: Option<PartitionBy>,
    pub distribution: Option<Distribution>,
    pub properties: Properties,
    pub source: sql::ObjectName,
}

/// One column of a table definition.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDef {
    pub name: sql::Ident,
    /// None: only in CREATE TABLE AS and index-like forms.
    pub data_type: sql::DataType,
    /// `KEY` after the type.
    pub is_key: bool,
    pub aggregate: Option<AggregateType>,
    /// `Some(true)` = NULL, `Some(false)` = NOT NULL, none = not said.
    pub nullable: Option<bool>,
    pub default: Option<ColumnDefault>,
    pub auto_increment: bool,
    /// `AS expr`: a generated column.
    pub generated: Option<sql::Expr>,
    pub comment: Option<String>,
}

/// How a value column of an aggregate table is merged.
#[derive(Clone, Debug, PartialEq)]
pub enum AggregateType {
    Sum,
    Min,
    Max,
    Replace,
    ReplaceIfNotNull,
    HllUnion,
    BitmapUnion,
    PercentileUnion,
    /// A generic aggregate state: `avg(int)`, `array_agg(varchar(20))`.
    State {
        function: String,
        args: Vec<sql::DataType>,
    },
}

/// The DEFAULT of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnDefault {
    /// A literal as its text.
    Literal(String),
    Null,
    /// `CURRENT_TIMESTAMP[(p)]`.
    CurrentTimestamp(Option<u8>),
    /// `(uuid())` and other expressions.
    Expr(Box<sql::Expr>),
}

/// The data model of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyModel {
    Duplicate,
    Aggregate,
    Unique,
    Primary,
}

/// `{DUPLICATE|AGGREGATE|UNIQUE|PRIMARY} KEY (c, ..)`.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyDesc {
    pub model: KeyModel,
    pub columns: Vec<sql::Ident>,
}

/// `DISTRIBUTED BY …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    pub kind: DistributionKind,
    /// None or 0 is automatic.
    pub buckets: Option<u32>,
}

/// How rows are spread over buckets.
#[derive(Clone, Debug, PartialEq)]
pub enum DistributionKind {
    Hash(Vec<sql::Ident>),
    Random,
}

/// One column of a table's ORDER BY.
#[derive(Clone, Debug, PartialEq)]
pub struct SortKey {
    pub column: sql::Ident,
    pub asc: bool,
}

/// Secondary index kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IndexKind {
    Bitmap,
    NgramBf,
    Gin,
    Vector,
}

/// `INDEX i (c, ..) [USING kind ("k"="v")] [COMMENT 's']`.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexDef {
    pub name: sql::Ident,
    pub columns: Vec<sql::Ident>,
    pub kind: IndexKind,
    pub properties: Properties,
    pub comment: Option<String>,
}

/// `r (c, ..) [DUPLICATE KEY(..)] [FROM r0] [PROPERTIES(..)]`.
#[derive(Clone, Debug, PartialEq)]
pub struct RollupDef {
    pub name: sql::Ident,
    pub columns: Vec<sql::Ident>,
    pub duplicate_key: Option<Vec<sql::Ident>>,
    pub from: Option<sql::Ident>,
    pub properties: Properties,
}

/// `CREATE INDEX i ON t (c) …`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateIndex {
    pub table: sql::ObjectName,
    pub index: IndexDef,
}

/// `DROP INDEX i ON t`.
#[derive(Clone, Debug, PartialEq)]
pub struct DropIndex {
    pub name: sql::Ident,
    pub table: sql::ObjectName,
}

/// `DROP [TEMPORARY] TABLE [IF EXISTS] t [FORCE]`.
#[derive(Clone, Debug, PartialEq)]
pub struct DropTable {
    pub name: sql::ObjectName,
    pub temporary: bool,
    pub if_exists: bool,
    pub force: bool,
}

/// `ALTER TABLE t clause, …`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterTable {
    pub table: sql::ObjectName,
    pub clauses: Vec<AlterTableClause>,
}

/// Where a column or struct field goes.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnPosition {
    First,
    After(sql::Ident),
}

/// One clause of ALTER TABLE.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterTableClause {
    Rename(sql::Ident),
    SwapWith(sql::Ident),
    Comment(String),
    SetProperties(Properties),
    AddColumn {
        column: ColumnDef,
        position: Option<ColumnPosition>,
        rollup: Option<sql::Ident>,
        properties: Properties,
    },
    AddColumns {
        columns: Vec<ColumnDef>,
        rollup: Option<sql::Ident>,
        properties: Properties,
    },
    DropColumn {
        name: sql::Ident,
        rollup: Option<sql::Ident>,
        properties: Properties,
    },
    ModifyColumn {
        column: ColumnDef,
        position: Option<ColumnPosition>,
        rollup: Option<sql::Ident>,
        properties: Properties,
    },
    ModifyColumnComment {
        name: sql::Ident,
        comment: String,
    },
    RenameColumn {
        from: sql::Ident,
        to: sql::Ident,
    },
    OrderBy {
        columns: Vec<SortKey>,
        rollup: Option<sql::Ident>,
        properties: Properties,
    },
    /// `MODIFY COLUMN c ADD FIELD path type [FIRST|AFTER x]`; `[*]` steps are the text `[*]`.
    AddField {
        column: sql::Ident,
        path: Vec<String>,
        data_type: sql::DataType,
        position: Option<ColumnPosition>,
    },
    DropField {
        column: sql::Ident,
        path: Vec<String>,
    },
    AddIndex(IndexDef),
    DropIndex(sql::Ident),
    AddRollup(Vec<RollupDef>),
    DropRollup(Vec<sql::Ident>),
    RenameRollup {
        from: sql::Ident,
        to: sql::Ident,
    },
    AddPartition(AddPartition),
    DropPartition {
        temporary: bool,
        if_exists: bool,
        selection: PartitionSelection,
        force: bool,
    },
    TruncatePartition(PartitionNames),
    ModifyPartition {
        selection: PartitionSelection,
        properties: Properties,
    },
    RenamePartition {
        from: sql::Ident,
        to: sql::Ident,
    },
    ReplacePartition {
        partitions: PartitionNames,
        with: PartitionNames,
        properties: Properties,
    },
    AddPartitionColumn(Vec<sql::Expr>),
    DropPartitionColumn(Vec<sql::Expr>),
    Optimize(OptimizeClause),
    /// `DISTRIBUTED BY HASH(c) DEFAULT BUCKETS n`: bucket number of partitions created later.
    DefaultBuckets(Distribution),
    Compact {
        kind: CompactionKind,
        partitions: Vec<sql::Ident>,
    },
    DropPersistentIndex(Vec<i64>),
    AutoIncrement(i64),
}

/// Which compaction to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompactionKind {
    Any,
    Base,
    Cumulative,
}

/// `[PARTITIONS(..)] [key] [PARTITION BY] [DISTRIBUTED BY] [ORDER BY] [BETWEEN a AND b]`: rewrite with a new layout.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizeClause {
    pub partitions: Option<PartitionNames>,
    pub key: Option<KeyDesc>,
    pub partition_by: Option<PartitionBy>,
    pub distribution: Option<Distribution>,
    pub order_by: Option<Vec<SortKey>>,
    pub between: Option<(String, String)>,
}

/// Which alter jobs a statement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlterJobKind {
    Column,
    Rollup,
    Optimize,
    MaterializedView,
}

/// `CANCEL ALTER TABLE kind FROM t [(id, ..)]`, `CANCEL ALTER MATERIALIZED VIEW FROM mv`.
#[derive(Clone, Debug, PartialEq)]
pub struct CancelAlterTable {
    pub kind: AlterJobKind,
    pub table: sql::ObjectName,
    pub job_ids: Vec<i64>,
}
