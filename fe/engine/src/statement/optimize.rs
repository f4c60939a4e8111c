//! ALTER TABLE … DISTRIBUTED BY: rows of partitions into other buckets.
//!
//! Flow: temporary partitions with the new buckets → each filled by an insert that reads its partition → one catalog change puts
//! them into the places of the old ones, refused when a load came in between; then those partitions are filled again.

use std::time::Duration;

use common_base::{Result, bail, err, ids::PartitionId};
use fe_analyzer::statement::analyze_insert;
use fe_catalog::{
    Op,
    model::{AlterKind, AlterState, Distribution, LoadSource, OlapTable, Partition, Table},
};
use fe_parser::{
    ast::{self, DistributionKind, OptimizeClause, Statement},
    print::quote_ident,
};

use super::{
    alter_columns::{new_job, refuse_while_changing},
    names, plan,
    table::{analyze, automatic_buckets, template},
};
use crate::{
    cluster::tablets::{self, PartitionPlan},
    load::{Begin, owned::Owned, sink},
    result::StatementResult,
    session::Session,
};

/// Loads that come in between make the work of a round useless; after so many rounds it is given up.
const ROUNDS: usize = 20;
/// A running load is waited for this long before a round is given up.
const PAUSE: Duration = Duration::from_millis(250);

/// Runs the clause.
pub async fn run(session: &mut Session, db: &str, table: &Table, olap: &OlapTable, clause: &OptimizeClause) -> Result<StatementResult> {
    refuse_while_changing(table, olap)?;
    if clause.key.is_some() || clause.partition_by.is_some() || clause.order_by.is_some() || clause.between.is_some() {
        bail!(NotSupported, "ALTER TABLE with another key, partitioning or order together with a distribution is not supported yet");
    }
    let Some(asked) = &clause.distribution else { bail!(NotSupported, "ALTER TABLE with a new layout needs DISTRIBUTED BY") };
    if olap.colocate_group.is_some() {
        bail!(User, "Table {} is in a colocate group, its distribution cannot change", table.name);
    }
    let distribution = distribution(table, olap, asked, clause.partitions.is_some())?;
    let chosen = chosen(olap, clause)?;
    let whole_table = clause.partitions.is_none();
    let job = new_job(&session.engine, table, olap, AlterKind::Optimize).await?;
    let operation = if whole_table { "OPTIMIZE TABLE".to_owned() } else { "OPTIMIZE PARTITIONS".to_owned() };
    let outcome = rounds(session, db, table, &chosen, &distribution, whole_table).await;
    let now_ms = session.engine.clock.now_ms();
    match outcome {
        Ok((pairs, made)) => {
            let job = fe_catalog::model::AlterJob { operation, state: AlterState::Finished, finished_ms: now_ms, ..job };
            let op = Op::OptimizePartitions { table: table.id, pairs, distribution: whole_table.then_some(distribution), job: Some(Box::new(job)), now_ms };
            // `rounds` has tried the same change without the record; only a load in this very moment can refuse it.
            match session.change(op).await {
                Ok(done) => {
                    tablets::drop_tablets(&session.engine, &chosen);
                    Ok(done)
                }
                Err(e) => {
                    forget(session, table, &made).await;
                    Err(e)
                }
            }
        }
        Err(e) => Err(e),
    }
}

/// The distribution the clause asks for.
fn distribution(table: &Table, olap: &OlapTable, asked: &ast::Distribution, some_partitions: bool) -> Result<Distribution> {
    let buckets = asked.buckets.unwrap_or(0);
    let new = match &asked.kind {
        DistributionKind::Random => Distribution::Random { buckets },
        DistributionKind::Hash(columns) => {
            let uid = |c: &ast::sql::Ident| {
                let column = table.column(&c.value).ok_or_else(|| err!(User, "Distribution column({}) doesn't exist", c.value))?;
                if olap.keys != fe_catalog::model::KeysModel::Duplicate && !column.key {
                    bail!(User, "Distribution column[{}] is not key column", column.name);
                }
                Ok(column.uid)
            };
            Distribution::Hash { columns: columns.iter().map(uid).collect::<Result<_>>()?, buckets }
        }
    };
    match (&olap.distribution, &new) {
        (Distribution::Random { .. }, Distribution::Random { .. }) => bail!(
            User,
            "Getting analyzing error. Detail message: Random distribution table already supports automatic scaling and does not require optimization."
        ),
        (Distribution::Hash { columns: old, .. }, Distribution::Hash { columns: new, .. }) if some_partitions && old != new => {
            bail!(Analysis, "Getting analyzing error. Detail message: not support change distribution column when specify partitions.")
        }
        (Distribution::Hash { .. }, Distribution::Random { .. }) | (Distribution::Random { .. }, Distribution::Hash { .. }) if some_partitions => {
            bail!(Analysis, "Getting analyzing error. Detail message: not support change distribution type when specify partitions.")
        }
        (_, Distribution::Random { .. }) if olap.keys != fe_catalog::model::KeysModel::Duplicate => {
            bail!(Analysis, "Getting analyzing error. Detail message: {:?} key table must use hash distribution.", olap.keys)
        }
        _ => Ok(new),
    }
}

