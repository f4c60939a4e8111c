//! Dropping into the recycle bin, and RECOVER DATABASE, TABLE, PARTITION.

use std::time::Duration;

use common_base::{Result, bail, err};
use fe_catalog::{Op, model::{PartitionItem, RecycledObject}};
use fe_parser::ast::{Recover, sql};

use super::{name_locks::{Hold, find_and_hold, find_and_hold_database}, names};
use crate::{info_schema, result::StatementResult, session::Session};

/// How long a drop waits for committed loads to become visible.
const SETTLE_ATTEMPTS: u32 = 100;
const SETTLE_PAUSE: Duration = Duration::from_millis(50);

/// Proposes a drop into the recycle bin; loads that are committed become visible first.
pub(super) async fn drop_settled(session: &mut Session, op: Op, touched: impl Fn(&fe_catalog::model::Transaction) -> bool) -> Result<StatementResult> {
    for _ in 0..SETTLE_ATTEMPTS {
        let catalog = session.engine.meta.snapshot();
        if !catalog.committed.keys().filter_map(|id| catalog.txns.get(id)).any(|t| touched(t)) {
            break;
        }
        tokio::time::sleep(SETTLE_PAUSE).await;
    }
    session.change(op).await
}

/// Runs RECOVER.
pub async fn run(session: &mut Session, statement: &Recover) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    match statement {
        Recover::Database(name) => database(session, name).await,
        Recover::Table(name) => table(session, name).await,
        Recover::Partition { name, table } => partition(session, &name.value, table).await,
    }
}

async fn database(session: &mut Session, name: &sql::ObjectName) -> Result<StatementResult> {
    let name = names::database_name(name)?;
    let catalog = session.engine.meta.snapshot();
    if catalog.database(&name).is_some() || info_schema::is_system_database(&name) {
        bail!(DatabaseExists, "Can't create database '{name}'; database exists");
    }
    let entry = catalog.recycled_database(&name).ok_or_else(|| err!(UnknownDatabase, "Unknown database '{name}'"))?;
    session.change(Op::Recover { id: entry.id() }).await
}

async fn table(session: &mut Session, name: &sql::ObjectName) -> Result<StatementResult> {
    let (db_name, name) = names::qualified(session, name)?;
    let (db, _held) = find_and_hold_database(session, &db_name, Hold::Shared).await?;
    let catalog = session.engine.meta.snapshot();
    if catalog.table(db.id, &name).is_some() {
        bail!(TableExists, "Table '{name}' already exists");
    }
    let entry = catalog.recycled_table(db.id, &name).ok_or_else(|| names::unknown_table(&name))?;
    session.change(Op::Recover { id: entry.id() }).await
}

async fn partition(session: &mut Session, name: &str, table: &sql::ObjectName) -> Result<StatementResult> {
    let (db_name, table_name) = names::qualified(session, table)?;
    let (mut found, _held) = find_and_hold(session, &db_name, &[&table_name], Hold::Shared).await?;
    let (table, catalog) = (found.remove(0), session.engine.meta.snapshot());
    let olap = names::olap(&table)?;
    if olap.partition_by_name(name, false).is_some() {
        bail!(Analysis, "partition[{name}] already exist in table[{table_name}]");
    }
    let Some(entry) = catalog.recycled_partition(table.id, name) else {
        bail!(Analysis, "No partition named '{name}' in recycle bin that belongs to table '{table_name}'");
    };
    let RecycledObject::Partition { partition, .. } = &entry.object else { bail!(Internal, "{name} in the recycle bin is no partition") };
    if matches!(partition.item, PartitionItem::List(_)) {
        bail!(Analysis, "Does not support recover list partition");
    }
    let formal = olap.partitions.values().filter(|p| !p.temporary);
    if formal.into_iter().any(|p| fe_analyzer::statement::partitions_intersect(&p.item, &partition.item)) {
        bail!(Analysis, "Can not recover partition[{name}]. Range conflict.");
    }
    session.change(Op::Recover { id: entry.id() }).await
}
