//! Variables, parameters and DEFAULT: all are literals by the time a plan exists.

use common_base::{Result, bail};
use common_expr::expr::Expr;
use common_types::LogicalType;
use fe_parser::ast::{
    encoding::{self, Placeholder},
    sql,
};

use crate::binder::Binder;

impl Binder<'_> {
    pub(super) fn bind_placeholder(&mut self, expr: &sql::Expr) -> Result<Expr> {
        match encoding::expr_placeholder(expr) {
            Some(Placeholder::Parameter(n)) => match self.ctx.parameters.get(n) {
                Some((value, ty)) => Ok(Expr::typed_literal(value.clone(), ty.clone())),
                None => bail!(Analysis, "Parameter {} of the prepared statement has no value", n + 1),
            },
            Some(Placeholder::UserVariable(name)) => Ok(match self.ctx.session.user_variable(name) {
                Some((value, ty)) => Expr::typed_literal(value, ty),
                None => Expr::null(LogicalType::varchar()),
            }),
            Some(Placeholder::SystemVariable { scope, name }) => match self.ctx.session.variable(scope, name) {
                Some((value, ty)) => Ok(Expr::typed_literal(value, ty)),
                None => Err(self.ctx.session.unknown_variable(name)),
            },
            Some(Placeholder::Default) => bail!(Analysis, "DEFAULT is only allowed in INSERT VALUES and UPDATE SET"),
            None => bail!(Analysis, "Unsupported expr '{expr}'"),
        }
    }
}
