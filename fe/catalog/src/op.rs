//! Every replicated command. An op carries all it needs (ids, times, placements); applying it twice from the same state gives the
//! same state and the same reply.

use std::sync::Arc;

use common_base::ids::{DbId, NodeId, PartitionId, TableId, TabletId, TxnId};
use serde::{Deserialize, Serialize};

use crate::model::{Backend, Database, Frontend, Partition, Table, TableStatistics, Transaction, User};

/// A change of the catalog.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// First start of a cluster.
    Initialize { cluster_id: u64, token: String, frontend: Frontend, root: User, created_ms: i64 },
    /// Reserves `count` ids; the reply is the first.
    ReserveIds { count: u64 },

    CreateDatabase(Database),
    /// With `force` also when it holds tables.
    DropDatabase { db: DbId, force: bool },
    RenameDatabase { db: DbId, name: String },
    AlterDatabaseProperties { db: DbId, properties: Vec<(String, String)> },

    CreateTable(Arc<Table>),
    DropTable { table: TableId },
    RenameTable { table: TableId, name: String },
    RenameColumn { table: TableId, from: String, to: String, now_ms: i64 },
    RenamePartition { table: TableId, from: String, to: String },
    /// Replaces the definition of a view (ALTER VIEW, CREATE OR REPLACE VIEW).
    ReplaceView(Arc<Table>),
    AlterTableProperties { table: TableId, properties: Vec<(String, String)> },
    AlterTableComment { table: TableId, comment: String },
    SwapTables { a: TableId, b: TableId },
    AddPartitions { table: TableId, partitions: Vec<Partition> },
    DropPartitions { table: TableId, partitions: Vec<PartitionId> },
    /// Old partition → the empty one that takes its place under the same name (TRUNCATE, INSERT OVERWRITE).
    ReplacePartitions { table: TableId, pairs: Vec<(PartitionId, Partition)>, now_ms: i64 },

    AddFrontend(Frontend),
    DropFrontend { node: NodeId },
    AddBackend(Backend),
    DropBackend { node: NodeId },
    /// What a heartbeat taught (ports), or an operator changed.
    UpdateBackend(Backend),

    BeginTxn(Transaction),
    /// Two-phase load: data is durable.
    PrepareTxn { txn: TxnId, written: Vec<(TabletId, NodeId)>, counters: TxnCounters, now_ms: i64 },
    /// Allots the next version of every partition written.
    CommitTxn { txn: TxnId, written: Vec<(TabletId, NodeId)>, counters: TxnCounters, now_ms: i64 },
    /// Every quorum has published: the versions become visible.
    MakeVisible { txn: TxnId, published: Vec<(TabletId, NodeId)>, now_ms: i64 },
    AbortTxn { txn: TxnId, reason: String, now_ms: i64 },
    /// Forgets finished transactions (label_keep_max_second).
    ForgetTxns { txns: Vec<TxnId> },

    UpdateStatistics { table: TableId, statistics: Arc<TableStatistics> },
    SetGlobalVariable { name: String, value: String },
    CreateUser(User),
    DropUser { name: String, host: String },
    SetPassword { name: String, host: String, password_hash: Vec<u8> },
}

/// What a load counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TxnCounters {
    pub loaded_rows: u64,
    pub filtered_rows: u64,
    pub loaded_bytes: u64,
    pub error_url: String,
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
