//! Explicit transactions.

use super::sql;

/// `BEGIN [WORK] [WITH LABEL l]` / `START TRANSACTION …`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Begin {
    pub label: Option<sql::Ident>,
}
