//! CASE, IF, IFNULL, NULLIF, COALESCE as special forms.

use common_base::{Result, bail, err};
use common_expr::expr::{Expr, ExprKind};
use common_types::{LogicalType, Scalar};
use fe_parser::ast::sql::{self, CaseWhen};

use crate::{
    binder::Binder,
    types::{coerce, datatype::debug_text},
};

/// Branches a CASE may have.
const MAX_BRANCHES: usize = 10_000;

impl Binder<'_> {
    pub(super) fn bind_case(
        &mut self,
        operand: Option<&sql::Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&sql::Expr>,
    ) -> Result<Expr> {
        if conditions.len() > MAX_BRANCHES {
            bail!(
                Analysis,
                "Expression CaseWhen too complex, limit: {MAX_BRANCHES}. Please simplify your expression or increase Config.max_scalar_operator_flat_children."
            );
        }
        let whens = match operand {
            Some(operand) => {
                let value = self.bind_expr(operand)?;
                let whens = self.bind_exprs(conditions.iter().map(|c| &c.condition))?;
                self.simple_case(value, whens)?
            }
            None => {
                let mut whens = Vec::with_capacity(conditions.len());
                for c in conditions {
                    let when = self.bind_expr(&c.condition)?;
                    whens.push(self.to_boolean(when)?);
                }
                whens
            }
        };
        let thens = self.bind_exprs(conditions.iter().map(|c| &c.result))?;
        let otherwise = otherwise.map(|e| self.bind_expr(e)).transpose()?;
        self.case(whens, thens, otherwise)
    }

    /// `x = a` for every WHEN, in the common type of all of them.
    fn simple_case(&self, value: Expr, whens: Vec<Expr>) -> Result<Vec<Expr>> {
        let ty = coerce::common_type_of(std::iter::once(&value.ty).chain(whens.iter().map(|w| &w.ty))).map_err(
            |(a, b)| {
                err!(
                    Analysis,
                    "Failed to get compatible type for CaseWhen with {} and {}",
                    debug_text(&a),
                    debug_text(&b)
                )
            },
        )?;
        let ty = if ty == LogicalType::Null { LogicalType::Boolean } else { ty };
        let value_cast = self.implicit_cast(value, &ty)?;
        whens
            .into_iter()
            .map(|when| self.call("eq", vec![value_cast.clone(), self.implicit_cast(when, &ty)?]))
            .collect()
    }

    /// The special form over bound parts; branches get their common type.
    pub(super) fn case(&self, whens: Vec<Expr>, thens: Vec<Expr>, otherwise: Option<Expr>) -> Result<Expr> {
        let ty = self.branch_type(thens.iter().chain(&otherwise))?;
        let thens = thens.into_iter().map(|e| self.implicit_cast(e, &ty)).collect::<Result<Vec<_>>>()?;
        let otherwise = otherwise.map(|e| self.implicit_cast(e, &ty)).transpose()?;
        let nullable = otherwise.as_ref().is_none_or(|e| e.nullable) || thens.iter().any(|e| e.nullable);
        let branches = whens.into_iter().zip(thens).collect();
        Ok(Expr { kind: ExprKind::Case { branches, otherwise: otherwise.map(Box::new) }, ty, nullable })
    }

    fn branch_type<'e>(&self, branches: impl Iterator<Item = &'e Expr>) -> Result<LogicalType> {
        let ty = coerce::common_type_of(branches.map(|e| &e.ty)).map_err(|(a, b)| {
            err!(Analysis, "Failed to get compatible type for CaseWhen with {} and {}", debug_text(&a), debug_text(&b))
        })?;
        Ok(if ty == LogicalType::Null { LogicalType::Boolean } else { ty })
    }

    /// The functions that choose between values have no overload for DATE: dates become DATETIME.
    pub(super) fn dates_as_datetimes(&self, values: Vec<Expr>) -> Result<Vec<Expr>> {
        let all_dates = values.iter().all(|e| matches!(e.ty, LogicalType::Date | LogicalType::Null));
        if !all_dates || values.iter().all(|e| e.ty == LogicalType::Null) {
            return Ok(values);
        }
        values.into_iter().map(|e| self.implicit_cast(e, &LogicalType::Datetime)).collect()
    }

    /// `IF(c, a, b)`
    pub(super) fn bind_if(&self, mut args: Vec<Expr>) -> Result<Expr> {
        if args.len() != 3 {
            return Err(super::call::no_match("if", &super::call::types_of(&args)));
        }
        let otherwise = args.pop().expect("three arguments");
        let then = args.pop().expect("three arguments");
        let when = self.to_boolean(args.pop().expect("three arguments"))?;
        let mut values = self.dates_as_datetimes(vec![then, otherwise])?;
        let otherwise = values.pop();
        self.case(vec![when], values, otherwise)
    }

    /// `COALESCE(a, …)` and `IFNULL(a, b)`
    pub(crate) fn bind_coalesce(&self, args: Vec<Expr>) -> Result<Expr> {
        let ty = self.branch_type(args.iter())?;
        let mut args = args.into_iter().map(|e| self.implicit_cast(e, &ty)).collect::<Result<Vec<_>>>()?;
        if args.len() == 1 {
            return Ok(args.swap_remove(0));
        }
        let nullable = args.iter().all(|e| e.nullable);
        Ok(Expr { kind: ExprKind::Coalesce(args), ty, nullable })
    }

    /// `NULLIF(a, b)`
    pub(super) fn bind_nullif(&self, mut args: Vec<Expr>) -> Result<Expr> {
        if args.len() != 2 {
            return Err(super::call::no_match("nullif", &super::call::types_of(&args)));
        }
        let ty = self.branch_type(args.iter())?;
        let b = self.implicit_cast(args.pop().expect("two arguments"), &ty)?;
        let a = self.implicit_cast(args.pop().expect("two arguments"), &ty)?;
        let equal = self.call("eq", vec![a.clone(), b])?;
        self.case(vec![equal], vec![Expr::typed_literal(Scalar::Null, ty)], Some(a))
    }
}
