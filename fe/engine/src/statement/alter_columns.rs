//! ALTER TABLE on columns and secondary indexes: at once where no stored row notices, else as a job that builds the new base index
//! beside the old one. Jobs of any index begin and are cancelled here.

use std::{collections::BTreeMap, sync::Arc};

use common_base::{
    Result, bail,
    ids::{IndexId, NodeId, PartitionId, TabletId},
};
use fe_analyzer::statement::{ColumnsChange, adjust_properties, analyze_alter_columns, index_clause, rollup_of};
use fe_catalog::{
    Op,
    model::{AlterChange, AlterJob, AlterKind, AlterState, IndexState, KeysModel, OlapTable, Table, TableIndex, TabletIndex},
    op::IndexBuild,
};
use fe_parser::ast::{AlterJobKind, AlterTableClause, CancelAlterTable, IndexDef};
use proto_messages::tablet as pb;

use super::{
    names, rollup, secondary_index,
    table::{analyze, template},
};
use crate::{cluster::tablets, engine::Engine, result::StatementResult, session::Session};

/// A job that takes longer is cancelled.
const JOB_TIMEOUT_MS: i64 = 86_400_000;

/// Clauses about columns, together.
pub async fn change_columns(session: &mut Session, table: &Table, olap: &OlapTable, clauses: &[AlterTableClause]) -> Result<StatementResult> {
    if clauses.iter().any(|c| rollup_of(c).is_some()) {
        return rollup::change_columns(session, table, olap, clauses).await;
    }
    refuse_while_changing(table, olap)?;
    let change = analyze(session, &[], |ctx| analyze_alter_columns(ctx, table, clauses))?;
    let gone = |name: &str| !change.columns.iter().any(|c| c.column.name.eq_ignore_ascii_case(name));
    let (indexes_ddl, properties) = without_columns(olap, gone);
    if change.rewrite {
        return rewrite(session, table, olap, change, AlterChange { indexes_ddl, properties, ..AlterChange::default() }).await;
    }
    let columns = change.plain_columns();
    let unchanged = columns == table.columns && change.sort_key == olap.sort_key && indexes_ddl == olap.indexes_ddl;
    if unchanged {
        return Ok(StatementResult::ok());
    }
    let schema_version = olap.schema_version + u32::from(columns != table.columns || indexes_ddl != olap.indexes_ddl || properties != olap.properties);
    // Comments are no schema change.
    let only_comments = columns.len() == table.columns.len()
        && columns.iter().zip(&table.columns).all(|(new, old)| fe_catalog::model::Column { comment: old.comment.clone(), ..new.clone() } == *old);
    let job = if only_comments { None } else { Some(Box::new(finished_job(session, table, olap, schema_version).await?)) };
    session
        .change(Op::ChangeColumns {
            table: table.id,
            base_version: olap.schema_version,
            columns,
            sort_key: change.sort_key,
            indexes_ddl,
            properties,
            next_column_uid: change.next_column_uid,
            job,
        })
        .await
}

/// ADD INDEX: a job when there are rows to write anew.
pub async fn add_index(session: &mut Session, table: &Table, olap: &OlapTable, index: &IndexDef) -> Result<StatementResult> {
    let clause = analyze(session, &[], |ctx| index_clause(ctx, table, index))?;
    let mut indexes_ddl = olap.indexes_ddl.clone();
    indexes_ddl.push(clause);
    let mut properties = olap.properties.clone();
    adjust_properties(&indexes_ddl, &mut properties);
    change_declarations(session, table, olap, indexes_ddl, properties).await
}

/// DROP INDEX.
pub async fn drop_index(session: &mut Session, table: &Table, olap: &OlapTable, name: &str) -> Result<StatementResult> {
    let is_it = |ddl: &String| crate::show::index::parse(ddl).is_some_and(|i| i.name.eq_ignore_ascii_case(name));
    if !olap.indexes_ddl.iter().any(is_it) {
        bail!(User, "index {name} does not exist");
    }
    let indexes_ddl = olap.indexes_ddl.iter().filter(|ddl| !is_it(ddl)).cloned().collect();
    change_declarations(session, table, olap, indexes_ddl, olap.properties.clone()).await
}

