//! Nodes of the cluster as the catalog knows them. Liveness is leader memory, not catalog state, except what must survive.

use serde::{Deserialize, Serialize};
use common_base::ids::NodeId;

use super::{DefaultRoles, Grant};

/// A backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backend {
    pub id: NodeId,
    pub host: String,
    pub heartbeat_port: u16,
    /// Learned from the first heartbeat; 0 before.
    pub be_port: u16,
    pub http_port: u16,
    pub brpc_port: u16,
    pub decommissioned: bool,
    pub added_ms: i64,
    /// `rack:r1`; empty = not said.
    #[serde(default)]
    pub location: String,
}

/// What part an FE plays in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FrontendRole {
    Follower,
    Observer,
}

/// A frontend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frontend {
    pub id: NodeId,
    pub name: String,
    pub host: String,
    pub edit_log_port: u16,
    pub query_port: u16,
    pub http_port: u16,
    pub rpc_port: u16,
    pub role: FrontendRole,
    pub added_ms: i64,
}

/// A user account. `host` `%` = from anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub name: String,
    pub host: String,
    /// SHA1(SHA1(password)) as mysql_native_password wants it; empty = no password.
    #[serde(with = "serde_bytes")]
    pub password_hash: Vec<u8>,
    pub created_ms: i64,
    #[serde(default)]
    pub roles: Vec<String>,
    #[serde(default)]
    pub default_roles: DefaultRoles,
    #[serde(default)]
    pub grants: Vec<Grant>,
    #[serde(default)]
    pub properties: Vec<(String, String)>,
}
