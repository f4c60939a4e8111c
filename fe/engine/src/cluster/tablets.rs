//! Placing and creating tablets on backends, and dropping them.

use std::{collections::BTreeMap, sync::Arc};

use common_base::{Error, ErrorCode, Result, bail, err, ids::{DbId, IndexId, NodeId, PartitionId, ReplicaId, TableId, TabletId}};
use common_rpc::status;
use common_types::wire;
use fe_catalog::{
    CatalogState,
    model::{Aggregation, Column, KeysModel, OlapTable, Partition, PartitionItem, Replica, TableIndex, Tablet, TabletIndex},
};
use fe_jobs::tablet::place::{self, Home};
use proto_messages::tablet as pb;
use proto_services::be_service::{CompactTabletsRequest, CreateTabletsRequest, DropTabletsRequest};
use tracing::warn;

use super::colocate;
use crate::{engine::Engine, statement::medium::Placed};

/// The version an empty partition starts at.
pub const INITIAL_VERSION: i64 = 1;

/// What tablets of a table look like.
pub struct TabletTemplate<'a> {
    pub db: DbId,
    pub table: TableId,
    pub index: IndexId,
    pub keys: KeysModel,
    pub columns: &'a [Column],
    pub schema_version: u32,
    pub short_key_columns: u32,
    /// Ordinals of the sort key when it is not the key columns.
    pub sort_key: Vec<u32>,
    pub compression: String,
    /// What the table says of its JSON columns.
    pub flat_json: Option<pb::FlatJson>,
    /// Indexes by lowercase column name; those of the same name in further indexes have them too.
    pub column_indexes: Vec<(String, pb::ColumnIndex)>,
    pub medium: String,
    /// Tables of one group keep equal buckets on equal backends.
    pub colocate_group: Option<&'a str>,
    /// Where the table wants its replicas.
    pub location: &'a str,
    /// The table's further indexes; each has a tablet beside every tablet of the base index.
    pub further: &'a [Arc<TableIndex>],
}

impl TabletTemplate<'_> {
    /// The schema of the base index's tablets.
    pub fn schema(&self) -> pb::TabletSchema {
        let columns = self.columns.iter().map(|c| column_message(c, &self.column_indexes)).collect();
        self.schema_message(self.schema_version, self.keys, columns, self.short_key_columns, self.sort_key.clone())
    }

    /// The schema of a further index's tablets.
    pub fn schema_of(&self, index: &TableIndex) -> pb::TabletSchema {
        let ordinal = |uid| index.columns.iter().position(|c| c.column.uid == uid).map(|i| i as u32);
        let columns = index.columns.iter().map(|c| column_message(&c.column, &self.column_indexes)).collect();
        let sort_key = index.sort_key.iter().filter_map(|uid| ordinal(*uid)).collect();
        self.schema_message(index.schema_version, index.keys, columns, index.short_key_columns, sort_key)
    }

    fn schema_message(&self, version: u32, keys: KeysModel, columns: Vec<pb::TabletColumn>, short_key_columns: u32, sort_key: Vec<u32>) -> pb::TabletSchema {
        let keys = match keys {
            KeysModel::Duplicate => pb::KeysModel::Duplicate,
            KeysModel::Aggregate => pb::KeysModel::Aggregate,
            KeysModel::Unique => pb::KeysModel::Unique,
            KeysModel::Primary => pb::KeysModel::Primary,
        };
        let (compression, flat_json) = (self.compression.clone(), self.flat_json.clone());
        pb::TabletSchema { version, keys: keys.into(), columns, short_key_columns, sort_key, compression, flat_json }
    }
}

/// What the properties of a table say of its JSON columns; nothing said: as backends are configured.
pub fn flat_json(olap: &OlapTable) -> Option<pb::FlatJson> {
    let enable = olap.property("flat_json.enable")?.eq_ignore_ascii_case("true");
    let number = |key: &str, default: f64| olap.property(key).and_then(|v| v.parse().ok()).unwrap_or(default);
    Some(pb::FlatJson {
        enable,
        nulls_max: number("flat_json.null.factor", 0.3),
        share_min: number("flat_json.sparsity.factor", 0.3),
        paths_max: number("flat_json.column.max", 100.0) as u32,
    })
}

/// A partition to make.
pub struct PartitionPlan {
    pub name: String,
    pub item: PartitionItem,
    pub buckets: u32,
    pub replication_num: u16,
    pub temporary: bool,
    pub placed: Placed,
}

