//! Nodes of the cluster as the catalog knows them. Liveness is leader memory, not catalog state, except what must survive.

use common_base::ids::NodeId;

/// A backend.
#[derive(Clone, Debug, PartialEq)]
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
}

/// What part an FE plays in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrontendRole {
    Follower,
    Observer,
}

/// A frontend.
#[derive(Clone, Debug, PartialEq)]
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
