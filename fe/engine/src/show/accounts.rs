//! SHOW GRANTS, USERS, AUTHENTICATION, PROPERTY, ROLES, PRIVILEGES. There are no roles but root's yet: every account may do everything.

use std::sync::Arc;

use common_base::{Result, bail};
use common_types::Scalar;
use fe_catalog::model::User;
use fe_parser::ast::{GrantTarget, UserIdentity};

use super::Table;
use crate::{result::text, session::Session};

fn identity(name: &str, host: &str) -> String {
    format!("'{name}'@'{host}'")
}

fn find(session: &Session, user: &UserIdentity) -> Result<Arc<User>> {
    let catalog = session.engine.meta.snapshot();
    let found = catalog.users.get(&(user.user.clone(), user.host.clone())).cloned();
    match found {
        Some(user) => Ok(user),
        None => bail!(User, "cannot find user {}!", identity(&user.user, &user.host)),
    }
}

/// SHOW GRANTS.
pub fn grants(session: &Session, target: Option<&GrantTarget>) -> Result<Table> {
    let names = ["UserIdentity", "Catalog", "Grants"];
    let who = match target {
        None => identity(&session.user, &session.account_host),
        Some(GrantTarget::User(user)) => {
            let user = find(session, user)?;
            identity(&user.name, &user.host)
        }
        Some(GrantTarget::Role(role)) if role == "root" => {
            let all = vec![text("root"), text("default_catalog"), text("GRANT ALL ON SYSTEM TO ROLE 'root'")];
            return Ok(Table::new(&names, vec![all]));
        }
        Some(GrantTarget::Role(role)) => bail!(User, "cannot find role {role}!"),
        Some(GrantTarget::ExternalGroup(_)) => bail!(NotSupported, "external groups are not supported yet"),
    };
    let grant = format!("GRANT 'root' TO {who}");
    Ok(Table::new(&names, vec![vec![text(who), Scalar::Null, text(grant)]]))
}

/// SHOW USERS.
pub fn users(session: &Session) -> Table {
    let catalog = session.engine.meta.snapshot();
    Table::new(&["User"], catalog.users.values().map(|u| vec![text(identity(&u.name, &u.host))]).collect())
}

/// SHOW [ALL] AUTHENTICATION.
pub fn authentication(session: &Session, all: bool, user: Option<&UserIdentity>) -> Result<Table> {
    let row = |u: &User| {
        let password = if u.password_hash.is_empty() { "No" } else { "Yes" };
        vec![text(identity(&u.name, &u.host)), text(password), text("MYSQL_NATIVE_PASSWORD"), Scalar::Null]
    };
    let catalog = session.engine.meta.snapshot();
    let rows = match user {
        Some(user) => vec![row(&*find(session, user)?)],
        None if all => catalog.users.values().map(|u| row(u)).collect(),
        None => {
            let own = UserIdentity { user: session.user.clone(), host: session.account_host.clone(), domain: false };
            vec![row(&*find(session, &own)?)]
        }
    };
    Ok(Table::new(&["UserIdentity", "Password", "AuthPlugin", "UserForAuthPlugin"], rows))
}

/// SHOW PROPERTY.
pub fn property(session: &Session, user: Option<&str>) -> Result<Table> {
    let name = user.unwrap_or(&session.user);
    let catalog = session.engine.meta.snapshot();
    if !catalog.users.values().any(|u| u.name == name) {
        bail!(User, "Unknown user: {name}");
    }
    let rows = [("max_user_connections", "1024"), ("catalog", "default_catalog"), ("database", "")];
    Ok(Table::new(&["Key", "Value"], rows.iter().map(|(k, v)| vec![text(*k), text(*v)]).collect()))
}

/// SHOW ROLES.
pub fn roles() -> Table {
    let comment = "built-in root role which has all privileges on all objects";
    Table::new(&["Name", "Builtin", "Comment"], vec![vec![text("root"), text("true"), text(comment)]])
}

/// SHOW PRIVILEGES.
pub fn privileges() -> Table {
    let rows = [
        ("Select", "Tables", "To read rows"),
        ("Insert", "Tables", "To load rows"),
        ("Update", "Tables", "To change rows"),
        ("Delete", "Tables", "To delete rows"),
        ("Alter", "Tables,Databases", "To alter an object"),
        ("Drop", "Tables,Databases", "To drop an object"),
        ("Create table", "Databases", "To create tables"),
        ("Create view", "Databases", "To create views"),
        ("Node", "System", "To manage nodes of the cluster"),
        ("Operate", "System", "To operate the cluster"),
        ("Grant", "System", "To manage accounts"),
    ];
    Table::new(&["Privilege", "Context", "Comment"], rows.iter().map(|(p, c, t)| vec![text(*p), text(*c), text(*t)]).collect())
}
