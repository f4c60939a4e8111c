//! Makes the partitions that tables ask for ahead of time, and drops those whose time is over, on the leader.
//!
//! Flow: every `dynamic_partition_check_interval_seconds`, and when a table gets its rule, [`fe_jobs::dynamic_partition`] says what
//! is missing and what is over; partitions are made as ALTER TABLE makes them, and leave through the recycle bin.

use std::{collections::BTreeMap, sync::{Arc, Mutex, PoisonError}, time::Duration};

use common_base::{Result, ids::{PartitionId, TableId}, runtime::Shutdown};
use fe_analyzer::statement::{PartitionSpec, partitions_intersect};
use fe_catalog::{CatalogState, Op, model::{OlapTable, Partition, Table, TableKind}};
use fe_jobs::dynamic_partition::{Lifetime, PREFIX, Rule, range_column};
use tracing::{info, warn};

use super::tablets;
use crate::{
    engine::Engine,
    show::time,
    statement::{partition_filter, table::{ddl_defaults, partition_plans, template}},
};

/// The longest pause between two looks at whether it is time.
const TICK: Duration = Duration::from_secs(1);

/// What SHOW DYNAMIC PARTITION TABLES tells of a table's last round.
#[derive(Clone, Debug, Default)]
pub struct Round {
    pub updated_ms: i64,
    pub at_ms: i64,
    pub create_error: Option<String>,
    pub drop_error: Option<String>,
}

/// The last round of each table, since this frontend started.
#[derive(Default)]
pub struct Rounds(Mutex<BTreeMap<TableId, Round>>);

impl Rounds {
    /// The last round of a table.
    pub fn of(&self, table: TableId) -> Option<Round> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&table).cloned()
    }

    fn note(&self, table: TableId, change: impl FnOnce(&mut Round)) {
        change(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(table).or_default());
    }

    fn keep(&self, catalog: &CatalogState) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| catalog.tables.contains_key(id));
    }
}

/// Runs until shutdown.
pub async fn run(engine: Arc<Engine>, shutdown: Shutdown) {
    let mut last = None;
    while shutdown.sleep(TICK).await {
        let interval = Duration::from_secs(engine.setting_int("dynamic_partition_check_interval_seconds").max(1) as u64);
        let now = engine.clock.monotonic();
        if !engine.meta.is_leader() || last.is_some_and(|at| now < at + interval) {
            continue;
        }
        last = Some(now);
        let catalog = engine.meta.snapshot();
        engine.partition_rounds.keep(&catalog);
        for table in catalog.tables.values() {
            schedule(&engine, table.id).await;
        }
    }
}

/// Refuses properties about time that make no sense for a table.
pub fn check(engine: &Engine, table: &Table, olap: &OlapTable) -> Result<()> {
    if let Some(rule) = Rule::of(&olap.properties)? {
        rule.check(table, olap, engine.setting_int("max_dynamic_partition_num"))?;
    }
    Lifetime::of(&olap.properties)?.check(table, olap)?;
    if let Some(condition) = olap.property("partition_retention_condition").filter(|c| !c.trim().is_empty()) {
        let whole = Table { kind: TableKind::Olap(Arc::new(olap.clone())), ..table.clone() };
        partition_filter::outside(engine, &whole, olap, condition)?;
    }
    Ok(())
}

/// Notes that a table's rule has changed and acts on it at once.
pub async fn changed(engine: &Arc<Engine>, table: TableId) {
    let by_time = |o: &Arc<OlapTable>| o.properties.iter().any(|(k, _)| k.starts_with(PREFIX) || k.starts_with("partition_"));
    if !engine.meta.snapshot().tables.get(&table).and_then(|t| t.as_olap()).is_some_and(by_time) {
        return;
    }
    engine.partition_rounds.note(table, |r| r.updated_ms = engine.clock.now_ms());
    schedule(engine, table).await;
}

