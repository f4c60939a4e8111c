//! Window operators: calls over the same partitions and order share one.

use common_expr::expr::{ColumnId, Expr};
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{SortKey, WindowCall},
};

use crate::binder::{Binder, PendingWindow};

impl Binder<'_> {
    pub(crate) fn place_windows(&mut self, mut plan: LogicalNode, windows: Vec<PendingWindow>) -> LogicalNode {
        type Group = (Vec<Expr>, Vec<SortKey>, Vec<(ColumnId, WindowCall)>);
        let mut groups: Vec<Group> = Vec::new();
        for w in windows {
            match groups.iter_mut().find(|(p, o, _)| *p == w.partition_by && *o == w.order_by) {
                Some((.., calls)) => calls.push((w.id, w.call)),
                None => groups.push((w.partition_by, w.order_by, vec![(w.id, w.call)])),
            }
        }
        let mut computed = Vec::new();
        let mut ready = Vec::with_capacity(groups.len());
        for (partition, order, calls) in groups {
            let partition_by: Vec<ColumnId> =
                partition.into_iter().map(|e| self.column_for(e, &mut computed)).collect();
            let order_by: Vec<SortKey> = order
                .into_iter()
                .map(|key| {
                    let id = self.column_for(key.expr, &mut computed);
                    SortKey { expr: self.columns.reference(id), ..key }
                })
                .collect();
            ready.push((partition_by, order_by, calls));
        }
        plan = self.project_more(plan, computed);
        for (partition_by, order_by, calls) in ready {
            plan = LogicalNode::unary(LogicalOp::Window { partition_by, order_by, calls }, plan);
        }
        plan
    }
}
