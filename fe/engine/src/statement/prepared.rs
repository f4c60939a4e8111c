//! PREPARE, EXECUTE, DEALLOCATE as statements.

use std::sync::Arc;

use common_base::{Result, bail, err, ids::QueryId};
use common_types::{LogicalType, Scalar};
use fe_parser::{ast::{Execute, Prepare, Statement, sql}};

use crate::{dispatch, result::StatementResult, session::{Prepared, Session}};

/// PREPARE name FROM ….
pub fn prepare(session: &mut Session, statement: &Prepare) -> Result<StatementResult> {
    if !matches!(*statement.statement, Statement::Query(_)) {
        bail!(PreparedUnsupported, "This command is not supported in the prepared statement protocol yet");
    }
    let parsed = fe_parser::parse_one(&statement.text, &session.parse_options())?;
    session.prepared.insert(statement.name.value.clone(), Prepared { parameters: statement.parameters, statement: Arc::new(parsed) });
    Ok(StatementResult::ok())
}

/// EXECUTE name USING @a, ….
pub async fn execute(session: &mut Session, statement: &Execute, id: QueryId) -> Result<StatementResult> {
    let name = &statement.name.value;
    let prepared = session.prepared.get(name).cloned().ok_or_else(|| err!(Analysis, "Could not execute, since `{name}` not exist"))?;
    if prepared.parameters != statement.using.len() {
        bail!(Analysis, "Invalid arguments size {}, expected {}", statement.using.len(), prepared.parameters);
    }
    let unset = || (Scalar::Null, LogicalType::Null);
    let values: Vec<_> = statement.using.iter().map(|v| session.user_variable(v).unwrap_or_else(unset)).collect();
    dispatch::run(session, &prepared.statement, &values, id).await
}

/// DEALLOCATE PREPARE name.
pub fn deallocate(session: &mut Session, name: &sql::Ident) -> Result<StatementResult> {
    match session.prepared.remove(&name.value) {
        Some(_) => Ok(StatementResult::ok()),
        None => bail!(Analysis, "Could not deallocate, since `{}` not exist", name.value),
    }
}
