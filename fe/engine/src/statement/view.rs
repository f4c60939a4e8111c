//! CREATE, ALTER and DROP VIEW: catalog changes only; a view's text is analyzed again at every use.

use std::sync::Arc;

use common_base::{ErrorCode, Result, bail, ids::TableId};
use fe_analyzer::statement::{CreateViewSpec, analyze_alter_view, analyze_create_view};
use fe_catalog::{
    Op,
    model::{Table, TableKind},
};
use fe_parser::ast::{AlterView, AlterViewAction, CreateView, DropView, ViewSecurity};

use super::{name_locks::{Hold, find_and_hold, find_and_hold_if_any}, names, table::analyze};
use crate::{result::StatementResult, session::Session};

/// CREATE VIEW.
pub async fn create(session: &mut Session, statement: &CreateView) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let spec = analyze(session, &[], |ctx| analyze_create_view(ctx, statement))?;
    refuse_temporary(session, &spec)?;
    check_security(spec.security)?;
    let engine = session.engine.clone();
    let (found, _held) = find_and_hold_if_any(session, &spec.db_name, &spec.name).await?;
    match &found {
        None => {
            let db = names::find_database(&engine.meta.snapshot(), &spec.db_name)?;
            let now_ms = engine.clock.now_ms();
            let view = Table {
                comment: spec.comment,
                created_ms: now_ms,
                updated_ms: now_ms,
                ..Table::new(TableId(engine.meta.next_id().await?), db.id, spec.name, spec.columns, TableKind::View(Arc::new(spec.view)))
            };
            session.change(Op::CreateTable(Arc::new(view))).await
        }
        Some(_) if spec.if_not_exists => Ok(StatementResult::ok()),
        Some(old) if spec.or_replace && matches!(old.kind, TableKind::View(_)) => {
            let comment = spec.comment.clone();
            replace(session, old, spec, comment).await
        }
        Some(_) => bail!(TableExists, "Table '{}' already exists", spec.name),
    }
}

/// ALTER VIEW.
pub async fn alter(session: &mut Session, statement: &AlterView) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    match &statement.action {
        AlterViewAction::Query { columns, query, .. } => {
            let spec = analyze(session, &[], |ctx| analyze_alter_view(ctx, &statement.name, columns, query))?;
            refuse_temporary(session, &spec)?;
            let (found, _held) = find_and_hold(session, &spec.db_name, &[&spec.name], Hold::Shared).await?;
            let comment = found[0].comment.clone();
            replace(session, &found[0], spec, comment).await
        }
        AlterViewAction::Security(security) => {
            check_security(*security)?;
            let (db, name) = names::qualified(session, &statement.name)?;
            check_view(&*names::find_table(&session.engine.meta.snapshot(), &db, &name)?, &db)?;
            Ok(StatementResult::ok())
        }
        AlterViewAction::SetProperties(_) => bail!(NotSupported, "ALTER VIEW SET is not supported yet"),
        AlterViewAction::Dialect(_) => bail!(NotSupported, "ALTER VIEW ... DIALECT is not supported yet"),
    }
}

/// DROP VIEW.
pub async fn drop(session: &mut Session, statement: &DropView) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let (db_name, name) = names::qualified(session, &statement.name)?;
    super::table::refuse_system_database(&db_name)?;
    let (found, _held) = match find_and_hold(session, &db_name, &[&name], Hold::Alone).await {
        Ok(held) => held,
        Err(e) if statement.if_exists && matches!(e.code(), ErrorCode::UnknownTable | ErrorCode::UnknownDatabase) => return Ok(StatementResult::ok()),
        Err(e) => return Err(e),
    };
    check_view(&found[0], &db_name)?;
    session.change(Op::DropTable { table: found[0].id, recycle_ms: None }).await
}

async fn replace(session: &mut Session, old: &Table, spec: CreateViewSpec, comment: String) -> Result<StatementResult> {
    let view = Table {
        comment,
        updated_ms: session.engine.clock.now_ms(),
        columns: spec.columns,
        kind: TableKind::View(Arc::new(spec.view)),
        ..old.clone()
    };
    session.change(Op::ReplaceView(Arc::new(view))).await
}

/// A view outlives the session and its temporary tables.
fn refuse_temporary(session: &Session, spec: &CreateViewSpec) -> Result<()> {
    if super::temporary::reads_any(session, &spec.tables) {
        bail!(Analysis, "Getting analyzing error. Detail message: View can't base on temporary table.");
    }
    Ok(())
}

fn check_view(table: &Table, db: &str) -> Result<()> {
    if !matches!(table.kind, TableKind::View(_)) {
        bail!(WrongObject, "'{db}.{}' is not 'VIEW'", table.name);
    }
    Ok(())
}

/// Whose privileges reading needs matters only once there are privileges; until then INVOKER would promise what is not kept.
fn check_security(security: ViewSecurity) -> Result<()> {
    match security {
        ViewSecurity::None => Ok(()),
        ViewSecurity::Invoker => bail!(NotSupported, "SECURITY INVOKER is not supported yet"),
    }
}