/// Secondary indexes and properties that are part of the schema of what is written from now on.
pub async fn change_declarations(
    session: &mut Session,
    table: &Table,
    olap: &OlapTable,
    indexes_ddl: Vec<String>,
    properties: Vec<(String, String)>,
) -> Result<StatementResult> {
    refuse_while_changing(table, olap)?;
    let before = secondary_index::of_columns(olap);
    let declared = OlapTable { indexes_ddl: indexes_ddl.clone(), properties: properties.clone(), ..olap.clone() };
    let built = secondary_index::of_columns(&declared).iter().any(|index| !before.contains(index));
    let has_rows = olap.partitions.values().any(|p| p.visible_version > tablets::INITIAL_VERSION);
    // Rows there are get their index by being written anew; those of a primary key when compaction comes to them.
    if built && has_rows && olap.keys != KeysModel::Primary {
        let change = analyze(session, &[], |ctx| analyze_alter_columns(ctx, table, &[]))?;
        return rewrite(session, table, olap, change, AlterChange { indexes_ddl, properties, ..AlterChange::default() }).await;
    }
    let job = finished_job(session, table, olap, olap.schema_version + 1).await?;
    session
        .change(Op::ChangeColumns {
            table: table.id,
            base_version: olap.schema_version,
            columns: table.columns.clone(),
            sort_key: olap.sort_key.clone(),
            indexes_ddl,
            properties,
            next_column_uid: olap.next_column_uid,
            job: Some(Box::new(job)),
        })
        .await
}

/// One job at a time.
pub fn refuse_while_changing(table: &Table, olap: &OlapTable) -> Result<()> {
    if olap.is_changing() {
        let building_base = olap.further.iter().any(|i| i.state == IndexState::Building && i.replaces.is_some());
        let state = if building_base { "SCHEMA_CHANGE" } else { "ROLLUP" };
        bail!(User, "Table[{}]'s state({state}) is not NORMAL. Do not allow doing ALTER ops", table.name);
    }
    Ok(())
}

/// Declarations that outlive columns.
fn without_columns(olap: &OlapTable, gone: impl Fn(&str) -> bool) -> (Vec<String>, Vec<(String, String)>) {
    let keeps = |ddl: &&String| crate::show::index::parse(ddl).is_none_or(|i| !gone(&i.column));
    let indexes_ddl = olap.indexes_ddl.iter().filter(keeps).cloned().collect();
    let mut properties = olap.properties.clone();
    for (_, value) in properties.iter_mut().filter(|(key, _)| key == "bloom_filter_columns") {
        let left: Vec<&str> = value.split(',').map(str::trim).filter(|c| !gone(c)).collect();
        *value = left.join(",");
    }
    properties.retain(|(key, value)| key != "bloom_filter_columns" || !value.is_empty());
    (indexes_ddl, properties)
}

/// The record of a job.
pub async fn new_job(engine: &Engine, table: &Table, olap: &OlapTable, kind: AlterKind) -> Result<AlterJob> {
    Ok(AlterJob {
        id: engine.meta.next_id().await?,
        kind,
        db_id: table.db_id,
        table_id: table.id,
        table_name: table.name.clone(),
        index: olap.base_index,
        index_name: table.name.clone(),
        base_index: olap.base_index,
        schema_version: olap.schema_version,
        operation: String::new(),
        created_ms: engine.clock.now_ms(),
        finished_ms: 0,
        timeout_ms: JOB_TIMEOUT_MS,
        change: AlterChange::default(),
        waiting: Vec::new(),
        state: AlterState::WaitingTxn,
        message: String::new(),
        garbage: Vec::new(),
    })
}

async fn finished_job(session: &Session, table: &Table, olap: &OlapTable, schema_version: u32) -> Result<AlterJob> {
    let job = new_job(&session.engine, table, olap, AlterKind::Column).await?;
    Ok(AlterJob { schema_version, state: AlterState::Finished, finished_ms: job.created_ms, ..job })
}

/// Begins the job that writes the rows anew.
async fn rewrite(session: &mut Session, table: &Table, olap: &OlapTable, change: ColumnsChange, rest: AlterChange) -> Result<StatementResult> {
    let engine = session.engine.clone();
    let job = new_job(&engine, table, olap, AlterKind::Column).await?;
    let index = TableIndex {
        id: IndexId(engine.meta.next_id().await?),
        name: shadow_name(&table.name),
        keys: olap.keys,
        columns: change.columns,
        sort_key: change.sort_key,
        short_key_columns: change.short_key_columns,
        schema_version: olap.schema_version + 1,
        state: IndexState::Building,
        replaces: Some(olap.base_index),
        predicate: None,
        definition: None,
        created_ms: job.created_ms,
    };
    let rest = AlterChange { next_column_uid: change.next_column_uid, ..rest };
    let job = AlterJob { index: index.id, schema_version: index.schema_version, change: rest, ..job };
    begin(session, table, olap, vec![(job, index)]).await
}

