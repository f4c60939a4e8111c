//! ALTER TABLE: names, comment, properties, swap and partitions: what is a catalog change, with tablets made before or dropped after.

use common_base::{Result, bail, err, ids::PartitionId};
use fe_analyzer::statement::{analyze_add_partition, batch_names, changes_columns, check_bloom_filter_columns, check_flat_json, compression, names_column, rename_in_text};
use fe_catalog::{
    Op,
    model::{self, ColumnSource, KeysModel, OlapTable, Partition, PartitionInfo, Table},
};
use fe_parser::ast::{AddPartition, AlterTable, AlterTableClause, CompactionKind, Distribution, DistributionKind, PartitionSelection, Properties, sql};

use super::{
    alter_columns, name_locks::{Hold, find_and_hold}, names, optimize, partition_filter, recover, replace_partition, replication, rollup,
    table::{analyze, ddl_defaults, partition_plans, refuse_system_database, template},
    truncate,
};
use fe_jobs::dynamic_partition::{PREFIX, Rule};

use crate::{cluster::{colocate, dynamic_partition, tablets}, result::StatementResult, session::Session};

/// Properties that are only remembered, or read where they act. (Rows of primary keys have an index on disk always.)
const SETTABLE: &[&str] = &[
    "default.replication_num",
    "default.storage_medium",
    "storage_medium",
    "enable_persistent_index",
    "in_memory",
    "unique_constraints",
    "foreign_key_constraints",
    "write_quorum",
    "replicated_storage",
    "bucket_size",
    "mutable_bucket_num",
    "enable_load_profile",
    "enable_statistic_collect_on_first_load",
    "table_query_timeout",
    "base_compaction_forbidden_time_ranges",
    "primary_index_cache_expire_sec",
    "partition_live_number",
    "partition_ttl",
    "partition_retention_condition",
    "labels.location",
    "storage_cooldown_time",
    "storage_cooldown_ttl",
];

/// A statement that is one clause of ALTER TABLE under another name.
pub async fn run_clause(session: &mut Session, table: &sql::ObjectName, clause: AlterTableClause) -> Result<StatementResult> {
    run(session, &AlterTable { table: table.clone(), clauses: vec![clause] }).await
}

/// Runs ALTER TABLE; clauses apply in the order written.
pub async fn run(session: &mut Session, statement: &AlterTable) -> Result<StatementResult> {
    let (db_name, mut name) = names::qualified(session, &statement.table)?;
    refuse_system_database(&db_name)?;
    if super::temporary::is_temporary(session, &statement.table) {
        bail!(Analysis, "Getting analyzing error. Detail message: temporary table doesn't support alter table statement.");
    }
    let mut at = 0;
    while let Some(clause) = statement.clauses.get(at) {
        // Clauses about columns are one change.
        let together = statement.clauses[at..].iter().take_while(|c| changes_columns(c)).count();
        if together > 0 {
            session.wait_for_own_changes().await?;
            let (found, _held) = find_and_hold(session, &db_name, &[&name], Hold::Shared).await?;
            let table = found[0].clone();
            let olap = names::olap(&table)?.clone();
            alter_columns::change_columns(session, &table, &olap, &statement.clauses[at..at + together]).await?;
            at += together;
            continue;
        }
        at += 1;
        session.wait_for_own_changes().await?;
        let (found, _held) = match clause {
            AlterTableClause::Rename(_) => find_and_hold(session, &db_name, &[&name], Hold::Alone).await?,
            AlterTableClause::SwapWith(other) => find_and_hold(session, &db_name, &[&name, &other.value], Hold::Alone).await?,
            _ => find_and_hold(session, &db_name, &[&name], Hold::Shared).await?,
        };
        let table = found[0].clone();
        let olap = names::olap(&table)?.clone();
        alter(session, statement, &db_name, &table, &olap, clause).await?;
        if let AlterTableClause::Rename(to) = clause {
            name.clone_from(&to.value);
        }
    }
    Ok(StatementResult::ok())
}

