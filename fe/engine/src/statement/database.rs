//! CREATE, DROP, ALTER DATABASE and USE.

use common_base::{Result, bail, ids::DbId};
use fe_catalog::{Op, model::Database};
use fe_parser::ast::{AlterDatabase, AlterDatabaseAction, CreateDatabase, DropDatabase, Use};

use super::{name_locks::{Hold, find_and_hold_database}, names, recover};
use crate::{cluster::tablets, info_schema, result::StatementResult, session::Session};

/// CREATE DATABASE.
pub async fn create(session: &mut Session, statement: &CreateDatabase) -> Result<StatementResult> {
    let name = names::database_name(&statement.name)?;
    check_name(&name)?;
    let engine = session.engine.clone();
    if engine.meta.snapshot().database(&name).is_some() || info_schema::is_system_database(&name) {
        if statement.if_not_exists {
            return Ok(StatementResult::ok());
        }
        bail!(DatabaseExists, "Can't create database '{name}'; database exists");
    }
    let db = Database {
        id: DbId(engine.meta.next_id().await?),
        name,
        properties: statement.properties.iter().map(|p| (p.key.clone(), p.value.clone())).collect(),
        created_ms: engine.clock.now_ms(),
    };
    session.change(Op::CreateDatabase(db)).await
}

/// DROP DATABASE.
pub async fn drop(session: &mut Session, statement: &DropDatabase) -> Result<StatementResult> {
    let name = names::database_name(&statement.name)?;
    if info_schema::is_system_database(&name) {
        bail!(AccessDeniedPrivilege, "Access denied; database '{name}' cannot be dropped");
    }
    let (db, _held) = match find_and_hold_database(session, &name, Hold::Alone).await {
        Ok(held) => held,
        Err(_) if statement.if_exists => return Ok(StatementResult::ok()),
        Err(_) => bail!(BadDatabaseDrop, "Can't drop database '{name}'; database doesn't exist"),
    };
    let catalog = session.engine.meta.snapshot();
    let id = db.id;
    let recycle_ms = (!statement.force).then(|| session.engine.clock.now_ms());
    let op = Op::DropDatabase { db: id, force: statement.force, recycle_ms };
    let result = if statement.force { session.change(op).await? } else { recover::drop_settled(session, op, |txn| txn.db_id == id).await? };
    if statement.force {
        let temporary = catalog.temporary_tables.iter().filter(|((_, of, _), _)| *of == id).filter_map(|(_, t)| catalog.tables.get(&t.table));
        for table in catalog.tables_of(id).chain(temporary) {
            tablets::drop_tablets(&session.engine, &super::table::partitions_of(table));
        }
    }
    if session.database.as_deref() == Some(name.as_str()) {
        session.database = None;
    }
    Ok(result)
}

/// ALTER DATABASE.
pub async fn alter(session: &mut Session, statement: &AlterDatabase) -> Result<StatementResult> {
    let name = names::database_name(&statement.name)?;
    let how = if matches!(statement.action, AlterDatabaseAction::Rename(_)) { Hold::Alone } else { Hold::Shared };
    let (db, _held) = find_and_hold_database(session, &name, how).await?;
    match &statement.action {
        AlterDatabaseAction::Rename(to) => {
            check_name(&to.value)?;
            session.change(Op::RenameDatabase { db: db.id, name: to.value.clone() }).await
        }
        AlterDatabaseAction::SetProperties(properties) => {
            let properties = properties.iter().map(|p| (p.key.clone(), p.value.clone())).collect();
            session.change(Op::AlterDatabaseProperties { db: db.id, properties }).await
        }
        AlterDatabaseAction::DataQuota(_) | AlterDatabaseAction::ReplicaQuota(_) => bail!(NotSupported, "database quotas are not supported yet"),
    }
}

/// USE.
pub async fn use_(session: &mut Session, statement: &Use) -> Result<StatementResult> {
    match statement {
        Use::Database(name) => {
            let name = names::database_name(name)?;
            session.find_and_use_database(&name).await?;
            Ok(StatementResult::ok())
        }
        Use::Catalog(name) => set_catalog(session, name),
    }
}

/// SET CATALOG and `USE 'CATALOG name'`: there is one, the internal catalog.
pub fn set_catalog(session: &mut Session, name: &str) -> Result<StatementResult> {
    if !name.eq_ignore_ascii_case("default_catalog") {
        bail!(Analysis, "Unknown catalog '{name}'");
    }
    session.leave_database();
    Ok(StatementResult::ok())
}

/// Names of databases: a letter or underscore, then letters, digits, underscores, hyphens, 256 at most.
fn check_name(name: &str) -> Result<()> {
    let first = name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    let rest = name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if !first || !rest || name.len() > 256 {
        bail!(User, "Incorrect database name '{name}'");
    }
    Ok(())
}
