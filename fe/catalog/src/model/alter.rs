//! Background changes of tables: one record per job, so that a restarted leader goes on where the last one was.

use common_base::ids::{DbId, IndexId, NodeId, TableId, TabletId, TxnId};
use serde::{Deserialize, Serialize};

use super::Column;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AlterKind {
    /// Columns, sort key, indexes of the base index.
    Column,
    /// Builds a rollup or a synchronous materialized view.
    Rollup,
    /// Rewrites partitions with another distribution.
    Optimize,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AlterState {
    /// Loads that began before the new index existed are still running.
    WaitingTxn,
    /// History is being converted.
    Running,
    Finished,
    Cancelled,
}

/// One job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlterJob {
    pub id: u64,
    pub kind: AlterKind,
    pub db_id: DbId,
    pub table_id: TableId,
    pub table_name: String,
    /// The index that is built; the base index for a change of metadata only.
    pub index: IndexId,
    pub index_name: String,
    /// The index whose place it takes; the base index for a new rollup.
    pub base_index: IndexId,
    pub schema_version: u32,
    /// What an optimize job does, as text.
    pub operation: String,
    pub created_ms: i64,
    pub finished_ms: i64,
    pub timeout_ms: i64,
    /// What else changes when the new index takes over.
    pub change: AlterChange,
    /// Loads that do not know the new index.
    pub waiting: Vec<TxnId>,
    pub state: AlterState,
    /// Why it was cancelled, or what holds it up.
    pub message: String,
    /// Tablets that left the catalog with the job; dropped once no query can hold them.
    pub garbage: Vec<(TabletId, Vec<NodeId>)>,
}

impl AlterJob {
    /// Whether there is something left to do before the job has its outcome.
    pub fn is_running(&self) -> bool {
        matches!(self.state, AlterState::WaitingTxn | AlterState::Running)
    }

    /// The state's name as users see it.
    pub fn state_name(&self) -> &'static str {
        match self.state {
            AlterState::WaitingTxn => "WAITING_TXN",
            AlterState::Running => "RUNNING",
            AlterState::Finished => "FINISHED",
            AlterState::Cancelled => "CANCELLED",
        }
    }
}

/// What changes with the index besides its columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AlterChange {
    pub indexes_ddl: Vec<String>,
    pub properties: Vec<(String, String)>,
    pub next_column_uid: u64,
    /// The table's columns once a rollup is there that gets new ones with them. Empty: it has those of its base index.
    #[serde(default)]
    pub columns: Vec<Column>,
}
