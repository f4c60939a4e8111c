//! LIMIT and OFFSET: constants, parameters or user variables.

use common_base::{Result, bail};
use common_types::{LogicalType, Scalar};
use fe_parser::ast::{
    encoding::{self, Placeholder},
    sql::{self, LimitClause},
};
use fe_parser::print::expr_text;
use fe_plan::{LogicalNode, LogicalOp};

use crate::{
    binder::{Binder, Clause},
    scope::Scope,
};

/// `(limit, offset)`; a limit of None is no limit.
pub(crate) type Limit = Option<(Option<u64>, u64)>;

/// The limit operator, if there is one.
pub(crate) fn with_limit(plan: LogicalNode, limit: Limit) -> LogicalNode {
    match limit {
        None | Some((None, 0)) => plan,
        Some((limit, offset)) => LogicalNode::unary(LogicalOp::Limit { limit, offset }, plan),
    }
}

impl Binder<'_> {
    pub(crate) fn bind_limit(&mut self, clause: Option<&LimitClause>) -> Result<Limit> {
        let (limit, offset) = match clause {
            None => return Ok(None),
            Some(LimitClause::LimitOffset { limit, offset, .. }) => (limit.as_ref(), offset.as_ref().map(|o| &o.value)),
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => (Some(limit), Some(offset)),
        };
        let limit = match limit {
            Some(e) => self.row_count("LIMIT", e)?,
            None => None,
        };
        let offset = match offset {
            Some(e) => self.row_count("OFFSET", e)?.unwrap_or(0),
            None => 0,
        };
        Ok(Some((limit, offset)))
    }

    /// A number of rows; -1 is none.
    fn row_count(&mut self, what: &str, expr: &sql::Expr) -> Result<Option<u64>> {
        let (bound, _) = self.with_frame(Scope::default(), Clause::Values, |b| b.bind_expr(expr))?;
        let parameter = matches!(encoding::expr_placeholder(expr), Some(Placeholder::Parameter(_)));
        if (bound.ty.is_decimal() || bound.ty.is_float()) && !parameter {
            bail!(Analysis, "{what} clause {} must be number", expr_text(expr));
        }
        let value = self.fold(bound.cast_to(&LogicalType::BigInt));
        match value.as_literal().and_then(Scalar::as_i64) {
            // Not known before the statement is executed.
            None if parameter && value.as_literal().is_some_and(Scalar::is_null) => Ok(None),
            Some(-1) => Ok(None),
            Some(n) if n >= 0 => Ok(Some(n as u64)),
            _ => bail!(Analysis, "{what} clause {} must be number", expr_text(expr)),
        }
    }
}
