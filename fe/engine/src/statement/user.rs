//! Accounts: CREATE, ALTER, DROP USER. Roles and grants come with a later issue; until then every account may do everything.

use common_base::{Result, bail};
use fe_catalog::{Op, model::User};
use fe_parser::ast::{AlterUser, AlterUserAction, AuthOption, CreateUser, DropUser};

use crate::{auth, result::StatementResult, session::Session};

/// CREATE USER.
pub async fn create(session: &mut Session, statement: &CreateUser) -> Result<StatementResult> {
    let (name, host) = (statement.user.user.clone(), statement.user.host.clone());
    let exists = session.engine.meta.snapshot().users.contains_key(&(name.clone(), host.clone()));
    if exists && statement.if_not_exists {
        return Ok(StatementResult::ok());
    }
    if !statement.default_roles.is_empty() {
        bail!(NotSupported, "roles are not supported yet");
    }
    let password_hash = hash(statement.auth.as_ref())?;
    let created_ms = session.engine.clock.now_ms();
    session.change(Op::CreateUser(User { name, host, password_hash, created_ms, ..User::default() })).await
}

/// ALTER USER … IDENTIFIED.
pub async fn alter(session: &mut Session, statement: &AlterUser) -> Result<StatementResult> {
    let AlterUserAction::Auth(option) = &statement.action else { bail!(NotSupported, "only IDENTIFIED can be altered yet") };
    let password_hash = hash(Some(option))?;
    session.change(Op::SetPassword { name: statement.user.user.clone(), host: statement.user.host.clone(), password_hash }).await
}

/// DROP USER.
pub async fn drop(session: &mut Session, statement: &DropUser) -> Result<StatementResult> {
    let (name, host) = (statement.user.user.clone(), statement.user.host.clone());
    let exists = session.engine.meta.snapshot().users.contains_key(&(name.clone(), host.clone()));
    if !exists && statement.if_exists {
        return Ok(StatementResult::ok());
    }
    session.change(Op::DropUser { name, host }).await
}

fn hash(option: Option<&AuthOption>) -> Result<Vec<u8>> {
    let Some(option) = option else { return Ok(Vec::new()) };
    match option {
        AuthOption::Password(plain) => Ok(auth::stored_hash(plain)),
        AuthOption::Hash(hex) => from_hex(hex),
        AuthOption::Plugin { plugin, by, auth_string } if plugin.eq_ignore_ascii_case("mysql_native_password") => match (by, auth_string) {
            (Some(plain), _) => Ok(auth::stored_hash(plain)),
            (None, Some(hex)) => from_hex(hex),
            (None, None) => Ok(Vec::new()),
        },
        AuthOption::Plugin { plugin, .. } => bail!(NotSupported, "authentication plugin {plugin} is not supported"),
    }
}

fn from_hex(hex: &str) -> Result<Vec<u8>> {
    auth::hash_of_hex(hex).ok_or_else(|| common_base::err!(User, "Password hash should be a 41-digit hexadecimal number"))
}
