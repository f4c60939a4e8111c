//! SELECT: analyze, plan, run.

use std::collections::BTreeSet;

use common_base::{Error, ErrorCode, Result, err, ids::{NodeId, QueryId, TabletId}};
use common_types::{Chunk, LogicalType, Scalar};
use fe_parser::ast::QueryStatement;

use super::plan::{self, Planned};
use crate::{
    cluster::{heartbeat, unusable},
    coordinator::QueryStream,
    result::{ResultColumn, Rows, StatementResult},
    session::Session,
};

/// A query whose backends go is started this often.
const ATTEMPTS: usize = 3;

/// Runs a query; rows stream out of the result.
pub async fn run(session: &mut Session, statement: &QueryStatement, parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<StatementResult> {
    if let Some(file) = &statement.into_outfile {
        return super::unload::outfile(session, &statement.query, file, parameters, id).await;
    }
    session.engine.check_readable()?;
    session.wait_for_own_changes().await?;
    let planned = plan::query(session, &statement.query, parameters)?;
    let columns = planned.columns.clone();
    let (chunk, stream) = start(session, planned, id).await?;
    Ok(StatementResult::Rows(Rows { columns, chunks: chunk.into_iter().collect(), stream: Some(stream) }))
}

/// Starts a query and waits for its first chunk. Replicas are there so that a backend or a file may go: while the client has seen
/// nothing, the query starts again without the backends that do not answer and the replicas that cannot be read.
async fn start(session: &Session, mut planned: Planned, mut id: QueryId) -> Result<(Option<Chunk>, QueryStream)> {
    let mut failure: Option<Error> = None;
    let mut met = BTreeSet::new();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            let silent = heartbeat::silent(&session.engine, &planned.backends()).await;
            let unusable = unusable::find(&session.engine, planned.reads(id)).await;
            // Nothing is wrong with what it read: it would fail again.
            if unusable.is_empty() && !failure.as_ref().is_some_and(|e| lost_backend(e)) {
                break;
            }
            planned.avoid(&silent);
            met.extend(unusable.iter().copied());
            if attempt + 1 == ATTEMPTS {
                // Damage shows file by file: where there was some there may be more.
                planned.avoid(&unusable.iter().map(|(node, _)| *node).collect::<Vec<_>>());
            }
            planned.avoid_replicas(unusable);
            id = session.engine.new_query_id();
        }
        let started = plan::start(session, &planned, id);
        let ended = match started {
            Ok(mut stream) => stream.first().await.map(|chunk| (chunk, stream)),
            Err(e) => Err(e),
        };
        match ended {
            Ok(started) => return Ok(started),
            Err(e) if (lost_backend(&e) || lost_replica(&e)) && !planned.backends().is_empty() => {
                tracing::warn!(query = %id, "a query is started again: {e}");
                // That no replica is left says less than why.
                failure.get_or_insert(e);
            }
            Err(e) => return Err(e),
        }
    }
    let failure = failure.unwrap_or_else(|| err!(Internal, "a query was not started"));
    Err(if failure.code() == ErrorCode::Corruption { located(session, &met).unwrap_or(failure) } else { failure })
}

/// What is wrong with the replicas a query met, and where; nothing when their backends have not said.
fn located(session: &Session, met: &BTreeSet<(NodeId, TabletId)>) -> Option<Error> {
    let damages = session.engine.damages.known();
    let said: Vec<String> = met.iter().filter_map(|at| damages.get(at).map(|damage| format!("backend {}: {damage}", at.0))).collect();
    (!said.is_empty()).then(|| err!(Corruption, "{}", said.join("; ")))
}

/// Whether a query failed because a backend went.
pub(super) fn lost_backend(e: &Error) -> bool {
    matches!(e.code(), ErrorCode::Unavailable | ErrorCode::NetworkError)
}

/// Whether it may have failed because of one replica.
fn lost_replica(e: &Error) -> bool {
    matches!(e.code(), ErrorCode::Corruption | ErrorCode::NotFound | ErrorCode::IoError)
}

/// Column of a plan's output as a client sees it.
pub fn result_column(name: &str, ty: &LogicalType) -> ResultColumn {
    ResultColumn { name: name.to_owned(), ty: ty.clone() }
}
