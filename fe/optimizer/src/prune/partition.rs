//! Partition pruning by range and list bounds.

use std::cmp::Ordering;

use common_base::ids::ColumnUid;
use common_expr::{
    expr::{ColumnId, Expr},
    predicate::{Bound, ColumnPredicate, PredicateKind, extract_all, order::compare_scalars},
    scalar_fn::EvalContext,
};
use common_types::Scalar;
use fe_catalog::model::{ExpressionKey, OlapTable, Partition, PartitionBound, PartitionInfo, PartitionItem};
use fe_plan::logical::LogicalScan;

use super::keys::{FunctionFilter, KeyFilter, tuples_may_pass};

/// What a scan's conditions say of its table's partitions.
pub struct Conditions<'a> {
    scan: &'a LogicalScan,
    olap: &'a OlapTable,
    predicates: &'a [ColumnPredicate],
    eval: &'a EvalContext,
    /// One of each partition expression.
    keys: Vec<KeyFilter>,
    functions: Vec<FunctionFilter>,
    /// Plan columns of the partition columns; of partitions by tuples of expressions those that are columns.
    columns: Vec<ColumnId>,
    /// Conditions that are no predicates of one column.
    rest: Vec<Expr>,
}

impl<'a> Conditions<'a> {
    /// Collects them; nothing is computed without conditions.
    pub fn of(scan: &'a LogicalScan, olap: &'a OlapTable, predicates: &'a [ColumnPredicate], eval: &'a EvalContext) -> Self {
        let conjuncts = &scan.predicates;
        let own: &[ColumnUid] = match &olap.partition_info {
            PartitionInfo::Range { columns } | PartitionInfo::List { columns } => columns,
            PartitionInfo::Expression { columns, key: ExpressionKey::Unit, .. } => columns,
            _ => &[],
        };
        let of_key = |key: &Expr| key.as_column().unwrap_or(ColumnId::MAX);
        let in_plan = |uid: &ColumnUid| scan.columns.iter().find(|(_, u)| u == uid).map_or(ColumnId::MAX, |(id, _)| *id);
        let columns: Vec<ColumnId> = own.iter().map(in_plan).chain(scan.partition_keys.iter().map(of_key)).collect();
        let rest = if olap.partition_info.is_list() { extract_all(conjuncts).1 } else { Vec::new() };
        let keys = if conjuncts.is_empty() { Vec::new() } else { scan.partition_keys.iter().map(|k| KeyFilter::of(k, conjuncts, predicates)).collect() };
        let functions = match columns.as_slice() {
            [column] if !conjuncts.is_empty() && scan.partition_keys.is_empty() && !olap.partition_info.is_list() => FunctionFilter::among(conjuncts, *column),
            _ => Vec::new(),
        };
        Self { scan, olap, predicates, eval, keys, functions, columns, rest }
    }

    /// Whether the partition can hold a row that satisfies the conditions.
    pub fn may_match(&self, partition: &Partition) -> bool {
        let columns: &[ColumnUid] = match &self.olap.partition_info {
            PartitionInfo::Unpartitioned => return true,
            PartitionInfo::Expression { key: ExpressionKey::Value | ExpressionKey::Tuple, .. } => return self.may_hold(&partition.item),
            PartitionInfo::Range { columns } | PartitionInfo::List { columns } | PartitionInfo::Expression { columns, .. } => columns,
        };
        let predicate = |uid: ColumnUid| {
            let id = self.scan.columns.iter().find(|(_, u)| *u == uid).map(|(id, _)| *id)?;
            self.predicates.iter().find(|p| p.column == id)
        };
        match &partition.item {
            PartitionItem::All => true,
            PartitionItem::Range { lower, upper } => {
                range(columns, lower, upper, &predicate) && self.functions.iter().all(|f| f.may_match(&partition.item))
            }
            PartitionItem::List(tuples) => {
                let simple = tuples.iter().any(|tuple| {
                    columns.iter().zip(tuple).all(|(uid, value)| match predicate(*uid) {
                        Some(p) if value.is_null() => p.accepts_null(),
                        Some(p) => p.may_match(value, value, 0, 1),
                        None => true,
                    })
                });
                simple && tuples_may_pass(&self.columns, tuples, &self.rest, self.eval)
            }
        }
    }

    /// The same for partitions by expressions.
    fn may_hold(&self, item: &PartitionItem) -> bool {
        match (item, self.keys.as_slice()) {
            (_, []) | (PartitionItem::All, _) => true,
            (PartitionItem::List(tuples), keys) => {
                tuples.iter().any(|tuple| keys.iter().zip(tuple).all(|(key, value)| key.may_be(value))) && tuples_may_pass(&self.columns, tuples, &self.rest, self.eval)
            }
            (PartitionItem::Range { lower, upper }, [key]) => key.may_be_within(lower, upper),
            (PartitionItem::Range { .. }, _) => true,
        }
    }
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

pub(super) fn overlaps(p: &ColumnPredicate, low: Option<&Scalar>, high: Option<&Scalar>, high_included: bool) -> bool {
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
