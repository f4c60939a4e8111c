//! DELETE on tables without a primary key: a predicate that hides rows of lower versions, written to every tablet of the partitions
//! it can touch, inside a transaction of its own.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use common_base::{
    Result, bail, err,
    ids::{ColumnUid, NodeId, PartitionId, QueryId, TxnId},
};
use common_expr::{
    expr::{ColumnId, Expr},
    predicate::{ColumnPredicate, extract_all},
};
use common_rpc::status;
use common_types::{LogicalType, Scalar};
use fe_analyzer::statement::{AnalyzedDelete, DeleteForm, analyze_delete};
use fe_catalog::model::{
    ColumnSource, KeysModel, LoadSource, OlapTable, Partition, PartitionBound, PartitionInfo, PartitionItem, Table, TableIndex,
};
use fe_parser::ast::Delete;
use proto_messages::{
    chunk::{LoadCounters, TabletCommit},
    tablet::{DeletePredicate, TabletSchema},
};
use proto_services::be_service::PrepareDeleteRequest;

use super::{names, table::{analyze, template}, transaction};
use crate::{
    engine::Engine,
    load::{Begin, Committed, owned::Owned},
    result::StatementResult,
    session::Session,
};

/// Runs DELETE.
pub async fn run(session: &mut Session, statement: &Delete, parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let analyzed = analyze(session, parameters, |ctx| analyze_delete(ctx, statement))?;
    let DeleteForm::Predicates { conjuncts, columns } = &analyzed.form else {
        let condition = statement.selection.as_ref().map(ToString::to_string).unwrap_or_default();
        return super::primary_dml::delete(session, analyzed, condition, id).await;
    };
    let olap = names::olap(&analyzed.table)?.clone();
    let partitions = touched(&analyzed, &olap, conjuncts, columns);
    let engine = session.engine.clone();
    let predicate = predicate_message(&analyzed.table, conjuncts, columns)?;
    if !olap.further.is_empty() {
        if olap.is_changing() {
            bail!(User, "Table[{}]'s state(SCHEMA_CHANGE) is not NORMAL. Do not allow doing DELETE", analyzed.table.name);
        }
        for index in &olap.further {
            check_index(&analyzed.table, index, &predicate)?;
        }
    }
    let template = template(&analyzed.table, &olap);
    let mut schema = BTreeMap::from([(olap.base_index.0, template.schema())]);
    schema.extend(olap.further.iter().map(|index| (index.id.0, template.schema_of(index))));
    if session.transaction.is_some() {
        let (txn, _, _) = transaction::join(session, &analyzed.table, &analyzed.tables).await?;
        let written = write(&engine, txn, &partitions, &predicate, &schema).await;
        return transaction::record(session, written.map(|w| (LoadCounters::default(), w)));
    }
    let label = format!("delete_{id}");
    let timeout = Duration::from_secs(session.variables.get_int("insert_timeout").max(1) as u64);
    let begin = Begin {
        db: analyzed.table.db_id,
        tables: vec![analyzed.table.id],
        label: label.clone(),
        request_id: id.0,
        source: LoadSource::Delete,
        timeout,
        coordinator: format!("FE: {}", engine.options.host),
        backend: None,
        delete_condition: predicate.text.clone(),
    };
    let txn = engine.loads.begin(&engine, begin).await?;
    let owned = Owned::new(&engine, txn);
    let wait = Duration::from_secs(session.variables.get_int("tx_visible_wait_timeout").max(1) as u64);
    let outcome = match write(&engine, txn, &partitions, &predicate, &schema).await {
        Ok(written) => engine.loads.commit(&engine, txn, &written, &LoadCounters::default(), wait).await,
        Err(e) => Err(e),
    };
    let result = match outcome {
        Ok(committed) => {
            session.saw(engine.meta.applied_index());
            let state = if committed == Committed::Visible { "VISIBLE" } else { "COMMITTED" };
            Ok(StatementResult::Done { affected_rows: 0, info: format!("{{'label':'{label}', 'status':'{state}', 'txnId':'{txn}'}}") })
        }
        Err(e) => {
            if let Err(abort) = engine.loads.abort(&engine, txn, e.message()).await {
                tracing::warn!(%txn, "a failed delete could not be aborted: {abort}");
            }
            Err(e)
        }
    };
    owned.ended();
    result
}

/// A rollup or synchronous view must tell from its own rows which of them the condition means.
fn check_index(table: &Table, index: &TableIndex, predicate: &DeletePredicate) -> Result<()> {
    for uid in predicate.column_uids.iter().map(|uid| ColumnUid(*uid)) {
        let name = table.column_by_uid(uid).map_or("", |c| c.name.as_str());
        let Some(found) = index.columns.iter().find(|c| c.column.uid == uid && c.source == ColumnSource::Column(uid)) else {
            return Err(err!(UnknownColumn, "Unknown column '{name}' in 'index[{}]'", index.name));
        };
        if index.keys != KeysModel::Duplicate && !found.column.key {
            bail!(User, "Column[{name}] is not key column in index[{}]", index.name);
        }
    }
    Ok(())
}

