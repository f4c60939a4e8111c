//! CANCEL LOAD: ends jobs that have not committed yet.

use common_base::{Result, bail, ids::TxnId};
use fe_parser::ast::{CancelJob, ShowFilter};

use crate::{result::StatementResult, session::Session, show::{filter, loads}};

/// Runs CANCEL LOAD FROM db WHERE LABEL = …: every job the condition lets through.
pub async fn run(session: &mut Session, statement: &CancelJob) -> Result<StatementResult> {
    if statement.selection.is_none() {
        bail!(Analysis, "Getting analyzing error. Detail message: Where clause should contains label.");
    }
    let jobs = loads::load(session, statement.db.as_ref(), false)?;
    let wanted = ShowFilter { selection: statement.selection.clone(), ..ShowFilter::default() };
    let jobs = filter::apply(session, &wanted, jobs)?;
    let ids: Vec<TxnId> = jobs.rows.iter().filter_map(|row| Some(TxnId(row.first()?.as_str()?.parse().ok()?))).collect();
    if ids.is_empty() {
        bail!(User, "Load job does not exist");
    }
    let engine = session.engine.clone();
    let catalog = engine.meta.snapshot();
    let running: Vec<TxnId> = ids.into_iter().filter(|id| catalog.txns.get(id).is_some_and(|t| t.is_running())).collect();
    if running.is_empty() {
        bail!(User, "There is no uncompleted job");
    }
    for id in running {
        engine.loads.abort(&engine, id, "type:USER_CANCEL; msg:user cancel").await?;
    }
    session.saw(engine.meta.applied_index());
    Ok(StatementResult::ok())
}
