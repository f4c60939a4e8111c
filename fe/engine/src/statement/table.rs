//! CREATE TABLE in its forms and DROP TABLE.
//!
//! Flow: analyze → place and create the tablets on backends → one catalog change. Tablets of a table the catalog refuses are
//! dropped again; tablets of a dropped table leave after the catalog change.

use std::sync::Arc;

use common_base::{
    ErrorCode, Result, bail,
    ids::{IndexId, QueryId, TableId},
};
use common_types::{LogicalType, Scalar};
use fe_analyzer::{
    AnalyzeContext,
    statement::{CreateTableSpec, DdlDefaults, PartitionSpec, analyze_create_table, analyze_ctas},
};
use fe_catalog::{
    CatalogSnapshot, Op,
    model::{Distribution, OlapTable, Partition, PartitionInfo, PartitionItem, Table, TableKind},
};
use fe_jobs::tablet::place;
use fe_parser::ast::{CreateTable, CreateTableAsSelect, CreateTableLike, DropTable, Insert, InsertSource, InsertTarget, Statement};

use super::{insert, medium, name_locks::{Hold, find_and_hold, find_and_hold_database}, names, plan, recover, secondary_index, temporary};
use crate::{
    cluster::{colocate, dynamic_partition, tablets::{self, PartitionPlan, TabletTemplate}},
    engine::Engine,
    info_schema,
    result::StatementResult,
    session::{Session, facts::Facts},
    show::create_table::create_table_text,
    view::SnapshotView,
};

/// Runs an analysis over the session's facts and the current catalog.
pub(crate) fn analyze<T>(session: &Session, parameters: &[(Scalar, LogicalType)], f: impl FnOnce(&AnalyzeContext<'_>) -> Result<T>) -> Result<T> {
    let facts = Facts::of(session);
    let view = SnapshotView { engine: &session.engine, catalog: session.catalog() };
    f(&plan::analyze_context(session, &view, &facts, parameters))
}

/// The same over what every session sees: temporary tables do not take names from others.
fn analyze_shared<T>(session: &Session, f: impl FnOnce(&AnalyzeContext<'_>) -> Result<T>) -> Result<T> {
    let facts = Facts::of(session);
    let view = SnapshotView { engine: &session.engine, catalog: session.engine.meta.snapshot() };
    f(&plan::analyze_context(session, &view, &facts, &[]))
}

/// What DDL takes where a statement says nothing.
pub(crate) fn ddl_defaults(engine: &Engine) -> DdlDefaults {
    let catalog = engine.meta.snapshot();
    let int = |name: &str| engine.setting_in(&catalog, name).parse::<u64>().unwrap_or_default();
    DdlDefaults {
        replication_num: u16::try_from(int("default_replication_num")).unwrap_or(u16::MAX),
        max_buckets: int("max_bucket_number_per_partition") as u32,
        max_columns: int("max_column_number_per_table") as usize,
        ..DdlDefaults::default()
    }
}

/// CREATE TABLE.
pub async fn create(session: &mut Session, statement: &CreateTable, _text: &str) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let defaults = ddl_defaults(&session.engine);
    if statement.temporary {
        temporary::check_enabled(&session.engine)?;
    }
    let spec = analyze_shared(session, |ctx| analyze_create_table(ctx, statement, &defaults))?;
    create_analyzed(session, spec).await?;
    Ok(StatementResult::ok())
}

/// CREATE TABLE LIKE: the source's own DDL under the new name, with what the statement overrides.
pub async fn create_like(session: &mut Session, statement: &CreateTableLike) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let (db, name) = names::qualified(session, &statement.source)?;
    let catalog = session.catalog();
    let source = names::find_table(&catalog, &db, &name)?;
    names::olap(&source)?;
    let text = create_table_text(&source);
    let Statement::CreateTable(mut create) = fe_parser::parse_prepared(&text, &session.parse_options())?.stmt else {
        bail!(Internal, "the DDL of table '{name}' is not CREATE TABLE");
    };
    create.name = statement.name.clone();
    create.temporary = statement.temporary;
    create.external = statement.external;
    create.if_not_exists = statement.if_not_exists;
    if statement.partition_by.is_some() {
        create.partition_by.clone_from(&statement.partition_by);
    }
    if statement.distribution.is_some() {
        create.distribution.clone_from(&statement.distribution);
    }
    for property in &statement.properties {
        create.properties.retain(|p| !p.key.eq_ignore_ascii_case(&property.key));
        create.properties.push(property.clone());
    }
    let defaults = ddl_defaults(&session.engine);
    if statement.temporary {
        temporary::check_enabled(&session.engine)?;
        // A group of tables that lie alike outlives the session: a temporary table is no member.
        create.properties.retain(|p| !p.key.eq_ignore_ascii_case("colocate_with"));
    }
    let spec = analyze_shared(session, |ctx| analyze_create_table(ctx, &create, &defaults))?;
    create_analyzed(session, spec).await?;
    Ok(StatementResult::ok())
}

