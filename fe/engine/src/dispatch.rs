//! Statement → handler: the one place that lists them all.

use common_base::{ErrorCode, Result, bail, ids::QueryId};
use common_types::{LogicalType, Scalar};
use fe_parser::{
    ParsedStatement,
    ast::{AlterTableClause, Statement},
};

use crate::{
    cluster::inspect,
    files, info_schema,
    load::sink,
    result::StatementResult,
    session::{Session, forward},
    show,
    statement::{admin, analyze, temporary, transaction},
    statement::{alter, alter_columns, cancel_load, cluster, database, delete, describe, explain, insert, kill, node_config, prepared, primary_dml, query, recover, rollup, set, table, truncate, user, view},
};

/// SYNC waits so long.
const SYNC_WAIT: std::time::Duration = std::time::Duration::from_secs(30);
/// How often a statement is planned whose table keeps changing.
const PLANS_MAX: usize = 10;

/// Runs one statement.
pub async fn run(session: &mut Session, parsed: &ParsedStatement, parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<StatementResult> {
    // Hints hold for this statement only.
    let before = session.variables.clone();
    set::apply_hints(session, &parsed.hints)?;
    session.files.forget();
    let mut asked = false;
    let mut caught_up = false;
    let result = loop {
        session.forget_reign();
        if forward::wants_leader(session, &parsed.stmt) {
            // `None`: this frontend leads by now.
            match forward::to_leader(session, parsed, parameters, id).await.transpose() {
                Some(result) => break result,
                None => {}
            }
        }
        let result = run_statement(session, &parsed.stmt, &parsed.text, parameters, id).await;
        if let Err(e) = &result
            && inspect::is_missing(e)
            && !asked
        {
            inspect::refresh(&session.engine).await;
            asked = true;
            continue;
        }
        // Another frontend leads by now, and nothing has been changed.
        if result.is_err() && session.has_lost_reign() && session.origin.is_none() && session.transaction.is_none() {
            continue;
        }
        // A statement whose text says it all is asked of the leader.
        if let Err(e) = &result
            && info_schema::is_for_leader(e)
            && matches!(parsed.stmt, Statement::Query(_) | Statement::Explain(_))
            && session.origin.is_none()
        {
            match forward::to_leader(session, parsed, parameters, id).await.transpose() {
                Some(result) => break result,
                None => continue,
            }
        }
        // What is not known here may have been made a moment ago through another frontend.
        if let Err(e) = &result
            && matches!(e.code(), ErrorCode::UnknownDatabase | ErrorCode::UnknownTable)
            && !std::mem::replace(&mut caught_up, true)
            && session.engine.catch_up_once().await
        {
            continue;
        }
        // Analysis has met files nobody has looked for yet: once they are found it begins again.
        let Some(wanted) = session.files.take_wanted().filter(|_| result.is_err()) else { break result };
        match files::resolve(session, &wanted).await {
            Ok(found) => session.files.keep(wanted, found),
            Err(e) => break Err(e),
        }
    };
    session.files.forget();
    if !parsed.hints.is_empty() {
        session.variables = before;
    }
    result
}

/// Runs a statement without hints; EXPLAIN comes back here. One that writes is planned again when the columns of its table are changed
/// between its analysis and its sink: schema changes that are done at once may come at any rate.
pub async fn run_statement(session: &mut Session, statement: &Statement, text: &str, parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<StatementResult> {
    let writes = matches!(statement, Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_));
    let mut id = id;
    for _ in 1..PLANS_MAX {
        match run_planned(session, statement, text, parameters, id).await {
            Err(e) if writes && sink::columns_changed(&e) => {
                tracing::info!(query = %id, "planned again: {e}");
                // Its load is aborted, and one request begins one load.
                id = session.engine.new_query_id();
            }
            done => return done,
        }
    }
    run_planned(session, statement, text, parameters, id).await
}

async fn run_planned(session: &mut Session, statement: &Statement, text: &str, parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<StatementResult> {
    transaction::check_statement(session, statement)?;
    match statement {
        Statement::Query(s) => query::run(session, s, parameters, id).await,
        Statement::Explain(s) => explain::run(session, s, parameters, id).await,
        Statement::Insert(s) => insert::run(session, s, parameters, id).await,
        Statement::Update(s) if node_config::is_for(session, s) => node_config::update(session, s).await,
        Statement::Update(s) => primary_dml::update(session, s, parameters, id).await,
        Statement::Delete(s) => delete::run(session, s, parameters, id).await,
        Statement::TruncateTable(s) => truncate::run(session, s).await,
        Statement::CreateDatabase(s) => database::create(session, s).await,
        Statement::DropDatabase(s) => database::drop(session, s).await,
        Statement::AlterDatabase(s) => database::alter(session, s).await,
        Statement::Use(s) => database::use_(session, s).await,
        Statement::SetCatalog(name) => database::set_catalog(session, &name.value),
        Statement::CreateTable(s) => table::create(session, s, text).await,
        Statement::CreateTableLike(s) => table::create_like(session, s).await,
        Statement::CreateTableAsSelect(s) => table::create_as_select(session, s, parameters, id).await,
        Statement::DropTable(s) => table::drop(session, s).await,
        Statement::Recover(s) => recover::run(session, s).await,
        Statement::AlterTable(s) => alter::run(session, s).await,
        Statement::CreateIndex(s) => alter::run_clause(session, &s.table, AlterTableClause::AddIndex(s.index.clone())).await,
        Statement::DropIndex(s) => alter::run_clause(session, &s.table, AlterTableClause::DropIndex(s.name.clone())).await,
        Statement::CreateMaterializedView(s) => rollup::create_view(session, s).await,
        Statement::DropMaterializedView(s) => rollup::drop_view(session, s).await,
        Statement::CancelLoad(s) => cancel_load::run(session, s).await,
        Statement::CancelAlterTable(s) => alter_columns::cancel(session, s).await,
        Statement::CreateView(s) => view::create(session, s).await,
        Statement::AlterView(s) => view::alter(session, s).await,
        Statement::DropView(s) => view::drop(session, s).await,
        Statement::Set(s) => set::run(session, s, id).await,
        Statement::Kill(s) => kill::run(session, s).await,
        Statement::Prepare(s) => prepared::prepare(session, s),
        Statement::Execute(s) => Box::pin(prepared::execute(session, s, id)).await,
        Statement::Deallocate(s) => prepared::deallocate(session, s),
        Statement::Show(s) => show::run(session, s, id).await,
        Statement::Describe(s) => describe::run(session, s).await,
        Statement::Admin(s) => admin::run(session, s).await,
        Statement::AlterSystem(s) => cluster::run(session, s).await,
        Statement::CreateUser(s) => user::create(session, s).await,
        Statement::DropUser(s) => user::drop(session, s).await,
        Statement::AlterUser(s) => user::alter(session, s).await,
        Statement::AnalyzeTable(s) => analyze::table(session, s, id).await,
        Statement::AnalyzeHistogram(s) => analyze::histogram(session, s, id).await,
        Statement::DropStats { table, multi_columns } => analyze::drop_stats(session, table, *multi_columns).await,
        Statement::CreateAnalyzeJob(s) => analyze::create_job(session, s).await,
        Statement::DropAnalyzeJob { id } => analyze::drop_job(session, *id).await,
        Statement::KillAnalyze(s) => analyze::kill(session, s),
        Statement::LockTables => Ok(StatementResult::ok()),
        Statement::Sync => {
            session.engine.meta.read_barrier(SYNC_WAIT).await?;
            Ok(StatementResult::ok())
        }
        Statement::Begin(s) => transaction::begin(session, s, id).await,
        Statement::Commit => transaction::commit(session).await,
        Statement::Rollback => transaction::rollback(session).await,
        Statement::CleanTemporaryTables(owner) => temporary::clean(session, owner).await,
        other => bail!(NotSupported, "{} is not supported yet", name_of(other)),
    }
}

/// The statement's kind, for messages.
fn name_of(statement: &Statement) -> String {
    if let Statement::Unsupported { what } = statement {
        return what.clone();
    }
    words_of(statement)
}

/// The name of an enum's variant as words, for messages.
pub(crate) fn words_of(variant: &impl std::fmt::Debug) -> String {
    let debug = format!("{variant:?}");
    let variant: String = debug.chars().take_while(|c| c.is_alphanumeric()).collect();
    // `CreateMaterializedView` → `CREATE MATERIALIZED VIEW`
    let mut name = String::new();
    for c in variant.chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push(' ');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}