/// The name of what will stand for an index.
pub fn shadow_name(index: &str) -> String {
    format!("__starrocks_shadow_{index}")
}

/// Makes the tablets of indexes and proposes their jobs, all or none.
pub async fn begin(session: &mut Session, table: &Table, olap: &OlapTable, jobs: Vec<(AlterJob, TableIndex)>) -> Result<StatementResult> {
    let engine = session.engine.clone();
    let mut builds: Vec<IndexBuild> = Vec::with_capacity(jobs.len());
    let discard_all = |builds: &[IndexBuild]| builds.iter().for_each(|b| discard(&engine, &b.tablets));
    for (job, index) in jobs {
        let mut declared = olap.clone();
        if job.kind == AlterKind::Column {
            declared.indexes_ddl.clone_from(&job.change.indexes_ddl);
            declared.properties.clone_from(&job.change.properties);
        }
        match create_counterparts(&engine, table, &declared, &index).await {
            Ok(tablets) => builds.push(IndexBuild { job, index, tablets }),
            Err(e) => {
                discard_all(&builds);
                return Err(e);
            }
        }
    }
    let proposed = session.change(begin_op(olap, builds.clone())).await;
    if proposed.is_err() {
        discard_all(&builds);
    }
    proposed
}

/// One index that takes no rollup's place goes the way that frontends of the version before know, too: a group of both goes on.
fn begin_op(olap: &OlapTable, mut builds: Vec<IndexBuild>) -> Op {
    let base_version = olap.schema_version;
    match builds.pop() {
        Some(IndexBuild { job, index, tablets }) if builds.is_empty() && index.replaces.is_none_or(|old| old == olap.base_index) => {
            Op::BeginAlter { job: Box::new(job), base_version, index: Box::new(index), tablets }
        }
        last => {
            builds.extend(last);
            Op::BeginAlters { base_version, builds }
        }
    }
}

/// Drops tablets that did not get into the catalog.
fn discard(engine: &Arc<Engine>, added: &[(PartitionId, TabletIndex)]) {
    let mut per_node: BTreeMap<NodeId, Vec<u64>> = BTreeMap::new();
    for tablet in added.iter().flat_map(|(_, i)| &i.tablets) {
        for replica in &tablet.replicas {
            per_node.entry(replica.node).or_default().push(tablet.id.0);
        }
    }
    tablets::drop_on_backends(engine, per_node);
}

/// A tablet beside every tablet of the base index, on the same nodes, waiting for its history. A replica on a backend that cannot be
/// reached is bad from the start, as if it had been lost since: the job leaves it behind, and repair makes it when the job has ended.
async fn create_counterparts(engine: &Arc<Engine>, table: &Table, olap: &OlapTable, index: &TableIndex) -> Result<Vec<(PartitionId, TabletIndex)>> {
    let of_base = |p: &fe_catalog::model::Partition| p.indexes.iter().find(|i| i.index_id == olap.base_index).cloned();
    let count: usize = olap.partitions.values().filter_map(|p| of_base(p)).flat_map(|i| i.tablets.iter().map(|t| 1 + t.replicas.len()).collect::<Vec<_>>()).sum();
    let mut next = engine.meta.next_ids(count as u64).await?;
    let mut take = || {
        next += 1;
        next - 1
    };
    let template = template(table, olap);
    let schema = template.schema_of(index);
    let mut added = Vec::with_capacity(olap.partitions.len());
    let mut per_node: BTreeMap<NodeId, Vec<pb::CreateTablet>> = BTreeMap::new();
    for partition in olap.partitions.values() {
        let Some(base) = of_base(partition) else { continue };
        let made = tablets::counterparts(&base.tablets, tablets::INITIAL_VERSION, &mut take);
        for (tablet, replica) in made.iter().flat_map(|t| t.replicas.iter().map(move |r| (t, r))) {
            per_node.entry(replica.node).or_default().push(pb::CreateTablet {
                tablet_id: tablet.id.0,
                table_id: table.id.0,
                partition_id: partition.id.0,
                index_id: index.id.0,
                schema: Some(schema.clone()),
                medium: template.medium.clone(),
                initial_version: tablets::INITIAL_VERSION,
                converting: true,
            });
        }
        added.push((partition.id, TabletIndex { index_id: index.id, tablets: made }));
    }
    let unreachable = match tablets::send_creates_to_reachable(engine, per_node).await {
        Ok(unreachable) => unreachable,
        Err(e) => {
            discard(engine, &added);
            return Err(e);
        }
    };
    let short = leave_out(&mut added, |node| unreachable.contains_key(&node));
    if let Some((tablet, node)) = short {
        discard(engine, &added);
        let why = unreachable.get(&node).map(|e| e.message().to_owned()).unwrap_or_default();
        bail!(Unavailable, "no majority of the replicas of tablet {tablet} can be made because backend {node} cannot be reached: {why}");
    }
    for (node, e) in &unreachable {
        tracing::warn!(table = %table.name, backend = %node, "an index is built without replicas there: {e}");
    }
    Ok(added)
}

