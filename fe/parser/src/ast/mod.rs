//! The statements of the dialect. Query and expression nodes are sqlparser's, re-exported as `sql`; what its tree has no room
//! for is encoded as `encoding` documents. Everything else (DDL, loads, SHOW, administration) is ours.
//! Invariant: a statement holds only what was written; names are unresolved and literals unfolded.

pub mod admin;
pub mod ddl_other;
pub mod ddl_table;
pub mod dml;
pub mod encoding;
pub mod load;
pub mod mv;
pub mod partition;
pub mod query;
pub mod set;
pub mod show;
pub mod task;
pub mod txn;
pub mod user;

/// sqlparser's query and expression nodes, plus its source positions: the single place where the library is named to others.
pub mod sql {
    pub use sqlparser::ast::helpers::attached_token::AttachedToken;
    pub use sqlparser::ast::*;
    pub use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};
}

pub use admin::*;
pub use ddl_other::*;
pub use ddl_table::*;
pub use dml::*;
pub use load::*;
pub use mv::*;
pub use partition::*;
pub use query::*;
pub use set::*;
pub use show::*;
pub use task::*;
pub use txn::*;
pub use user::*;

/// One `"key" = "value"` of a PROPERTIES list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    pub key: String,
    pub value: String,
}

/// A PROPERTIES list in the order written.
pub type Properties = Vec<Property>;

/// One parsed statement of the dialect.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    // queries
    Query(QueryStatement),
    Explain(Explain),
    Trace(Trace),
    // data changes
    Insert(Insert),
    Update(Update),
    Delete(Delete),
    TruncateTable(TruncateTable),
    // databases and catalogs
    CreateDatabase(CreateDatabase),
    DropDatabase(DropDatabase),
    AlterDatabase(AlterDatabase),
    CreateCatalog(CreateCatalog),
    AlterCatalog(AlterCatalog),
    DropCatalog(DropCatalog),
    Use(Use),
    Recover(Recover),
    RefreshExternalTable(RefreshExternalTable),
    // tables
    CreateTable(Box<CreateTable>),
    CreateTableAsSelect(Box<CreateTableAsSelect>),
    CreateTableLike(Box<CreateTableLike>),
    DropTable(DropTable),
    AlterTable(AlterTable),
    CancelAlterTable(CancelAlterTable),
    CreateIndex(CreateIndex),
    DropIndex(DropIndex),
    CleanTemporaryTables(String),
    // views
    CreateView(CreateView),
    AlterView(AlterView),
    DropView(DropView),
    // materialized views
    CreateMaterializedView(Box<CreateMaterializedView>),
    AlterMaterializedView(AlterMaterializedView),
    DropMaterializedView(DropMaterializedView),
    RefreshMaterializedView(RefreshMaterializedView),
    CancelRefreshMaterializedView(CancelRefreshMaterializedView),
    // session
    Set(Set),
    SetRole(SetRole),
    SetCatalog(sql::Ident),
    Begin(Begin),
    Commit,
    Rollback,
    Prepare(Prepare),
    Execute(Execute),
    Deallocate(sql::Ident),
    Kill(Kill),
    ExecuteAs(ExecuteAs),
    /// `LOCK TABLES …` / `UNLOCK TABLES`: accepted without effect.
    LockTables,
    // information
    Show(Box<Show>),
    Describe(Describe),
    Help(String),
    // accounts
    CreateUser(CreateUser),
    AlterUser(AlterUser),
    DropUser(DropUser),
    CreateRole(CreateRole),
    AlterRole(AlterRole),
    DropRole(DropRole),
    GrantRole(GrantRole),
    RevokeRole(GrantRole),
    Grant(GrantPrivilege),
    Revoke(GrantPrivilege),
    SetDefaultRole(SetDefaultRole),
    SetUserProperty(SetUserProperty),
    RefreshConnections {
        force: bool,
    },
    // resource groups and resources
    CreateResourceGroup(CreateResourceGroup),
    AlterResourceGroup(AlterResourceGroup),
    DropResourceGroup {
        name: sql::Ident,
        if_exists: bool,
    },
    CreateResource {
        name: String,
        external: bool,
        properties: Properties,
    },
    AlterResource {
        name: String,
        properties: Properties,
    },
    DropResource {
        name: String,
    },
    // cluster
    AlterSystem(AlterSystem),
    Admin(Admin),
    AddBlacklist(Blacklist),
    DeleteBlacklist(Blacklist),
    InstallPlugin {
        source: String,
        properties: Properties,
    },
    UninstallPlugin {
        name: String,
    },
    CreateFile(CreateFile),
    DropFile(DropFile),
    /// `SYNC`: wait until the journal has been applied.
    Sync,
    // loads
    BrokerLoad(BrokerLoad),
    AlterLoad {
        label: sql::ObjectName,
        properties: Properties,
    },
    CancelLoad(CancelJob),
    CreateRoutineLoad(Box<CreateRoutineLoad>),
    AlterRoutineLoad(Box<AlterRoutineLoad>),
    PauseRoutineLoad(sql::ObjectName),
    ResumeRoutineLoad(sql::ObjectName),
    StopRoutineLoad(sql::ObjectName),
    Export(Export),
    CancelExport(CancelJob),
    // backup
    CreateRepository(CreateRepository),
    DropRepository(sql::Ident),
    Backup(Backup),
    Restore(Restore),
    CancelBackup {
        db: Option<sql::ObjectName>,
    },
    CancelRestore {
        db: Option<sql::ObjectName>,
    },
    // statistics
    AnalyzeTable(AnalyzeTable),
    AnalyzeHistogram(AnalyzeHistogram),
    CreateAnalyzeJob(CreateAnalyzeJob),
    /// `DROP ANALYZE id`; no id is `DROP ALL ANALYZE JOB`.
    DropAnalyzeJob {
        id: Option<i64>,
    },
    DropStats {
        table: sql::ObjectName,
        multi_columns: bool,
    },
    KillAnalyze(KillAnalyze),
    AnalyzeProfile(AnalyzeProfile),
    // tasks and the rest
    SubmitTask(SubmitTask),
    DropTask(DropTask),
    CreatePipe(CreatePipe),
    AlterPipe(AlterPipe),
    DropPipe {
        name: sql::ObjectName,
        if_exists: bool,
    },
    CreateFunction(CreateFunction),
    DropFunction(DropFunction),
    CreateDictionary(CreateDictionary),
    DictionaryCommand(DictionaryCommand),
    PlanAdvisor(PlanAdvisor),
    CreateBaseline(CreateBaseline),
    /// `{DROP|ENABLE|DISABLE} BASELINE id, ..`
    ChangeBaseline {
        action: BaselineAction,
        ids: Vec<i64>,
    },
    CreateGroupProvider {
        name: sql::Ident,
        if_not_exists: bool,
        properties: Properties,
    },
    DropGroupProvider {
        name: sql::Ident,
        if_exists: bool,
    },
    CreateSecurityIntegration {
        name: sql::Ident,
        properties: Properties,
    },
    AlterSecurityIntegration {
        name: sql::Ident,
        properties: Properties,
    },
    DropSecurityIntegration {
        name: sql::Ident,
        if_exists: bool,
    },
    Call {
        procedure: sql::ObjectName,
        args: Vec<sql::FunctionArg>,
    },
    /// A statement of a known kind whose details are not parsed; `what` is its leading words.
    Unsupported {
        what: String,
    },
}
