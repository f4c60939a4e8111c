//! Databases, catalogs, views and the small objects around them.

use super::{PartitionNames, Properties, sql};

/// `CREATE DATABASE …`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateDatabase {
    pub name: sql::ObjectName,
    pub if_not_exists: bool,
    pub properties: Properties,
}

/// `DROP DATABASE …`.
#[derive(Clone, Debug, PartialEq)]
pub struct DropDatabase {
    pub name: sql::ObjectName,
    pub if_exists: bool,
    pub force: bool,
}

/// `ALTER DATABASE db action`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterDatabase {
    pub name: sql::ObjectName,
    pub action: AlterDatabaseAction,
}

/// What ALTER DATABASE changes.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterDatabaseAction {
    Rename(sql::Ident),
    /// As written, with its unit: `10T`.
    DataQuota(String),
    ReplicaQuota(i64),
    SetProperties(Properties),
}

/// `CREATE EXTERNAL CATALOG …`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateCatalog {
    pub name: sql::Ident,
    pub if_not_exists: bool,
    pub comment: Option<String>,
    pub properties: Properties,
}

/// `ALTER CATALOG c SET (..)`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterCatalog {
    pub name: sql::Ident,
    pub properties: Properties,
}

/// `DROP CATALOG [IF EXISTS] c`.
#[derive(Clone, Debug, PartialEq)]
pub struct DropCatalog {
    pub name: sql::Ident,
    pub if_exists: bool,
}

/// `USE [cat.]db` or `USE 'catalog c'`.
#[derive(Clone, Debug, PartialEq)]
pub enum Use {
    Database(sql::ObjectName),
    Catalog(String),
}

/// `RECOVER …`.
#[derive(Clone, Debug, PartialEq)]
pub enum Recover {
    Database(sql::ObjectName),
    Table(sql::ObjectName),
    Partition { name: sql::Ident, table: sql::ObjectName },
}

/// `REFRESH EXTERNAL TABLE t [PARTITION('p', ..)]`.
#[derive(Clone, Debug, PartialEq)]
pub struct RefreshExternalTable {
    pub table: sql::ObjectName,
    pub partitions: Vec<String>,
}

/// A column of a view: a name and a comment.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewColumn {
    pub name: sql::Ident,
    pub comment: Option<String>,
}

/// Whose privileges reading a view needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ViewSecurity {
    None,
    Invoker,
}

/// `CREATE [OR REPLACE] VIEW …`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateView {
    pub name: sql::ObjectName,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub columns: Vec<ViewColumn>,
    pub comment: Option<String>,
    pub security: Option<ViewSecurity>,
    pub properties: Properties,
    pub query: Box<sql::Query>,
    /// The text of the query as written.
    pub query_text: String,
}

/// `ALTER VIEW v action`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterView {
    pub name: sql::ObjectName,
    pub action: AlterViewAction,
}

/// What ALTER VIEW changes.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterViewAction {
    Query {
        columns: Vec<ViewColumn>,
        query: Box<sql::Query>,
        query_text: String,
    },
    Security(ViewSecurity),
    SetProperties(Properties),
    /// `ADD|MODIFY DIALECT q`.
    Dialect(String),
}

/// `DROP VIEW [IF EXISTS] v`.
#[derive(Clone, Debug, PartialEq)]
pub struct DropView {
    pub name: sql::ObjectName,
    pub if_exists: bool,
}

/// `CREATE FILE "f" [IN db] PROPERTIES(..)`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateFile {
    pub name: String,
    pub db: Option<sql::ObjectName>,
    pub properties: Properties,
}

/// `DROP FILE "f" [FROM db] PROPERTIES(..)`.
#[derive(Clone, Debug, PartialEq)]
pub struct DropFile {
    pub name: String,
    pub db: Option<sql::ObjectName>,
    pub properties: Properties,
}

/// `CREATE [OR REPLACE] [GLOBAL] [AGGREGATE|TABLE] FUNCTION …`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateFunction {
    pub name: sql::ObjectName,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub global: bool,
    /// `SCALAR`, `AGGREGATE` or `TABLE`.
    pub kind: String,
    pub args: FunctionSignature,
    pub returns: FunctionReturns,
    pub properties: Properties,
    /// `AS $$ code $$`.
    pub inline: Option<String>,
}

/// What a CREATE FUNCTION returns: a type, or (SQL functions) an expression over its named arguments.
#[derive(Clone, Debug, PartialEq)]
pub enum FunctionReturns {
    Type(sql::DataType),
    Expr(Box<sql::Expr>),
}

/// Argument types of a function, names included where written.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionSignature {
    pub args: Vec<(Option<sql::Ident>, sql::DataType)>,
    pub variadic: bool,
}

/// `DROP [GLOBAL] FUNCTION [IF EXISTS] f(types)`.
#[derive(Clone, Debug, PartialEq)]
pub struct DropFunction {
    pub name: sql::ObjectName,
    pub global: bool,
    pub if_exists: bool,
    pub args: FunctionSignature,
}

/// `CREATE DICTIONARY d USING t (k KEY, v VALUE) [PROPERTIES]`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateDictionary {
    pub name: sql::Ident,
    pub source: sql::ObjectName,
    pub keys: Vec<sql::Ident>,
    pub values: Vec<sql::Ident>,
    pub properties: Properties,
}

/// Commands on an existing dictionary.
#[derive(Clone, Debug, PartialEq)]
pub enum DictionaryCommand {
    Refresh(sql::Ident),
    CancelRefresh(sql::Ident),
    Drop { name: sql::Ident, cache_only: bool },
}

/// `CREATE [READ ONLY] REPOSITORY …`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateRepository {
    pub name: sql::Ident,
    pub read_only: bool,
    pub broker: Option<String>,
    pub location: String,
    pub properties: Properties,
}

/// One object of a BACKUP or RESTORE list.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupObject {
    pub kind: BackupObjectKind,
    pub name: sql::ObjectName,
    pub partitions: Option<PartitionNames>,
    /// `AS new_name` of RESTORE.
    pub alias: Option<sql::Ident>,
}

/// What a backed-up object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackupObjectKind {
    Table,
    View,
    MaterializedView,
    Function,
}

/// `BACKUP …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Backup {
    pub db: Option<sql::Ident>,
    pub snapshot: sql::ObjectName,
    pub repository: sql::Ident,
    /// Empty: the whole database.
    pub objects: Vec<BackupObject>,
    pub all_kinds: Vec<BackupObjectKind>,
    /// `None` = no external catalogs; empty = all.
    pub external_catalogs: Option<Vec<sql::Ident>>,
    pub properties: Properties,
}

/// `RESTORE SNAPSHOT …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Restore {
    pub snapshot: sql::ObjectName,
    pub repository: sql::Ident,
    pub db: Option<sql::Ident>,
    pub db_alias: Option<sql::Ident>,
    pub objects: Vec<BackupObject>,
    pub all_kinds: Vec<BackupObjectKind>,
    pub external_catalogs: Option<Vec<(sql::Ident, Option<sql::Ident>)>>,
    pub properties: Properties,
}
