//! A query: WITH, body, ORDER BY and LIMIT of set operations.

use common_base::{Result, bail};
use fe_parser::ast::sql::{self, SetExpr};
use fe_plan::{LogicalNode, LogicalOp};

use crate::{
    binder::{Binder, BoundQuery, Clause},
    plan_util,
    scope::{Field, Scope},
};

impl Binder<'_> {
    /// The whole statement's query: its order is kept, its constants are folded.
    pub(crate) fn bind_query_root(&mut self, query: &sql::Query) -> Result<BoundQuery> {
        let mut bound = self.bind_query_with(query, true)?;
        self.fold_plan(&mut bound.plan);
        Ok(bound)
    }

    /// Folds every expression of a plan.
    pub(crate) fn fold_plan(&self, plan: &mut LogicalNode) {
        plan_util::for_each_expr(plan, &mut |e| {
            if e.as_column().is_none() && e.as_literal().is_none() {
                let taken = std::mem::replace(e, common_expr::expr::Expr::boolean(true));
                *e = self.fold(taken);
            }
        });
    }

    /// A query inside another: an ORDER BY without LIMIT means nothing.
    pub(crate) fn bind_query(&mut self, query: &sql::Query) -> Result<BoundQuery> {
        self.bind_query_with(query, false)
    }

    pub(crate) fn bind_query_with(&mut self, query: &sql::Query, keep_order: bool) -> Result<BoundQuery> {
        self.nested(|b| {
            let ctes_in_sight = b.ctes.len();
            let producers = match &query.with {
                Some(with) => b.bind_with(with)?,
                None => Vec::new(),
            };
            let bound = b.bind_body(query, keep_order);
            b.ctes.truncate(ctes_in_sight);
            let mut bound = bound?;
            bound.plan = b.place_ctes(bound.plan, producers);
            Ok(bound)
        })
    }

    fn bind_body(&mut self, query: &sql::Query, keep_order: bool) -> Result<BoundQuery> {
        if query.fetch.is_some() || !query.locks.is_empty() {
            bail!(NotSupported, "FETCH and FOR UPDATE are not supported");
        }
        let limit = self.bind_limit(query.limit_clause.as_ref())?;
        let order_by = query.order_by.as_ref();
        if let SetExpr::Select(select) = &*query.body {
            return self.bind_select(select, order_by, limit, keep_order || limit.is_some());
        }
        let bound = self.bind_set_expr(&query.body)?;
        let keys = match order_by {
            Some(order_by) => self.order_by_outputs(order_by, &bound)?,
            None => Vec::new(),
        };
        let mut plan = bound.plan;
        if !keys.is_empty() && (keep_order || limit.is_some()) {
            plan = LogicalNode::unary(LogicalOp::Sort { keys }, plan);
        }
        Ok(BoundQuery { plan: crate::bind::limit::with_limit(plan, limit), output: bound.output })
    }

    /// A body without its own ORDER BY: SELECT, set operation, VALUES or a query in parentheses.
    pub(crate) fn bind_set_expr(&mut self, body: &SetExpr) -> Result<BoundQuery> {
        match body {
            SetExpr::Select(select) => self.bind_select(select, None, None, false),
            SetExpr::Query(query) => self.bind_query(query),
            SetExpr::SetOperation { .. } => self.bind_set_operation(body),
            SetExpr::Values(values) => self.bind_values(&values.rows.iter().map(|r| &r.content).collect::<Vec<_>>()),
            other => bail!(NotSupported, "Unsupported query body: {other}"),
        }
    }

    /// ORDER BY over the output columns only.
    fn order_by_outputs(
        &mut self,
        order_by: &sql::OrderBy,
        bound: &BoundQuery,
    ) -> Result<Vec<fe_plan::logical::SortKey>> {
        let fields = bound
            .output
            .iter()
            .map(|c| Field { relation: None, name: c.name.clone(), id: c.id, source: None })
            .collect();
        let scope = Scope { fields, relations: Vec::new() };
        let (keys, frame) = self.with_frame(scope, Clause::OrderBy, |b| b.bind_order_by(order_by, &bound.output))?;
        if !frame.aggregates.is_empty() {
            bail!(Analysis, "ORDER BY contains aggregate function and applies to the result of a non-aggregated query");
        }
        if !frame.windows.is_empty() {
            bail!(Analysis, "ORDER BY of a set operation cannot contain window function");
        }
        Ok(keys)
    }
}
