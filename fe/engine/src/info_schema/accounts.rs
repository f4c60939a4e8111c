//! information_schema.*_privileges, applicable_roles and sys.role_edges: every account has the built-in role root until there are roles.

use super::{Context, Provider, TEXT, Ty};
use crate::result::text;

fn grantees(cx: &Context<'_>) -> Vec<String> {
    cx.catalog.users.values().map(|u| format!("'{}'@'{}'", u.name, u.host)).collect()
}

pub(super) const USER_PRIVILEGES: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "user_privileges",
    columns: &[("GRANTEE", Ty::Text(81)), ("TABLE_CATALOG", Ty::Text(512)), ("PRIVILEGE_TYPE", Ty::Text(64)), ("IS_GRANTABLE", Ty::Text(3))],
    rows: |cx| grantees(cx).into_iter().map(|g| vec![text(g), text("def"), text("ALL PRIVILEGES"), text("YES")]).collect(),
};

pub(super) const SCHEMA_PRIVILEGES: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "schema_privileges",
    columns: &[
        ("GRANTEE", Ty::Text(81)),
        ("TABLE_CATALOG", Ty::Text(512)),
        ("TABLE_SCHEMA", Ty::Text(64)),
        ("PRIVILEGE_TYPE", Ty::Text(64)),
        ("IS_GRANTABLE", Ty::Text(3)),
    ],
    // Privileges on all databases are in user_privileges.
    rows: |_| Vec::new(),
};

pub(super) const TABLE_PRIVILEGES: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "table_privileges",
    columns: &[
        ("GRANTEE", Ty::Text(81)),
        ("TABLE_CATALOG", Ty::Text(512)),
        ("TABLE_SCHEMA", Ty::Text(64)),
        ("TABLE_NAME", Ty::Text(64)),
        ("PRIVILEGE_TYPE", Ty::Text(64)),
        ("IS_GRANTABLE", Ty::Text(3)),
    ],
    rows: |_| Vec::new(),
};

pub(super) const APPLICABLE_ROLES: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "applicable_roles",
    columns: &[
        ("USER", Ty::Text(64)),
        ("HOST", Ty::Text(256)),
        ("GRANTEE", Ty::Text(64)),
        ("GRANTEE_HOST", Ty::Text(256)),
        ("ROLE_NAME", Ty::Text(64)),
        ("ROLE_HOST", Ty::Text(256)),
        ("IS_GRANTABLE", Ty::Text(3)),
        ("IS_DEFAULT", Ty::Text(3)),
        ("IS_MANDATORY", Ty::Text(3)),
    ],
    rows: |cx| {
        let row = |name: &str, host: &str| vec![name, host, name, host, "root", "", "NO", "YES", "NO"].into_iter().map(text).collect();
        cx.catalog.users.values().map(|u| row(&u.name, &u.host)).collect()
    },
};

pub(super) const ROLE_EDGES: Provider = Provider {
    asks_backends: false,
    db: "sys",
    name: "role_edges",
    columns: &[("FROM_ROLE", TEXT), ("TO_ROLE", TEXT), ("TO_USER", TEXT)],
    rows: |cx| grantees(cx).into_iter().map(|g| vec![text("root"), common_types::Scalar::Null, text(g)]).collect(),
};
