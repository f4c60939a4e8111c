//! KILL [CONNECTION | QUERY].

use common_base::{Result, bail, err};
use fe_parser::ast::Kill;

use crate::{result::StatementResult, session::Session};

/// Ends a statement or a session of this FE.
pub fn run(session: &Session, statement: &Kill) -> Result<StatementResult> {
    let sessions = &session.engine.sessions;
    match statement {
        Kill::Connection(id) => {
            let victim = u32::try_from(*id).ok().and_then(|id| sessions.get(id)).ok_or_else(|| err!(UnknownThread, "Unknown thread id: {id}"))?;
            victim.kill_connection(err!(KilledByUser, "Connection killed manually: KILL {id}"));
        }
        Kill::Query(id) => {
            let victim = u32::try_from(*id).ok().and_then(|id| sessions.get(id)).ok_or_else(|| err!(UnknownThread, "Unknown thread id: {id}"))?;
            victim.kill_query(err!(KilledByUser, "Query killed manually: KILL QUERY {id}"));
        }
        Kill::QueryId(id) => {
            let running = |s: &&std::sync::Arc<crate::session::SessionInfo>| s.state.read().query_id.is_some_and(|q| q.to_string() == *id);
            let all = sessions.all();
            let Some(victim) = all.iter().find(running) else { bail!(UnknownQueryId, "Unknown query id: {id}") };
            victim.kill_query(err!(KilledByUser, "Query killed manually: KILL QUERY {id}"));
        }
    }
    Ok(StatementResult::ok())
}