/// CREATE TABLE AS SELECT: the table, then an INSERT; the table goes when the insert fails.
pub async fn create_as_select(
    session: &mut Session,
    statement: &CreateTableAsSelect,
    parameters: &[(Scalar, LogicalType)],
    id: QueryId,
) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let defaults = ddl_defaults(&session.engine);
    if statement.table.temporary {
        temporary::check_enabled(&session.engine)?;
    }
    let analyzed = analyze(session, parameters, |ctx| analyze_ctas(ctx, statement, &defaults))?;
    let Some(table) = create_analyzed(session, analyzed.spec).await? else { return Ok(StatementResult::ok()) };
    let fill = Insert {
        with: None,
        overwrite: false,
        target: InsertTarget::Table(statement.table.name.clone()),
        partitions: None,
        label: None,
        columns: None,
        by_name: false,
        properties: Vec::new(),
        source: InsertSource::Query(statement.query.clone()),
    };
    let filled = insert::run(session, &fill, parameters, id).await;
    if filled.is_err() {
        drop_created(session, &table).await;
    }
    filled
}

async fn drop_created(session: &mut Session, table: &Table) {
    match session.take_back(Op::DropTable { table: table.id, recycle_ms: None }).await {
        Ok(()) => tablets::drop_tablets(&session.engine, &partitions_of(table)),
        Err(e) => tracing::warn!(table = %table.id, "a table whose first insert failed could not be dropped: {e}"),
    }
}

/// Makes the tablets and the catalog entry; `None` when the table exists already and that is no error.
async fn create_analyzed(session: &mut Session, spec: CreateTableSpec) -> Result<Option<Table>> {
    let engine = session.engine.clone();
    let (db, _held) = find_and_hold_database(session, &spec.db_name, Hold::Shared).await?;
    let catalog = engine.meta.snapshot();
    let exists = if spec.temporary {
        temporary::check_enabled(&engine)?;
        temporary::find(session, &catalog, &spec.db_name, &spec.name).is_some()
    } else {
        catalog.table(db.id, &spec.name).is_some()
    };
    if exists {
        if spec.if_not_exists {
            return Ok(None);
        }
        bail!(TableExists, "Getting analyzing error. Detail message: Table '{}' already exists.", spec.name);
    }
    let first_id = engine.meta.next_ids(2).await?;
    let now_ms = engine.clock.now_ms();
    let olap = OlapTable {
        partition_info: spec.partition_info,
        distribution: spec.distribution,
        sort_key: spec.sort_key,
        short_key_columns: spec.short_key_columns,
        properties: spec.properties,
        indexes_ddl: spec.indexes_ddl,
        colocate_group: spec.colocate_group,
        next_column_uid: spec.columns.len() as u64 + 1,
        ..OlapTable::new(spec.keys, IndexId(first_id + 1))
    };
    let mut table = Table {
        comment: spec.comment,
        created_ms: now_ms,
        updated_ms: now_ms,
        ..Table::new(TableId(first_id), db.id, spec.name, spec.columns, TableKind::System)
    };
    let mut olap = olap;
    if !spec.rollups.is_empty() {
        table.kind = TableKind::Olap(Arc::new(olap.clone()));
        olap.further = super::rollup::with_table(session, &table, &spec.rollups).await?;
    }
    dynamic_partition::check(&engine, &table, &olap)?;
    // Also when there is no partition yet.
    medium::of_new(&olap, &PartitionItem::All, &[], &session.variables.get_text("time_zone"))?;
    if let Some(location) = olap.property("labels.location") {
        check_location(&catalog, &olap, location)?;
    }
    let mut plans = partition_plans(&engine, &session.variables.get_text("time_zone"), &olap, spec.replication_num, spec.partitions, false)?;
    let automatic = matches!(olap.distribution, Distribution::Hash { buckets: 0, .. });
    if let Some(buckets) = olap.colocate_group.as_ref().filter(|_| automatic).and_then(|group| colocate::buckets(&catalog, table.db_id, group)) {
        plans.iter_mut().for_each(|p| p.buckets = buckets);
    }
    if let (Some(group), Some(first)) = (&olap.colocate_group, plans.first()) {
        let mine = colocate::shape(&table, &olap, first.buckets, first.replication_num)?;
        colocate::check(&catalog, table.db_id, group, table.id, &mine)?;
    }
    let made = if plans.is_empty() {
        Vec::new()
    } else {
        tablets::create_partitions(&engine, &template(&table, &olap), plans).await?
    };
    let olap = OlapTable { partitions: made.iter().map(|p| (p.id, Arc::new(p.clone()))).collect(), ..olap };
    table.kind = TableKind::Olap(Arc::new(olap));
    let op = if spec.temporary {
        Op::CreateTemporaryTable { session: session.uuid.clone(), frontend: session.frontend(), table: Arc::new(table.clone()) }
    } else {
        Op::CreateTable(Arc::new(table.clone()))
    };
    match session.change(op).await {
        Ok(_) => {
            session.wait_for_own_changes().await?;
            dynamic_partition::changed(&engine, table.id).await;
            Ok(Some(table))
        }
        Err(e) => {
            tablets::drop_tablets(&engine, &made);
            // Somebody else was faster.
            if spec.if_not_exists && e.code() == ErrorCode::TableExists { Ok(None) } else { Err(e) }
        }
    }
}

