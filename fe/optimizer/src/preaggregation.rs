//! Scans of AGGREGATE and UNIQUE KEY tables need not combine rows of equal key when the aggregation above does: its groups and
//! the conditions below it look at key columns only, and its calls combine values as the table's columns do, or do not count.

use common_expr::expr::{ColumnId, Expr};
use common_types::LogicalType;
use fe_catalog::model::{Aggregation, Column};
use fe_plan::{
    PhysicalNode, PhysicalOp,
    logical::{AggregateCall, JoinKind},
    physical::{AggregatePhase, PhysicalScan},
};

/// Switches the merging of rows off in the scans of the tree that allow it.
pub fn plan(node: &mut PhysicalNode) {
    if let PhysicalOp::Aggregate { phase: AggregatePhase::Complete | AggregatePhase::Partial, group_by, calls, .. } = &node.op {
        let need = Need { keys: group_by.clone(), calls: calls.iter().map(|(_, c)| Call::of(c)).collect() };
        need.apply(&mut node.children[0]);
    }
    node.children.iter_mut().for_each(plan);
}

/// What an aggregation looks at, in terms of a node's output.
struct Need {
    /// Columns that must be the same for rows of one key: groups, conditions, keys of joins.
    keys: Vec<ColumnId>,
    calls: Vec<Call>,
}

enum Call {
    /// Combines the values of one column: by this aggregation of the table, or any if rows of one key may count twice.
    Of { column: ColumnId, like: Option<Aggregation>, repeats: bool },
    /// Anything else: counts rows, or computes with values.
    Other,
}

impl Call {
    fn of(call: &AggregateCall) -> Self {
        let name = call.function.name();
        let [argument] = call.args.as_slice() else { return Self::Other };
        if call.filter.is_some() || !call.order_by.is_empty() {
            return Self::Other;
        }
        let Some(column) = argument.as_column() else { return Self::Other };
        let repeats = call.distinct || !call.function.function.distinct_matters;
        let like = match name {
            "sum" if !call.distinct => Some(Aggregation::Sum),
            "min" => Some(Aggregation::Min),
            "max" => Some(Aggregation::Max),
            "hll_union" | "hll_raw_agg" | "hll_union_agg" => Some(Aggregation::HllUnion),
            "bitmap_union" | "bitmap_union_count" => Some(Aggregation::BitmapUnion),
            "percentile_union" => Some(Aggregation::PercentileUnion),
            // Of the column's function: the type of the argument says so.
            _ if matches!(argument.ty, LogicalType::State(_)) && (name.ends_with("_merge") || name.ends_with("_union")) => {
                Some(Aggregation::StateUnion)
            }
            _ => None,
        };
        Self::Of { column, like, repeats }
    }
}

impl Need {
    fn apply(mut self, node: &mut PhysicalNode) {
        match &mut node.op {
            PhysicalOp::Scan(scan) if scan.preaggregate && self.allows(scan) => scan.preaggregate = false,
            PhysicalOp::Filter { conjuncts, .. } => {
                self.keys.extend(conjuncts.iter().flat_map(Expr::columns));
                self.apply(&mut node.children[0]);
            }
            PhysicalOp::Project { exprs } => {
                let below = |id: ColumnId| exprs.iter().find(|(made, _)| *made == id).map(|(_, e)| e);
                let keys = self.keys.iter().flat_map(|k| below(*k).map_or_else(|| vec![*k], |e| e.columns())).collect();
                let calls = self
                    .calls
                    .into_iter()
                    .map(|call| match call {
                        Call::Of { column, like, repeats } => match below(column) {
                            Some(e) => e.as_column().map_or(Call::Other, |column| Call::Of { column, like, repeats }),
                            None => Call::Of { column, like, repeats },
                        },
                        Call::Other => Call::Other,
                    })
                    .collect();
                Need { keys, calls }.apply(&mut node.children[0]);
            }
            // States are computed above; what comes through is raw rows.
            PhysicalOp::Exchange { limit: None, offset: 0, .. } => self.apply(&mut node.children[0]),
            // Each row of the left side meets the same rows of the right one as the others of its key.
            PhysicalOp::HashJoin { kind: JoinKind::Inner | JoinKind::LeftOuter | JoinKind::LeftSemi | JoinKind::LeftAnti, keys, other, .. } => {
                self.keys.extend(keys.iter().flat_map(|k| k.left.columns()));
                self.keys.extend(other.iter().flat_map(Expr::columns));
                let left = &mut node.children[0];
                self.keys.retain(|k| left.output.contains(k));
                // A value of the right side repeats with the rows of the left.
                let of_left = |call: &Call| matches!(call, Call::Of { column, .. } if left.output.contains(column));
                if self.calls.iter().all(|c| of_left(c) || matches!(c, Call::Of { repeats: true, .. })) {
                    self.calls.retain(of_left);
                    self.apply(left);
                }
            }
            _ => {}
        }
    }

    fn allows(&self, scan: &PhysicalScan) -> bool {
        let column = |id: ColumnId| -> Option<&Column> {
            let (_, uid) = scan.columns.iter().find(|(c, _)| *c == id)?;
            scan.table.column_by_uid(*uid)
        };
        let is_key = |id: ColumnId| column(id).is_some_and(|c| c.key);
        // How many rows come out depends on the merge.
        if scan.limit.is_some() {
            return false;
        }
        self.keys.iter().all(|k| is_key(*k))
            && scan.predicates.iter().flat_map(Expr::columns).all(is_key)
            && self.calls.iter().all(|call| match call {
                Call::Of { column: id, like, repeats } => {
                    column(*id).is_some_and(|c| if c.key { *repeats } else { like.is_some() && c.aggregation == *like })
                }
                Call::Other => false,
            })
    }
}
