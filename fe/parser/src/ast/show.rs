//! SHOW in all its forms: what is shown, and the filter every form shares.

use super::{AlterJobKind, GrantTarget, PartitionNames, UserIdentity, VariableScope, sql};

/// One SHOW statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Show {
    pub kind: ShowKind,
    pub filter: ShowFilter,
}

/// `[LIKE 'p' | WHERE e] [ORDER BY ..] [LIMIT ..]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShowFilter {
    pub like: Option<String>,
    pub selection: Option<sql::Expr>,
    pub order_by: Vec<sql::OrderByExpr>,
    pub limit: Option<sql::LimitClause>,
}

/// What SHOW shows.
#[derive(Clone, Debug, PartialEq)]
pub enum ShowKind {
    Databases {
        catalog: Option<sql::Ident>,
    },
    Catalogs,
    Tables {
        full: bool,
        temporary: bool,
        db: Option<sql::ObjectName>,
    },
    TableStatus {
        db: Option<sql::ObjectName>,
    },
    Columns {
        full: bool,
        table: sql::ObjectName,
        db: Option<sql::ObjectName>,
    },
    Index {
        table: sql::ObjectName,
        db: Option<sql::ObjectName>,
    },
    Partitions {
        temporary: bool,
        table: sql::ObjectName,
    },
    /// `SHOW TABLET id`.
    Tablet(i64),
    /// `SHOW TABLET[S] FROM t [PARTITION(..)]`.
    Tablets {
        table: sql::ObjectName,
        partitions: Option<PartitionNames>,
    },
    CreateTable(sql::ObjectName),
    CreateView(sql::ObjectName),
    CreateMaterializedView(sql::ObjectName),
    CreateDatabase(sql::ObjectName),
    CreateCatalog(sql::Ident),
    CreateRoutineLoad(sql::ObjectName),
    OpenTables,
    Data {
        table: Option<sql::ObjectName>,
    },
    DataDistribution {
        table: sql::ObjectName,
        partitions: Option<PartitionNames>,
    },
    DynamicPartitionTables {
        db: Option<sql::ObjectName>,
    },
    Delete {
        db: Option<sql::ObjectName>,
    },
    AlterJobs {
        kind: AlterJobKind,
        db: Option<sql::ObjectName>,
    },
    MaterializedViews {
        db: Option<sql::ObjectName>,
    },
    Variables {
        scope: Option<VariableScope>,
        verbose: bool,
    },
    Status {
        scope: Option<VariableScope>,
    },
    ProcessList {
        full: bool,
        user: Option<String>,
    },
    /// `SHOW PROFILELIST`.
    ProfileList,
    RunningQueries,
    Warnings,
    Errors,
    Engines,
    Authors,
    Charset,
    Collation,
    Triggers {
        db: Option<sql::ObjectName>,
    },
    Events {
        db: Option<sql::ObjectName>,
    },
    ProcedureStatus,
    FunctionStatus,
    Plugins,
    // accounts
    /// None is the current user.
    Grants {
        target: Option<GrantTarget>,
    },
    Users,
    Authentication {
        all: bool,
        user: Option<UserIdentity>,
    },
    Property {
        user: Option<String>,
    },
    Roles,
    Privileges,
    SecurityIntegrations,
    CreateSecurityIntegration(sql::Ident),
    GroupProviders,
    CreateGroupProvider(sql::Ident),
    // resources
    ResourceGroup(sql::Ident),
    ResourceGroups {
        all: bool,
        verbose: bool,
    },
    UsageResourceGroups,
    Resources,
    StorageVolumes,
    Warehouses,
    // cluster
    Frontends,
    Backends,
    ComputeNodes,
    Broker,
    Proc(String),
    /// `SHOW SQLBLACKLIST`.
    SqlBlacklist,
    SqlDigestBlacklist,
    BackendBlacklist,
    ComputeNodeBlacklist,
    WhiteList,
    Failpoints,
    // loads
    Load {
        db: Option<sql::ObjectName>,
        all: bool,
    },
    LoadWarnings {
        db: Option<sql::ObjectName>,
        url: Option<String>,
    },
    RoutineLoad {
        all: bool,
        job: Option<sql::ObjectName>,
        db: Option<sql::ObjectName>,
    },
    RoutineLoadTask {
        db: Option<sql::ObjectName>,
    },
    StreamLoad {
        all: bool,
        label: Option<sql::ObjectName>,
        db: Option<sql::ObjectName>,
    },
    Transaction {
        db: Option<sql::ObjectName>,
    },
    Export {
        db: Option<sql::ObjectName>,
    },
    Pipes {
        db: Option<sql::ObjectName>,
    },
    Tasks,
    // backup
    Repositories,
    Backup {
        db: Option<sql::ObjectName>,
    },
    Restore {
        db: Option<sql::ObjectName>,
    },
    Snapshot {
        repository: sql::Ident,
    },
    CatalogRecycleBin,
    // statistics and plans
    AnalyzeJob,
    AnalyzeStatus,
    StatsMeta,
    HistogramMeta,
    MultiColumnStatsMeta,
    PlanAdvisor,
    Baseline,
    // others
    Functions {
        full: bool,
        builtin: bool,
        global: bool,
        db: Option<sql::ObjectName>,
    },
    File {
        db: Option<sql::ObjectName>,
    },
    Dictionary {
        name: Option<sql::Ident>,
    },
    DataCacheRules,
    /// `ADMIN SHOW FRONTEND CONFIG`.
    FrontendConfig,
    ReplicaDistribution {
        table: sql::ObjectName,
        partitions: Option<PartitionNames>,
    },
    ReplicaStatus {
        table: sql::ObjectName,
        partitions: Option<PartitionNames>,
    },
}
