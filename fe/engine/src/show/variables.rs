//! SHOW VARIABLES.

use fe_parser::ast::VariableScope;

use super::Table;
use crate::{
    result::text,
    session::{
        Session,
        variables::{self, Variables},
    },
};

/// SHOW [GLOBAL|SESSION|VERBOSE] VARIABLES.
pub fn variables(session: &Session, scope: Option<VariableScope>, verbose: bool) -> Table {
    let values = if scope == Some(VariableScope::Global) { Variables::of_session(&session.engine) } else { session.variables.clone() };
    let mut rows: Vec<_> = variables::all()
        .map(|d| {
            let value = values.text_of(d);
            let mut row = vec![text(d.name), text(value.clone())];
            if verbose {
                row.push(text(d.default));
                row.push(text(if value == d.default { "0" } else { "1" }));
            }
            row
        })
        .collect();
    rows.sort_by(|a, b| a[0].as_str().cmp(&b[0].as_str()));
    let names: &[&str] = if verbose { &["Variable_name", "Value", "Default_value", "Is_changed"] } else { &["Variable_name", "Value"] };
    Table::new(names, rows)
}