async fn alter(
    session: &mut Session,
    statement: &AlterTable,
    db_name: &str,
    table: &Table,
    olap: &OlapTable,
    clause: &AlterTableClause,
) -> Result<StatementResult> {
    match clause {
        AlterTableClause::Rename(to) => {
            if table.name == to.value {
                bail!(User, "Same table name {}", to.value);
            }
            session.change(Op::RenameTable { table: table.id, name: to.value.clone() }).await
        }
        AlterTableClause::SwapWith(other) => {
            let other = names::find_table(&session.engine.meta.snapshot(), db_name, &other.value)?;
            names::olap(&other)?;
            session.change(Op::SwapTables { a: table.id, b: other.id }).await
        }
        AlterTableClause::Comment(comment) => session.change(Op::AlterTableComment { table: table.id, comment: comment.clone() }).await,
        AlterTableClause::SetProperties(properties) => set_properties(session, table, olap, properties).await,
        AlterTableClause::RenameColumn { from, to } => rename_column(session, table, olap, &from.value, &to.value).await,
        AlterTableClause::RenamePartition { from, to } => {
            partitioned(table, olap)?;
            let op = Op::RenamePartition { table: table.id, from: from.value.clone(), to: to.value.clone() };
            session.change(op).await
        }
        AlterTableClause::AddPartition(add) => add_partitions(session, table, olap, add).await,
        AlterTableClause::DropPartition { temporary, if_exists, selection, force } => {
            drop_partitions(session, table, olap, *temporary, *if_exists, *force, selection).await
        }
        AlterTableClause::TruncatePartition(names) => truncate::truncate(session, &statement.table, Some(names)).await,
        AlterTableClause::ReplacePartition { partitions, with, properties } => replace_partition::run(session, table, olap, partitions, with, properties).await,
        AlterTableClause::Compact { kind, partitions } => compact(session, olap, *kind, partitions).await,
        AlterTableClause::Optimize(clause) => Box::pin(optimize::run(session, db_name, table, olap, clause)).await,
        AlterTableClause::AddRollup(rollups) => rollup::add(session, table, olap, rollups).await,
        AlterTableClause::DropRollup(names) => rollup::drop(session, table, olap, names).await,
        AlterTableClause::RenameRollup { from, to } => rollup::rename(session, table, olap, &from.value, &to.value).await,
        AlterTableClause::AddIndex(index) => alter_columns::add_index(session, table, olap, index).await,
        AlterTableClause::AutoIncrement(next) => {
            if !table.columns.iter().any(|c| c.auto_increment) {
                bail!(User, "Table[{}] has no AUTO_INCREMENT column", table.name);
            }
            if *next < 1 {
                bail!(User, "AUTO_INCREMENT must be at least 1");
            }
            session.change(Op::RaiseNumbers { table: table.id, next: *next as u64 }).await
        }
        AlterTableClause::DropIndex(name) => alter_columns::drop_index(session, table, olap, &name.value).await,
        AlterTableClause::DefaultBuckets(distribution) => default_buckets(session, table, olap, distribution).await,
        AlterTableClause::ModifyPartition { selection, properties } => modify_partitions(session, table, olap, selection, properties).await,
        other => bail!(NotSupported, "ALTER TABLE {} is not supported yet", clause_name(other)),
    }
}