impl PartitionPlan {
    /// One like another that is there.
    pub fn like(partition: &Partition) -> Self {
        Self {
            name: partition.name.clone(),
            item: partition.item.clone(),
            buckets: partition.buckets,
            replication_num: partition.replication_num,
            temporary: partition.temporary,
            placed: Placed { medium: partition.medium.clone(), cooldown_ms: partition.cooldown_ms },
        }
    }
}

/// Allots ids, places replicas on alive backends in turn, and creates the tablets there. Nothing is in the catalog yet.
pub async fn create_partitions(engine: &Arc<Engine>, template: &TabletTemplate<'_>, plans: Vec<PartitionPlan>) -> Result<Vec<Partition>> {
    let catalog = engine.meta.snapshot();
    let mut alive = engine.nodes.alive(&catalog);
    alive.retain(|b| catalog.backends.get(&b.id).is_some_and(|c| !c.decommissioned));
    let (percent, reserve) = (engine.setting_int("storage_usage_soft_limit_percent"), engine.setting_int("storage_usage_soft_limit_reserve_bytes"));
    alive.retain(|b| engine.nodes.has_room(b.id, percent.clamp(0, 100) as u64, reserve.max(0) as u64));
    if let Some(group) = template.colocate_group {
        colocate::check_partitions(&catalog, template.db, group, plans.iter().map(|p| (p.buckets, p.replication_num)))?;
    }
    let replicas_each = plans.iter().map(|p| usize::from(p.replication_num)).max().unwrap_or(1);
    if replicas_each > alive.len() || alive.is_empty() {
        let ids: Vec<String> = alive.iter().map(|b| b.id.to_string()).collect();
        bail!(User, "Table replication num should be less than or equal to the number of available BE nodes. You can change this default by setting the replication_num table properties. Current alive backend is [{}]. ", ids.join(","));
    }
    let indexes = 1 + template.further.len() as u64;
    let tablet_count: u64 = plans.iter().map(|p| indexes * u64::from(p.buckets)).sum();
    let replica_count: u64 = plans.iter().map(|p| indexes * u64::from(p.buckets) * u64::from(p.replication_num)).sum();
    let mut next = engine.meta.next_ids(plans.len() as u64 + tablet_count + replica_count).await?;
    let mut take = || {
        next += 1;
        next - 1
    };
    // Start at a different node for every table so that small tables spread; equal buckets of all partitions, and of all tables of
    // a colocate group, meet on one node.
    let first = template.colocate_group.map_or(template.table.0 as usize, |group| common_types::hash::hash_bytes(group.as_bytes()) as usize >> 1);
    let location = |node: NodeId| catalog.backends.get(&node).map_or("", |b| b.location.as_str());
    let homes: Vec<Home<'_>> = alive.iter().map(|b| Home { node: b.id, host: &b.host, location: location(b.id) }).collect();
    let mut made = Vec::with_capacity(plans.len());
    for plan in plans {
        let id = PartitionId(take());
        // A group that has buckets says where they are, as long as the backends are there.
        let of_group = template.colocate_group.and_then(|group| colocate::placed(&catalog, template.db, group, plan.buckets, plan.replication_num));
        let of_group = of_group.filter(|buckets| buckets.iter().flatten().all(|node| alive.iter().any(|b| b.id == *node)));
        let tablets: Vec<Tablet> = (0..plan.buckets)
            .map(|bucket| {
                let turn = first % alive.len() + bucket as usize;
                let count = usize::from(plan.replication_num);
                let of_bucket = of_group.as_ref().and_then(|buckets| buckets.get(bucket as usize)).filter(|nodes| nodes.len() >= count);
                let nodes = of_bucket.map_or_else(|| place::spread(&homes, turn, count, template.location), |nodes| nodes[..count].to_vec());
                let replicas = nodes.into_iter().map(|node| Replica::new(ReplicaId(take()), node, INITIAL_VERSION)).collect();
                Tablet { id: TabletId(take()), replicas }
            })
            .collect();
        let mut made_indexes = vec![Arc::new(TabletIndex { index_id: template.index, tablets })];
        for index in template.further {
            let beside = counterparts(&made_indexes[0].tablets, INITIAL_VERSION, &mut take);
            made_indexes.push(Arc::new(TabletIndex { index_id: index.id, tablets: beside }));
        }
        made.push(Partition {
            item: plan.item,
            buckets: plan.buckets,
            replication_num: plan.replication_num,
            visible_version: INITIAL_VERSION,
            next_version: INITIAL_VERSION + 1,
            visible_time_ms: engine.clock.now_ms(),
            temporary: plan.temporary,
            medium: plan.placed.medium,
            cooldown_ms: plan.placed.cooldown_ms,
            ..Partition::new(id, plan.name, made_indexes)
        });
    }
    if let Err(e) = create_on_backends(engine, template, &made).await {
        drop_tablets(engine, &made);
        return Err(e);
    }
    Ok(made)
}