/// Marks new replicas on nodes that did not make them. A tablet that is left without a majority is an error: it, and one of its nodes.
fn leave_out(added: &mut [(PartitionId, TabletIndex)], is_out: impl Fn(NodeId) -> bool) -> Option<(TabletId, NodeId)> {
    for tablet in added.iter_mut().flat_map(|(_, i)| &mut i.tablets) {
        for replica in &mut tablet.replicas {
            replica.bad = is_out(replica.node);
        }
        let good = tablet.replicas.iter().filter(|r| !r.bad).count();
        let lost = tablet.replicas.iter().find(|r| r.bad).map(|r| r.node);
        if let Some(node) = lost.filter(|_| good < tablet.replicas.len() / 2 + 1) {
            return Some((tablet.id, node));
        }
    }
    None
}

/// CANCEL ALTER TABLE: the running jobs of a kind, or the given ones.
pub async fn cancel(session: &mut Session, statement: &CancelAlterTable) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let (db_name, name) = names::qualified(session, &statement.table)?;
    let catalog = session.engine.meta.snapshot();
    let kind = match statement.kind {
        AlterJobKind::Column => AlterKind::Column,
        AlterJobKind::Rollup | AlterJobKind::MaterializedView => AlterKind::Rollup,
        AlterJobKind::Optimize => AlterKind::Optimize,
    };
    let of_table = |job: &AlterJob| match statement.kind {
        // The statement names the view.
        AlterJobKind::MaterializedView => job.index_name.eq_ignore_ascii_case(&name),
        _ => job.table_name == name || catalog.tables.get(&job.table_id).is_some_and(|t| t.name == name),
    };
    if statement.kind != AlterJobKind::MaterializedView {
        names::find_table(&catalog, &db_name, &name)?;
    }
    let db = names::find_database(&catalog, &db_name)?;
    let asked = |job: &AlterJob| statement.job_ids.is_empty() || statement.job_ids.contains(&(job.id as i64));
    let jobs: Vec<u64> =
        catalog.alter_jobs.values().filter(|j| j.is_running() && j.db_id == db.id && j.kind == kind && of_table(j) && asked(j)).map(|j| j.id).collect();
    if jobs.is_empty() {
        let state = match kind {
            AlterKind::Column => "SCHEMA_CHANGE",
            AlterKind::Rollup => "ROLLUP",
            AlterKind::Optimize => "OPTIMIZE",
        };
        bail!(User, "Table[{name}] is not under {state}");
    }
    for job in jobs {
        let now_ms = session.engine.clock.now_ms();
        session.change(Op::CancelAlter { job, reason: "user cancelled".to_owned(), now_ms }).await?;
    }
    Ok(StatementResult::ok())
}

#[cfg(test)]
mod tests {
    use common_base::ids::ReplicaId;
    use fe_catalog::model::{Replica, Tablet};

    use super::*;

    fn added(replicas: u64) -> Vec<(PartitionId, TabletIndex)> {
        let replicas = (1..=replicas).map(|node| Replica::new(ReplicaId(100 + node), NodeId(node), 1)).collect();
        vec![(PartitionId(1), TabletIndex { index_id: IndexId(2), tablets: vec![Tablet { id: TabletId(10), replicas }] })]
    }

    #[test]
    fn an_index_is_built_when_a_majority_of_each_tablet_is_made() {
        let check = |replicas: u64, out: &[u64]| {
            let mut added = added(replicas);
            let short = leave_out(&mut added, |node| out.contains(&node.0));
            let bad: Vec<u64> = added[0].1.tablets[0].replicas.iter().filter(|r| r.bad).map(|r| r.node.0).collect();
            (short, bad)
        };
        assert_eq!(check(3, &[]), (None, vec![]));
        assert_eq!(check(3, &[2]), (None, vec![2]));
        assert_eq!(check(3, &[2, 3]).0, Some((TabletId(10), NodeId(2))));
        assert_eq!(check(2, &[2]).0, Some((TabletId(10), NodeId(2))));
        assert_eq!(check(1, &[1]).0, Some((TabletId(10), NodeId(1))));
    }
}
