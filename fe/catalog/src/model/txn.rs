//! Load transactions: prepare → commit → publish → visible, or aborted.

use serde::{Deserialize, Serialize};
use common_base::ids::{DbId, NodeId, PartitionId, TableId, TabletId, TxnId};

/// What began the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LoadSource {
    StreamLoad,
    Insert,
    Delete,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TxnState {
    Prepare,
    /// Two-phase stream load: data is durable, waiting for the client's commit.
    Prepared,
    /// Versions are allotted; the leader publishes until every quorum has answered.
    Committed,
    Visible,
    Aborted { reason: String },
}

/// One load transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transaction {
    pub id: TxnId,
    pub db_id: DbId,
    pub tables: Vec<TableId>,
    /// Unique per database among transactions that are not aborted.
    pub label: String,
    /// Identifies the request, so that a repeated begin of the same request gets the same answer.
    pub request_id: u128,
    pub coordinator: String,
    pub source: LoadSource,
    pub state: TxnState,
    pub begin_ms: i64,
    pub commit_ms: i64,
    pub finish_ms: i64,
    pub timeout_ms: i64,
    /// Set at commit: partition → its new version.
    pub versions: Vec<(TableId, PartitionId, i64)>,
    /// Set at commit: where rows were written.
    pub written: Vec<(TabletId, NodeId)>,
    pub loaded_rows: u64,
    pub filtered_rows: u64,
    pub loaded_bytes: u64,
    pub error_url: String,
    #[serde(default)]
    pub unselected_rows: u64,
    /// When its data became durable, before a commit that comes on its own; 0 = not yet.
    #[serde(default)]
    pub prepared_ms: i64,
    /// How long it may wait for that commit.
    #[serde(default)]
    pub prepared_timeout_ms: i64,
    /// The backend that coordinates it, if one does.
    #[serde(default)]
    pub backend: Option<NodeId>,
    /// The frontend whose statement it is, if it is one's.
    #[serde(default)]
    pub frontend: Option<NodeId>,
    /// When the process that coordinates it started, by that process's clock; 0 = begun by a version that did not say.
    #[serde(default)]
    pub coordinator_start_ms: i64,
    /// The id that was next when it finished: an order that no clock can turn.
    #[serde(default)]
    pub finish_id: u64,
    /// Which rows a DELETE names, as SHOW DELETE says it; empty for other loads.
    #[serde(default)]
    pub delete_condition: String,
}

impl Transaction {
    /// A transaction that begins: nothing is written, and nobody coordinates it yet.
    pub fn new(id: TxnId, db_id: DbId, label: impl Into<String>, source: LoadSource) -> Self {
        Self {
            id,
            db_id,
            tables: Vec::new(),
            label: label.into(),
            request_id: 0,
            coordinator: String::new(),
            source,
            state: TxnState::Prepare,
            begin_ms: 0,
            commit_ms: 0,
            finish_ms: 0,
            timeout_ms: 0,
            versions: Vec::new(),
            written: Vec::new(),
            loaded_rows: 0,
            filtered_rows: 0,
            loaded_bytes: 0,
            error_url: String::new(),
            unselected_rows: 0,
            prepared_ms: 0,
            prepared_timeout_ms: 0,
            backend: None,
            frontend: None,
            coordinator_start_ms: 0,
            finish_id: 0,
            delete_condition: String::new(),
        }
    }
}
