//! SHOW DATABASES, CREATE DATABASE, CATALOGS.

use common_base::{Result, bail};
use fe_parser::ast::sql;

use super::{Table, create_table::escape};
use crate::{info_schema, result::text, session::Session, statement::names};

const CATALOG_COMMENT: &str = "An internal catalog contains this cluster's self-managed tables.";

/// SHOW DATABASES.
pub fn databases(session: &Session, catalog: Option<&sql::Ident>) -> Result<Table> {
    check_catalog(catalog.map_or("default_catalog", |c| c.value.as_str()))?;
    let snapshot = session.engine.meta.snapshot();
    let mut names: Vec<String> = snapshot.databases.values().map(|d| d.name.clone()).collect();
    names.extend(info_schema::databases().iter().map(|d| d.name.clone()));
    names.sort();
    Ok(Table::new(&["Database"], names.into_iter().map(|n| vec![text(n)]).collect()).case_sensitive())
}

/// SHOW CREATE DATABASE.
pub fn create_database(session: &Session, name: &sql::ObjectName) -> Result<Table> {
    let name = names::database_name(name)?;
    let db = match info_schema::database(&name) {
        Some(db) => db,
        None => names::find_database(&session.engine.meta.snapshot(), &name)?,
    };
    let mut ddl = format!("CREATE DATABASE `{}`", db.name);
    if !db.properties.is_empty() {
        let properties: Vec<String> = db.properties.iter().map(|(k, v)| format!("\"{k}\" = \"{}\"", escape(v))).collect();
        ddl = format!("{ddl}\nPROPERTIES ({})", properties.join(", "));
    }
    Ok(Table::new(&["Database", "Create Database"], vec![vec![text(db.name.clone()), text(ddl)]]))
}

/// SHOW CATALOGS.
pub fn catalogs() -> Table {
    Table::new(&["Catalog", "Type", "Comment"], vec![vec![text("default_catalog"), text("Internal"), text(CATALOG_COMMENT)]])
}

/// SHOW CREATE CATALOG.
pub fn create_catalog(name: &str) -> Result<Table> {
    check_catalog(name)?;
    Ok(Table::new(&["Catalog", "Create Catalog"], vec![vec![text("default_catalog"), text(format!("default_catalog is internal: {CATALOG_COMMENT}"))]]))
}

fn check_catalog(name: &str) -> Result<()> {
    if name != "default_catalog" {
        bail!(User, "Unknown catalog '{name}'");
    }
    Ok(())
}