/// New tablets on the nodes of others, bucket by bucket.
pub fn counterparts(tablets: &[Tablet], version: i64, take: &mut impl FnMut() -> u64) -> Vec<Tablet> {
    let beside = |tablet: &Tablet| {
        let replicas = tablet.replicas.iter().map(|r| Replica::new(ReplicaId(take()), r.node, version)).collect();
        Tablet { id: TabletId(take()), replicas }
    };
    tablets.iter().map(beside).collect()
}

async fn create_on_backends(engine: &Arc<Engine>, template: &TabletTemplate<'_>, partitions: &[Partition]) -> Result<()> {
    let mut schemas: BTreeMap<IndexId, pb::TabletSchema> = BTreeMap::from([(template.index, template.schema())]);
    schemas.extend(template.further.iter().map(|i| (i.id, template.schema_of(i))));
    let mut per_node: BTreeMap<NodeId, Vec<pb::CreateTablet>> = BTreeMap::new();
    for (partition, index, tablet, replica) in replicas(partitions) {
        per_node.entry(replica.node).or_default().push(pb::CreateTablet {
            tablet_id: tablet.id.0,
            table_id: template.table.0,
            partition_id: partition.id.0,
            index_id: index.index_id.0,
            schema: schemas.get(&index.index_id).cloned(),
            medium: if partition.medium.is_empty() { template.medium.clone() } else { partition.medium.clone() },
            initial_version: INITIAL_VERSION,
            converting: false,
        });
    }
    send_creates(engine, per_node).await
}

/// Creates tablets on their backends.
pub async fn send_creates(engine: &Arc<Engine>, per_node: BTreeMap<NodeId, Vec<pb::CreateTablet>>) -> Result<()> {
    let catalog = engine.meta.snapshot();
    let calls = per_node.into_iter().map(|(node, tablets)| send_create(engine, &catalog, node, tablets));
    futures::future::try_join_all(calls).await.map(|_| ())
}

/// The same as far as backends can be reached; the answer names those that cannot, and why. Any other failure is one of the whole.
pub async fn send_creates_to_reachable(engine: &Arc<Engine>, per_node: BTreeMap<NodeId, Vec<pb::CreateTablet>>) -> Result<BTreeMap<NodeId, Error>> {
    let catalog = &engine.meta.snapshot();
    let calls = per_node.into_iter().map(|(node, tablets)| async move {
        if !engine.nodes.is_alive(node) {
            return (node, Err(err!(Unavailable, "backend {node} is not alive")));
        }
        (node, send_create(engine, catalog, node, tablets).await)
    });
    let mut unreachable = BTreeMap::new();
    for (node, outcome) in futures::future::join_all(calls).await {
        match outcome {
            Ok(()) => {}
            Err(e) if matches!(e.code(), ErrorCode::Unavailable | ErrorCode::NetworkError | ErrorCode::Timeout) => {
                unreachable.insert(node, e);
            }
            Err(e) => return Err(e),
        }
    }
    Ok(unreachable)
}

async fn send_create(engine: &Engine, catalog: &CatalogState, node: NodeId, tablets: Vec<pb::CreateTablet>) -> Result<()> {
    let address = catalog.backends.get(&node).map(|b| format!("{}:{}", b.host, b.be_port));
    let address = address.ok_or_else(|| err!(Unavailable, "backend {node} is gone"))?;
    let reply = engine.pool.be(&address)?.create_tablets(CreateTabletsRequest { tablets }).await;
    let reply = reply.map_err(|e| status::from_grpc(&e, &address))?.into_inner();
    status::from_message(reply.status)
}

fn replicas(partitions: &[Partition]) -> impl Iterator<Item = (&Partition, &Arc<TabletIndex>, &Tablet, &Replica)> {
    partitions.iter().flat_map(|p| p.indexes.iter().flat_map(move |i| i.tablets.iter().flat_map(move |t| t.replicas.iter().map(move |r| (p, i, t, r)))))
}

