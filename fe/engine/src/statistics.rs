//! Table statistics from the segments' own sketches: merged when loads publish, used by the planner at once.
//!
//! Sketches of tablets are leader memory (rebuilt from reports); the merged numbers go into the catalog, so that every FE plans alike.

use std::{collections::{BTreeMap, HashMap}, sync::Arc};

use common_base::{hll::HllSketch, ids::{ColumnUid, NodeId, PartitionId, TableId, TabletId}};
use common_types::{LogicalType, Scalar, compare::compare_scalars, wire};
use fe_catalog::{CatalogState, Op, model::{CollectedKind, ColumnStatistics, Histogram, PartitionStatistics, Table, TableStatistics}};
use fe_plan::stats::{ColumnStatistics as PlanColumn, StatisticsProvider};
use parking_lot::Mutex;
use proto_services::fe_service::{TabletReport, TabletStatistics};
use tracing::warn;

use crate::engine::Engine;

/// The newest sketches of each tablet.
#[derive(Default)]
pub struct StatisticsCache {
    tablets: Mutex<HashMap<TabletId, Held>>,
    replicas: Mutex<HashMap<(TabletId, NodeId), ReplicaFacts>>,
}

/// Where a replica is, and of how many rowsets it is made, by its newest report.
#[derive(Clone, Debug)]
pub struct ReplicaFacts {
    /// Root of the data directory.
    pub dir: Arc<str>,
    pub rowsets: u32,
}

/// Size of a tablet at a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TabletSize {
    pub version: i64,
    pub rows: u64,
    pub bytes: u64,
}

struct Held {
    version: i64,
    statistics: TabletStatistics,
}

impl StatisticsCache {
    /// Takes reports in; of several replicas the highest version counts.
    pub fn take_in(&self, catalog: &CatalogState, reports: Vec<(NodeId, TabletReport)>) {
        let mut tablets = self.tablets.lock();
        let mut replicas = self.replicas.lock();
        let mut dir: Arc<str> = Arc::from("");
        for (node, report) in reports {
            let id = TabletId(report.tablet_id);
            if catalog.tablets.contains_key(&id) && !report.dir.is_empty() {
                // Most tablets of a report share a few directories.
                if *dir != *report.dir {
                    dir = Arc::from(report.dir.as_str());
                }
                replicas.insert((id, node), ReplicaFacts { dir: dir.clone(), rowsets: report.rowsets });
            }
            let (Some(statistics), true) = (report.statistics, catalog.tablets.contains_key(&id)) else { continue };
            let newer = tablets.get(&id).is_none_or(|held| held.version <= report.version);
            if newer {
                tablets.insert(id, Held { version: report.version, statistics });
            }
        }
        // Tablets of dropped tables leave with them.
        if tablets.len() > catalog.tablets.len() * 2 {
            tablets.retain(|id, _| catalog.tablets.contains_key(id));
            replicas.retain(|(id, _), _| catalog.tablets.contains_key(id));
        }
    }

    /// What the newest report of a replica says; `None` before the first.
    pub fn replica(&self, tablet: TabletId, node: NodeId) -> Option<ReplicaFacts> {
        self.replicas.lock().get(&(tablet, node)).cloned()
    }

    /// What the newest report of a tablet says; `None` before the first.
    pub fn tablet(&self, id: TabletId) -> Option<TabletSize> {
        self.tablets.lock().get(&id).map(|held| TabletSize { version: held.version, rows: held.statistics.rows, bytes: held.statistics.bytes })
    }

    /// Merges a table's sketches and records the result.
    pub async fn publish(&self, engine: &Engine, table: TableId) {
        let catalog = engine.meta.snapshot();
        let Some(entry) = catalog.tables.get(&table) else { return };
        let merged = self.merge(entry, engine.clock.now_ms());
        if catalog.statistics_of(table).is_some_and(|old| old.partitions == merged.partitions && old.columns == merged.columns) {
            return;
        }
        if let Err(e) = engine.meta.submit(Op::UpdateStatistics { table, statistics: Arc::new(merged) }).await {
            warn!(table = %table, "statistics could not be recorded: {e}");
        }
    }

