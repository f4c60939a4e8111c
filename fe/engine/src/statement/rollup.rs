//! Rollups and synchronous materialized views: made by a job, given other columns by a job that makes them anew, dropped and renamed
//! at once.

use std::sync::Arc;

use common_base::{Result, bail, err, ids::IndexId};
use fe_analyzer::statement::{ColumnsChange, IndexDraft, analyze_alter_rollup, analyze_rollup, analyze_sync_view};
use fe_catalog::{
    Op,
    model::{AlterChange, AlterJob, AlterKind, IndexState, OlapTable, Table, TableIndex},
};
use fe_parser::ast::{AlterTableClause, CreateMaterializedView, DropMaterializedView, RollupDef, sql};

use super::{
    alter_columns::{begin, new_job, refuse_while_changing, shadow_name},
    names,
    table::analyze,
};
use crate::{cluster::tablets, result::StatementResult, session::Session};

/// ADD ROLLUP: a job for each rollup, all or none.
pub async fn add(session: &mut Session, table: &Table, olap: &OlapTable, rollups: &[RollupDef]) -> Result<StatementResult> {
    let drafts = rollups.iter().map(|rollup| analyze(session, &[], |_| analyze_rollup(table, rollup))).collect::<Result<Vec<_>>>()?;
    build(session, table, olap, drafts).await
}

/// Clauses about the columns of a rollup, together: a rollup with the new ones is made beside it and takes its place.
pub async fn change_columns(session: &mut Session, table: &Table, olap: &OlapTable, clauses: &[AlterTableClause]) -> Result<StatementResult> {
    refuse_while_changing(table, olap)?;
    let change = analyze(session, &[], |ctx| analyze_alter_rollup(ctx, table, clauses))?;
    let old = olap.further.iter().find(|i| i.id == change.rollup).ok_or_else(|| err!(Internal, "rollup {} is gone", change.rollup))?;
    if change.columns == old.columns && change.table.is_none() {
        return Ok(StatementResult::ok());
    }
    let engine = session.engine.clone();
    let job = new_job(&engine, table, olap, AlterKind::Column).await?;
    let index = TableIndex {
        id: IndexId(engine.meta.next_id().await?),
        name: shadow_name(&old.name),
        columns: change.columns,
        short_key_columns: change.short_key_columns,
        schema_version: old.schema_version + 1,
        state: IndexState::Building,
        replaces: Some(old.id),
        created_ms: job.created_ms,
        ..TableIndex::clone(old)
    };
    let rest = AlterChange {
        indexes_ddl: olap.indexes_ddl.clone(),
        properties: olap.properties.clone(),
        next_column_uid: change.table.as_ref().map_or(0, |t| t.next_column_uid),
        columns: change.table.as_ref().map(ColumnsChange::plain_columns).unwrap_or_default(),
    };
    let job = AlterJob { index: index.id, index_name: old.name.clone(), base_index: old.id, schema_version: index.schema_version, change: rest, ..job };
    begin(session, table, olap, vec![(job, index)]).await
}

/// The rollups a table is made with: there is nothing to convert.
pub(super) async fn with_table(session: &mut Session, table: &Table, rollups: &[RollupDef]) -> Result<Vec<Arc<TableIndex>>> {
    let mut made: Vec<Arc<TableIndex>> = Vec::with_capacity(rollups.len());
    for rollup in rollups {
        let draft = analyze(session, &[], |_| analyze_rollup(table, rollup))?;
        if draft.name.eq_ignore_ascii_case(&table.name) || made.iter().any(|i| i.name.eq_ignore_ascii_case(&draft.name)) {
            bail!(User, "Duplicate index name '{}'", draft.name);
        }
        let id = IndexId(session.engine.meta.next_id().await?);
        made.push(Arc::new(TableIndex { state: IndexState::Normal, ..draft.into_index(id, table.created_ms) }));
    }
    Ok(made)
}

