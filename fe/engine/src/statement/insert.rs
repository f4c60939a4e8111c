//! INSERT INTO and INSERT OVERWRITE: a query whose rows go to a table sink, inside a transaction of its own.

use std::{sync::Arc, time::Duration};

use common_base::{Result, bail, ids::{ColumnUid, PartitionId, QueryId, TableId, TxnId}};
use common_expr::expr::ColumnId;
use common_types::{LogicalType, Scalar};
use fe_analyzer::{TableUse, statement::{AnalyzedInsert, analyze_insert, fill_values}};
use fe_catalog::model::{LoadSource, Table, TxnState};
use fe_parser::ast::{Insert, InsertTarget, Properties};
use fe_plan::{ColumnFactory, LogicalNode};
use proto_messages::chunk::{LoadCounters, TabletCommit};

use super::{plan, query, transaction};
use crate::{
    cluster::heartbeat,
    load::{Begin, Committed, overwrite, owned::Owned, primary::{Shape, narrow}, sink},
    result::StatementResult,
    session::{Session, facts::Facts},
    view::SnapshotView,
};

/// Runs an INSERT.
pub async fn run(session: &mut Session, insert: &Insert, parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<StatementResult> {
    match &insert.target {
        InsertTarget::Table(_) => {}
        InsertTarget::Files(target) => return super::unload::insert(session, insert, target, parameters, id).await,
        InsertTarget::Blackhole => bail!(NotSupported, "INSERT INTO BLACKHOLE is not supported yet"),
    }
    match once(session, insert, parameters, id).await {
        // Nothing of it happened, and the backends that are left can do it.
        Err(e) if query::lost_backend(&e) && insert.label.is_none() && session.transaction.is_none() && came_to_nothing(session, id) => {
            tracing::warn!(query = %id, "an insert is started again: {e}");
            let alive: Vec<_> = session.engine.nodes.alive(&session.engine.meta.snapshot()).iter().map(|b| b.id).collect();
            heartbeat::silent(&session.engine, &alive).await;
            let id = session.engine.new_query_id();
            once(session, insert, parameters, id).await
        }
        done => done,
    }
}

/// Whether the transaction of an insert without a label of its own is aborted.
fn came_to_nothing(session: &Session, id: QueryId) -> bool {
    let (catalog, label) = (session.engine.meta.snapshot(), label_of(id));
    let mut mine = catalog.txns.values().rev().filter(|t| t.label == label).peekable();
    session.engine.meta.is_leader() && mine.peek().is_some() && mine.all(|t| matches!(t.state, TxnState::Aborted { .. }))
}

/// The label of an insert that does not say.
fn label_of(id: QueryId) -> String {
    format!("insert_{id}")
}

async fn once(session: &mut Session, insert: &Insert, parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let analyzed = {
        let facts = Facts::of(session);
        let view = SnapshotView { engine: &session.engine, catalog: session.catalog() };
        let ctx = plan::analyze_context(session, &view, &facts, parameters);
        analyze_insert(&ctx, insert)?
    };
    write(session, analyzed, id).await
}

/// Writes the rows of an analyzed insert.
pub async fn write(session: &mut Session, analyzed: AnalyzedInsert, id: QueryId) -> Result<StatementResult> {
    let rows = rows(session, analyzed, id)?;
    write_rows(session, rows, id).await
}

/// Rows on their way into a table.
pub struct Rows {
    pub table: Arc<Table>,
    /// Named partitions; None = all.
    pub partitions: Option<Vec<PartitionId>>,
    pub label: String,
    pub source: LoadSource,
    /// The rows take the place of those the partitions have.
    pub overwrite: bool,
    pub plan: LogicalNode,
    pub output: Vec<(ColumnUid, ColumnId)>,
    pub columns: ColumnFactory,
    /// The column whose NULLs become numbers.
    pub numbered: Option<ColumnUid>,
    /// What the rows are, unless they are whole rows to upsert (primary keys).
    pub shape: Option<Shape>,
    /// How long it may take, when the statement says so.
    pub timeout: Option<Duration>,
    /// The condition of a DELETE.
    pub delete_condition: String,
    /// What the statement reads.
    pub reads: Vec<TableUse>,
}

impl Rows {
    /// The plan with its sink.
    pub fn plan(self, session: &Session, txn: TxnId, timeout: Duration, into: sink::Into<'_>) -> Result<plan::Planned> {
        let engine = &session.engine;
        let catalog = engine.meta.snapshot();
        let mut sink = sink::table_sink(engine, &catalog, &self.table, txn, &self.label, into, timeout.as_millis() as u64)?;
        sink.numbered_column = self.numbered.map_or(0, |uid| uid.0);
        (sink.strict_mode, sink.max_filter_ratio) = tolerance(session);
        if let Some(shape) = &self.shape {
            narrow(&mut sink, &self.table, shape, &engine.registry)?;
        }
        plan::load(session, self.plan, &self.output, self.columns, sink)
    }
}

/// Whether rows with values that do not fit are refused, and the share of refused rows that fails the statement when exceeded.
fn tolerance(session: &Session) -> (bool, f64) {
    let strict = session.variables.get_bool("enable_insert_strict");
    let ratio = if strict { session.variables.get_text("insert_max_filter_ratio").parse().unwrap_or(0.0) } else { 1.0 };
    (strict, ratio)
}

/// What an analyzed insert writes.
pub fn rows(session: &Session, analyzed: AnalyzedInsert, id: QueryId) -> Result<Rows> {
    let shape = if analyzed.partial && !analyzed.overwrite {
        let fills = super::table::analyze(session, &[], |ctx| fill_values(ctx, &analyzed.table, &analyzed.written))?;
        Some(Shape { written: analyzed.written, fills, kept: analyzed.kept, ..Shape::default() })
    } else if !analyzed.kept.is_empty() && !analyzed.overwrite {
        Some(Shape { kept: analyzed.kept, ..Shape::default() })
    } else {
        None
    };
    Ok(Rows {
        label: analyzed.label.unwrap_or_else(|| label_of(id)),
        table: analyzed.table,
        partitions: analyzed.partitions,
        source: LoadSource::Insert,
        overwrite: analyzed.overwrite,
        plan: analyzed.plan,
        output: analyzed.output,
        columns: analyzed.columns,
        numbered: analyzed.auto_increment,
        shape,
        timeout: timeout(&analyzed.properties)?,
        delete_condition: String::new(),
        reads: analyzed.tables,
    })
}

/// The statement's own timeout. What else its properties may say is about files as the source.
fn timeout(properties: &Properties) -> Result<Option<Duration>> {
    let mut timeout = None;
    for property in properties {
        match property.key.to_ascii_lowercase().as_str() {
            "timeout" => {
                let seconds = property.value.trim().parse().ok().filter(|s| (1..=259_200).contains(s));
                let Some(seconds) = seconds else { bail!(Analysis, "Invalid timeout property: {}", property.value) };
                timeout = Some(Duration::from_secs(seconds));
            }
            "strict_mode" | "max_filter_ratio" => {}
            other => bail!(Analysis, "Getting analyzing error. Detail message: Unknown property for insert: [{other}]."),
        }
    }
    Ok(timeout)
}

/// Writes rows: in the session's open transaction, or else in one of their own.
pub async fn write_rows(session: &mut Session, rows: Rows, id: QueryId) -> Result<StatementResult> {
    if session.transaction.is_some() {
        return transaction::write(session, rows, id).await;
    }
    let engine = session.engine.clone();
    let timeout = rows.timeout.unwrap_or_else(|| Duration::from_secs(session.variables.get_int("insert_timeout").max(1) as u64));
    let label = rows.label.clone();
    let begin = Begin {
        db: rows.table.db_id,
        tables: vec![rows.table.id],
        label: label.clone(),
        request_id: id.0,
        source: rows.source,
        timeout,
        coordinator: format!("FE: {}", engine.options.host),
        backend: None,
        delete_condition: rows.delete_condition.clone(),
    };
    let txn = engine.loads.begin(&engine, begin).await?;
    let owned = Owned::new(&engine, txn);
    let (table, overwrite) = (rows.table.id, rows.overwrite);
    let result = match load(session, rows, txn, timeout, id).await {
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
            if overwrite {
                overwrite::discard(&engine, table, txn).await;
            }
            Err(e)
        }
    };
    owned.ended();
    result
}