/// What new tablets of a table look like.
pub(crate) fn template<'a>(table: &'a Table, olap: &'a OlapTable) -> TabletTemplate<'a> {
    let ordinal = |uid| table.columns.iter().position(|c| c.uid == uid).map(|i| i as u32);
    let compression = olap.property("compression").unwrap_or("LZ4").to_ascii_uppercase();
    TabletTemplate {
        db: table.db_id,
        table: table.id,
        index: olap.base_index,
        keys: olap.keys,
        columns: &table.columns,
        schema_version: olap.schema_version,
        short_key_columns: olap.short_key_columns,
        sort_key: olap.sort_key.iter().filter_map(|uid| ordinal(*uid)).collect(),
        compression: storage_compression(&compression).to_owned(),
        flat_json: tablets::flat_json(olap),
        column_indexes: secondary_index::of_columns(olap),
        medium: olap.property("storage_medium").unwrap_or_default().to_ascii_uppercase(),
        colocate_group: olap.colocate_group.as_deref(),
        location: place::wanted(olap),
        further: &olap.further,
    }
}

/// The codec segments are written with: what they do not know is written as LZ4.
fn storage_compression(name: &str) -> &str {
    match name {
        n if n.starts_with("ZSTD") => n,
        "NO_COMPRESSION" | "NONE" => "NONE",
        _ => "LZ4",
    }
}

/// Where a table is to want its replicas: well said, and some backend is there.
pub(crate) fn check_location(catalog: &CatalogSnapshot, olap: &OlapTable, location: &str) -> Result<()> {
    place::check_wanted(location)?;
    if olap.colocate_group.is_some() && !location.is_empty() {
        bail!(User, "labels.location cannot be set for a table in a colocate group");
    }
    for pattern in location.split(',').map(str::trim) {
        if !catalog.backends.values().any(|b| place::allowed(pattern, &b.location)) {
            bail!(User, "Cannot find any backend with location: {pattern}");
        }
    }
    Ok(())
}

/// Sizes of partitions to make.
pub(crate) fn partition_plans(engine: &Engine, zone: &str, olap: &OlapTable, replication_num: u16, specs: Vec<PartitionSpec>, temporary: bool) -> Result<Vec<PartitionPlan>> {
    let backends = engine.nodes.alive(&engine.meta.snapshot()).len() as u32;
    let declared = match &olap.distribution {
        Distribution::Hash { buckets, .. } | Distribution::Random { buckets } => *buckets,
    };
    let unpartitioned = olap.partition_info == PartitionInfo::Unpartitioned;
    let automatic = match olap.partitions.values().next() {
        // Partitions of a colocate group are alike, also when backends came.
        Some(p) if olap.colocate_group.is_some() => p.buckets,
        _ => by_recent_sizes(engine, olap, automatic_buckets(backends, unpartitioned)),
    };
    specs
        .into_iter()
        .map(|spec| {
            let asked = spec.buckets.filter(|b| *b > 0).unwrap_or(declared);
            Ok(PartitionPlan {
                placed: medium::of_new(olap, &spec.item, &spec.properties, zone)?,
                name: spec.name,
                item: spec.item,
                buckets: if asked > 0 { asked } else { automatic },
                replication_num: spec.replication_num.unwrap_or(replication_num),
                temporary,
            })
        })
        .collect()
}

/// Buckets of a partition when nobody said how many.
pub(crate) fn automatic_buckets(backends: u32, unpartitioned: bool) -> u32 {
    let by_backends = match backends {
        0..=12 => 2 * backends.max(1),
        13..=24 => backends * 3 / 2,
        25..=36 => 36,
        more => more.min(48),
    };
    if unpartitioned { by_backends.max(16) } else { by_backends }
}

/// Partitions that say how large the next will be.
const RECENT_PARTITIONS: usize = 5;
/// Bytes of a partition for each of its buckets.
const BUCKET_BYTES: u64 = 3 << 30;