async fn build(session: &mut Session, table: &Table, olap: &OlapTable, drafts: Vec<IndexDraft>) -> Result<StatementResult> {
    refuse_while_changing(table, olap)?;
    let catalog = session.engine.meta.snapshot();
    for (i, draft) in drafts.iter().enumerate() {
        let taken = draft.name.eq_ignore_ascii_case(&table.name)
            || drafts[..i].iter().any(|d| d.name.eq_ignore_ascii_case(&draft.name))
            || catalog.tables_of(table.db_id).any(|t| t.as_olap().is_some_and(|o| o.index_by_name(&draft.name).is_some()))
            || (draft.definition.is_some() && catalog.table(table.db_id, &draft.name).is_some());
        if taken {
            bail!(User, "Materialized view[{}] already exists", draft.name);
        }
    }
    let engine = session.engine.clone();
    let mut jobs = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let job = new_job(&engine, table, olap, AlterKind::Rollup).await?;
        let id = IndexId(engine.meta.next_id().await?);
        let index = draft.into_index(id, job.created_ms);
        jobs.push((AlterJob { index: index.id, index_name: index.name.clone(), schema_version: 0, ..job }, index));
    }
    begin(session, table, olap, jobs).await
}

/// DROP ROLLUP.
pub async fn drop(session: &mut Session, table: &Table, olap: &OlapTable, rollups: &[sql::Ident]) -> Result<StatementResult> {
    for name in rollups {
        let index = olap.index_by_name(&name.value).filter(|i| i.replaces.is_none());
        let index = index.ok_or_else(|| err!(User, "Rollup index[{}] does not exist in table[{}]", name.value, table.name))?.clone();
        drop_index(session, table, &index).await?;
    }
    Ok(StatementResult::ok())
}

async fn drop_index(session: &mut Session, table: &Table, index: &TableIndex) -> Result<()> {
    let known = session.engine.meta.snapshot().alter_jobs.values().any(|j| j.table_id == table.id && j.index == index.id);
    session.change(Op::DropIndex { table: table.id, index: index.id }).await?;
    if !known {
        // No job is left to clean up after it.
        let only = table.index_as_table(index).map(|t| super::table::partitions_of(&t)).unwrap_or_default();
        tablets::drop_tablets(&session.engine, &only);
    }
    Ok(())
}

/// RENAME ROLLUP.
pub async fn rename(session: &mut Session, table: &Table, olap: &OlapTable, from: &str, to: &str) -> Result<StatementResult> {
    let index = olap.index_by_name(from).filter(|i| i.replaces.is_none());
    let index = index.ok_or_else(|| err!(User, "Rollup index[{from}] does not exist in table[{}]", table.name))?;
    session.change(Op::RenameIndex { table: table.id, index: index.id, name: to.to_owned() }).await
}

/// CREATE MATERIALIZED VIEW without refresh or distribution: an index of its table.
pub async fn create_view(session: &mut Session, statement: &CreateMaterializedView) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    if statement.refresh.is_some() || statement.distribution.is_some() || !statement.partition_by.is_empty() {
        bail!(NotSupported, "asynchronous materialized views are not supported yet");
    }
    let (db_name, name) = names::qualified(session, &statement.name)?;
    if statement.if_not_exists && find_view(session, &db_name, &name)?.is_some() {
        return Ok(StatementResult::ok());
    }
    let (_, table, draft) = analyze(session, &[], |ctx| analyze_sync_view(ctx, statement))?;
    let olap = names::olap(&table)?.clone();
    build(session, &table, &olap, vec![draft]).await
}

/// DROP MATERIALIZED VIEW.
pub async fn drop_view(session: &mut Session, statement: &DropMaterializedView) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let (db_name, name) = names::qualified(session, &statement.name)?;
    match find_view(session, &db_name, &name)? {
        Some((table, index)) => {
            drop_index(session, &table, &index).await?;
            Ok(StatementResult::ok())
        }
        None if statement.if_exists => Ok(StatementResult::ok()),
        None => bail!(User, "Materialized view {name} is not found"),
    }
}

fn find_view(session: &Session, db: &str, name: &str) -> Result<Option<(Arc<Table>, Arc<TableIndex>)>> {
    let catalog = session.engine.meta.snapshot();
    let db = names::find_database(&catalog, db)?;
    let found = catalog.tables_of(db.id).find_map(|t| Some((t.clone(), t.as_olap()?.index_by_name(name)?.clone())));
    Ok(found)
}
