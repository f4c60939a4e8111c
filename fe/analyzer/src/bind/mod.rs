//! Queries → logical operators, clause by clause.

mod aggregate;
mod asof;
mod cte;
mod files;
mod from;
mod group_by;
mod join;
mod limit;
mod order_by;
mod pivot;
mod query;
mod select;
mod set_op;
mod star;
mod table;
mod table_function;
mod values;
mod windows;

pub(crate) use from::cross_join;

use common_expr::expr::{ColumnId, Expr};
use fe_plan::{LogicalNode, LogicalOp};

use crate::binder::{Binder, PendingApply};

/// One Apply per pending subquery on top of a plan, first met lowest.
pub(crate) fn with_applies(mut plan: LogicalNode, applies: Vec<PendingApply>) -> LogicalNode {
    for a in applies {
        plan = LogicalNode::binary(
            LogicalOp::Apply { kind: a.kind, output: a.output, correlated: a.correlated },
            plan,
            a.plan,
        );
    }
    plan
}

/// A filter, unless there is nothing to filter.
pub(crate) fn with_filter(plan: LogicalNode, conjuncts: Vec<Expr>) -> LogicalNode {
    if conjuncts.is_empty() { plan } else { LogicalNode::unary(LogicalOp::Filter { conjuncts }, plan) }
}

impl Binder<'_> {
    /// The plan's columns plus computed ones.
    pub(crate) fn project_more(&self, plan: LogicalNode, computed: Vec<(ColumnId, Expr)>) -> LogicalNode {
        if computed.is_empty() {
            return plan;
        }
        let mut exprs: Vec<(ColumnId, Expr)> =
            plan.output().into_iter().map(|id| (id, self.columns.reference(id))).collect();
        exprs.extend(computed);
        LogicalNode::unary(LogicalOp::Project { exprs }, plan)
    }

    /// The column of an expression: its own if it is one, else a new one that joins `computed`.
    pub(crate) fn column_for(&mut self, expr: Expr, computed: &mut Vec<(ColumnId, Expr)>) -> ColumnId {
        if let Some(id) = expr.as_column() {
            return id;
        }
        if let Some((id, _)) = computed.iter().find(|(_, e)| *e == expr) {
            return *id;
        }
        let name = self.display(&expr);
        let id = self.columns.computed(name, expr.ty.clone(), expr.nullable);
        computed.push((id, expr));
        id
    }
}
