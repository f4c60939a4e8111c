//! Every replicated command. An op carries all it needs (ids, times, placements); applying it twice from the same state gives the
//! same state and the same reply.

use std::sync::Arc;

use common_base::ids::{ColumnUid, DbId, IndexId, NodeId, PartitionId, TableId, TabletId, TxnId};
use serde::{Deserialize, Serialize};

use crate::model::{AlterJob, Backend, Column, Database, Distribution, Frontend, Partition, Replica, Table, TableIndex, TableStatistics, TabletIndex, Transaction, User};
use crate::model::{AnalyzeJob, AnalyzeStatus, Collected, CollectedKind, DefaultRoles, Grant, Grantee, ResourceGroup, Role, Task, TaskRun};

/// A change of the catalog.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// First start of a cluster.
    Initialize { cluster_id: u64, token: String, frontend: Frontend, root: User, created_ms: i64 },
    /// Reserves `count` ids; the reply is the first.
    ReserveIds { count: u64 },

    CreateDatabase(Database),
    /// With `force` also while loads run. Goes to the recycle bin when that has a time, here and below.
    DropDatabase {
        db: DbId,
        force: bool,
        #[serde(default)]
        recycle_ms: Option<i64>,
    },
    RenameDatabase { db: DbId, name: String },
    AlterDatabaseProperties { db: DbId, properties: Vec<(String, String)> },

    CreateTable(Arc<Table>),
    DropTable {
        table: TableId,
        #[serde(default)]
        recycle_ms: Option<i64>,
    },
    RenameTable { table: TableId, name: String },
    /// The texts are those of expressions that name the column, with its new name.
    RenameColumn {
        table: TableId,
        from: String,
        to: String,
        #[serde(default)]
        generated: Vec<(ColumnUid, String)>,
        #[serde(default)]
        partition_exprs: Option<Vec<String>>,
        now_ms: i64,
    },
    RenamePartition { table: TableId, from: String, to: String },
    /// Replaces the definition of a view (ALTER VIEW, CREATE OR REPLACE VIEW).
    ReplaceView(Arc<Table>),
    AlterTableProperties { table: TableId, properties: Vec<(String, String)> },
    /// Partitions made later have so many buckets; 0 = automatic.
    SetDefaultBuckets { table: TableId, buckets: u32 },
    AlterTableComment { table: TableId, comment: String },
    SwapTables { a: TableId, b: TableId },
    /// Gives away numbers of the table's AUTO_INCREMENT column; the reply is the first.
    TakeNumbers { table: TableId, count: u64 },
    /// The next number is at least this one (ALTER TABLE ... AUTO_INCREMENT = n).
    RaiseNumbers { table: TableId, next: u64 },
    AddPartitions { table: TableId, partitions: Vec<Partition> },
    DropPartitions {
        table: TableId,
        partitions: Vec<PartitionId>,
        #[serde(default)]
        recycle_ms: Option<i64>,
    },
    /// What was dropped comes back from the recycle bin.
    Recover { id: u64 },
    /// Entries of the recycle bin whose time is over.
    EraseRecycled { ids: Vec<u64> },
    /// Old partition → the empty one that takes its place under the same name (TRUNCATE).
    ReplacePartitions { table: TableId, pairs: Vec<(PartitionId, Partition)>, now_ms: i64 },
    /// Partitions leave, and temporary ones become formal under these names (INSERT OVERWRITE).
    SwapPartitions { table: TableId, leave: Vec<PartitionId>, enter: Vec<(PartitionId, String)>, now_ms: i64 },

    /// Id 0 = the next free one, which is the reply; ids of dropped frontends are not used again.
    AddFrontend(Frontend),
    DropFrontend { node: NodeId },
    /// Where a known frontend is, as it says itself when it joins.
    UpdateFrontend(Frontend),
    /// Another cluster begins with this catalog (recovery under another `cluster_id`).
    BecomeCluster { cluster_id: u64, token: String },
    AddBackend(Backend),
    DropBackend { node: NodeId },
    /// What a heartbeat taught (ports), or an operator changed.
    UpdateBackend(Backend),

    BeginTxn(Transaction),
    /// Two-phase load: data is durable.
    PrepareTxn { txn: TxnId, written: Vec<(TabletId, NodeId)>, counters: TxnCounters, timeout_ms: i64, now_ms: i64 },
    /// Allots the next version of every partition written.
    CommitTxn { txn: TxnId, written: Vec<(TabletId, NodeId)>, counters: TxnCounters, now_ms: i64 },
    /// Every quorum has published: the versions become visible.
    MakeVisible { txn: TxnId, published: Vec<(TabletId, NodeId)>, now_ms: i64 },
    /// Replicas that took from others what they had missed, and the version they have at least.
    RaiseReplicas { replicas: Vec<(TabletId, NodeId, i64)> },
    /// Replicas found damaged or lost (`true`), or whole again.
    MarkReplicas { replicas: Vec<(TabletId, NodeId, bool)> },
    /// New replicas that hold a version, made by copying.
    AddReplicas { replicas: Vec<(TabletId, Replica)> },
    /// Replicas that are not needed any more. Those that are needed after all stay: see [`crate::CatalogState::why_not_drop`].
    DropReplicas { replicas: Vec<(TabletId, NodeId)> },
    /// What an operator says of a replica: bad (it is made again from others), or not.
    DeclareReplicas { replicas: Vec<(TabletId, NodeId, bool)> },
    /// Where a colocate group's buckets are to be, by bucket; `None` forgets it.
    PutColocateBuckets { db: DbId, group: String, buckets: Option<Vec<Vec<NodeId>>> },
    /// What is to hold for partitions; replicas follow.
    ModifyPartitions {
        table: TableId,
        partitions: Vec<PartitionId>,
        replication_num: Option<u16>,
        medium: Option<String>,
        cooldown_ms: Option<i64>,
        properties: Vec<(String, String)>,
    },
    AbortTxn { txn: TxnId, reason: String, now_ms: i64 },
    /// Forgets finished transactions (label_keep_max_second).
    ForgetTxns { txns: Vec<TxnId> },

    /// A change of columns that no stored row notices; refused when the schema is no longer at `base_version`. The job is its record.
    ChangeColumns {
        table: TableId,
        base_version: u32,
        columns: Vec<Column>,
        sort_key: Vec<ColumnUid>,
        indexes_ddl: Vec<String>,
        properties: Vec<(String, String)>,
        next_column_uid: u64,
        job: Option<Box<AlterJob>>,
    },
    /// Adds an index under construction with its tablets, and the job that completes it.
    BeginAlter { job: Box<AlterJob>, base_version: u32, index: Box<TableIndex>, tablets: Vec<(PartitionId, TabletIndex)> },
    /// The same for several indexes of a table, all or none, and for an index that takes the place of a rollup.
    BeginAlters { base_version: u32, builds: Vec<IndexBuild> },
    /// All loads that did not know the index have ended.
    StartConversion { job: u64 },
    /// The index is complete: it is swapped in or becomes readable. `converted` = replicas and the
    /// version they hold at least, `lost` = those that could not be converted.
    FinishAlter { job: u64, converted: Vec<(TabletId, NodeId, i64)>, lost: Vec<(TabletId, NodeId)>, now_ms: i64 },
    CancelAlter { job: u64, reason: String, now_ms: i64 },
    /// What holds a job up, for users to see.
    NoteAlter { job: u64, message: String },
    /// Copies in temporary partitions take the places of partitions (old, new, copied version), unless a load came in between.
    OptimizePartitions {
        table: TableId,
        pairs: Vec<(PartitionId, PartitionId, i64)>,
        distribution: Option<Distribution>,
        job: Option<Box<AlterJob>>,
        now_ms: i64,
    },
    /// The tablets a job left behind are gone.
    ForgetAlterGarbage { job: u64 },
    ForgetAlterJobs { jobs: Vec<u64> },
    /// A rollup or synchronous materialized view goes.
    DropIndex { table: TableId, index: IndexId },
    RenameIndex { table: TableId, index: IndexId, name: String },

    UpdateStatistics { table: TableId, statistics: Arc<TableStatistics> },
    SetGlobalVariable { name: String, value: String },
    CreateUser(User),
    DropUser { name: String, host: String },
    SetPassword { name: String, host: String, password_hash: Vec<u8> },

    CreateTemporaryTable { session: String, frontend: NodeId, table: Arc<Table> },
    CreateRole(Role),
    SetRoleComment { name: String, comment: String },
    DropRole { name: String },
    GrantRoles { grantee: Grantee, roles: Vec<String> },
    RevokeRoles { grantee: Grantee, roles: Vec<String> },
    Grant { grantee: Grantee, grants: Vec<Grant> },
    Revoke { grantee: Grantee, grants: Vec<Grant> },
    SetDefaultRoles { name: String, host: String, roles: DefaultRoles },
    SetUserProperties { name: String, properties: Vec<(String, String)> },
    /// ADMIN SET FRONTEND CONFIG.
    SetFrontendConfig { name: String, value: String },
    PutResourceGroup { group: ResourceGroup, replace: bool },
    DropResourceGroup { name: String },
    /// Objects that are a name and properties (security integrations, group providers): `None` drops.
    PutNamedObject { kind: String, name: String, properties: Option<Vec<(String, String)>> },
    CreateTask(Task),
    DropTask { name: String },
    PutTaskRun(TaskRun),
    PutAnalyzeStatus(AnalyzeStatus),
    PutAnalyzeJob(AnalyzeJob),
    DropAnalyzeJob { id: u64 },
    /// What ANALYZE found; entries of equal kind and name are replaced.
    PutCollected { table: TableId, entries: Vec<Collected> },
    /// All of the kind when no names are given.
    DropCollected { table: TableId, kind: CollectedKind, names: Option<Vec<String>> },
    PutBlacklistedSql { id: u64, pattern: String },
    DropBlacklistedSql { id: u64 },
}