fn chosen(olap: &OlapTable, clause: &OptimizeClause) -> Result<Vec<Partition>> {
    let Some(partitions) = &clause.partitions else {
        if olap.partitions.values().any(|p| p.temporary) {
            bail!(User, "Can not change the distribution of a table with temporary partitions");
        }
        return Ok(olap.partitions.values().map(|p| p.as_ref().clone()).collect());
    };
    let mut chosen: Vec<Partition> = Vec::new();
    for name in &partitions.names {
        let found = olap.partition_by_name(&name.value, partitions.temporary);
        let found = found.ok_or_else(|| err!(UnknownPartition, "Partition {} does not exist", name.value))?;
        if !chosen.iter().any(|p| p.id == found.id) {
            chosen.push(found.as_ref().clone());
        }
    }
    Ok(chosen)
}

/// Old partition, the one in its place, the version that was copied.
type Pairs = Vec<(PartitionId, PartitionId, i64)>;

/// Copies until nothing came in between; the temporary partitions hold everything then.
async fn rounds(session: &mut Session, db: &str, table: &Table, chosen: &[Partition], distribution: &Distribution, whole_table: bool) -> Result<(Pairs, Vec<PartitionId>)> {
    let mut last = err!(User, "the rows of table '{}' change too fast to be distributed anew", table.name);
    for _ in 0..ROUNDS {
        let (made, pairs) = match copy(session, db, table, chosen, distribution).await {
            Ok(copied) => copied,
            Err((made, e)) => {
                forget(session, table, &made).await;
                return Err(e);
            }
        };
        // Loads under way would lose what they have written to the old partitions.
        for _ in 0..8 {
            let check = Op::OptimizePartitions { table: table.id, pairs: pairs.clone(), distribution: whole_table.then(|| distribution.clone()), job: None, now_ms: 0 };
            match session.engine.meta.snapshot().as_ref().clone().apply(check) {
                Ok(_) => return Ok((pairs, made)),
                Err(e) => last = e,
            }
            tokio::time::sleep(PAUSE).await;
        }
        forget(session, table, &made).await;
    }
    Err(last)
}

type Copied = (Vec<PartitionId>, Pairs);

async fn copy(session: &mut Session, db: &str, table: &Table, chosen: &[Partition], distribution: &Distribution) -> std::result::Result<Copied, (Vec<PartitionId>, common_base::Error)> {
    let engine = session.engine.clone();
    let none = |e| (Vec::new(), e);
    session.wait_for_own_changes().await.map_err(none)?;
    let catalog = engine.meta.snapshot();
    let current = catalog.tables.get(&table.id).cloned().ok_or_else(|| none(err!(UnknownTable, "Unknown table '{}'", table.name)))?;
    let olap = names::olap(&current).map_err(none)?.clone();
    let backends = engine.nodes.alive(&catalog).len() as u32;
    let (Distribution::Hash { buckets, .. } | Distribution::Random { buckets }) = distribution;
    let buckets = if *buckets > 0 { *buckets } else { automatic_buckets(backends, chosen.len() == 1) };
    let unique = engine.meta.next_id().await.map_err(none)?;
    let plan = |p: &Partition| PartitionPlan { name: format!("{}_optimize_{unique}", p.name), buckets, temporary: true, ..PartitionPlan::like(p) };
    let made = tablets::create_partitions(&engine, &template(&current, &olap), chosen.iter().map(plan).collect()).await.map_err(none)?;
    if let Err(e) = session.change(Op::AddPartitions { table: table.id, partitions: made.clone() }).await {
        tablets::drop_tablets(&engine, &made);
        return Err(none(e));
    }
    let ids: Vec<PartitionId> = made.iter().map(|p| p.id).collect();
    let mut pairs = Vec::with_capacity(chosen.len());
    for (old, new) in chosen.iter().zip(&made) {
        let outcome = async {
            session.wait_for_own_changes().await?;
            let version = version_of(session, table, old.id)?;
            fill(session, db, table, &old.name, &new.name, distribution).await?;
            Ok(version)
        };
        match outcome.await {
            Ok(version) => pairs.push((old.id, new.id, version)),
            Err(e) => return Err((ids, e)),
        }
    }
    session.wait_for_own_changes().await.map_err(|e| (ids.clone(), e))?;
    Ok((ids, pairs))
}