/// The clause as a user writes its beginning.
fn clause_name(clause: &AlterTableClause) -> &'static str {
    use AlterTableClause as C;
    match clause {
        C::Rename(_) => "RENAME",
        C::SwapWith(_) => "SWAP WITH",
        C::Comment(_) => "COMMENT",
        C::SetProperties(_) => "SET",
        C::AddColumn { .. } | C::AddColumns { .. } => "ADD COLUMN",
        C::DropColumn { .. } => "DROP COLUMN",
        C::ModifyColumn { .. } => "MODIFY COLUMN",
        C::ModifyColumnComment { .. } => "MODIFY COLUMN ... COMMENT",
        C::RenameColumn { .. } => "RENAME COLUMN",
        C::OrderBy { .. } => "ORDER BY",
        C::AddField { .. } => "MODIFY COLUMN ... ADD FIELD",
        C::DropField { .. } => "MODIFY COLUMN ... DROP FIELD",
        C::AddIndex(_) => "ADD INDEX",
        C::DropIndex(_) => "DROP INDEX",
        C::AddRollup(_) => "ADD ROLLUP",
        C::DropRollup(_) => "DROP ROLLUP",
        C::RenameRollup { .. } => "RENAME ROLLUP",
        C::AddPartition(_) => "ADD PARTITION",
        C::DropPartition { .. } => "DROP PARTITION",
        C::TruncatePartition(_) => "TRUNCATE PARTITION",
        C::ModifyPartition { .. } => "MODIFY PARTITION",
        C::RenamePartition { .. } => "RENAME PARTITION",
        C::ReplacePartition { .. } => "REPLACE PARTITION",
        C::AddPartitionColumn(_) | C::DropPartitionColumn(_) => "PARTITION COLUMN",
        C::Optimize(_) => "with a new layout",
        C::DefaultBuckets(_) => "DISTRIBUTED BY ... DEFAULT BUCKETS",
        C::Compact { .. } => "COMPACT",
        C::DropPersistentIndex(_) => "DROP PERSISTENT INDEX",
        C::AutoIncrement(_) => "AUTO_INCREMENT",
    }
}

async fn set_properties(session: &mut Session, table: &Table, olap: &OlapTable, properties: &Properties) -> Result<StatementResult> {
    if properties.iter().any(|p| p.key.trim().to_ascii_lowercase().starts_with("bloom_filter_")) {
        return set_bloom_filter(session, table, olap, properties).await;
    }
    if properties.iter().any(|p| p.key.trim().to_ascii_lowercase().starts_with("flat_json.")) {
        return set_flat_json(session, table, olap, properties).await;
    }
    if let [p] = &properties[..] {
        match p.key.trim().to_ascii_lowercase().as_str() {
            "replication_num" => return replication::of_table(session, table, olap, &p.value).await,
            "compression" => return set_compression(session, table, olap, &p.value).await,
            _ => {}
        }
    }
    let mut changes = Vec::with_capacity(properties.len());
    for p in properties {
        let key = p.key.trim().to_ascii_lowercase();
        if key == "replicated_storage" && p.value.trim().eq_ignore_ascii_case("true") && olap.indexes_ddl.iter().any(|ddl| ddl.contains(") USING GIN")) {
            bail!(User, "Getting analyzing error. Detail message: Can not enable replicated storage when the table has GIN.");
        }
        if key.starts_with(PREFIX) {
            changes.push((key, p.value.trim().to_owned()));
        } else if key == "colocate_with" {
            let group = p.value.trim();
            if !group.is_empty() && olap.colocate_group.as_deref() != Some(group) {
                let catalog = session.engine.meta.snapshot();
                let (buckets, replication_num) = olap.partitions.values().next().map_or((0, 0), |p| (p.buckets, p.replication_num));
                let mine = colocate::shape(table, olap, buckets, replication_num)?;
                if buckets > 0 {
                    colocate::check(&catalog, table.db_id, group, table.id, &mine)?;
                }
                colocate::check_partitions(&catalog, table.db_id, group, olap.partitions.values().map(|p| (p.buckets, p.replication_num)))?;
            }
            changes.push((key, group.to_owned()));
        } else if SETTABLE.contains(&key.as_str()) {
            check_property(&key, &p.value)?;
            if key == "enable_persistent_index" && olap.keys != KeysModel::Primary {
                bail!(User, "Property enable_persistent_index only support primary key table");
            }
            if key == "labels.location" {
                super::table::check_location(&session.engine.meta.snapshot(), olap, p.value.trim())?;
            }
            // Partitions there are stay where they are (MODIFY PARTITION moves them).
            let key = if key == "storage_medium" { "default.storage_medium".to_owned() } else { key };
            changes.push((key, p.value.trim().to_owned()));
        } else if olap.property(&key).is_some_and(|v| v.eq_ignore_ascii_case(p.value.trim())) {
            // Already so.
        } else if key == "replication_num" || key == "compression" {
            bail!(User, "Can only set one table property at a time");
        } else if key == "fast_schema_evolution" {
            bail!(User, "Property {key} is set when a table is created and can not be changed");
        } else if key.starts_with("binlog") {
            bail!(NotSupported, "ALTER TABLE SET (\"{key}\") is not supported yet");
        } else {
            bail!(User, "Unknown properties: {{{}={}}}", p.key, p.value);
        }
    }
    if changes.is_empty() {
        return Ok(StatementResult::ok());
    }
    let by_time = changes.iter().any(|(k, _)| k.starts_with(PREFIX) || k.starts_with("partition_"));
    if by_time {
        check_lifetimes(session, table, olap, &changes)?;
    }
    let moves = changes.iter().any(|(k, _)| k == "labels.location");
    let done = session.change(Op::AlterTableProperties { table: table.id, properties: changes }).await?;
    if moves {
        session.engine.replicas.look_again();
    }
    if by_time {
        session.wait_for_own_changes().await?;
        let engine = session.engine.clone();
        dynamic_partition::changed(&engine, table.id).await;
    }
    Ok(done)
}

