//! Broker load, routine load, export and the header texts of stream load.

use super::{PartitionNames, Properties, sql};

/// A source field, or a derived column `name = expr`.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportColumn {
    pub name: sql::Ident,
    pub expr: Option<sql::Expr>,
}

/// `LOAD LABEL …`.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerLoad {
    pub label: sql::ObjectName,
    pub data: Vec<DataDescription>,
    /// `WITH BROKER ["name"] (..)`: name and credentials.
    pub broker: Option<BrokerDesc>,
    /// `WITH RESOURCE r (..)`: spark load.
    pub resource: Option<(String, Properties)>,
    pub properties: Properties,
}

/// `WITH BROKER ["name"] (kv)`.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerDesc {
    pub name: Option<String>,
    pub properties: Properties,
}

/// One DATA clause of a broker load.
#[derive(Clone, Debug, PartialEq)]
pub struct DataDescription {
    pub files: Vec<String>,
    /// `DATA FROM TABLE t`.
    pub source_table: Option<sql::ObjectName>,
    pub negative: bool,
    pub table: sql::Ident,
    pub partitions: Option<PartitionNames>,
    pub column_separator: Option<String>,
    pub row_delimiter: Option<String>,
    pub format: Option<String>,
    pub format_options: Properties,
    pub columns: Vec<sql::Ident>,
    pub columns_from_path: Vec<sql::Ident>,
    pub set: Vec<ImportColumn>,
    pub selection: Option<sql::Expr>,
}

/// The load clauses shared by CREATE and ALTER ROUTINE LOAD.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoutineLoadDesc {
    pub column_separator: Option<String>,
    pub row_delimiter: Option<String>,
    pub columns: Vec<ImportColumn>,
    pub selection: Option<sql::Expr>,
    pub partitions: Option<PartitionNames>,
}

/// `CREATE ROUTINE LOAD …`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateRoutineLoad {
    pub name: sql::ObjectName,
    pub table: sql::Ident,
    pub desc: RoutineLoadDesc,
    pub properties: Properties,
    /// `KAFKA` or `PULSAR`, upper case.
    pub source: String,
    pub source_properties: Properties,
}

/// `ALTER ROUTINE LOAD FOR …`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterRoutineLoad {
    pub name: sql::ObjectName,
    pub desc: RoutineLoadDesc,
    pub properties: Properties,
    pub source: Option<String>,
    pub source_properties: Properties,
}

/// `CANCEL {LOAD|EXPORT} [FROM db] WHERE …`.
#[derive(Clone, Debug, PartialEq)]
pub struct CancelJob {
    pub db: Option<sql::ObjectName>,
    pub selection: Option<sql::Expr>,
}

/// `EXPORT TABLE …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    pub table: sql::ObjectName,
    pub partitions: Option<PartitionNames>,
    pub columns: Vec<sql::Ident>,
    pub path: String,
    /// `WITH {SYNC|ASYNC} MODE`.
    pub sync: Option<bool>,
    pub properties: Properties,
    pub broker: Option<BrokerDesc>,
}
