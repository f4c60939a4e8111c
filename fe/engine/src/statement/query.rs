//! SELECT: analyze, plan, run.

use common_base::{Error, ErrorCode, Result, err, ids::QueryId};
use common_types::{Chunk, LogicalType, Scalar};
use fe_parser::ast::QueryStatement;

use super::plan::{self, Planned};
use crate::{
    cluster::heartbeat,
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
    session.wait_for_own_changes().await?;
    let planned = plan::query(session, &statement.query, parameters)?;
    let columns = planned.columns.clone();
    let (chunk, stream) = start(session, planned, id).await?;
    Ok(StatementResult::Rows(Rows { columns, chunk, stream: Some(stream) }))
}

/// Starts a query and waits for its first chunk. Replicas are there so that a backend may go: while the client has seen nothing,
/// the query starts again without the backends that do not answer.
async fn start(session: &Session, mut planned: Planned, mut id: QueryId) -> Result<(Option<Chunk>, QueryStream)> {
    let mut failure: Option<Error> = None;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            let silent = heartbeat::silent(&session.engine, &planned.backends()).await;
            planned.avoid(&silent);
            id = session.engine.new_query_id();
        }
        let started = plan::start(session, &planned, id);
        let ended = match started {
            Ok(mut stream) => stream.next().await.map(|chunk| (chunk, stream)),
            Err(e) => Err(e),
        };
        match ended {
            Ok(started) => return Ok(started),
            Err(e) if matches!(e.code(), ErrorCode::Unavailable | ErrorCode::NetworkError) && !planned.backends().is_empty() => {
                tracing::warn!(query = %id, "a query is started again: {e}");
                // That no replica is left says less than why.
                failure.get_or_insert(e);
            }
            Err(e) => return Err(e),
        }
    }
    Err(failure.unwrap_or_else(|| err!(Internal, "a query was not started")))
}

/// Column of a plan's output as a client sees it.
pub fn result_column(name: &str, ty: &LogicalType) -> ResultColumn {
    ResultColumn { name: name.to_owned(), ty: ty.clone() }
}
