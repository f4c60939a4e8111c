//! Information functions: their values are known now, so they are literals.

use common_base::Result;
use common_expr::expr::Expr;
use common_types::{LogicalType, Scalar};
use fe_parser::ast::sql;

use crate::binder::Binder;

impl Binder<'_> {
    /// The literal an information function stands for; None for every other name.
    pub(super) fn session_function(&self, name: &str, args: &[&sql::Expr]) -> Result<Option<Expr>> {
        if !args.is_empty() {
            return Ok(None);
        }
        let session = self.ctx.session;
        let text = match name {
            "database" | "schema" => session.current_database(),
            "catalog" => Some("default_catalog".to_owned()),
            "user" | "session_user" => Some(session.user()),
            "current_user" => Some(session.current_user()),
            "current_role" => Some(session.current_role()),
            "current_group" => Some("NONE".to_owned()),
            "current_warehouse" => Some("default_warehouse".to_owned()),
            "version" => Some(session.server_version()),
            "last_query_id" => session.last_query_id(),
            "current_timezone" => Some(session.eval().time_zone.clone()),
            "connection_id" => return Ok(Some(Expr::literal(Scalar::BigInt(session.eval().connection_id as i64)))),
            _ => return Ok(None),
        };
        Ok(Some(match text {
            Some(text) => Expr::literal(Scalar::string(text)),
            None => Expr::null(LogicalType::varchar()),
        }))
    }
}
