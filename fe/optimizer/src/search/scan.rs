//! Scans: pruning of partitions and buckets, and the distribution the storage layout gives.

use common_expr::predicate::extract_all;
use fe_catalog::model::{Distribution as Layout, KeysModel};
use fe_plan::{
    PhysicalOp,
    files::FilesScan,
    logical::{LogicalScan, LogicalValues},
    physical::{PhysicalScan, SelectedPartition},
    props::{BucketLayout, Distribution, LayoutGroup},
};

use super::{Alt, Plans, share};
use crate::{
    column_set::ColumnSet,
    context::Context,
    cost::{self, Size},
    prune,
    stats::{derive, filter},
};

/// The alternatives of a scan: one.
pub(super) fn plan(ctx: &mut Context<'_>, scan: LogicalScan) -> Plans {
    let columns = ColumnSet::of(scan.columns.iter().map(|(id, _)| *id));
    let table = scan.table.clone();
    if let Some(files) = scan.files.clone() {
        return read_files(ctx, scan, &files, columns);
    }
    let Some(olap) = table.as_olap() else {
        return empty(scan, columns);
    };
    let (predicates, _) = extract_all(&scan.predicates);
    let partitions = prune::partitions(&scan, olap, &predicates, ctx.eval);
    let total_rows = derive::scan(ctx, &scan, partitions.iter().map(|p| p.id));
    let selected: Vec<SelectedPartition> = partitions.iter().map(|p| prune::tablets(&scan, &table, olap, p, &predicates)).collect();
    let total_tablets: usize = partitions.iter().map(|p| p.indexes.first().map_or(0, |i| i.tablets.len())).sum();
    let chosen: usize = selected.iter().map(|s| s.tablets.len()).sum();
    if chosen == 0 {
        return empty(scan, columns);
    }
    let read = total_rows * (chosen as f64 / total_tablets.max(1) as f64);
    // Rows of the chosen buckets already satisfy the equality that chose them.
    let rows = filter::apply(ctx, &scan.predicates, total_rows).min(read.max(1.0));
    let dist = distribution(ctx, &scan, olap, &selected);
    let width = derive::row_size(ctx, columns.iter());
    let cost = cost::scan(Size { rows: read, width }) * share(ctx, &dist);
    let total_partitions = olap.partitions.values().filter(|p| !p.temporary).count();
    let op = PhysicalOp::Scan(Box::new(PhysicalScan {
        preaggregate: matches!(olap.keys, KeysModel::Aggregate | KeysModel::Unique),
        table: table.clone(),
        files: None,
        db_name: scan.db_name,
        alias: scan.alias,
        rollup: scan.rollup,
        columns: scan.columns,
        json_paths: scan.json_paths,
        predicates: scan.predicates,
        partitions: selected.into_iter().filter(|s| !s.tablets.is_empty()).collect(),
        total_partitions,
        total_tablets,
        limit: None,
        top_n: None,
        runtime_filters: Vec::new(),
        avg_row_size: width,
        bucket_aligned: matches!(dist, Distribution::Bucket { .. }),
    }));
    Plans::one(Alt { op, children: Vec::new(), dist, rows, cost }, columns)
}

/// A scan of files: any backend can read any part.
fn read_files(ctx: &mut Context<'_>, scan: LogicalScan, files: &FilesScan, columns: ColumnSet) -> Plans {
    derive::unknown_columns(ctx, &scan, files.rows);
    let dist = if ctx.single_node() { Distribution::Single } else { Distribution::Any };
    let width = derive::row_size(ctx, columns.iter());
    let rows = filter::apply(ctx, &scan.predicates, files.rows);
    let cost = cost::scan(Size { rows: files.rows, width }) * share(ctx, &dist);
    let op = PhysicalOp::Scan(Box::new(PhysicalScan {
        preaggregate: false,
        table: scan.table,
        files: scan.files,
        db_name: scan.db_name,
        alias: scan.alias,
        rollup: None,
        columns: scan.columns,
        json_paths: scan.json_paths,
        predicates: scan.predicates,
        partitions: Vec::new(),
        total_partitions: 0,
        total_tablets: 0,
        limit: None,
        top_n: None,
        runtime_filters: Vec::new(),
        avg_row_size: width,
        bucket_aligned: false,
    }));
    Plans::one(Alt { op, children: Vec::new(), dist, rows, cost }, columns)
}

fn empty(scan: LogicalScan, columns: ColumnSet) -> Plans {
    let ids = scan.columns.iter().map(|(id, _)| *id).collect();
    let op = PhysicalOp::Values(LogicalValues { columns: ids, rows: Vec::new(), chunks: Default::default() });
    Plans::one(Alt { op, children: Vec::new(), dist: Distribution::Single, rows: 0.0, cost: 0.0 }, columns)
}

fn distribution(ctx: &Context<'_>, scan: &LogicalScan, olap: &fe_catalog::model::OlapTable, selected: &[SelectedPartition]) -> Distribution {
    if ctx.single_node() {
        return Distribution::Single;
    }
    if ctx.options.ignore_buckets {
        return Distribution::Any;
    }
    let Layout::Hash { columns, .. } = &olap.distribution else { return Distribution::Any };
    let ids: Option<Vec<Vec<u32>>> = columns
        .iter()
        .map(|uid| scan.columns.iter().find(|(_, u)| u == uid).map(|(id, _)| vec![*id]))
        .collect();
    let buckets = selected.first().map_or(0, |s| s.partition.buckets);
    let group = match &olap.colocate_group {
        Some(name) if ctx.options.colocate_join => LayoutGroup::Colocate(format!("{}_{name}", scan.table.db_id)),
        // Buckets of one number are on one node only within a partition.
        _ if selected.len() == 1 => LayoutGroup::Table(scan.table.id),
        _ => return Distribution::Any,
    };
    match ids {
        Some(columns) if buckets > 0 && selected.iter().all(|s| s.partition.buckets == buckets) => {
            Distribution::Bucket { columns, layout: BucketLayout { group, buckets } }
        }
        _ => Distribution::Any,
    }
}
