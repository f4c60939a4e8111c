//! Partitions made for the rows of a load. They stay when the load fails: the next one finds them.

use std::sync::Arc;

use common_base::{Result, bail, err, ids::{TableId, TxnId}};
use common_types::{Scalar, wire};
use fe_analyzer::statement::automatic_partitions;
use fe_catalog::{Op, model::{OlapTable, Partition, PartitionBound, PartitionItem}};
use proto_messages::fragment::PartitionTarget;
use proto_services::fe_service::CreatePartitionsRequest;

use super::{overwrite, sink::target};
use crate::{cluster::tablets, engine::Engine, show::time, statement::table::{ddl_defaults, partition_plans, template}};

/// How often a schema change may come in between.
const TRIES: usize = 5;
/// Partitions that loads may have made of a table.
const MAX_PARTITIONS: usize = 4096;

/// The partitions of these values, made when they are missing.
pub async fn create_partitions(engine: &Arc<Engine>, request: CreatePartitionsRequest) -> Result<Vec<PartitionTarget>> {
    let values = |tuple: &proto_messages::types::ScalarList| tuple.items.iter().map(wire::scalar_from_proto).collect::<Result<Vec<Scalar>>>();
    let tuples = request.values.iter().map(values).collect::<Result<Vec<_>>>()?;
    // Loads of one table call for the same partitions at the same time.
    let _one_at_a_time = engine.partition_making.lock().await;
    for _ in 0..TRIES {
        if let Some(targets) = make(engine, &request, tuples.clone()).await? {
            return Ok(targets);
        }
    }
    bail!(Unavailable, "the indexes of the table change all the time")
}

/// The same once; `None` when a schema change came in between and the tablets made are those of another table.
async fn make(engine: &Arc<Engine>, request: &CreatePartitionsRequest, tuples: Vec<Vec<Scalar>>) -> Result<Option<Vec<PartitionTarget>>> {
    let catalog = engine.meta.snapshot();
    let table = catalog.tables.get(&TableId(request.table_id)).ok_or_else(|| err!(UnknownTable, "table {} is gone", request.table_id))?;
    let olap = table.as_olap().ok_or_else(|| err!(User, "'{}' is not a native table", table.name))?;
    let mut wanted = automatic_partitions(table, tuples)?;
    // Those of an overwrite are temporary until it is done, and its own.
    let own = request.overwrite.then(|| overwrite::prefix(TxnId(request.txn_id)));
    if let Some(prefix) = &own {
        wanted.iter_mut().for_each(|spec| spec.name.insert_str(0, prefix));
    }
    let mut found: Vec<Arc<Partition>> = Vec::new();
    wanted.retain(|spec| match holder(olap, own.as_deref(), &spec.item) {
        Some(there) => {
            found.push(there.clone());
            false
        }
        None => true,
    });
    if !wanted.is_empty() {
        if olap.partitions.len() + wanted.len() > MAX_PARTITIONS {
            bail!(User, "Table {} automatic create partition failed. error:Automatically created partitions exceeded the maximum limit: {MAX_PARTITIONS}. You can modify this restriction on by setting max_automatic_partition_number larger.", table.name);
        }
        for at in 0..wanted.len() {
            let taken = |name: &str, before: &[fe_analyzer::statement::PartitionSpec]| {
                olap.partition_by_name(name, own.is_some()).is_some() || before.iter().any(|s| s.name.eq_ignore_ascii_case(name))
            };
            let base = wanted[at].name.clone();
            let free = (0..).map(|n| if n == 0 { base.clone() } else { format!("{base}_{n}") }).find(|name| !taken(name, &wanted[..at]));
            wanted[at].name = free.unwrap_or(base);
        }
        let of_table = olap.property("default.replication_num").or_else(|| olap.property("replication_num"));
        let replication_num = of_table.and_then(|n| n.parse().ok()).unwrap_or(ddl_defaults(engine).replication_num);
        let plans = partition_plans(engine, time::global_zone(&catalog), olap, replication_num, wanted, own.is_some())?;
        let made = tablets::create_partitions(engine, &template(table, olap), plans).await?;
        if let Err(e) = engine.meta.propose(&Op::AddPartitions { table: table.id, partitions: made.clone() }).await {
            tablets::drop_tablets(engine, &made);
            let now = engine.meta.snapshot();
            let changed = now.tables.get(&table.id).and_then(|t| t.as_olap()).is_some_and(|o| !o.index_ids().eq(olap.index_ids()));
            return if changed { Ok(None) } else { Err(e) };
        }
        found.extend(made.into_iter().map(Arc::new));
    }
    Ok(Some(found.iter().map(|p| target(olap, p)).collect()))
}

/// The partition that holds the rows of an item to be made.
fn holder<'a>(olap: &'a OlapTable, own: Option<&str>, item: &PartitionItem) -> Option<&'a Arc<Partition>> {
    let among = |p: &Partition| own.map_or(!p.temporary, |prefix| p.temporary && p.name.starts_with(prefix));
    olap.partitions.values().filter(|p| among(p)).find(|p| match (&p.item, item) {
        (PartitionItem::List(tuples), PartitionItem::List(wanted)) => wanted.iter().all(|w| tuples.contains(w)),
        (PartitionItem::Range { lower, upper }, PartitionItem::Range { lower: from, upper: to }) => {
            !later(lower, from) && !later(to, upper)
        }
        _ => false,
    })
}

/// Whether a bound of one column lies after another.
fn later(a: &PartitionBound, b: &PartitionBound) -> bool {
    use PartitionBound as B;
    match (a, b) {
        (B::Min, _) | (_, B::Max) => false,
        (_, B::Min) | (B::Max, _) => true,
        (B::Values(a), B::Values(b)) => a.iter().map(Scalar::as_i128).gt(b.iter().map(Scalar::as_i128)),
    }
}