    fn merge(&self, table: &Table, now_ms: i64) -> TableStatistics {
        let tablets = self.tablets.lock();
        let mut partitions = Vec::new();
        let mut columns: BTreeMap<ColumnUid, (ColumnStatistics, HllSketch)> = BTreeMap::new();
        for partition in table.as_olap().iter().flat_map(|o| o.partitions.values()) {
            let (mut rows, mut bytes) = (0, 0);
            for held in partition.indexes.first().iter().flat_map(|i| &i.tablets).filter_map(|t| tablets.get(&t.id)) {
                rows += held.statistics.rows;
                bytes += held.statistics.bytes;
                for column in &held.statistics.columns {
                    merge_column(&mut columns, column);
                }
            }
            partitions.push(PartitionStatistics { partition: partition.id, rows, bytes });
        }
        let columns = columns.into_values().map(|(c, hll)| ColumnStatistics { distinct: hll.estimate() as u64, ..c }).collect();
        TableStatistics { partitions, columns, updated_ms: now_ms }
    }
}

fn merge_column(columns: &mut BTreeMap<ColumnUid, (ColumnStatistics, HllSketch)>, column: &proto_services::fe_service::ColumnStatistics) {
    let uid = ColumnUid(column.uid);
    let scalar = |s: &Option<proto_messages::types::Scalar>| s.as_ref().and_then(|s| wire::scalar_from_proto(s).ok()).unwrap_or(Scalar::Null);
    let empty = || (ColumnStatistics { uid, nulls: 0, distinct: 0, min: Scalar::Null, max: Scalar::Null, bytes: 0 }, HllSketch::default());
    let (merged, hll) = columns.entry(uid).or_insert_with(empty);
    merged.nulls += column.nulls;
    merged.bytes += column.bytes;
    let (min, max) = (scalar(&column.min), scalar(&column.max));
    if !min.is_null() && (merged.min.is_null() || compare_scalars(&min, &merged.min).is_lt()) {
        merged.min = min;
    }
    if !max.is_null() && (merged.max.is_null() || compare_scalars(&max, &merged.max).is_gt()) {
        merged.max = max;
    }
    if let Ok(other) = HllSketch::from_bytes(&column.hll) {
        hll.merge(&other);
    }
}

/// Statistics of a snapshot, as the planner asks for them.
pub struct SnapshotStatistics<'a> {
    pub catalog: &'a CatalogState,
}

impl StatisticsProvider for SnapshotStatistics<'_> {
    fn partition_rows(&self, table: &Table, partition: PartitionId) -> Option<f64> {
        let statistics = self.catalog.statistics_of(table.id)?;
        statistics.partitions.iter().find(|p| p.partition == partition).map(|p| p.rows as f64)
    }

    fn column(&self, table: &Table, column: ColumnUid) -> Option<PlanColumn> {
        let statistics = self.catalog.statistics_of(table.id)?;
        let found = statistics.columns.iter().find(|c| c.uid == column)?;
        let rows = statistics.rows().max(1) as f64;
        let width = table.column_by_uid(column).map_or(8.0, |c| type_width(&c.ty));
        let average = if found.bytes > 0 { found.bytes as f64 / rows } else { width };
        Some(PlanColumn {
            ndv: (found.distinct as f64).max(1.0),
            null_fraction: found.nulls as f64 / rows,
            min: found.min.clone(),
            max: found.max.clone(),
            avg_size: average.max(1.0),
        })
    }

    fn histogram(&self, table: &Table, column: ColumnUid) -> Option<Arc<Histogram>> {
        let all = self.catalog.collected.get(&table.id)?;
        let name = &table.column_by_uid(column)?.name;
        all.iter().find(|c| c.kind == CollectedKind::Histogram && c.name == *name)?.histogram.clone()
    }
}

fn type_width(ty: &LogicalType) -> f64 {
    ty.fixed_width().map_or(16.0, |w| w as f64)
}
