//! Cluster management and administration statements, statistics.

use super::{PartitionNames, Properties, sql};

/// `ALTER SYSTEM …`.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterSystem {
    AddFollower(String),
    DropFollower(String),
    AddObserver(String),
    DropObserver(String),
    ModifyFrontendHost { from: String, to: String },
    AddBackends { hosts: Vec<String> },
    DropBackends { hosts: Vec<String>, force: bool },
    DecommissionBackends(Vec<String>),
    CancelDecommissionBackends(Vec<String>),
    ModifyBackendHost { from: String, to: String },
    ModifyBackend { host: String, properties: Properties },
    AddComputeNodes(Vec<String>),
    DropComputeNodes(Vec<String>),
    AddBroker { name: String, hosts: Vec<String> },
    DropBroker { name: String, hosts: Vec<String> },
    DropAllBroker(String),
    CreateImage,
    CleanTabletSchedulerQueue,
    Disks { action: DiskAction, paths: Vec<String>, backend: String },
}

/// What is done to disks of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiskAction {
    Decommission,
    CancelDecommission,
    Disable,
    CancelDisable,
}

/// `ADMIN …` (its SHOW forms are `ShowKind`).
#[derive(Clone, Debug, PartialEq)]
pub enum Admin {
    SetFrontendConfig {
        properties: Properties,
        persistent: bool,
    },
    SetReplicaStatus(Properties),
    SetPartitionVersion {
        table: sql::ObjectName,
        partition: String,
        version: i64,
    },
    RepairTable {
        table: sql::ObjectName,
        partitions: Option<PartitionNames>,
        properties: Properties,
    },
    CancelRepairTable {
        table: sql::ObjectName,
        partitions: Option<PartitionNames>,
    },
    CheckTablets {
        tablets: Vec<i64>,
        properties: Properties,
    },
    /// `ADMIN EXECUTE ON {id|FRONTEND} 'script'`; no id is the frontend.
    ExecuteScript {
        backend: Option<i64>,
        script: String,
    },
    Failpoint {
        enable: bool,
        name: String,
        times: Option<i64>,
        probability: Option<f64>,
        backends: Option<String>,
    },
}

/// The block lists of statements and nodes.
#[derive(Clone, Debug, PartialEq)]
pub enum Blacklist {
    /// The pattern when adding.
    Sql(String),
    /// The ids when deleting.
    SqlIds(Vec<i64>),
    SqlDigests(Vec<String>),
    Backends(Vec<i64>),
    ComputeNodes(Vec<i64>),
}

/// What KILL ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Kill {
    Connection(i64),
    /// By connection id.
    Query(i64),
    /// By query id text.
    QueryId(String),
}

/// Which columns statistics are collected for.
#[derive(Clone, Debug, PartialEq)]
pub enum AnalyzeColumns {
    /// Nothing was written.
    Default,
    All,
    Predicate,
    List(Vec<sql::Expr>),
    /// `MULTIPLE COLUMNS (a, b)`.
    Multiple(Vec<sql::Expr>),
}

/// `ANALYZE [FULL|SAMPLE] TABLE …`.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalyzeTable {
    pub table: sql::ObjectName,
    pub sample: bool,
    pub columns: AnalyzeColumns,
    pub partitions: Option<PartitionNames>,
    /// `WITH {SYNC|ASYNC} MODE`.
    pub sync: Option<bool>,
    pub properties: Properties,
}

/// `ANALYZE TABLE t {UPDATE|DROP} HISTOGRAM ON c, ..`.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalyzeHistogram {
    pub table: sql::ObjectName,
    pub drop: bool,
    pub columns: AnalyzeColumns,
    pub buckets: Option<i64>,
    pub sync: Option<bool>,
    pub properties: Properties,
}

/// `CREATE ANALYZE [FULL|SAMPLE] {ALL|DATABASE d|TABLE t[(..)]}`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateAnalyzeJob {
    pub sample: bool,
    pub scope: AnalyzeScope,
    pub properties: Properties,
}

/// What a CREATE ANALYZE job covers.
#[derive(Clone, Debug, PartialEq)]
pub enum AnalyzeScope {
    All,
    Database(sql::ObjectName),
    Table { table: sql::ObjectName, columns: AnalyzeColumns },
}

/// `KILL ANALYZE id` / `KILL ALL PENDING ANALYZE`.
#[derive(Clone, Debug, PartialEq)]
pub enum KillAnalyze {
    Id(i64),
    Variable(String),
    AllPending,
}

/// `ANALYZE PROFILE FROM 'query_id' [, node ..]`.
#[derive(Clone, Debug, PartialEq)]
pub struct AnalyzeProfile {
    /// None: `LAST_QUERY_ID()`.
    pub query_id: Option<String>,
    pub nodes: Vec<i64>,
}

/// `CREATE RESOURCE GROUP …`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateResourceGroup {
    pub name: sql::Ident,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub classifiers: Vec<Vec<sql::Expr>>,
    pub properties: Properties,
}

/// `ALTER RESOURCE GROUP g …`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterResourceGroup {
    pub name: sql::Ident,
    pub action: AlterResourceGroupAction,
}

/// What ALTER RESOURCE GROUP changes.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterResourceGroupAction {
    AddClassifiers(Vec<Vec<sql::Expr>>),
    DropClassifiers(Vec<i64>),
    DropAllClassifiers,
    SetProperties(Properties),
}

/// `ALTER PLAN ADVISOR …`, `TRUNCATE PLAN ADVISOR`.
#[derive(Clone, Debug, PartialEq)]
pub enum PlanAdvisor {
    /// The query and its text.
    Add {
        query: Box<sql::Query>,
        text: String,
    },
    Drop(String),
    Truncate,
}

/// `CREATE [GLOBAL] BASELINE [ON q] USING q2 [PROPERTIES]`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateBaseline {
    pub global: bool,
    /// The bound query and its text; none binds the plan query itself.
    pub on: Option<(Box<sql::Query>, String)>,
    pub using: (Box<sql::Query>, String),
    pub properties: Properties,
}

/// What is done to existing baselines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BaselineAction {
    Drop,
    Enable,
    Disable,
}