/// What properties say of the time partitions come and go, together with those the table has.
fn check_lifetimes(session: &Session, table: &Table, olap: &OlapTable, changes: &[(String, String)]) -> Result<()> {
    let mut all = olap.properties.clone();
    all.retain(|(k, _)| !changes.iter().any(|(c, _)| c == k));
    all.extend(changes.iter().cloned());
    dynamic_partition::check(&session.engine, table, &OlapTable { properties: all, ..olap.clone() })
}

/// Partitions that a rule makes and drops are not for statements, as long as the rule is on.
fn refuse_dynamic(olap: &OlapTable) -> Result<()> {
    if Rule::of(&olap.properties)?.is_some_and(|r| r.enabled) {
        bail!(User, "Cannot add/drop partition on a Dynamic Partition Table, Use command `ALTER TABLE tbl_name SET (\"dynamic_partition.enable\" = \"false\")` firstly.");
    }
    Ok(())
}

/// What is written from now on has the bloom filters.
async fn set_bloom_filter(session: &mut Session, table: &Table, olap: &OlapTable, properties: &Properties) -> Result<StatementResult> {
    let mut all = olap.properties.clone();
    for p in properties {
        let (key, value) = (p.key.trim().to_ascii_lowercase(), p.value.trim().to_owned());
        match key.as_str() {
            "bloom_filter_columns" => analyze(session, &[], |_| check_bloom_filter_columns(&table.columns, olap.keys, &olap.indexes_ddl, &value))?,
            "bloom_filter_fpp" => {
                let fpp: f64 = value.parse().map_err(|_| err!(User, "Bloom filter fpp is not Double"))?;
                if !(0.0001..=0.05).contains(&fpp) {
                    bail!(User, "Bloom filter fpp should in [1.0E-4, 0.05]");
                }
            }
            _ => bail!(User, "Can only set one table property at a time"),
        }
        all.retain(|(k, _)| *k != key);
        if !value.is_empty() {
            all.push((key, value));
        }
    }
    declare(session, table, olap, all).await
}

/// What is written from now on, by loads and compactions, is compressed that way.
async fn set_compression(session: &mut Session, table: &Table, olap: &OlapTable, value: &str) -> Result<StatementResult> {
    const KEY: &str = "compression";
    let value = compression(value)?;
    let mut all = olap.properties.clone();
    all.retain(|(k, _)| k != KEY);
    all.push((KEY.to_owned(), value));
    declare(session, table, olap, all).await
}

