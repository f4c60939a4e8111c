//! openraft's type configuration: an entry is an encoded catalog op, an answer is its reply or its refusal.

use std::io::Cursor;

use common_base::Result;
use common_rpc::status;
use fe_catalog::Reply;
use proto_messages::status as pb;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// An op as it stands in the log, or several (see [`crate::batch`]).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpRecord(pub ByteBuf);

/// What applying an op gave. A refusal is deterministic: every node refuses alike.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// Entries that are no ops (membership, the first entry of a term).
    None,
    Accepted(Reply),
    Refused { code: String, message: String },
    /// Of an entry of several changes, each its own.
    Several(Vec<Answer>),
}

impl Answer {
    /// From the catalog's result.
    pub fn of(result: Result<Reply>) -> Self {
        match result {
            Ok(reply) => Self::Accepted(reply),
            Err(e) => {
                let e = status::to_message(&e);
                Self::Refused { code: e.code, message: e.message }
            }
        }
    }

    /// Back to the catalog's result.
    pub fn into_result(self) -> Result<Reply> {
        match self {
            Self::None => Ok(Reply::Done),
            Self::Accepted(reply) => Ok(reply),
            Self::Several(_) => Err(common_base::err!(Internal, "one change has several answers")),
            Self::Refused { code, message } => {
                status::from_message(Some(pb::Status { code, message, context: Vec::new() })).map(|()| Reply::Done)
            }
        }
    }
}

openraft::declare_raft_types!(
    /// The catalog's Raft group.
    pub TypeConfig:
        D = OpRecord,
        R = Answer,
        NodeId = u64,
        Node = openraft::BasicNode,
        Entry = openraft::Entry<TypeConfig>,
        SnapshotData = Cursor<Vec<u8>>,
        AsyncRuntime = openraft::TokioRuntime,
);

/// The Raft instance.
pub type Raft = openraft::Raft<TypeConfig>;
