//! Explicit transactions: BEGIN, one INSERT, UPDATE or DELETE per table, COMMIT or ROLLBACK.
//!
//! All loads share one load transaction, whose commit allots the versions of every table at once. Nothing written is seen before the
//! commit, not even by the session itself: reading a table it has changed is refused. After a load has failed half-way the
//! transaction can only be rolled back.

use std::time::Duration;

use common_base::{Result, bail, err, ids::{DbId, QueryId, TableId, TxnId}};
use fe_analyzer::TableUse;
use fe_catalog::model::{LoadSource, Table};
use fe_parser::ast::{Begin as BeginStatement, Statement};
use proto_messages::chunk::{LoadCounters, TabletCommit};

use super::{insert, names};
use crate::{
    load::{Begin, Committed, sink},
    result::StatementResult,
    session::Session,
};

/// A transaction between BEGIN and its end.
#[derive(Debug)]
pub struct OpenTransaction {
    pub id: TxnId,
    label: String,
    request_id: u128,
    /// The database of its first load.
    db: Option<DbId>,
    modified: Vec<TableId>,
    written: Vec<TabletCommit>,
    counters: LoadCounters,
    /// Why it can only be rolled back.
    failure: Option<String>,
}

/// BEGIN; within a transaction it changes nothing.
pub async fn begin(session: &mut Session, statement: &BeginStatement, id: QueryId) -> Result<StatementResult> {
    if session.transaction.is_none() {
        let label = statement.label.as_ref().map_or_else(|| format!("txn_insert_{id}"), |l| l.value.clone());
        session.transaction = Some(OpenTransaction {
            id: TxnId(session.engine.meta.next_id().await?),
            label,
            request_id: id.0,
            db: None,
            modified: Vec::new(),
            written: Vec::new(),
            counters: LoadCounters::default(),
            failure: None,
        });
    }
    Ok(session.transaction.as_ref().map_or_else(StatementResult::ok, |t| t.answer(0, "PREPARE")))
}

/// COMMIT; without a transaction it changes nothing.
pub async fn commit(session: &mut Session) -> Result<StatementResult> {
    let Some(open) = session.transaction.take() else { return Ok(StatementResult::ok()) };
    let engine = session.engine.clone();
    if let Some(failure) = &open.failure {
        engine.loads.abort(&engine, open.id, failure).await?;
        bail!(User, "transaction {} was rolled back: {failure}", open.id);
    }
    if open.db.is_none() {
        return Ok(open.answer(0, "VISIBLE"));
    }
    let wait = Duration::from_secs(session.variables.get_int("tx_visible_wait_timeout").max(1) as u64);
    match engine.loads.commit(&engine, open.id, &open.written, &open.counters, wait).await {
        Ok(committed) => {
            session.saw(engine.meta.applied_index());
            Ok(open.answer(0, if committed == Committed::Visible { "VISIBLE" } else { "COMMITTED" }))
        }
        Err(e) => {
            if let Err(abort) = engine.loads.abort(&engine, open.id, e.message()).await {
                tracing::warn!(txn = %open.id, "a failed transaction could not be aborted: {abort}");
            }
            Err(e)
        }
    }
}

/// ROLLBACK; without a transaction it changes nothing.
pub async fn rollback(session: &mut Session) -> Result<StatementResult> {
    let Some(open) = session.transaction.take() else { return Ok(StatementResult::ok()) };
    if open.db.is_some() {
        session.engine.loads.abort(&session.engine, open.id, "rolled back by the user").await?;
    }
    Ok(open.answer(0, "ABORTED"))
}

/// The session ends or is reset: what it had open is rolled back.
pub fn leave(session: &mut Session) {
    let Some(open) = session.transaction.take().filter(|t| t.db.is_some()) else { return };
    let engine = session.engine.clone();
    common_base::runtime::spawn("rollback", async move {
        if let Err(e) = engine.loads.abort(&engine, open.id, "the client has gone").await {
            tracing::warn!(txn = %open.id, "a transaction without its client could not be aborted: {e}");
        }
    });
}

