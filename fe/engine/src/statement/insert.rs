//! INSERT INTO: a query whose rows go to a table sink, inside a transaction of its own.

use std::time::Duration;

use common_base::{Result, bail, ids::{QueryId, TxnId}};
use common_types::{LogicalType, Scalar};
use fe_analyzer::statement::{AnalyzedInsert, analyze_insert};
use fe_catalog::model::LoadSource;
use fe_parser::ast::{Insert, InsertTarget};

use super::plan;
use crate::{
    load::{Begin, Committed, sink},
    result::StatementResult,
    session::{Session, facts::Facts},
    view::SnapshotView,
};

/// Runs an INSERT.
pub async fn run(session: &mut Session, insert: &Insert, parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<StatementResult> {
    if !matches!(insert.target, InsertTarget::Table(_)) {
        bail!(NotSupported, "INSERT INTO FILES is not supported yet");
    }
    if insert.overwrite {
        bail!(NotSupported, "INSERT OVERWRITE is not supported yet");
    }
    session.wait_for_own_changes().await?;
    let analyzed = {
        let facts = Facts::of(session);
        let view = SnapshotView { engine: &session.engine, catalog: session.engine.meta.snapshot() };
        let ctx = plan::analyze_context(session, &view, &facts, parameters);
        analyze_insert(&ctx, insert)?
    };
    write(session, analyzed, id).await
}

/// Writes the rows of an analyzed insert.
pub async fn write(session: &mut Session, analyzed: AnalyzedInsert, id: QueryId) -> Result<StatementResult> {
    if analyzed.auto_increment.is_some() {
        bail!(NotSupported, "AUTO_INCREMENT columns are not supported yet");
    }
    let engine = session.engine.clone();
    let timeout = Duration::from_secs(session.variables.get_int("insert_timeout").max(1) as u64);
    let label = analyzed.label.clone().unwrap_or_else(|| format!("insert_{id}"));
    let table = analyzed.table.clone();
    let begin = Begin {
        db: table.db_id,
        tables: vec![table.id],
        label: label.clone(),
        request_id: id.0,
        source: LoadSource::Insert,
        timeout,
        coordinator: format!("FE: {}", engine.options.host),
    };
    let txn = engine.loads.begin(&engine, begin).await?;
    match load(session, analyzed, txn, &label, timeout, id).await {
        Ok((rows, filtered, outcome)) => {
            let status = if outcome == Committed::Visible { "VISIBLE" } else { "COMMITTED" };
            let info = format!("{{'label':'{label}', 'status':'{status}', 'txnId':'{txn}'}}");
            let info = if filtered > 0 { format!("{info}, warnings: {filtered}") } else { info };
            Ok(StatementResult::Done { affected_rows: rows, info })
        }
        Err(e) => {
            if let Err(abort) = engine.loads.abort(&engine, txn, e.message()).await {
                tracing::warn!(%txn, "a failed insert could not be aborted: {abort}");
            }
            Err(e)
        }
    }
}

async fn load(session: &mut Session, analyzed: AnalyzedInsert, txn: TxnId, label: &str, timeout: Duration, id: QueryId) -> Result<(u64, u64, Committed)> {
    let engine = session.engine.clone();
    let catalog = engine.meta.snapshot();
    let names: Option<Vec<String>> = analyzed.partitions.as_ref().and_then(|ids| {
        let olap = analyzed.table.as_olap()?;
        Some(ids.iter().filter_map(|p| olap.partitions.get(p).map(|p| p.name.clone())).collect())
    });
    let sink = sink::table_sink(&engine, &catalog, &analyzed.table, txn, label, names.as_deref(), timeout.as_millis() as u64)?;
    let planned = plan::load(session, analyzed, sink)?;
    let summary = plan::start(session, planned, id)?.drain().await?;
    if summary.load.loaded_rows == 0 && summary.tablets.is_empty() {
        // Nothing to publish: the label is used all the same.
        let committed = engine.loads.commit(&engine, txn, &[], &summary.load, Duration::from_secs(10)).await?;
        return Ok((0, summary.load.filtered_rows, committed));
    }
    let wait = Duration::from_secs(session.variables.get_int("tx_visible_wait_timeout").max(1) as u64);
    let committed = engine.loads.commit(&engine, txn, &summary.tablets, &summary.load, wait).await?;
    session.saw(engine.meta.applied_index());
    Ok((summary.load.loaded_rows, summary.load.filtered_rows, committed))
}
