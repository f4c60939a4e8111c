//! Syntax → typed expressions. Aggregates, windows and subqueries become columns whose computation is left in the frame.

mod aggregate;
mod call;
mod case;
pub(crate) mod fold;
mod function;
mod interval;
mod lambda;
mod literal;
mod name;
mod nested;
mod operator;
mod predicate;
mod rewrite;
mod session;
mod special;
mod subquery;
mod variable;
mod window;

use common_base::{Result, bail};
use common_expr::expr::Expr;
use common_types::{LogicalType, Scalar};
use fe_parser::ast::sql::{self, BinaryOperator, UnaryOperator};

use crate::{binder::Binder, error, types::datatype::logical_type};

impl Binder<'_> {
    /// Types one expression.
    pub fn bind_expr(&mut self, expr: &sql::Expr) -> Result<Expr> {
        self.nested(|b| b.bind_expr_here(expr))
    }

    /// Types a list.
    pub fn bind_exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e sql::Expr>) -> Result<Vec<Expr>> {
        exprs.into_iter().map(|e| self.bind_expr(e)).collect()
    }

    fn bind_expr_here(&mut self, expr: &sql::Expr) -> Result<Expr> {
        match expr {
            sql::Expr::Identifier(ident) => self.bind_name(&[&ident.value]),
            sql::Expr::CompoundIdentifier(parts) => {
                let parts: Vec<&str> = parts.iter().map(|p| p.value.as_str()).collect();
                self.bind_name(&parts)
            }
            sql::Expr::CompoundFieldAccess { root, access_chain } => self.bind_access(root, access_chain),
            sql::Expr::Value(value) => self.bind_value(&value.value, expr),
            sql::Expr::TypedString(text) => self.bind_typed_string(text),
            sql::Expr::Nested(inner) | sql::Expr::Collate { expr: inner, .. } => self.bind_expr(inner),
            sql::Expr::UnaryOp { op, expr: operand } => self.bind_unary(*op, operand),
            sql::Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. } => self.bind_junction(expr),
            sql::Expr::BinaryOp { left, op, right } => self.bind_binary(left, op, right, expr),
            sql::Expr::IsNull(e) => Ok(self.bind_expr(e)?.is_null()),
            sql::Expr::IsNotNull(e) => Ok(self.bind_expr(e)?.is_not_null()),
            sql::Expr::Between { expr: e, negated, low, high } => {
                self.bind_between(e, *negated, low, high).map_err(|err| error::at(err, expr))
            }
            sql::Expr::InList { expr: e, list, negated } => {
                self.bind_in_list(e, list, *negated).map_err(|err| error::at(err, expr))
            }
            sql::Expr::InSubquery { expr: e, subquery, negated } => {
                self.bind_in_subquery(e, subquery, *negated).map_err(|err| error::at(err, expr))
            }
            sql::Expr::Exists { subquery, negated } => self.bind_exists(subquery, *negated),
            sql::Expr::Subquery(query) => self.bind_scalar_subquery(query),
            sql::Expr::Like { negated, expr: e, pattern, .. } => self.bind_like("like", "LIKE", e, pattern, *negated),
            sql::Expr::RLike { negated, expr: e, pattern, .. } => {
                self.bind_like("regexp", "REGEXP", e, pattern, *negated)
            }
            sql::Expr::Case { operand, conditions, else_result, .. } => {
                self.bind_case(operand.as_deref(), conditions, else_result.as_deref())
            }
            sql::Expr::Cast { expr: e, data_type, .. } => {
                let ty = logical_type(data_type)?;
                let input = self.bind_expr(e)?;
                self.explicit_cast(input, &ty, expr)
            }
            sql::Expr::Function(f) => self.bind_function(f, expr),
            sql::Expr::Array(array) => self.bind_array(&array.elem),
            sql::Expr::Map(map) => self.bind_map(map),
            sql::Expr::Interval(_) => bail!(Analysis, "INTERVAL is only supported in date arithmetic"),
            sql::Expr::Lambda(_) => {
                bail!(Analysis, "Lambda expressions are only allowed as arguments of high-order functions")
            }
            sql::Expr::Tuple(_) => bail!(Analysis, "Row values are only supported in IN predicates with a subquery"),
            sql::Expr::GroupingSets(_) | sql::Expr::Rollup(_) | sql::Expr::Cube(_) => {
                bail!(Analysis, "ROLLUP, CUBE and GROUPING SETS are only allowed in GROUP BY")
            }
            other => bail!(Analysis, "Unsupported expr '{other}'"),
        }
    }

    fn bind_unary(&mut self, op: UnaryOperator, operand: &sql::Expr) -> Result<Expr> {
        match op {
            UnaryOperator::Plus => self.bind_expr(operand),
            UnaryOperator::Minus => {
                if let Some(text) = literal::number_text(operand) {
                    return self.number(text, true);
                }
                let value = self.bind_expr(operand)?;
                if let (Some(v), true) = (value.as_literal(), matches!(operand, sql::Expr::UnaryOp { .. })) {
                    if let Some(negated) = literal::negate(v) {
                        return Ok(Expr::literal(negated));
                    }
                }
                self.arithmetic("multiply", Expr::literal(Scalar::TinyInt(-1)), value)
            }
            UnaryOperator::BitwiseNot => {
                let value = self.bind_expr(operand)?;
                let value = self.implicit_cast(value, &LogicalType::BigInt)?;
                self.call("bitnot", vec![value])
            }
            UnaryOperator::Not | UnaryOperator::BangNot => {
                let value = self.bind_expr(operand)?;
                Ok(self.to_boolean(value)?.negate())
            }
            other => bail!(Analysis, "Unsupported expr '{other}'"),
        }
    }

    /// An AND or OR tree, flattened without recursion along its chain.
    fn bind_junction(&mut self, expr: &sql::Expr) -> Result<Expr> {
        let is_and = matches!(expr, sql::Expr::BinaryOp { op: BinaryOperator::And, .. });
        let mut operands = Vec::new();
        let mut pending = vec![expr];
        while let Some(e) = pending.pop() {
            match e {
                sql::Expr::BinaryOp { left, op, right }
                    if matches!(op, BinaryOperator::And) == is_and
                        && matches!(op, BinaryOperator::And | BinaryOperator::Or) =>
                {
                    pending.push(right);
                    pending.push(left);
                }
                other => operands.push(other),
            }
        }
        let mut parts = Vec::with_capacity(operands.len());
        for operand in operands {
            let bound = self.bind_expr(operand)?;
            parts.push(self.to_boolean(bound)?);
        }
        Ok(if is_and { Expr::and(parts) } else { Expr::or(parts) })
    }

    /// Brings a value into boolean context.
    pub fn to_boolean(&self, expr: Expr) -> Result<Expr> {
        match &expr.ty {
            LogicalType::Boolean => Ok(expr),
            LogicalType::Null => Ok(Expr::null(LogicalType::Boolean)),
            ty if ty.is_nested()
                || ty.is_metric()
                || matches!(ty, LogicalType::Varbinary(_) | LogicalType::Function) =>
            {
                bail!(Analysis, "{} can not be converted to boolean type.", crate::types::datatype::debug_text(ty))
            }
            ty if self.ctx.session.flag("enable_strict_type") => {
                bail!(Analysis, "{} can not be converted to boolean type.", crate::types::datatype::debug_text(ty))
            }
            _ => Ok(expr.cast_to(&LogicalType::Boolean)),
        }
    }
}
