//! Roles and privileges. A grant names objects by id, so that it survives a rename; what was dropped is simply never asked for again.

use common_base::ids::{DbId, TableId};
use serde::{Deserialize, Serialize};

/// A role; built-in roles are code, not catalog entries, except for what was granted to `public`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    pub name: String,
    pub comment: String,
    /// Roles this one was given.
    pub roles: Vec<String>,
    pub grants: Vec<Grant>,
}

/// Privileges on one object (or all of a kind) as one GRANT gave them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub object: GrantedObject,
    /// Upper case, sorted: `INSERT`, `SELECT`.
    pub privileges: Vec<String>,
    pub grant_option: bool,
}

/// What a privilege is on; `None` = all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum GrantedObject {
    System,
    Catalog(Option<String>),
    Database(Option<DbId>),
    Table { db: Option<DbId>, table: Option<TableId> },
    View { db: Option<DbId>, table: Option<TableId> },
    MaterializedView { db: Option<DbId>, table: Option<TableId> },
    User(Option<(String, String)>),
    /// A kind known by its words (`RESOURCE GROUP`, `PIPE`) and the object's name within it.
    Named { kind: String, name: Option<String> },
}

/// Who holds roles and privileges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grantee {
    User { name: String, host: String },
    Role(String),
    /// Members of a group that a group provider knows.
    ExternalGroup(String),
}

/// Which of a user's roles are active after login.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DefaultRoles {
    #[default]
    None,
    All,
    List(Vec<String>),
}
