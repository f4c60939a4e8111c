//! Temporary tables: tables that one session sees. They leave with the session; those of a session that ended with its frontend leave
//! when that frontend starts again.

use std::sync::Arc;

use common_base::{Result, bail, ids::NodeId};
use fe_analyzer::TableUse;
use fe_catalog::{CatalogState, Op, model::Table};
use fe_parser::ast::{DropTable, encoding, sql};

use super::{names, table::partitions_of};
use crate::{cluster::tablets, engine::Engine, result::StatementResult, session::Session};

/// Refuses making temporary tables where they are switched off.
pub fn check_enabled(engine: &Engine) -> Result<()> {
    if !engine.setting_bool("enable_experimental_temporary_table") {
        bail!(Syntax, "Getting syntax error. Detail message: FE config 'enable_experimental_temporary_table' is disabled.");
    }
    Ok(())
}

/// The session's temporary table of a name.
pub fn find(session: &Session, catalog: &CatalogState, db: &str, name: &str) -> Option<Arc<Table>> {
    let db = catalog.database(db)?;
    catalog.temporary_tables_of(&session.uuid).find(|t| t.db_id == db.id && t.name == name).cloned()
}

/// Whether a name in a statement means a temporary table.
pub fn is_temporary(session: &Session, name: &sql::ObjectName) -> bool {
    let Ok((db, name)) = names::qualified(session, name) else { return false };
    find(session, &session.engine.meta.snapshot(), &db, &name).is_some()
}

/// Whether a statement reads one.
pub fn reads_any(session: &Session, tables: &[TableUse]) -> bool {
    let catalog = session.engine.meta.snapshot();
    tables.iter().any(|t| find(session, &catalog, &t.db, &t.table).is_some())
}

/// DROP TEMPORARY TABLE.
pub async fn drop(session: &mut Session, statement: &DropTable) -> Result<StatementResult> {
    let parts = encoding::name_parts(&statement.name);
    if parts.len() == 3 && parts[0].value != "default_catalog" {
        bail!(Analysis, "Getting analyzing error. Detail message: drop temporary table can only be execute under default catalog.");
    }
    let (db, name) = names::qualified(session, &statement.name)?;
    let catalog = session.engine.meta.snapshot();
    if catalog.database(&db).is_none() {
        bail!(UnknownDatabase, "Getting analyzing error. Detail message: Unknown database '{db}'.");
    }
    match find(session, &catalog, &db, &name) {
        Some(table) => {
            let result = session.change(Op::DropTable { table: table.id, recycle_ms: None }).await?;
            tablets::drop_tablets(&session.engine, &partitions_of(&table));
            Ok(result)
        }
        None if statement.if_exists => Ok(StatementResult::ok()),
        None => bail!(UnknownTable, "Getting analyzing error. Detail message: Unknown table '{name}'."),
    }
}

/// CLEAN TEMPORARY TABLE ON SESSION.
pub async fn clean(session: &mut Session, owner: &str) -> Result<StatementResult> {
    let catalog = session.engine.meta.snapshot();
    drop_all(&session.engine.clone(), catalog.temporary_tables_of(owner).cloned().collect()).await?;
    session.saw(session.engine.meta.applied_index());
    Ok(StatementResult::ok())
}

/// The session ends: its tables go.
pub fn leave(session: &Session) {
    let tables: Vec<_> = session.engine.meta.snapshot().temporary_tables_of(&session.uuid).cloned().collect();
    if tables.is_empty() {
        return;
    }
    let engine = session.engine.clone();
    common_base::runtime::spawn("temporary-tables", async move {
        if let Err(e) = drop_all(&engine, tables).await {
            tracing::warn!("temporary tables of a session that has ended stay until the frontend starts again: {e}");
        }
    });
}

/// The frontend starts: sessions it had before are gone, and so are their tables.
pub async fn sweep(engine: Arc<Engine>) {
    let own = NodeId(engine.meta.node_id());
    let catalog = engine.meta.snapshot();
    let left = catalog.temporary_tables.values().filter(|t| t.frontend == own).filter_map(|t| catalog.tables.get(&t.table)).cloned().collect();
    if let Err(e) = drop_all(&engine, left).await {
        tracing::warn!("temporary tables from before the start could not be dropped: {e}");
    }
}

async fn drop_all(engine: &Arc<Engine>, all: Vec<Arc<Table>>) -> Result<()> {
    for table in all {
        engine.meta.submit(Op::DropTable { table: table.id, recycle_ms: None }).await?;
        tablets::drop_tablets(engine, &partitions_of(&table));
    }
    Ok(())
}
