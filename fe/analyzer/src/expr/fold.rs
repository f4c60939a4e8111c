//! Constant folding with the statement's own time, zone and modes.

use common_expr::expr::Expr;

use crate::binder::Binder;

pub(crate) fn fold(binder: &Binder<'_>, expr: Expr) -> Expr {
    common_expr::fold::fold(expr, binder.ctx.session.eval())
}