async fn load(session: &mut Session, rows: Rows, txn: TxnId, timeout: Duration, id: QueryId) -> Result<(u64, u64, Committed)> {
    let engine = session.engine.clone();
    let (table, only, overwrite) = (rows.table.clone(), rows.partitions.clone(), rows.overwrite);
    let temporary = if overwrite { overwrite::prepare(session, table.id, only.as_deref(), txn).await? } else { Vec::new() };
    let names = named_partitions(&table, only.as_deref());
    let into = match overwrite {
        true => sink::Into::Overwrite { names: &temporary, automatic: only.is_none() },
        false => names.as_deref().into(),
    };
    let planned = rows.plan(session, txn, timeout, into)?;
    let table = table.id;
    let summary = plan::start(session, &planned, id)?.drain().await?;
    let (filtered, judged) = (summary.load.filtered_rows, summary.load.filtered_rows + summary.load.loaded_rows);
    if filtered as f64 > tolerance(session).1 * judged as f64 {
        bail!(TooManyFilteredRows, "Insert has filtered data: {filtered} of {judged} rows, the first one: {}", summary.load.first_error);
    }
    if summary.load.loaded_rows == 0 && summary.tablets.is_empty() {
        // Nothing to publish: the label is used all the same.
        let committed = engine.loads.commit(&engine, txn, &[], &summary.load, Duration::from_secs(10)).await?;
        if overwrite {
            swap(session, table, only.as_deref(), txn, &summary.tablets).await?;
        }
        return Ok((0, summary.load.filtered_rows, committed));
    }
    let wait = Duration::from_secs(session.variables.get_int("tx_visible_wait_timeout").max(1) as u64);
    let wait = if overwrite { timeout } else { wait };
    let committed = engine.loads.commit(&engine, txn, &summary.tablets, &summary.load, wait).await?;
    session.saw(engine.meta.applied_index());
    if overwrite {
        if committed != Committed::Visible {
            bail!(Timeout, "the rows did not become visible in time; the table is as it was");
        }
        swap(session, table, only.as_deref(), txn, &summary.tablets).await?;
    }
    Ok((summary.load.loaded_rows, summary.load.filtered_rows, committed))
}

