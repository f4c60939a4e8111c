//! UNION, INTERSECT, EXCEPT: columns by position, common types, names from the first query.

use common_base::{Result, bail};
use common_expr::expr::ColumnId;
use common_types::LogicalType;
use fe_parser::ast::sql::{SetExpr, SetOperator, SetQuantifier};
use fe_plan::{LogicalNode, LogicalOp, logical::SetOpKind};

use crate::{
    OutputColumn,
    binder::{Binder, BoundQuery},
    types::{coerce, datatype::type_text},
};

impl Binder<'_> {
    pub(crate) fn bind_set_operation(&mut self, body: &SetExpr) -> Result<BoundQuery> {
        let SetExpr::SetOperation { op, set_quantifier, .. } = body else {
            bail!(Internal, "a set operation was expected")
        };
        let kind = match op {
            SetOperator::Union => SetOpKind::Union,
            SetOperator::Intersect => SetOpKind::Intersect,
            SetOperator::Except | SetOperator::Minus => SetOpKind::Except,
        };
        let all = *set_quantifier == SetQuantifier::All;
        if all && kind != SetOpKind::Union {
            bail!(
                Analysis,
                "{} does not support ALL qualifier",
                if kind == SetOpKind::Except { "EXCEPT" } else { "INTERSECT" }
            );
        }
        let mut leaves = Vec::new();
        flatten(body, *op, all, &mut leaves);
        let mut branches = Vec::with_capacity(leaves.len());
        for leaf in leaves {
            branches.push(self.nested(|b| b.bind_set_expr(leaf))?);
        }
        self.set_operation(kind, all, branches)
    }

    /// The operator over bound branches.
    pub(crate) fn set_operation(
        &mut self,
        kind: SetOpKind,
        all: bool,
        branches: Vec<BoundQuery>,
    ) -> Result<BoundQuery> {
        let width = branches[0].output.len();
        if branches.iter().any(|b| b.output.len() != width) {
            bail!(Analysis, "Operands have unequal number of columns");
        }
        let mut types = Vec::with_capacity(width);
        for i in 0..width {
            let ty = coerce::common_type_of(branches.iter().map(|b| &b.output[i].ty)).map_err(|(a, b)| {
                common_base::err!(Analysis, "Incompatible return types '{}' and '{}'", type_text(&a), type_text(&b))
            })?;
            let ty = if ty == LogicalType::Null { LogicalType::Boolean } else { ty };
            if !all && !ty.is_groupable() {
                bail!(Analysis, "{} not support set operation", type_text(&ty));
            }
            types.push(ty);
        }
        let mut output = Vec::with_capacity(width);
        for (i, ty) in types.iter().enumerate() {
            let first = &branches[0].output[i];
            let nullable = branches.iter().any(|b| b.output[i].nullable || b.output[i].ty != *ty);
            let name = first.name.clone();
            let id = self.columns.computed(name.clone(), ty.clone(), nullable);
            output.push(OutputColumn { name, id, ty: ty.clone(), nullable });
        }
        let mut inputs = Vec::with_capacity(branches.len());
        let mut children = Vec::with_capacity(branches.len());
        for branch in branches {
            let (plan, ids) = self.cast_outputs(branch, &types)?;
            children.push(plan);
            inputs.push(ids);
        }
        let ids = output.iter().map(|c| c.id).collect();
        Ok(BoundQuery {
            plan: LogicalNode { op: LogicalOp::SetOp { kind, all, output: ids, inputs }, children },
            output,
        })
    }

    /// A query's plan with its outputs cast to given types, and the columns that hold them.
    pub(crate) fn cast_outputs(
        &mut self,
        query: BoundQuery,
        types: &[LogicalType],
    ) -> Result<(LogicalNode, Vec<ColumnId>)> {
        let mut exprs = Vec::with_capacity(types.len());
        let mut changed = false;
        for (column, ty) in query.output.iter().zip(types) {
            let reference = self.columns.reference(column.id);
            let cast = self.implicit_cast(reference, ty)?;
            let id = if cast.as_column().is_some() {
                column.id
            } else {
                changed = true;
                self.columns.computed(column.name.clone(), ty.clone(), cast.nullable)
            };
            exprs.push((id, cast));
        }
        let ids = exprs.iter().map(|(id, _)| *id).collect();
        let plan = if changed {
            LogicalNode::unary(LogicalOp::Project { exprs: unique(exprs) }, query.plan)
        } else {
            query.plan
        };
        Ok((plan, ids))
    }
}

/// Each column once: `SELECT a, a` names one column twice.
fn unique(exprs: Vec<(ColumnId, common_expr::expr::Expr)>) -> Vec<(ColumnId, common_expr::expr::Expr)> {
    let mut out: Vec<(ColumnId, common_expr::expr::Expr)> = Vec::with_capacity(exprs.len());
    for (id, e) in exprs {
        if !out.iter().any(|(o, _)| *o == id) {
            out.push((id, e));
        }
    }
    out
}

/// The operands of a run of one operator, in order. EXCEPT only flattens to the left.
fn flatten<'e>(body: &'e SetExpr, wanted: SetOperator, all: bool, out: &mut Vec<&'e SetExpr>) {
    match body {
        SetExpr::SetOperation { left, op, set_quantifier, right }
            if *op == wanted && (*set_quantifier == SetQuantifier::All) == all =>
        {
            flatten(left, wanted, all, out);
            if matches!(wanted, SetOperator::Except | SetOperator::Minus) {
                out.push(right);
            } else {
                flatten(right, wanted, all, out);
            }
        }
        other => out.push(other),
    }
}
