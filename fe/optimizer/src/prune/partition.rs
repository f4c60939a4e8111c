//! Partition pruning by range and list bounds.

use std::cmp::Ordering;

use common_base::ids::ColumnUid;
use common_expr::predicate::{Bound, ColumnPredicate, PredicateKind, order::compare_scalars};
use common_types::Scalar;
use fe_catalog::model::{ExpressionKey, OlapTable, Partition, PartitionBound, PartitionInfo, PartitionItem};
use fe_plan::logical::LogicalScan;

/// Whether the partition can hold a row that satisfies the predicates.
pub fn may_match(scan: &LogicalScan, olap: &OlapTable, partition: &Partition, predicates: &[ColumnPredicate]) -> bool {
    let tuple: Vec<ColumnUid>;
    let columns: &[ColumnUid] = match &olap.partition_info {
        PartitionInfo::Unpartitioned => return true,
        // Bounds of an expression's values say nothing of its column by themselves.
        PartitionInfo::Expression { key: ExpressionKey::Value, .. } => return true,
        PartitionInfo::Expression { exprs, key: ExpressionKey::Tuple, .. } => {
            tuple = exprs.iter().map(|text| plain_column(scan, text).unwrap_or(COMPUTED)).collect();
            &tuple
        }
        PartitionInfo::Range { columns } | PartitionInfo::List { columns } | PartitionInfo::Expression { columns, .. } => columns,
    };
    let predicate = |uid: ColumnUid| {
        let id = scan.columns.iter().find(|(_, u)| *u == uid).map(|(id, _)| *id)?;
        predicates.iter().find(|p| p.column == id)
    };
    match &partition.item {
        PartitionItem::All => true,
        PartitionItem::Range { lower, upper } => range(columns, lower, upper, &predicate),
        PartitionItem::List(tuples) => tuples.iter().any(|tuple| {
            columns.iter().zip(tuple).all(|(uid, value)| match predicate(*uid) {
                Some(p) if value.is_null() => p.accepts_null(),
                Some(p) => p.may_match(value, value, 0, 1),
                None => true,
            })
        }),
    }
}

/// A value of a tuple that is not a column as it is; no column has this number.
const COMPUTED: ColumnUid = ColumnUid(u64::MAX);

/// The column that a partition expression is.
fn plain_column(scan: &LogicalScan, text: &str) -> Option<ColumnUid> {
    let name = text.trim_matches('`');
    scan.table.columns.iter().find(|c| c.name.eq_ignore_ascii_case(name)).map(|c| c.uid)
}

/// Walks the columns of the bounds while the partition holds exactly one value of each; the first that varies decides.
fn range<'p>(
    columns: &[ColumnUid],
    lower: &PartitionBound,
    upper: &PartitionBound,
    predicate: &dyn Fn(ColumnUid) -> Option<&'p ColumnPredicate>,
) -> bool {
    let values = |bound: &'_ PartitionBound| -> Option<Vec<Scalar>> {
        match bound {
            PartitionBound::Values(v) => Some(v.clone()),
            _ => None,
        }
    };
    let (low, high) = (values(lower), values(upper));
    for (i, uid) in columns.iter().enumerate() {
        let a = low.as_ref().and_then(|v| v.get(i)).cloned();
        let b = high.as_ref().and_then(|v| v.get(i)).cloned();
        let fixed = matches!((&a, &b), (Some(a), Some(b)) if compare_scalars(a, b) == Some(Ordering::Equal));
        if let Some(p) = predicate(*uid) {
            // With one column the upper end itself is outside; further columns make it possible again.
            let last = i + 1 == columns.len();
            if !overlaps(p, a.as_ref(), b.as_ref(), !last) {
                return false;
            }
        }
        if !fixed {
            return true;
        }
    }
    true
}

fn overlaps(p: &ColumnPredicate, low: Option<&Scalar>, high: Option<&Scalar>, high_included: bool) -> bool {
    // NULLs live in the lowest partition.
    if low.is_none_or(Scalar::is_null) && p.accepts_null() {
        return true;
    }
    if p.kind == PredicateKind::IsNull {
        return false;
    }
    let inside = |v: &Scalar| {
        let above = low.is_none_or(|l| l.is_null() || compare_scalars(v, l) != Some(Ordering::Less));
        let below = high.is_none_or(|h| match compare_scalars(v, h) {
            Some(Ordering::Less) | None => true,
            Some(Ordering::Equal) => high_included,
            Some(Ordering::Greater) => false,
        });
        above && below
    };
    if let Some(points) = p.points() {
        return points.iter().any(inside);
    }
    let (from, to) = p.interval();
    let too_high = |b: &Bound| high.is_some_and(|h| match compare_scalars(&b.value, h) {
        Some(Ordering::Greater) => true,
        Some(Ordering::Equal) => !high_included || !b.inclusive,
        _ => false,
    });
    let too_low = |b: &Bound| low.is_some_and(|l| !l.is_null() && match compare_scalars(&b.value, l) {
        Some(Ordering::Less) => true,
        Some(Ordering::Equal) => !b.inclusive,
        _ => false,
    });
    !from.as_ref().is_some_and(too_high) && !to.as_ref().is_some_and(too_low)
}
