//! Subqueries in expressions: each becomes a pending Apply of the frame and a column.

use common_base::{Result, bail};
use common_expr::expr::{ColumnId, Expr};
use common_types::LogicalType;
use fe_parser::ast::sql;
use fe_plan::{LogicalNode, LogicalOp, logical::ApplyKind};

use crate::{
    binder::{Binder, BoundQuery, Clause, PendingApply},
    scope::Scope,
    types::{coerce, datatype::ddl_text},
};

impl Binder<'_> {
    /// The subquery's plan and the outer columns it uses.
    fn bind_subquery(&mut self, query: &sql::Query) -> Result<(BoundQuery, Vec<ColumnId>)> {
        self.refuse_in_lambda("subquery")?;
        if self.frame().clause == Clause::OrderBy {
            bail!(Analysis, "ORDER BY clause cannot contain subquery");
        }
        // An empty frame around the subquery gathers what its SELECTs take from outside.
        let (bound, boundary) =
            self.with_frame(Scope::default(), Clause::Values, |b| b.nested(|b| b.bind_query(query)))?;
        Ok((bound, boundary.correlated))
    }

    fn push_apply(
        &mut self,
        kind: ApplyKind,
        ty: LogicalType,
        nullable: bool,
        correlated: Vec<ColumnId>,
        plan: LogicalNode,
    ) -> Expr {
        let output = self.columns.computed("subquery", ty, nullable);
        let apply = PendingApply { kind, output, correlated, plan };
        let frame = self.frame();
        match frame.clause {
            Clause::Aggregate => frame.aggregate_applies.push(apply),
            _ => frame.applies.push(apply),
        }
        self.columns.reference(output)
    }

    pub(super) fn bind_scalar_subquery(&mut self, query: &sql::Query) -> Result<Expr> {
        let (bound, correlated) = self.bind_subquery(query)?;
        let [column] = bound.output.as_slice() else { bail!(Analysis, "Scalar subquery should output one column") };
        let (kind, ty) = (ApplyKind::Scalar { column: column.id }, column.ty.clone());
        Ok(self.push_apply(kind, ty, true, correlated, bound.plan))
    }

    pub(super) fn bind_exists(&mut self, query: &sql::Query, negated: bool) -> Result<Expr> {
        let (bound, correlated) = self.bind_subquery(query)?;
        Ok(self.push_apply(ApplyKind::Exists { negated }, LogicalType::Boolean, false, correlated, bound.plan))
    }

    pub(super) fn bind_in_subquery(&mut self, value: &sql::Expr, query: &sql::Query, negated: bool) -> Result<Expr> {
        let left = match value {
            sql::Expr::Tuple(items) => self.bind_exprs(items)?,
            sql::Expr::Nested(inner) if matches!(**inner, sql::Expr::Tuple(_)) => match &**inner {
                sql::Expr::Tuple(items) => self.bind_exprs(items)?,
                other => vec![self.bind_expr(other)?],
            },
            other => vec![self.bind_expr(other)?],
        };
        let (bound, correlated) = self.bind_subquery(query)?;
        if bound.output.len() != left.len() {
            if left.len() == 1 {
                bail!(Analysis, "subquery must return a single column when used in InPredicate");
            }
            bail!(Analysis, "subquery must return the same number of columns as provided by the IN predicate");
        }
        let mut cast_left = Vec::with_capacity(left.len());
        let mut project = Vec::with_capacity(left.len());
        let mut columns = Vec::with_capacity(left.len());
        for (l, r) in left.into_iter().zip(&bound.output) {
            if l.ty == LogicalType::Json || r.ty == LogicalType::Json {
                bail!(Analysis, "In predicate of JSON does not support subquery");
            }
            let comparable = coerce::comparison(&l.ty, &r.ty, false, self.eq_base())
                .filter(|_| l.ty.is_groupable() && r.ty.is_groupable());
            let Some(ty) = comparable else {
                bail!(
                    Analysis,
                    "The input types ({},{}) of in predict are not compatible",
                    ddl_text(&l.ty),
                    ddl_text(&r.ty)
                );
            };
            let ty = if ty == LogicalType::Null { LogicalType::Boolean } else { ty };
            let r_expr = self.columns.reference(r.id);
            let cast = self.implicit_cast(r_expr, &ty)?;
            let id =
                if cast.as_column().is_some() { r.id } else { self.columns.computed(r.name.clone(), ty.clone(), true) };
            cast_left.push(self.implicit_cast(l, &ty)?);
            project.push((id, cast));
            columns.push(id);
        }
        let plan = if project.iter().all(|(_, e)| e.as_column().is_some()) {
            bound.plan
        } else {
            LogicalNode::unary(LogicalOp::Project { exprs: project }, bound.plan)
        };
        let kind = ApplyKind::In { left: cast_left, columns, negated };
        Ok(self.push_apply(kind, LogicalType::Boolean, true, correlated, plan))
    }
}