fn version_of(session: &Session, table: &Table, partition: PartitionId) -> Result<i64> {
    let catalog = session.engine.meta.snapshot();
    let found = catalog.tables.get(&table.id).and_then(|t| t.as_olap()?.partitions.get(&partition).map(|p| p.visible_version));
    found.ok_or_else(|| err!(UnknownPartition, "a partition of table '{}' is gone", table.name))
}

/// Rows of a partition into its temporary twin, by the new distribution.
async fn fill(session: &mut Session, db: &str, table: &Table, from: &str, to: &str, distribution: &Distribution) -> Result<()> {
    let engine = session.engine.clone();
    let columns: Vec<String> = table.columns.iter().filter(|c| c.generated.is_none()).map(|c| quote_ident(&c.name)).collect();
    let (columns, name) = (columns.join(", "), format!("{}.{}", quote_ident(db), quote_ident(&table.name)));
    let text = format!("INSERT INTO {name} TEMPORARY PARTITION ({}) ({columns}) SELECT {columns} FROM {name} PARTITION ({})", quote_ident(to), quote_ident(from));
    let Statement::Insert(insert) = fe_parser::parse_prepared(&text, &session.parse_options())?.stmt else {
        bail!(Internal, "the copy of a partition is not an insert");
    };
    let id = engine.new_query_id();
    let mut analyzed = analyze(session, &[], |ctx| analyze_insert(ctx, &insert))?;
    analyzed.auto_increment = None;
    let timeout = Duration::from_secs(session.variables.get_int("insert_timeout").max(1) as u64);
    let label = format!("optimize_{id}");
    let begin = Begin {
        db: table.db_id,
        tables: vec![table.id],
        label: label.clone(),
        request_id: id.0,
        source: LoadSource::Insert,
        timeout,
        coordinator: format!("FE: {}", engine.options.host),
        backend: None,
        delete_condition: String::new(),
    };
    let txn = engine.loads.begin(&engine, begin).await?;
    let owned = Owned::new(&engine, txn);
    let outcome = async {
        let catalog = engine.meta.snapshot();
        let mut sink = sink::table_sink(&engine, &catalog, &analyzed.table, txn, &label, sink::Into::Only(&[to.to_owned()]), timeout.as_millis() as u64)?;
        if let Some(scheme) = &mut sink.partitions {
            let ordinal = |uid| analyzed.table.columns.iter().position(|c| c.uid == uid).map(|i| i as u32);
            scheme.distribution_columns = match distribution {
                Distribution::Hash { columns, .. } => columns.iter().filter_map(|uid| ordinal(*uid)).collect(),
                Distribution::Random { .. } => Vec::new(),
            };
        }
        let planned = plan::load(session, analyzed.plan, &analyzed.output, analyzed.columns, sink)?;
        let summary = plan::start(session, &planned, id)?.drain().await?;
        engine.loads.commit(&engine, txn, &summary.tablets, &summary.load, timeout).await
    };
    let result = match outcome.await {
        Ok(crate::load::Committed::Visible) => {
            session.saw(engine.meta.applied_index());
            Ok(())
        }
        Ok(crate::load::Committed::PublishPending) => bail!(Timeout, "the copy of partition '{from}' did not become visible in time"),
        Err(e) => {
            if let Err(abort) = engine.loads.abort(&engine, txn, e.message()).await {
                tracing::warn!(%txn, "a failed copy could not be aborted: {abort}");
            }
            Err(e)
        }
    };
    owned.ended();
    result
}

/// Takes temporary partitions away again.
async fn forget(session: &mut Session, table: &Table, made: &[PartitionId]) {
    let catalog = session.engine.meta.snapshot();
    let olap = catalog.tables.get(&table.id).and_then(|t| t.as_olap().cloned());
    let gone: Vec<Partition> = olap.iter().flat_map(|o| made.iter().filter_map(|id| o.partitions.get(id))).map(|p| p.as_ref().clone()).collect();
    match session.take_back(Op::DropPartitions { table: table.id, partitions: made.to_vec(), recycle_ms: None }).await {
        Ok(()) => tablets::drop_tablets(&session.engine, &gone),
        Err(e) => tracing::warn!(table = %table.id, "temporary partitions could not be dropped: {e}"),
    }
}