/// Writes rows for a transaction that the caller commits.
pub(super) async fn load_rows(session: &mut Session, rows: Rows, txn: TxnId, timeout: Duration, id: QueryId) -> Result<(LoadCounters, Vec<TabletCommit>)> {
    let names = named_partitions(&rows.table, rows.partitions.as_deref());
    let planned = rows.plan(session, txn, timeout, names.as_deref().into())?;
    let summary = plan::start(session, &planned, id)?.drain().await?;
    Ok((summary.load, summary.tablets))
}

/// Names of the partitions a statement names.
fn named_partitions(table: &Table, only: Option<&[PartitionId]>) -> Option<Vec<String>> {
    let olap = table.as_olap()?;
    Some(only?.iter().filter_map(|p| olap.partitions.get(p).map(|p| p.name.clone())).collect())
}

/// The new partitions take the place of the old: all of them, or with `dynamic_overwrite` those that got rows.
async fn swap(session: &mut Session, table: TableId, only: Option<&[PartitionId]>, txn: TxnId, written: &[TabletCommit]) -> Result<()> {
    let written = session.variables.get_bool("dynamic_overwrite").then(|| written.iter().filter(|t| t.rows > 0).map(|t| PartitionId(t.partition_id)).collect());
    overwrite::finish(session, table, only, txn, written.as_ref()).await
}
