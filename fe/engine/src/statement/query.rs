//! SELECT: analyze, plan, run.

use common_base::{Result, bail, ids::QueryId};
use common_types::{LogicalType, Scalar};
use fe_parser::ast::QueryStatement;

use super::plan;
use crate::{
    result::{ResultColumn, Rows, StatementResult},
    session::Session,
};

/// Runs a query; rows stream out of the result.
pub async fn run(session: &mut Session, statement: &QueryStatement, parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<StatementResult> {
    if statement.into_outfile.is_some() {
        bail!(NotSupported, "INTO OUTFILE is not supported yet");
    }
    session.wait_for_own_changes().await?;
    let planned = plan::query(session, &statement.query, parameters)?;
    let columns = planned.columns.clone();
    let stream = plan::start(session, planned, id)?;
    Ok(StatementResult::Rows(Rows { columns, chunk: None, stream: Some(stream) }))
}

/// Column of a plan's output as a client sees it.
pub fn result_column(name: &str, ty: &LogicalType) -> ResultColumn {
    ResultColumn { name: name.to_owned(), ty: ty.clone() }
}