impl Op {
    /// Whether making it twice is the same as making it once (or only wastes ids): an op of which it is not known whether it was
    /// taken may then be proposed again.
    pub fn is_repeatable(&self) -> bool {
        matches!(
            self,
            Self::ReserveIds { .. }
                | Self::TakeNumbers { .. }
                | Self::RaiseNumbers { .. }
                | Self::BeginTxn(_)
                | Self::PrepareTxn { .. }
                | Self::CommitTxn { .. }
                | Self::MakeVisible { .. }
                | Self::AbortTxn { .. }
                | Self::ForgetTxns { .. }
                | Self::RaiseReplicas { .. }
                | Self::MarkReplicas { .. }
                | Self::UpdateStatistics { .. }
                | Self::SetGlobalVariable { .. }
                | Self::SetPassword { .. }
                | Self::SetFrontendConfig { .. }
                | Self::UpdateBackend(_)
                | Self::UpdateFrontend(_)
        )
    }
}

/// An index to be built: its tablets in every partition, and the job that completes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexBuild {
    pub job: AlterJob,
    pub index: TableIndex,
    pub tablets: Vec<(PartitionId, TabletIndex)>,
}

/// What a load counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TxnCounters {
    pub loaded_rows: u64,
    pub filtered_rows: u64,
    pub loaded_bytes: u64,
    pub error_url: String,
    #[serde(default)]
    pub unselected_rows: u64,
}

/// What an accepted op answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    Done,
    /// The first of reserved ids.
    Id(u64),
    /// Begin of a load: its transaction, also when the same request begins again.
    Txn(TxnId),
    /// Commit: partitions and their new versions.
    Versions(Vec<(TableId, PartitionId, i64)>),
}