/// Asks every backend to compact its replicas of partitions: into one rowset (`base`), or what came after the first.
pub async fn compact(engine: &Arc<Engine>, partitions: &[&Arc<Partition>], base: bool) -> Result<()> {
    let catalog = engine.meta.snapshot();
    let mut per_node: BTreeMap<NodeId, Vec<u64>> = BTreeMap::new();
    for (_, _, tablet, replica) in partitions.iter().flat_map(|p| replicas(std::slice::from_ref(&***p))) {
        per_node.entry(replica.node).or_default().push(tablet.id.0);
    }
    let calls = per_node.into_iter().map(|(node, tablet_ids)| {
        let address = catalog.backends.get(&node).map(|b| format!("{}:{}", b.host, b.be_port));
        async move {
            let address = address.ok_or_else(|| err!(Unavailable, "backend {node} is gone"))?;
            let reply = engine.pool.be(&address)?.compact_tablets(CompactTabletsRequest { tablet_ids, base }).await;
            status::from_message(reply.map_err(|e| status::from_grpc(&e, &address))?.into_inner().status)
        }
    });
    futures::future::try_join_all(calls).await.map(|_| ())
}

/// Drops the tablets of partitions that left the catalog, in the background: a backend that is away drops them when it reports.
pub fn drop_tablets(engine: &Arc<Engine>, partitions: &[Partition]) {
    let mut per_node: BTreeMap<NodeId, Vec<u64>> = BTreeMap::new();
    for (_, _, tablet, replica) in replicas(partitions) {
        per_node.entry(replica.node).or_default().push(tablet.id.0);
    }
    drop_on_backends(engine, per_node);
}

/// The same for tablets by backend.
pub fn drop_on_backends(engine: &Arc<Engine>, per_node: BTreeMap<NodeId, Vec<u64>>) {
    let catalog = engine.meta.snapshot();
    for (node, tablet_ids) in per_node {
        let Some(address) = catalog.backends.get(&node).map(|b| format!("{}:{}", b.host, b.be_port)) else { continue };
        let engine = engine.clone();
        tokio::spawn(async move {
            let dropped = match engine.pool.be(&address) {
                Ok(mut client) => client.drop_tablets(DropTabletsRequest { tablet_ids }).await.map_err(|e| status::from_grpc(&e, &address)).map(|_| ()),
                Err(e) => Err(e),
            };
            if let Err(e) = dropped {
                warn!(backend = %node, "tablets could not be dropped now: {e}");
            }
        });
    }
}

fn column_message(c: &Column, indexes: &[(String, pb::ColumnIndex)]) -> pb::TabletColumn {
    let name = c.name.to_lowercase();
    pb::TabletColumn {
        uid: c.uid.0,
        name: c.name.clone(),
        r#type: Some(wire::type_to_proto(&c.ty)),
        nullable: c.nullable,
        key: c.key,
        default_value: before_message(c),
        aggregation: c.aggregation.map(aggregation_name).unwrap_or_default().to_owned(),
        indexes: indexes.iter().filter(|(column, _)| *column == name).map(|(_, index)| *index).collect(),
    }
}

/// What rows written before the column existed have; absent for NULL.
pub fn before_message(c: &Column) -> Option<proto_messages::types::Scalar> {
    (!c.before.is_null()).then(|| wire::scalar_to_proto(&c.before, &c.ty))
}

/// How DDL spells a column's aggregation: states by their function.
pub fn aggregation_text(column: &Column) -> Option<String> {
    column.aggregation.map(|aggregation| match &column.ty {
        common_types::LogicalType::State(state) => state.to_string(),
        _ => aggregation_name(aggregation).to_owned(),
    })
}

/// How backends and views call an aggregation.
pub fn aggregation_name(aggregation: Aggregation) -> &'static str {
    match aggregation {
        Aggregation::Sum => "SUM",
        Aggregation::Min => "MIN",
        Aggregation::Max => "MAX",
        Aggregation::Replace => "REPLACE",
        Aggregation::ReplaceIfNotNull => "REPLACE_IF_NOT_NULL",
        Aggregation::HllUnion => "HLL_UNION",
        Aggregation::BitmapUnion => "BITMAP_UNION",
        Aggregation::PercentileUnion => "PERCENTILE_UNION",
        Aggregation::StateUnion => "AGG_STATE_UNION",
    }
}