/// One table's round; errors are for SHOW DYNAMIC PARTITION TABLES and the log.
pub async fn schedule(engine: &Arc<Engine>, id: TableId) {
    let catalog = engine.meta.snapshot();
    let Some(table) = catalog.tables.get(&id) else { return };
    let Some(olap) = table.as_olap() else { return };
    let rule = Rule::of(&olap.properties).ok().flatten().filter(|r| r.enabled && engine.setting("dynamic_partition_enable") == "true");
    let lifetime = Lifetime::of(&olap.properties).unwrap_or_default();
    let condition = olap.property("partition_retention_condition").filter(|c| !c.trim().is_empty());
    if rule.is_none() && lifetime == Lifetime::default() && condition.is_none() {
        return;
    }
    let now_ms = engine.clock.now_ms();
    let zone = time::global_zone(&catalog);
    let mut create_error = None;
    let mut gone = lifetime.expired(table, olap, time::local_us(now_ms, zone));
    if let Some(rule) = &rule {
        let local = time::local_us(now_ms, rule.time_zone.as_deref().unwrap_or(zone));
        create_error = create(engine, table, olap, rule, local).await.err().map(|e| e.message().to_owned());
        gone.extend(rule.expired(olap, local));
    }
    let mut drop_error = None;
    if let Some(condition) = condition {
        match partition_filter::outside(engine, table, olap, condition) {
            Ok(outside) => gone.extend(outside),
            Err(e) => drop_error = Some(e.message().to_owned()),
        }
    }
    gone.sort_unstable();
    gone.dedup();
    if let Err(e) = leave(engine, id, gone).await {
        drop_error = Some(e.message().to_owned());
    }
    for error in create_error.iter().chain(&drop_error) {
        warn!(table = %table.name, "partitions by time: {error}");
    }
    engine.partition_rounds.note(id, |r| *r = Round { updated_ms: r.updated_ms, at_ms: now_ms, create_error, drop_error });
}

async fn create(engine: &Arc<Engine>, table: &Table, olap: &OlapTable, rule: &Rule, local_us: i64) -> Result<()> {
    let Some(ty) = range_column(table, olap) else { return Ok(()) };
    let free = |w: &fe_jobs::dynamic_partition::Wanted| {
        let mut formal = olap.partitions.values().filter(|p| !p.temporary);
        !formal.any(|p| p.name.eq_ignore_ascii_case(&w.name) || partitions_intersect(&p.item, &w.item))
    };
    let spec = |w: fe_jobs::dynamic_partition::Wanted| PartitionSpec {
        name: w.name,
        if_not_exists: true,
        item: w.item,
        buckets: rule.buckets,
        replication_num: rule.replication_num,
        properties: Vec::new(),
    };
    let specs: Vec<PartitionSpec> = rule.wanted(ty, local_us).into_iter().filter(free).map(spec).collect();
    if specs.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = specs.iter().map(|s| s.name.clone()).collect();
    let of_table = olap.property("default.replication_num").or_else(|| olap.property("replication_num"));
    let replication_num = of_table.and_then(|n| n.parse().ok()).unwrap_or(ddl_defaults(engine).replication_num);
    let catalog = engine.meta.snapshot();
    let zone = time::global_zone(&catalog);
    let plans = partition_plans(engine, zone, olap, replication_num, specs, false)?;
    let made = tablets::create_partitions(engine, &template(table, olap), plans).await?;
    if let Err(e) = engine.meta.submit(Op::AddPartitions { table: table.id, partitions: made.clone() }).await {
        tablets::drop_tablets(engine, &made);
        return Err(e);
    }
    info!(table = %table.name, partitions = %names.join(", "), "partitions are made ahead of time");
    Ok(())
}

/// Partitions go to the recycle bin; the last one of a table that loads add none to stays.
async fn leave(engine: &Arc<Engine>, id: TableId, gone: Vec<PartitionId>) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let catalog = engine.meta.snapshot();
    let Some(olap) = catalog.tables.get(&id).and_then(|t| t.as_olap()) else { return Ok(()) };
    let mut leaving: Vec<&Arc<Partition>> = gone.iter().filter_map(|p| olap.partitions.get(p)).collect();
    let formal = olap.partitions.values().filter(|p| !p.temporary).count();
    if !olap.partition_info.automatic() && leaving.len() >= formal {
        leaving.pop();
    }
    if leaving.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = leaving.iter().map(|p| p.name.as_str()).collect();
    let partitions = leaving.iter().map(|p| p.id).collect();
    engine.meta.submit(Op::DropPartitions { table: id, partitions, recycle_ms: Some(engine.clock.now_ms()) }).await?;
    info!(table = %id, partitions = %names.join(", "), "partitions whose time is over are dropped");
    Ok(())
}
