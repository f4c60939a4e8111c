//! KILL [CONNECTION | QUERY], wherever the session is.

use common_base::Result;
use fe_parser::ast::Kill;

use crate::{cluster::sessions, result::StatementResult, session::Session};

/// Ends a statement or a session of any frontend.
pub async fn run(session: &Session, statement: &Kill) -> Result<StatementResult> {
    let engine = &session.engine;
    match statement {
        Kill::Connection(id) => sessions::kill(engine, *id, true).await?,
        Kill::Query(id) => sessions::kill(engine, *id, false).await?,
        Kill::QueryId(id) => sessions::kill_query(engine, id).await?,
    }
    Ok(StatementResult::ok())
}
