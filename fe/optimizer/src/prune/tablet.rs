//! Bucket pruning: equality or IN on every distribution column names the buckets.

use common_expr::predicate::ColumnPredicate;
use common_types::{Scalar, hash::bucket_hash};
use fe_catalog::model::{Distribution, OlapTable, Table};
use fe_plan::logical::LogicalScan;

/// Combinations beyond this many are not worth enumerating.
const MAX_COMBINATIONS: usize = 1024;

/// The buckets that can hold a wanted row; `None` = all.
pub fn buckets(scan: &LogicalScan, table: &Table, olap: &OlapTable, count: u32, predicates: &[ColumnPredicate]) -> Option<Vec<u32>> {
    let Distribution::Hash { columns, .. } = &olap.distribution else { return None };
    if count <= 1 || predicates.is_empty() {
        return None;
    }
    let mut choices: Vec<Vec<Scalar>> = Vec::with_capacity(columns.len());
    let mut combinations = 1usize;
    for uid in columns {
        let id = scan.columns.iter().find(|(_, u)| u == uid).map(|(id, _)| *id)?;
        let predicate = predicates.iter().find(|p| p.column == id)?;
        if predicate.accepts_null() {
            return None;
        }
        let points = predicate.points()?;
        combinations = combinations.saturating_mul(points.len());
        if combinations > MAX_COMBINATIONS {
            return None;
        }
        choices.push(points);
    }
    let types: Vec<_> = columns.iter().map(|uid| table.column_by_uid(*uid).map(|c| c.ty.clone())).collect::<Option<_>>()?;
    let mut out: Vec<u32> = Vec::new();
    let mut hash = Vec::new();
    for n in 0..combinations {
        let mut rest = n;
        let row: Vec<_> = choices
            .iter()
            .zip(&types)
            .map(|(points, ty)| {
                let value = &points[rest % points.len()];
                rest /= points.len();
                value.to_column(ty, 1)
            })
            .collect();
        bucket_hash(&row, 1, &mut hash);
        let bucket = hash[0] % count;
        if !out.contains(&bucket) {
            out.push(bucket);
        }
    }
    Some(out)
}
