//! Table functions in FROM: unnest, generate_series and their kin, over what stands left of them.

use std::rc::Rc;

use common_base::{Result, bail};
use common_expr::expr::Expr;
use common_types::{LogicalType, Scalar};
use fe_parser::ast::sql::{self, FunctionArg, FunctionArgExpr, Join, JoinConstraint, TableAlias, TableFactor};
use fe_parser::print::expr_text;
use fe_plan::{LogicalNode, LogicalOp, logical::JoinKind};

use crate::{
    binder::{Binder, Clause},
    names,
    scope::{Field, RelationName, Scope},
    types::datatype::debug_text,
};

use super::{
    from::{Relation, rename_columns},
    values::one_row,
};

impl Binder<'_> {
    /// `JOIN f(…)`: inner, cross, or LEFT … ON TRUE.
    pub(super) fn bind_function_join(&mut self, left: Relation, join: &Join) -> Result<Relation> {
        let (kind, _, constraint) = super::join::kind_of(&join.join_operator)?;
        let always = match constraint {
            JoinConstraint::None => true,
            JoinConstraint::On(e) => {
                let (bound, _) = self.in_scope(Scope::default(), Clause::Values, |b| b.bind_expr(e))?;
                let bound = self.to_boolean(bound)?;
                self.fold(bound).as_literal().and_then(Scalar::as_bool) == Some(true)
            }
            _ => false,
        };
        match kind {
            JoinKind::Inner | JoinKind::Cross if always => self.bind_lateral(&join.relation, Some(left), false),
            JoinKind::LeftOuter if always => self.bind_lateral(&join.relation, Some(left), true),
            _ => bail!(Analysis, "unnest support inner join, cross join and left join on true"),
        }
    }

    /// The function applied to each row of `left` (one empty row if there is none).
    pub(super) fn bind_lateral(
        &mut self,
        factor: &TableFactor,
        left: Option<Relation>,
        outer: bool,
    ) -> Result<Relation> {
        let (name, args, alias) = match factor {
            TableFactor::Function { name, args, alias, .. } => {
                (names::function_name(name), args.as_slice(), alias.as_ref())
            }
            other => bail!(NotSupported, "Unsupported table function: {other}"),
        };
        let left = left.unwrap_or_else(|| Relation { plan: one_row(), scope: Scope::default() });
        let (bound, scope) = self.in_scope(left.scope, Clause::On, |b| b.function_args(&name, args))?;
        let left = Relation { plan: left.plan, scope };
        let Some(function) = self.ctx.registry.table(&name) else {
            if self.ctx.registry.is_scalar(&name) {
                bail!(UnknownTable, "Unknown table '{name}'");
            }
            bail!(Analysis, "Unknown table function '{}'", call_text(&name, &bound));
        };
        let types: Vec<LogicalType> = bound.iter().map(|e| e.ty.clone()).collect();
        let resolved = match (function.0.resolve)(&types) {
            Ok(r) => r,
            Err(e) if e.code() == common_base::ErrorCode::Analysis => {
                bail!(Analysis, "Unknown table function '{}'", call_text(&name, &bound))
            }
            Err(e) => return Err(e),
        };
        if name == "generate_series" {
            check_series(&bound, self)?;
        }
        let args = bound
            .into_iter()
            .zip(&resolved.args)
            .map(|(e, ty)| self.implicit_cast(e, ty))
            .collect::<Result<Vec<_>>>()?;
        let relation =
            Rc::new(RelationName { db: None, table: alias.map_or_else(|| name.clone(), |a| a.name.value.clone()) });
        let mut own =
            Scope { fields: Vec::with_capacity(resolved.columns.len()), relations: vec![Rc::clone(&relation)] };
        let mut output = Vec::with_capacity(resolved.columns.len());
        for (column, ty) in resolved.columns {
            let id = self.columns.computed(column.clone(), ty, true);
            output.push(id);
            own.fields.push(Field { relation: Some(Rc::clone(&relation)), name: column, id, source: None });
        }
        if let Some(alias) = alias {
            check_alias(&own, alias)?;
            rename_columns(&mut own, alias)?;
        }
        left.scope.check_unique(&own)?;
        let op = LogicalOp::TableFunction { function, args, output, outer };
        Ok(Relation { plan: LogicalNode::unary(op, left.plan), scope: left.scope.join(own) })
    }

    /// Positional arguments, or named ones put in the function's order.
    fn function_args(&mut self, name: &str, args: &[FunctionArg]) -> Result<Vec<Expr>> {
        let named = args.iter().any(|a| matches!(a, FunctionArg::Named { .. }));
        if !named {
            let mut bound = Vec::with_capacity(args.len());
            for arg in args {
                match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => bound.push(self.bind_expr(e)?),
                    other => bail!(Analysis, "Unsupported argument '{other}' of table function {name}"),
                }
            }
            return Ok(bound);
        }
        let refuse = || {
            let text: Vec<String> = args
                .iter()
                .map(|a| match a {
                    FunctionArg::Named { name, arg: FunctionArgExpr::Expr(e), .. } => {
                        format!("{}=>{}", name.value, expr_text(e))
                    }
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => expr_text(e),
                    other => other.to_string(),
                })
                .collect();
            common_base::err!(
                Analysis,
                "Unknown table function '{name}({})', the function doesn't support named arguments or has invalid arguments",
                text.join(",")
            )
        };
        if name != "generate_series" {
            return Err(refuse());
        }
        let mut slots: [Option<&sql::Expr>; 3] = [None; 3];
        for arg in args {
            let FunctionArg::Named { name, arg: FunctionArgExpr::Expr(e), .. } = arg else { return Err(refuse()) };
            let slot = match name.value.to_ascii_lowercase().as_str() {
                "start" => 0,
                "end" => 1,
                "step" => 2,
                _ => return Err(refuse()),
            };
            if slots[slot].replace(e).is_some() {
                return Err(refuse());
            }
        }
        let (Some(start), Some(end)) = (slots[0], slots[1]) else { return Err(refuse()) };
        let mut bound = vec![self.bind_expr(start)?, self.bind_expr(end)?];
        if let Some(step) = slots[2] {
            bound.push(self.bind_expr(step)?);
        }
        Ok(bound)
    }
}

fn call_text(name: &str, args: &[Expr]) -> String {
    let types: Vec<String> = args.iter().map(|a| debug_text(&a.ty)).collect();
    format!("{name}({})", types.join(","))
}

fn check_series(args: &[Expr], binder: &Binder<'_>) -> Result<()> {
    if args.iter().any(|a| a.as_literal().is_some_and(Scalar::is_null)) {
        bail!(Analysis, "table function not support null parameter");
    }
    if let Some(step) = args.get(2) {
        if step.columns().is_empty() && binder.fold(step.clone()).as_literal().and_then(Scalar::as_i64) == Some(0) {
            bail!(Analysis, "step size cannot equal zero");
        }
    }
    Ok(())
}

fn check_alias(own: &Scope, alias: &TableAlias) -> Result<()> {
    if !alias.columns.is_empty() && alias.columns.len() != own.fields.len() {
        bail!(
            Analysis,
            "table {} has {} columns available but {} columns specified",
            alias.name.value,
            own.fields.len(),
            alias.columns.len()
        );
    }
    Ok(())
}
