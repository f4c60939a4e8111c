//! TRUNCATE TABLE: new empty partitions take the places of the old ones in one catalog change; the old tablets leave afterwards.

use common_base::{Result, bail, err};
use fe_catalog::{Op, model::Partition};
use fe_parser::ast::{PartitionNames, TruncateTable, sql};

use super::{name_locks::{Hold, find_and_hold}, names, table::template};
use crate::{
    cluster::tablets::{self, PartitionPlan},
    result::StatementResult,
    session::Session,
};

/// Runs TRUNCATE TABLE.
pub async fn run(session: &mut Session, statement: &TruncateTable) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let (db, name) = names::qualified(session, &statement.table)?;
    super::table::refuse_system_database(&db)?;
    // A temporary table has no name that others could change.
    let _held = match super::temporary::is_temporary(session, &statement.table) {
        true => None,
        false => Some(find_and_hold(session, &db, &[&name], Hold::Shared).await?.1),
    };
    truncate(session, &statement.table, statement.partitions.as_ref()).await
}

/// Empties a table that is held, or the named partitions of it.
pub(crate) async fn truncate(session: &mut Session, name: &sql::ObjectName, only: Option<&PartitionNames>) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let engine = session.engine.clone();
    let catalog = session.catalog();
    let (db, name) = names::qualified(session, name)?;
    super::table::refuse_system_database(&db)?;
    let table = names::find_table(&catalog, &db, &name)?;
    let olap = names::olap(&table)?;
    let old: Vec<Partition> = match only {
        None => olap.partitions.values().filter(|p| !p.temporary).map(|p| p.as_ref().clone()).collect(),
        Some(only) if only.temporary => bail!(User, "Not support truncate temp partitions"),
        Some(only) => {
            let find = |n: &sql::Ident| olap.partition_by_name(&n.value, false).map(|p| p.as_ref().clone());
            only.names
                .iter()
                .map(|n| find(n).ok_or_else(|| err!(UnknownPartition, "Partition {} does not exist", n.value)))
                .collect::<Result<_>>()?
        }
    };
    if old.is_empty() {
        return Ok(StatementResult::ok());
    }
    let made = tablets::create_partitions(&engine, &template(&table, olap), old.iter().map(PartitionPlan::like).collect()).await?;
    let pairs = old.iter().map(|p| p.id).zip(made.iter().cloned()).collect();
    let op = Op::ReplacePartitions { table: table.id, pairs, now_ms: engine.clock.now_ms() };
    match session.change(op).await {
        Ok(done) => {
            tablets::drop_tablets(&engine, &old);
            Ok(done)
        }
        Err(e) => {
            tablets::drop_tablets(&engine, &made);
            Err(e)
        }
    }
}
