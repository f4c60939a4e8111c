//! Table statistics from the segments' own sketches: merged when loads publish, used by the planner at once.
//!
//! Sketches of tablets are leader memory (rebuilt from reports); the merged numbers go into the catalog, so that every FE plans alike.

use std::{collections::{BTreeMap, BTreeSet, HashMap}, sync::Arc, time::Duration};

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
    waiting: Mutex<Waiting>,
    /// Locked before the others.
    merged: Mutex<HashMap<PartitionId, Arc<Merged>>>,
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

/// Tables to be published.
#[derive(Default)]
struct Waiting {
    tables: BTreeSet<TableId>,
    /// A task looks after them.
    served: bool,
}

/// Between two rounds of [`StatisticsCache::publish_later`].
const PAUSE_MIN: Duration = Duration::from_secs(5);

struct Held {
    version: i64,
    /// Of its replicas the one whose report this is.
    node: NodeId,
    statistics: TabletStatistics,
}

impl StatisticsCache {
    /// Takes reports in; of several replicas the highest version counts, and of equal ones the first that came. The tables that have
    /// other statistics now.
    pub fn take_in(&self, catalog: &CatalogState, reports: Vec<(NodeId, TabletReport)>) -> BTreeSet<TableId> {
        let mut changed = BTreeSet::new();
        let mut merged = self.merged.lock();
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
            let (Some(statistics), Some((table, partition))) = (report.statistics, catalog.tablets.get(&id)) else { continue };
            let news = tablets.get(&id).is_none_or(|held| {
                held.version < report.version || (held.version == report.version && held.node == node && held.statistics != statistics)
            });
            if news {
                tablets.insert(id, Held { version: report.version, node, statistics });
                merged.remove(partition);
                changed.insert(*table);
            }
        }
        // Tablets of dropped tables leave with them.
        if tablets.len() > catalog.tablets.len() * 2 {
            tablets.retain(|id, _| catalog.tablets.contains_key(id));
            replicas.retain(|(id, _), _| catalog.tablets.contains_key(id));
            merged.clear();
        }
        changed
    }

    /// What the newest report of a replica says; `None` before the first.
    pub fn replica(&self, tablet: TabletId, node: NodeId) -> Option<ReplicaFacts> {
        self.replicas.lock().get(&(tablet, node)).cloned()
    }

    /// A replica was made on a disk.
    pub fn moved(&self, tablet: TabletId, node: NodeId, dir: &str) {
        let mut replicas = self.replicas.lock();
        let rowsets = replicas.get(&(tablet, node)).map_or(1, |f| f.rowsets);
        replicas.insert((tablet, node), ReplicaFacts { dir: Arc::from(dir), rowsets });
    }

    /// What the newest report of a tablet says; `None` before the first.
    pub fn tablet(&self, id: TabletId) -> Option<TabletSize> {
        self.tablets.lock().get(&id).map(|held| TabletSize { version: held.version, rows: held.statistics.rows, bytes: held.statistics.bytes })
    }

    /// Publishes tables one day soon: together they may take long, and more reports are under way.
    pub fn publish_later(engine: &Arc<Engine>, tables: BTreeSet<TableId>) {
        {
            let mut waiting = engine.statistics.waiting.lock();
            waiting.tables.extend(tables);
            if waiting.tables.is_empty() || std::mem::replace(&mut waiting.served, true) {
                return;
            }
        }
        let engine = engine.clone();
        common_base::runtime::spawn("statistics", async move {
            let mut pause = PAUSE_MIN;
            loop {
                tokio::time::sleep(pause).await;
                let begun = engine.clock.monotonic();
                let tables = {
                    let mut waiting = engine.statistics.waiting.lock();
                    waiting.served = !waiting.tables.is_empty();
                    std::mem::take(&mut waiting.tables)
                };
                if tables.is_empty() {
                    return;
                }
                for table in tables {
                    engine.statistics.publish(&engine, table).await;
                }
                // A tenth of the time, however long it takes.
                pause = PAUSE_MIN.max(10 * engine.clock.monotonic().saturating_sub(begun));
            }
        });
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
        let mut merged = self.merged.lock();
        let tablets = self.tablets.lock();
        let mut partitions = Vec::new();
        let mut columns = Columns::new();
        for partition in table.as_olap().iter().flat_map(|o| o.partitions.values()) {
            let Some(base) = partition.indexes.first() else { continue };
            let of = (base.tablets.first().map_or(TabletId(0), |t| t.id), base.tablets.len());
            let known = merged.get(&partition.id).filter(|m| m.of == of).cloned();
            let found = known.unwrap_or_else(|| {
                let made = Arc::new(merge_tablets(of, base.tablets.iter().filter_map(|t| tablets.get(&t.id))));
                if of.1 >= MERGED_FROM {
                    merged.insert(partition.id, made.clone());
                }
                made
            });
            for (uid, column, hll) in &found.columns {
                add_column(&mut columns, *uid, column, hll);
            }
            partitions.push(PartitionStatistics { partition: partition.id, rows: found.rows, bytes: found.bytes });
        }
        // Sketches still know values of rows that are deleted.
        let rows = partitions.iter().map(|p| p.rows).sum();
        let columns = columns.into_values().map(|(c, hll)| ColumnStatistics { distinct: (hll.estimate() as u64).min(rows), ..c }).collect();
        TableStatistics { partitions, columns, updated_ms: now_ms }
    }
}

