//! Which partitions and buckets a scan must read.

pub mod keys;
pub mod partition;
pub mod tablet;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use common_expr::{predicate::ColumnPredicate, scalar_fn::EvalContext};
use fe_catalog::model::{OlapTable, Partition, Table};
use fe_plan::{
    logical::LogicalScan,
    physical::SelectedPartition,
};

/// The partitions whose bounds allow a row that satisfies the predicates, temporary ones only when named.
pub fn partitions(scan: &LogicalScan, olap: &OlapTable, predicates: &[ColumnPredicate], eval: &EvalContext) -> Vec<Arc<Partition>> {
    let conditions = partition::Conditions::of(scan, olap, predicates, eval);
    let named = |p: &Partition| match &scan.partitions {
        Some(ids) => ids.contains(&p.id),
        None => !p.temporary,
    };
    olap.partitions.values().filter(|p| named(p) && conditions.may_match(p)).cloned().collect()
}

/// The buckets of a partition that can hold a wanted row.
pub fn tablets(scan: &LogicalScan, table: &Table, olap: &OlapTable, p: &Arc<Partition>, predicates: &[ColumnPredicate]) -> SelectedPartition {
    let index = p.indexes.iter().find(|i| i.index_id == olap.base_index).or_else(|| p.indexes.first());
    let all = index.map(|i| i.tablets.as_slice()).unwrap_or_default();
    let wanted = tablet::buckets(scan, table, olap, all.len() as u32, predicates);
    let tablets = all
        .iter()
        .enumerate()
        .map(|(bucket, t)| (bucket as u32, t.id))
        .filter(|(bucket, id)| {
            wanted.as_ref().is_none_or(|w| w.contains(bucket)) && scan.tablets.as_ref().is_none_or(|ids| ids.contains(id))
        })
        .collect();
    SelectedPartition { partition: p.clone(), tablets }
}