/// Writes the predicate to every replica that answers; a tablet without any is an error, the commit checks for majorities.
async fn write(engine: &Arc<Engine>, txn: TxnId, partitions: &[Arc<Partition>], predicate: &DeletePredicate, schemas: &BTreeMap<u64, TabletSchema>) -> Result<Vec<TabletCommit>> {
    let catalog = engine.meta.snapshot();
    let mut places: BTreeMap<u64, (PartitionId, u64)> = BTreeMap::new();
    let mut per_node: BTreeMap<(NodeId, u64), Vec<u64>> = BTreeMap::new();
    for partition in partitions {
        for index in &partition.indexes {
            for tablet in &index.tablets {
                places.insert(tablet.id.0, (partition.id, index.index_id.0));
                for replica in tablet.replicas.iter().filter(|r| engine.nodes.is_alive(r.node)) {
                    per_node.entry((replica.node, index.index_id.0)).or_default().push(tablet.id.0);
                }
            }
        }
    }
    let calls = per_node.into_iter().map(|((node, index), tablet_ids)| {
        let address = catalog.backends.get(&node).map(|b| format!("{}:{}", b.host, b.be_port));
        async move {
            let address = address.ok_or_else(|| err!(Unavailable, "backend {node} is gone"))?;
            let request = PrepareDeleteRequest { txn_id: txn.0, tablet_ids, predicate: Some(predicate.clone()), schema: schemas.get(&index).cloned() };
            let reply = engine.pool.be(&address)?.prepare_delete(request).await.map_err(|e| status::from_grpc(&e, &address))?.into_inner();
            status::from_message(reply.status)?;
            Ok::<_, common_base::Error>((node, reply.prepared))
        }
    });
    let mut written = Vec::new();
    let mut failure = None;
    for outcome in futures::future::join_all(calls).await {
        match outcome {
            Ok((node, tablets)) => written.extend(tablets.iter().filter_map(|tablet| {
                let (partition, index_id) = places.get(tablet)?;
                Some(TabletCommit { tablet_id: *tablet, node_id: node.0, partition_id: partition.0, index_id: *index_id, rows: 0, bytes: 0 })
            })),
            Err(e) => failure = Some(e),
        }
    }
    let missed = places.keys().find(|t| !written.iter().any(|w| w.tablet_id == **t));
    match (missed, failure) {
        (None, _) => Ok(written),
        (Some(_), Some(e)) => Err(e),
        (Some(tablet), None) => bail!(Unavailable, "no replica of tablet {tablet} answers"),
    }
}

fn predicate_message(table: &Table, conjuncts: &[Expr], columns: &[(ColumnId, ColumnUid)]) -> Result<DeletePredicate> {
    let mut used: Vec<ColumnId> = conjuncts.iter().flat_map(Expr::columns).collect();
    used.sort_unstable();
    used.dedup();
    let uid_of = |id: ColumnId| columns.iter().find(|(c, _)| *c == id).map(|(_, uid)| *uid);
    let column_uids = used.iter().map(|id| uid_of(*id).ok_or_else(|| err!(Internal, "a delete predicate's column belongs to the table"))).collect::<Result<Vec<_>>>()?;
    let ordinal = |id: ColumnId| used.iter().position(|u| *u == id).map_or(id, |p| p as ColumnId);
    let remapped: Vec<Expr> = conjuncts.iter().map(|e| e.clone().map_columns(&mut |id| ordinal(id))).collect();
    let name = |id: ColumnId| uid_of(id).and_then(|uid| table.column_by_uid(uid)).map(|c| c.name.clone()).unwrap_or_default();
    Ok(DeletePredicate {
        column_uids: column_uids.into_iter().map(|u| u.0).collect(),
        conjuncts: common_expr::wire::list_to_proto(&remapped)?,
        text: common_expr::sql::list_to_sql(conjuncts, &name),
    })
}

/// The partitions that can hold rows the predicate is TRUE for.
fn touched(analyzed: &AnalyzedDelete, olap: &OlapTable, conjuncts: &[Expr], columns: &[(ColumnId, ColumnUid)]) -> Vec<Arc<Partition>> {
    if conjuncts.iter().any(|e| e.as_literal().is_some()) {
        // Never true: the analyzer leaves TRUE out.
        return Vec::new();
    }
    let asked = |p: &Arc<Partition>| match &analyzed.partitions {
        Some(ids) => ids.contains(&p.id),
        None => !p.temporary,
    };
    let partition_column = match &olap.partition_info {
        PartitionInfo::Range { columns } | PartitionInfo::List { columns } if columns.len() == 1 => Some(columns[0]),
        _ => None,
    };
    let (predicates, _) = extract_all(conjuncts);
    let on_partition_column: Vec<&ColumnPredicate> =
        predicates.iter().filter(|p| columns.iter().any(|(id, uid)| *id == p.column && Some(*uid) == partition_column)).collect();
    olap.partitions.values().filter(|p| asked(p) && on_partition_column.iter().all(|c| may_hold(&p.item, c))).cloned().collect()
}

fn may_hold(item: &PartitionItem, predicate: &ColumnPredicate) -> bool {
    match item {
        PartitionItem::Range { lower: PartitionBound::Values(lower), upper: PartitionBound::Values(upper) } => match (lower.first(), upper.first()) {
            // The upper end is taken in, and NULLs may be there: both only keep a partition that could go.
            (Some(low), Some(high)) => predicate.may_match(low, high, 1, 2),
            _ => true,
        },
        PartitionItem::List(tuples) => tuples.iter().filter_map(|t| t.first()).any(|v| if v.is_null() { predicate.accepts_null() } else { predicate.matches(v) }),
        _ => true,
    }
}