/// What is written from now on keeps JSON in parts, or does not.
async fn set_flat_json(session: &mut Session, table: &Table, olap: &OlapTable, properties: &Properties) -> Result<StatementResult> {
    const ENABLE: &str = "flat_json.enable";
    let mut all = olap.properties.clone();
    let mut given: Vec<(String, String)> = Vec::with_capacity(properties.len() + 1);
    for p in properties {
        let key = p.key.trim().to_ascii_lowercase();
        if !key.starts_with("flat_json.") {
            bail!(User, "Can only set one table property at a time");
        }
        all.retain(|(k, _)| *k != key);
        all.push((key.clone(), p.value.trim().to_owned()));
        given.push((key, p.value.trim().to_owned()));
    }
    let enabled = all.iter().find(|(k, _)| k == ENABLE).cloned();
    given.retain(|(k, _)| k != ENABLE);
    given.extend(enabled.clone());
    check_flat_json(&given)?;
    if enabled.is_some_and(|(_, v)| !v.eq_ignore_ascii_case("true")) {
        // The rest says how, and goes with it.
        all.retain(|(k, _)| !k.starts_with("flat_json.") || k == ENABLE);
    }
    declare(session, table, olap, all).await
}

/// Declares properties of what is written from now on. Those that are what they were, in whatever order, begin no new schema version.
async fn declare(session: &mut Session, table: &Table, olap: &OlapTable, all: Vec<(String, String)>) -> Result<StatementResult> {
    let same = all.len() == olap.properties.len() && all.iter().all(|p| olap.properties.contains(p));
    match same {
        true => Ok(StatementResult::ok()),
        false => alter_columns::change_declarations(session, table, olap, olap.indexes_ddl.clone(), all).await,
    }
}

fn check_property(key: &str, value: &str) -> Result<()> {
    let value = value.trim();
    match key {
        "bucket_size" | "mutable_bucket_num" | "default.replication_num" | "table_query_timeout" => {
            let number: i64 = value.parse().map_err(|_| err!(Analysis, "Getting analyzing error. Detail message: {key}: For input string: \"{value}\"."))?;
            if number < 0 {
                bail!(Analysis, "Getting analyzing error. Detail message: Illegal {}: {number}.", key.replace('_', " "));
            }
        }
        "primary_index_cache_expire_sec" => match value.parse::<i64>() {
            Ok(n) if n >= 0 => {}
            Ok(_) => bail!(User, "Getting analyzing error. Detail message: Property primary_index_cache_expire_sec must not be less than 0."),
            Err(_) => bail!(User, "Getting analyzing error. Detail message: Property primary_index_cache_expire_sec must be integer: {value}."),
        },
        "replicated_storage" | "enable_load_profile" | "enable_statistic_collect_on_first_load" | "enable_persistent_index" | "in_memory" => {
            if !value.eq_ignore_ascii_case("true") && !value.eq_ignore_ascii_case("false") {
                bail!(User, "Property {key} must be bool type(false/true)");
            }
        }
        "storage_medium" | "default.storage_medium" => drop(super::medium::medium(value)?),
        "storage_cooldown_time" => drop(super::medium::cooldown_time(value, "UTC")?),
        "storage_cooldown_ttl" => drop(super::medium::cooldown_ttl(value)?),
        "write_quorum" => {
            if !["majority", "one", "all"].iter().any(|q| value.eq_ignore_ascii_case(q)) {
                bail!(User, "write_quorum must be one of MAJORITY, ONE, ALL: {value}");
            }
        }
        _ => {}
    }
    Ok(())
}

