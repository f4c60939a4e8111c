//! BETWEEN, IN lists, LIKE and REGEXP.

use common_base::{Result, bail};
use common_expr::expr::{Expr, ExprKind};
use common_types::{LogicalType, Scalar};
use fe_parser::ast::sql;

use crate::{
    binder::Binder,
    types::{
        coerce::{self, list_comparison},
        datatype::type_text,
    },
};

use super::call::types_of;

impl Binder<'_> {
    pub(super) fn bind_between(
        &mut self,
        value: &sql::Expr,
        negated: bool,
        low: &sql::Expr,
        high: &sql::Expr,
    ) -> Result<Expr> {
        let value = self.bind_expr(value)?;
        let low = self.bind_expr(low)?;
        let high = self.bind_expr(high)?;
        self.between(value, low, high, negated)
    }

    fn between(&self, value: Expr, low: Expr, high: Expr, negated: bool) -> Result<Expr> {
        let exact = |e: &Expr| e.ty.is_integer() || e.ty.is_decimal();
        if exact(&value) && exact(&low) && exact(&high) {
            // Exact numbers compare alike in any common type: each bound gets its own.
            return Ok(if negated {
                Expr::or(vec![self.compare("lt", value.clone(), low)?, self.compare("gt", value, high)?])
            } else {
                Expr::and(vec![self.compare("ge", value.clone(), low)?, self.compare("le", value, high)?])
            });
        }
        let operands = self.unify_list(vec![value, low, high], false)?;
        let [value, low, high]: [Expr; 3] = operands.try_into().expect("three operands in, three out");
        if negated {
            return Ok(Expr::or(vec![self.call("lt", vec![value.clone(), low])?, self.call("gt", vec![value, high])?]));
        }
        Ok(Expr::and(vec![self.call("ge", vec![value.clone(), low])?, self.call("le", vec![value, high])?]))
    }

    /// Brings the operands of BETWEEN or IN to one type. Constants compared with a column become values of its type when that
    /// loses nothing.
    fn unify_list(&self, mut operands: Vec<Expr>, is_in: bool) -> Result<Vec<Expr>> {
        for e in &operands {
            if e.ty.is_metric() || e.ty == LogicalType::Function {
                bail!(Analysis, "HLL, BITMAP, PERCENTILE and ARRAY, MAP, STRUCT type couldn't as Predicate");
            }
        }
        let column = operands[0].clone();
        let as_column: Option<Vec<Expr>> = operands[1..]
            .iter()
            .map(|e| {
                if e.ty == column.ty || matches!(e.as_literal(), Some(Scalar::Null)) {
                    Some(e.clone().cast_to(&column.ty))
                } else {
                    self.literal_as(e, &column)
                }
            })
            .collect();
        if let (Some(rest), ExprKind::Column(_)) = (as_column, &column.kind) {
            operands.truncate(1);
            operands.extend(rest);
            return Ok(operands);
        }
        let ty = if operands.iter().any(|e| e.ty.is_nested()) {
            match coerce::common_type_of(operands.iter().map(|e| &e.ty)) {
                Ok(t) => t,
                Err((a, b)) => return Err(coerce::not_comparable(&a, &b)),
            }
        } else {
            list_comparison(&types_of(&operands), is_in, self.eq_base())?
        };
        operands.into_iter().map(|e| self.implicit_cast(e, &ty)).collect()
    }

    pub(super) fn bind_in_list(&mut self, value: &sql::Expr, list: &[sql::Expr], negated: bool) -> Result<Expr> {
        if list.iter().any(|e| matches!(e, sql::Expr::Subquery(_))) && list.len() > 1 {
            bail!(Analysis, "In Predicate only support literal expression list");
        }
        if let [sql::Expr::Subquery(query)] = list {
            return self.bind_in_subquery(value, query, negated);
        }
        if matches!(value, sql::Expr::Tuple(_)) {
            bail!(Analysis, "Row values are only supported in IN predicates with a subquery");
        }
        let mut operands = vec![self.bind_expr(value)?];
        for e in list {
            operands.push(self.bind_expr(e)?);
        }
        if let Some(e) =
            operands.iter().find(|e| matches!(e.ty, LogicalType::Json | LogicalType::Map(..) | LogicalType::Struct(_)))
        {
            let _ = e;
            bail!(Analysis, "InPredicate of JSON, Map, Struct types is not supported");
        }
        let mut operands = self.unify_list(operands, true)?.into_iter();
        let input = operands.next().expect("the value comes first");
        let list: Vec<Expr> = operands.collect();
        if let [only] = list.as_slice() {
            return self.call(if negated { "ne" } else { "eq" }, vec![input, only.clone()]);
        }
        let nullable = input.nullable || list.iter().any(|e| e.nullable);
        Ok(Expr {
            kind: ExprKind::InList { input: Box::new(input), list, negated },
            ty: LogicalType::Boolean,
            nullable,
        })
    }

    pub(super) fn bind_like(
        &mut self,
        name: &str,
        text: &str,
        value: &sql::Expr,
        pattern: &sql::Expr,
        negated: bool,
    ) -> Result<Expr> {
        let value = self.bind_expr(value)?;
        let pattern = self.bind_expr(pattern)?;
        for (side, e) in [("left", &value), ("right", &pattern)] {
            if !e.ty.is_string() && e.ty != LogicalType::Null {
                bail!(
                    Analysis,
                    "{side} operand of {text} must be of type STRING: {} (type {})",
                    self.display(e),
                    type_text(&e.ty)
                );
            }
        }
        if name == "regexp" && let Some(text) = pattern.as_literal().and_then(|p| p.as_str()) {
            // A pattern that cannot be read is an error even if there are no rows to match.
            let tried = self.call(name, vec![Expr::literal(Scalar::from("")), pattern.clone()])?;
            if common_expr::eval::eval_constant(self.ctx.session.eval(), &tried).is_err() {
                bail!(Analysis, "Invalid regular expression in '{text}'");
            }
        }
        let matched = self.call(name, vec![value, pattern])?;
        Ok(if negated { matched.negate() } else { matched })
    }
}