/// Refuses what may not run inside a transaction.
pub fn check_statement(session: &Session, statement: &Statement) -> Result<()> {
    let Some(open) = &session.transaction else { return Ok(()) };
    let ends = matches!(statement, Statement::Commit | Statement::Rollback);
    if let (Some(failure), false) = (&open.failure, ends) {
        bail!(TxnStatement, "the transaction can only be rolled back: {failure}");
    }
    let allowed = ends
        || matches!(
            statement,
            Statement::Begin(_)
                | Statement::Query(_)
                | Statement::Explain(_)
                | Statement::Insert(_)
                | Statement::Update(_)
                | Statement::Delete(_)
                | Statement::Set(_)
                | Statement::Show(_)
                | Statement::Describe(_)
                | Statement::Use(_)
                | Statement::Kill(_)
                | Statement::Prepare(_)
                | Statement::Execute(_)
                | Statement::Deallocate(_)
        );
    let overwrite = matches!(statement, Statement::Insert(i) if i.overwrite);
    if !allowed || overwrite {
        bail!(TxnStatement, "Explicit transaction only supports INSERT, UPDATE, DELETE, SELECT, SET and SHOW statements");
    }
    Ok(())
}

/// Refuses reading a table that the session's transaction has changed.
pub fn check_reads(session: &Session, tables: &[TableUse]) -> Result<()> {
    let Some(open) = session.transaction.as_ref().filter(|t| !t.modified.is_empty()) else { return Ok(()) };
    let catalog = session.catalog();
    for used in tables.iter().filter(|t| !t.is_view) {
        let Ok(table) = names::find_table(&catalog, &used.db, &used.table) else { continue };
        if open.modified.contains(&table.id) {
            bail!(TxnReadModified, "Getting analyzing error. Detail message: SELECT cannot read table '{}' modified earlier in the same transaction.", table.name);
        }
    }
    Ok(())
}

/// Writes rows as part of the open transaction.
pub async fn write(session: &mut Session, rows: insert::Rows, id: QueryId) -> Result<StatementResult> {
    let table = rows.table.clone();
    let (txn, label, timeout) = join(session, &table, &rows.reads).await?;
    let rows = insert::Rows { label, ..rows };
    let outcome = insert::load_rows(session, rows, txn, timeout, id).await;
    if let (Err(e), Some(open)) = (&outcome, session.transaction.as_mut())
        && sink::columns_changed(e)
    {
        // Nothing is written: the statement can be planned again, and the transaction is as it was before it.
        open.modified.retain(|t| *t != table.id);
        return outcome.map(|_| StatementResult::ok());
    }
    record(session, outcome)
}

/// The transaction takes a table in: what a statement that writes it begins with.
pub async fn join(session: &mut Session, table: &Table, reads: &[TableUse]) -> Result<(TxnId, String, Duration)> {
    let engine = session.engine.clone();
    let timeout = Duration::from_secs(session.variables.get_int("insert_timeout").max(1) as u64);
    let open = session.transaction.as_ref().ok_or_else(|| err!(Internal, "no transaction is open"))?;
    if open.db.is_some_and(|db| db != table.db_id) {
        bail!(TxnOtherDatabase, "Cannot use different databases in one transaction");
    }
    if open.modified.contains(&table.id) {
        bail!(TxnSameTable, "Cannot import into table '{}' twice in one transaction", table.name);
    }
    check_reads(session, reads)?;
    let open = session.transaction.as_mut().ok_or_else(|| err!(Internal, "no transaction is open"))?;
    if open.db.is_none() {
        let begin = Begin {
            db: table.db_id,
            tables: vec![table.id],
            label: open.label.clone(),
            request_id: open.request_id,
            source: LoadSource::Insert,
            timeout,
            coordinator: format!("FE: {}", engine.options.host),
            backend: None,
            delete_condition: String::new(),
        };
        engine.loads.begin_as(&engine, begin, open.id).await?;
        open.db = Some(table.db_id);
    }
    open.modified.push(table.id);
    Ok((open.id, open.label.clone(), timeout))
}

/// Keeps what a statement wrote for the commit; its failure leaves only a rollback.
pub fn record(session: &mut Session, outcome: Result<(LoadCounters, Vec<TabletCommit>)>) -> Result<StatementResult> {
    let open = session.transaction.as_mut().ok_or_else(|| err!(Internal, "no transaction is open"))?;
    match outcome {
        Ok((counters, tablets)) => {
            let rows = counters.loaded_rows;
            open.counters.loaded_rows += rows;
            open.counters.filtered_rows += counters.filtered_rows;
            open.counters.bytes += counters.bytes;
            open.written.extend(tablets);
            Ok(open.answer(rows, "PREPARE"))
        }
        Err(e) => {
            open.failure = Some(e.message().to_owned());
            Err(e)
        }
    }
}

impl OpenTransaction {
    fn answer(&self, affected_rows: u64, status: &str) -> StatementResult {
        StatementResult::Done { affected_rows, info: format!("{{'label':'{}', 'status':'{status}', 'txnId':'{}'}}", self.label, self.id) }
    }
}
