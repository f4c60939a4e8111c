//! SHOW PROC '/statistic': how much there is in each database, and which tablets are not well.

use common_base::ids::TabletId;
use common_types::Scalar;
use fe_catalog::model::Database;
use fe_jobs::tablet::Health;

use super::Table;
use crate::{cluster::repair, result::text, session::Session};

/// Counts of one database.
#[derive(Default)]
struct Counts {
    tables: usize,
    partitions: usize,
    indexes: usize,
    tablets: usize,
    replicas: usize,
    unhealthy: Vec<TabletId>,
    /// Replicas of one version that differ: found by nobody, a damaged one is bad.
    inconsistent: Vec<TabletId>,
    cloning: Vec<TabletId>,
    bad: Vec<TabletId>,
}

fn count(session: &Session, db: &Database) -> Counts {
    let engine = &session.engine;
    let catalog = engine.meta.snapshot();
    let mut counts = Counts { tables: catalog.tables_of(db.id).count(), ..Counts::default() };
    for partition in catalog.tables_of(db.id).filter_map(|t| t.as_olap()).flat_map(|o| o.partitions.values()) {
        counts.partitions += 1;
        counts.indexes += partition.indexes.len();
    }
    let busy = engine.replicas.scheduler.lock().busy().clone();
    repair::judge_tables(engine, &catalog, catalog.tables_of(db.id), |_, tablet, verdict| {
        counts.tablets += 1;
        counts.replicas += tablet.replicas.len();
        if verdict.health != Health::Healthy {
            counts.unhealthy.push(tablet.id);
        }
        if busy.contains(&tablet.id) {
            counts.cloning.push(tablet.id);
        }
        if tablet.replicas.iter().any(|r| r.bad) {
            counts.bad.push(tablet.id);
        }
    });
    counts
}

/// One row for each database, and their sum.
pub fn databases(session: &Session) -> Table {
    let catalog = session.engine.meta.snapshot();
    let mut total = [0; 9];
    let mut rows: Vec<Vec<Scalar>> = Vec::new();
    for db in catalog.databases.values() {
        let c = count(session, db);
        let numbers = [c.tables, c.partitions, c.indexes, c.tablets, c.replicas, c.unhealthy.len(), c.inconsistent.len(), c.cloning.len(), c.bad.len()];
        total.iter_mut().zip(numbers).for_each(|(t, n)| *t += n);
        rows.push(row(&db.id.to_string(), &db.name, numbers));
    }
    rows.push(row("Total", &catalog.databases.len().to_string(), total));
    let names = [
        "DbId",
        "DbName",
        "TableNum",
        "PartitionNum",
        "IndexNum",
        "TabletNum",
        "ReplicaNum",
        "UnhealthyTabletNum",
        "InconsistentTabletNum",
        "CloningTabletNum",
        "ErrorStateTabletNum",
    ];
    Table::new(&names, rows)
}

fn row(id: &str, name: &str, numbers: [usize; 9]) -> Vec<Scalar> {
    [text(id), text(name)].into_iter().chain(numbers.iter().map(|n| text(n.to_string()))).collect()
}

/// The tablets of one database that are not well.
pub fn tablets(session: &Session, db: &Database) -> Table {
    let c = count(session, db);
    let list = |ids: &[TabletId]| text(format!("[{}]", ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")));
    let row = vec![list(&c.unhealthy), list(&c.inconsistent), list(&c.cloning), list(&c.bad)];
    Table::new(&["UnhealthyTablets", "InconsistentTablets", "CloningTablets", "ErrorStateTablets"], vec![row])
}