/// The bucket number when partitions before have become large.
fn by_recent_sizes(engine: &Engine, olap: &OlapTable, by_backends: u32) -> u32 {
    let catalog = engine.meta.snapshot();
    let recent: Vec<&Arc<Partition>> = olap.partitions.values().rev().filter(|p| !p.temporary).take(RECENT_PARTITIONS).collect();
    let tablet = recent.first().and_then(|p| p.indexes.first()?.tablets.first());
    let statistics = tablet.and_then(|t| catalog.tablets.get(&t.id)).and_then(|(table, _)| catalog.statistics_of(*table));
    let bytes = |p: &Partition| statistics.and_then(|s| s.partitions.iter().find(|x| x.partition == p.id)).map_or(0, |s| s.bytes);
    let most = ddl_defaults(engine).max_buckets;
    let sizes: Vec<Option<u64>> = recent.iter().map(|p| (p.visible_version > tablets::INITIAL_VERSION).then(|| bytes(p))).collect();
    grown_buckets(by_backends, &sizes).min(most.max(by_backends))
}

/// At least the number by backends; more when all of the recent partitions (`None` = never loaded) tell of larger ones.
fn grown_buckets(by_backends: u32, recent: &[Option<u64>]) -> u32 {
    let largest = recent.iter().copied().collect::<Option<Vec<u64>>>().filter(|sizes| sizes.len() >= RECENT_PARTITIONS).and_then(|sizes| sizes.into_iter().max());
    largest.map_or(by_backends, |bytes| by_backends.max(u32::try_from(bytes.div_ceil(BUCKET_BYTES)).unwrap_or(u32::MAX)))
}

/// DROP TABLE.
pub async fn drop(session: &mut Session, statement: &DropTable) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    if statement.temporary {
        return temporary::drop(session, statement).await;
    }
    let (db_name, name) = names::qualified(session, &statement.name)?;
    refuse_system_database(&db_name)?;
    let catalog = session.catalog();
    let db = match names::find_database(&catalog, &db_name) {
        Ok(db) => db,
        Err(_) if statement.if_exists => return Ok(StatementResult::ok()),
        Err(e) => return Err(e),
    };
    let own = catalog.table(db.id, &name).filter(|_| temporary::is_temporary(session, &statement.name)).cloned();
    let (table, _held) = match own {
        Some(table) => (table, None),
        None => match find_and_hold(session, &db_name, &[&name], Hold::Alone).await {
            Ok((mut found, held)) => (found.remove(0), Some(held)),
            Err(e) if statement.if_exists && e.code() == ErrorCode::UnknownTable => return Ok(StatementResult::ok()),
            Err(e) => return Err(e),
        },
    };
    if table.as_olap().is_none() {
        bail!(WrongObject, "'{db_name}.{name}' is not 'TABLE'. Hint: Use DROP VIEW to remove a view");
    }
    let id = table.id;
    if !statement.force {
        let op = Op::DropTable { table: id, recycle_ms: Some(session.engine.clock.now_ms()) };
        return recover::drop_settled(session, op, |txn| txn.versions.iter().any(|(t, _, _)| *t == id)).await;
    }
    let result = session.change(Op::DropTable { table: id, recycle_ms: None }).await?;
    tablets::drop_tablets(&session.engine, &partitions_of(&table));
    Ok(result)
}

/// Nothing of information_schema and its like can be changed.
pub(crate) fn refuse_system_database(db: &str) -> Result<()> {
    if info_schema::is_system_database(db) {
        bail!(AccessDenied, "Access denied for database '{db}'");
    }
    Ok(())
}

/// The partitions of a table, as values.
pub(crate) fn partitions_of(table: &Table) -> Vec<Partition> {
    table.as_olap().iter().flat_map(|o| o.partitions.values()).map(|p| p.as_ref().clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn automatic_bucket_numbers_follow_the_cluster_size() {
        assert_eq!(automatic_buckets(1, false), 2);
        assert_eq!(automatic_buckets(1, true), 16);
        assert_eq!(automatic_buckets(12, true), 24);
        assert_eq!(automatic_buckets(20, false), 30);
        assert_eq!(automatic_buckets(30, false), 36);
        assert_eq!(automatic_buckets(40, false), 40);
        assert_eq!(automatic_buckets(100, false), 48);
    }

    #[test]
    fn large_partitions_are_followed_by_more_buckets() {
        let gb = |n: u64| Some(n << 30);
        assert_eq!(grown_buckets(6, &[gb(1), gb(100), gb(2), gb(3), gb(4)]), 34);
        assert_eq!(grown_buckets(6, &[gb(1), gb(100), None, gb(3), gb(4)]), 6);
        assert_eq!(grown_buckets(6, &[gb(100); 4]), 6);
        assert_eq!(grown_buckets(6, &[gb(1); 5]), 6);
    }
}
