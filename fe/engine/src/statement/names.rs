//! Names in statements → catalog objects.

use std::sync::Arc;

use common_base::{Result, bail, err};
use fe_catalog::{CatalogSnapshot, model::{Database, OlapTable, Table}};
use fe_parser::ast::{encoding, sql};

use crate::session::Session;

/// Database and object of `[catalog.][db.]name`.
pub fn qualified(session: &Session, name: &sql::ObjectName) -> Result<(String, String)> {
    let parts: Vec<&str> = encoding::name_parts(name).into_iter().map(|i| i.value.as_str()).collect();
    match parts.as_slice() {
        [table] => match &session.database {
            Some(db) => Ok((db.clone(), (*table).to_owned())),
            None => bail!(NoDatabaseSelected, "No database selected"),
        },
        [db, table] | ["default_catalog", db, table] => Ok(((*db).to_owned(), (*table).to_owned())),
        _ => bail!(Analysis, "Getting analyzing error. Detail message: Unknown catalog in '{}'.", parts.join(".")),
    }
}

/// The database of `[catalog.]db`.
pub fn database_name(name: &sql::ObjectName) -> Result<String> {
    let parts: Vec<&str> = encoding::name_parts(name).into_iter().map(|i| i.value.as_str()).collect();
    match parts.as_slice() {
        [db] | ["default_catalog", db] => Ok((*db).to_owned()),
        _ => bail!(Analysis, "Getting analyzing error. Detail message: Unknown catalog in '{}'.", parts.join(".")),
    }
}

/// The named database, or the session's.
pub fn database_or_current(session: &Session, name: Option<&sql::ObjectName>) -> Result<String> {
    match (name, &session.database) {
        (Some(name), _) => database_name(name),
        (None, Some(db)) => Ok(db.clone()),
        (None, None) => bail!(NoDatabaseSelected, "No database selected"),
    }
}

/// An existing database.
pub fn find_database(catalog: &CatalogSnapshot, name: &str) -> Result<Arc<Database>> {
    catalog.database(name).cloned().ok_or_else(|| err!(UnknownDatabase, "Unknown database '{name}'"))
}

/// An existing table or view.
pub fn find_table(catalog: &CatalogSnapshot, db: &str, name: &str) -> Result<Arc<Table>> {
    if crate::info_schema::is_system_database(db) {
        return crate::info_schema::table(db, name).ok_or_else(|| unknown_table(name));
    }
    let database = find_database(catalog, db)?;
    catalog.table(database.id, name).cloned().ok_or_else(|| unknown_table(name))
}

/// The error of a table that does not exist.
pub fn unknown_table(name: &str) -> common_base::Error {
    err!(UnknownTable, "Unknown table '{name}'")
}

/// The storage side of a table, or why the statement cannot be for it.
pub fn olap(table: &Table) -> Result<&Arc<OlapTable>> {
    table.as_olap().ok_or_else(|| err!(User, "'{}' is not a native table", table.name))
}