async fn rename_column(session: &mut Session, table: &Table, olap: &OlapTable, from: &str, to: &str) -> Result<StatementResult> {
    let Some(column) = table.column(from) else {
        bail!(UnknownColumn, "Unknown column '{from}' in '{}'", table.name);
    };
    if table.columns.iter().any(|c| c.name.eq_ignore_ascii_case(to) && c.uid != column.uid) {
        bail!(DuplicateColumn, "Duplicate column name '{to}'");
    }
    for index in &olap.further {
        let texts = index.columns.iter().filter_map(|c| if let ColumnSource::Expr(text) = &c.source { Some(text) } else { None });
        if texts.chain(&index.predicate).any(|text| names_column(text, from)) {
            bail!(User, "Column[{from}] can not be renamed: materialized view {} uses it", index.name);
        }
    }
    let using = table.columns.iter().filter_map(|c| Some((c.uid, c.generated.as_ref()?))).filter(|(_, text)| names_column(text, from));
    let generated = using.map(|(uid, text)| (uid, rename_in_text(text, from, to))).collect();
    let partition_exprs = match &olap.partition_info {
        PartitionInfo::Expression { exprs, .. } => Some(exprs.iter().map(|text| rename_in_text(text, from, to)).collect()),
        _ => None,
    };
    let now_ms = session.engine.clock.now_ms();
    let op = Op::RenameColumn { table: table.id, from: from.to_owned(), to: to.to_owned(), generated, partition_exprs, now_ms };
    session.change(op).await
}

pub(super) fn partitioned(table: &Table, olap: &OlapTable) -> Result<()> {
    if olap.partition_info == PartitionInfo::Unpartitioned {
        bail!(User, "Table[{}] is not partitioned", table.name);
    }
    Ok(())
}

async fn add_partitions(session: &mut Session, table: &Table, olap: &OlapTable, add: &AddPartition) -> Result<StatementResult> {
    partitioned(table, olap)?;
    if !add.temporary {
        refuse_dynamic(olap)?;
    }
    let engine = session.engine.clone();
    let defaults = ddl_defaults(&engine);
    let specs = analyze(session, &[], |ctx| analyze_add_partition(ctx, table, add, &defaults))?;
    if specs.is_empty() {
        return Ok(StatementResult::ok());
    }
    let of_table = olap.property("default.replication_num").or_else(|| olap.property("replication_num"));
    let replication_num = of_table.and_then(|n| n.parse().ok()).unwrap_or(defaults.replication_num);
    let plans = partition_plans(&engine, &session.variables.get_text("time_zone"), olap, replication_num, specs, add.temporary)?;
    let made = tablets::create_partitions(&engine, &template(table, olap), plans).await?;
    match session.change(Op::AddPartitions { table: table.id, partitions: made.clone() }).await {
        Ok(done) => Ok(done),
        Err(e) => {
            tablets::drop_tablets(&engine, &made);
            Err(e)
        }
    }
}

/// DISTRIBUTED BY … DEFAULT BUCKETS: the bucket number of partitions made later; the columns stay.
async fn default_buckets(session: &mut Session, table: &Table, olap: &OlapTable, wanted: &Distribution) -> Result<StatementResult> {
    let same = match (&wanted.kind, &olap.distribution) {
        (DistributionKind::Random, model::Distribution::Random { .. }) => true,
        (DistributionKind::Hash(names), model::Distribution::Hash { columns, .. }) => {
            let uids: Option<Vec<_>> = names.iter().map(|n| table.column(&n.value).map(|c| c.uid)).collect();
            uids.as_deref() == Some(columns.as_slice())
        }
        _ => false,
    };
    if !same {
        bail!(User, "Cannot assign different distribution columns. The default distribution is that of the table");
    }
    if olap.colocate_group.is_some() {
        bail!(User, "Cannot change default bucket number of colocate table.");
    }
    let buckets = wanted.buckets.unwrap_or(0);
    let most = ddl_defaults(&session.engine).max_buckets;
    if buckets > most {
        bail!(User, "The number of buckets {buckets} exceeds the maximum limit {most}");
    }
    session.change(Op::SetDefaultBuckets { table: table.id, buckets }).await
}

/// MODIFY PARTITION: what is wanted of partitions; their replicas follow.
async fn modify_partitions(session: &mut Session, table: &Table, olap: &OlapTable, selection: &PartitionSelection, properties: &Properties) -> Result<StatementResult> {
    partitioned(table, olap)?;
    let chosen = select_partitions(session, table, olap, false, false, selection)?;
    replication::of_partitions(session, table, olap, &chosen, properties).await
}