type Columns = BTreeMap<ColumnUid, (ColumnStatistics, HllSketch)>;

/// The sketches of a partition of so many tablets are kept merged: most loads change few partitions.
const MERGED_FROM: usize = 8;

/// What the tablets of a partition's base index say together.
struct Merged {
    /// The first of them, and how many they are: a schema change puts others in their place.
    of: (TabletId, usize),
    rows: u64,
    bytes: u64,
    columns: Vec<(ColumnUid, ColumnStatistics, HllSketch)>,
}

fn merge_tablets<'h>(of: (TabletId, usize), tablets: impl Iterator<Item = &'h Held>) -> Merged {
    let (mut rows, mut bytes, mut columns) = (0, 0, Columns::new());
    for held in tablets {
        rows += held.statistics.rows;
        bytes += held.statistics.bytes;
        for column in &held.statistics.columns {
            merge_column(&mut columns, column);
        }
    }
    Merged { of, rows, bytes, columns: columns.into_iter().map(|(uid, (column, hll))| (uid, column, hll)).collect() }
}

fn merge_column(columns: &mut Columns, column: &proto_services::fe_service::ColumnStatistics) {
    let scalar = |s: &Option<proto_messages::types::Scalar>| s.as_ref().and_then(|s| wire::scalar_from_proto(s).ok()).unwrap_or(Scalar::Null);
    let uid = ColumnUid(column.uid);
    let (min, max) = (scalar(&column.min), scalar(&column.max));
    let column_of = ColumnStatistics { uid, nulls: column.nulls, distinct: 0, min, max, bytes: column.bytes };
    add_column(columns, uid, &column_of, &HllSketch::from_bytes(&column.hll).unwrap_or_default());
}

fn add_column(columns: &mut Columns, uid: ColumnUid, column: &ColumnStatistics, sketch: &HllSketch) {
    let empty = || (ColumnStatistics { uid, nulls: 0, distinct: 0, min: Scalar::Null, max: Scalar::Null, bytes: 0 }, HllSketch::default());
    let (merged, hll) = columns.entry(uid).or_insert_with(empty);
    merged.nulls += column.nulls;
    merged.bytes += column.bytes;
    if !column.min.is_null() && (merged.min.is_null() || compare_scalars(&column.min, &merged.min).is_lt()) {
        merged.min = column.min.clone();
    }
    if !column.max.is_null() && (merged.max.is_null() || compare_scalars(&column.max, &merged.max).is_gt()) {
        merged.max = column.max.clone();
    }
    hll.merge(sketch);
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
