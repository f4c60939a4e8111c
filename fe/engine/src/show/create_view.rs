//! SHOW CREATE VIEW.

use common_base::{Result, bail};
use fe_catalog::model::{Table as CatalogTable, TableKind};
use fe_parser::ast::sql;

use super::{Table, create_table::escape};
use crate::{result::text, session::Session, statement::names};

/// SHOW CREATE VIEW.
pub fn create_view(session: &Session, name: &sql::ObjectName) -> Result<Table> {
    let (db, name) = names::qualified(session, name)?;
    let table = names::find_table(&session.engine.meta.snapshot(), &db, &name)?;
    if !matches!(table.kind, TableKind::View(_)) {
        bail!(WrongObject, "'{db}.{name}' is not 'VIEW'");
    }
    Ok(view_row(&table))
}

/// The answer for one view.
pub fn view_row(view: &CatalogTable) -> Table {
    let row = vec![text(view.name.clone()), text(create_view_text(view)), text("utf8"), text("utf8_general_ci")];
    Table::new(&["View", "Create View", "character_set_client", "collation_connection"], vec![row])
}

/// The DDL of a view.
pub fn create_view_text(view: &CatalogTable) -> String {
    let column = |c: &fe_catalog::model::Column| {
        if c.comment.is_empty() { format!("`{}`", c.name) } else { format!("`{}` COMMENT \"{}\"", c.name, escape(&c.comment)) }
    };
    let columns: Vec<String> = view.columns.iter().map(column).collect();
    let comment = if view.comment.is_empty() { String::new() } else { format!(" COMMENT \"{}\"", escape(&view.comment)) };
    let definition = match &view.kind {
        TableKind::View(v) => v.definition.as_str(),
        _ => "",
    };
    format!("CREATE VIEW `{}` ({}){comment} SECURITY NONE AS {definition};", view.name, columns.join(", "))
}