/// Asks the backends to compact partitions, all when none is named.
async fn compact(session: &mut Session, olap: &OlapTable, kind: CompactionKind, names: &[sql::Ident]) -> Result<StatementResult> {
    for name in names {
        if !olap.partitions.values().any(|p| p.name.eq_ignore_ascii_case(&name.value)) {
            bail!(User, "Partition {} does not exist", name.value);
        }
    }
    let asked: Vec<_> = olap.partitions.values().filter(|p| names.is_empty() || names.iter().any(|n| p.name.eq_ignore_ascii_case(&n.value))).collect();
    tablets::compact(&session.engine, &asked, kind != CompactionKind::Cumulative).await?;
    Ok(StatementResult::ok())
}

async fn drop_partitions(
    session: &mut Session,
    table: &Table,
    olap: &OlapTable,
    temporary: bool,
    if_exists: bool,
    force: bool,
    selection: &PartitionSelection,
) -> Result<StatementResult> {
    partitioned(table, olap)?;
    if !temporary {
        refuse_dynamic(olap)?;
    }
    let chosen = select_partitions(session, table, olap, temporary, if_exists, selection)?;
    if chosen.is_empty() {
        return Ok(StatementResult::ok());
    }
    let automatic = olap.partition_info.automatic();
    let formal = olap.partitions.values().filter(|p| !p.temporary).count();
    let by_condition = matches!(selection, PartitionSelection::Where(_));
    if !temporary && !automatic && !by_condition && chosen.len() == formal {
        bail!(User, "Cannot remove all partitions, use DROP TABLE instead");
    }
    let ids: Vec<PartitionId> = chosen.iter().map(|p| p.id).collect();
    // Temporary partitions do not come back.
    if !temporary && !force {
        let op = Op::DropPartitions { table: table.id, partitions: ids.clone(), recycle_ms: Some(session.engine.clock.now_ms()) };
        return recover::drop_settled(session, op, |txn| txn.versions.iter().any(|(_, p, _)| ids.contains(p))).await;
    }
    let done = session.change(Op::DropPartitions { table: table.id, partitions: ids, recycle_ms: None }).await?;
    tablets::drop_tablets(&session.engine, &chosen);
    Ok(done)
}

fn select_partitions(
    session: &Session,
    table: &Table,
    olap: &OlapTable,
    temporary: bool,
    if_exists: bool,
    selection: &PartitionSelection,
) -> Result<Vec<Partition>> {
    match selection {
        PartitionSelection::All => Ok(olap.partitions.values().filter(|p| p.temporary == temporary).map(|p| p.as_ref().clone()).collect()),
        PartitionSelection::Names(names) => named(olap, temporary, if_exists, names),
        PartitionSelection::Batch(batch) => {
            let defaults = ddl_defaults(&session.engine);
            let batch = analyze(session, &[], |ctx| batch_names(ctx, table, batch, &defaults))?;
            named(olap, temporary, if_exists, &batch.into_iter().map(sql::Ident::new).collect::<Vec<_>>())
        }
        PartitionSelection::Where(condition) => {
            let chosen = partition_filter::inside(&session.engine, table, olap, condition)?;
            Ok(chosen.iter().filter_map(|id| olap.partitions.get(id)).map(|p| p.as_ref().clone()).collect())
        }
    }
}

/// Named partitions, each once.
pub(super) fn named(olap: &OlapTable, temporary: bool, if_exists: bool, names: &[sql::Ident]) -> Result<Vec<Partition>> {
    let mut chosen: Vec<Partition> = Vec::with_capacity(names.len());
    for name in names {
        match olap.partition_by_name(&name.value, temporary) {
            Some(p) if chosen.iter().any(|c| c.id == p.id) => {}
            Some(p) => chosen.push(p.as_ref().clone()),
            None if if_exists => {}
            None => bail!(UnknownPartition, "Error in list of partitions to [{}]", name.value),
        }
    }
    Ok(chosen)
}
