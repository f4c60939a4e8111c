//! Users, roles, privileges.

use super::{FunctionSignature, Properties, sql};

/// `u[@'host' | @['domain']]`; the host defaults to `%`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserIdentity {
    pub user: String,
    pub host: String,
    /// `@['domain']`.
    pub domain: bool,
}

/// How a user proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthOption {
    /// `IDENTIFIED BY 's'`.
    Password(String),
    /// `IDENTIFIED BY PASSWORD '*HEX'`.
    Hash(String),
    /// `IDENTIFIED WITH plugin [BY 's' | AS 's']`.
    Plugin { plugin: String, by: Option<String>, auth_string: Option<String> },
}

/// `CREATE USER …`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateUser {
    pub user: UserIdentity,
    pub if_not_exists: bool,
    pub auth: Option<AuthOption>,
    pub default_roles: Vec<String>,
    pub properties: Properties,
}

/// `ALTER USER …`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterUser {
    pub user: UserIdentity,
    pub if_exists: bool,
    pub action: AlterUserAction,
}

/// What ALTER USER changes.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterUserAction {
    Auth(AuthOption),
    DefaultRole(RoleChoice),
    SetProperties(Properties),
}

/// `DROP USER [IF EXISTS] u`.
#[derive(Clone, Debug, PartialEq)]
pub struct DropUser {
    pub user: UserIdentity,
    pub if_exists: bool,
}

/// A choice of roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleChoice {
    Default,
    None,
    /// `ALL [EXCEPT r, ..]`.
    All {
        except: Vec<String>,
    },
    List(Vec<String>),
}

/// `SET ROLE …`.
#[derive(Clone, Debug, PartialEq)]
pub struct SetRole {
    pub roles: RoleChoice,
}

/// `SET DEFAULT ROLE … TO u`.
#[derive(Clone, Debug, PartialEq)]
pub struct SetDefaultRole {
    pub roles: RoleChoice,
    pub user: UserIdentity,
}

/// `SET PROPERTY [FOR 'u'] 'k' = 'v', ..`.
#[derive(Clone, Debug, PartialEq)]
pub struct SetUserProperty {
    pub user: Option<String>,
    pub properties: Properties,
}

/// `CREATE ROLE …`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateRole {
    pub roles: Vec<String>,
    pub if_not_exists: bool,
    pub comment: Option<String>,
}

/// `ALTER ROLE [IF EXISTS] r, .. SET COMMENT = 's'`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterRole {
    pub roles: Vec<String>,
    pub if_exists: bool,
    pub comment: String,
}

/// `DROP ROLE [IF EXISTS] r, ..`.
#[derive(Clone, Debug, PartialEq)]
pub struct DropRole {
    pub roles: Vec<String>,
    pub if_exists: bool,
}

/// Who gets or loses something.
#[derive(Clone, Debug, PartialEq)]
pub enum GrantTarget {
    User(UserIdentity),
    Role(String),
    ExternalGroup(String),
}

/// `GRANT r, .. TO …` and its REVOKE.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantRole {
    pub roles: Vec<String>,
    pub target: GrantTarget,
}

/// `GRANT p, .. ON … TO … [WITH GRANT OPTION]` and its REVOKE.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantPrivilege {
    /// Upper case, single-spaced: `SELECT`, `CREATE TABLE`, `ALL`.
    pub privileges: Vec<String>,
    pub object: GrantObject,
    pub target: GrantTarget,
    pub with_grant_option: bool,
}

/// What a privilege is on.
#[derive(Clone, Debug, PartialEq)]
pub enum GrantObject {
    System,
    /// Named objects of one kind: `[TABLE] a, db.b`.
    Named {
        kind: ObjectKind,
        names: Vec<sql::ObjectName>,
    },
    Functions {
        global: bool,
        functions: Vec<(sql::ObjectName, FunctionSignature)>,
    },
    Users(Vec<UserIdentity>),
    /// `ALL TABLES IN DATABASE d | IN ALL DATABASES`, `ALL DATABASES`, also `db.*` and `*.*`.
    All {
        kind: ObjectKind,
        scope: GrantScope,
    },
}

/// Where `ALL objects` are.
#[derive(Clone, Debug, PartialEq)]
pub enum GrantScope {
    /// Objects without a database (catalogs, users, resource groups), or databases themselves.
    Global,
    AllDatabases,
    Database(sql::ObjectName),
}

/// Kinds of objects privileges are given on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    Table,
    View,
    MaterializedView,
    Database,
    Catalog,
    Resource,
    ResourceGroup,
    Function,
    GlobalFunction,
    User,
    Pipe,
    StorageVolume,
    Warehouse,
}

/// `EXECUTE AS u WITH NO REVERT`.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecuteAs {
    pub user: UserIdentity,
    pub no_revert: bool,
}
