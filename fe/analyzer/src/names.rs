//! Names in syntax: parts of object names, table references, case rules.

use common_base::{Result, bail};
use fe_parser::ast::{encoding, sql};

/// The parts of a name as text.
pub(crate) fn parts(name: &sql::ObjectName) -> Vec<String> {
    encoding::name_parts(name).into_iter().map(|i| i.value.clone()).collect()
}

/// The last part, lower case: function names.
pub(crate) fn function_name(name: &sql::ObjectName) -> String {
    encoding::name_parts(name).last().map(|i| i.value.to_ascii_lowercase()).unwrap_or_default()
}

/// `[catalog.]db.table`, `db.table` or `table`, with the catalog checked.
pub(crate) struct TableName {
    pub db: Option<String>,
    pub table: String,
}

pub(crate) fn table_name(name: &sql::ObjectName) -> Result<TableName> {
    let mut parts = parts(name);
    if parts.len() == 3 {
        let catalog = parts.remove(0);
        if !catalog.eq_ignore_ascii_case("default_catalog") {
            bail!(Analysis, "Unknown catalog '{catalog}'");
        }
    }
    match parts.len() {
        1 => Ok(TableName { db: None, table: parts.remove(0) }),
        2 => {
            let table = parts.remove(1);
            Ok(TableName { db: Some(parts.remove(0)), table })
        }
        _ => bail!(Analysis, "Invalid table name '{name}'"),
    }
}

/// Whether a database holds tables made by the FE; its names are case-insensitive.
pub(crate) fn is_system_database(name: &str) -> bool {
    name.eq_ignore_ascii_case("information_schema") || name.eq_ignore_ascii_case("sys")
}

/// `` `a`.`b` ``
pub(crate) fn quoted(parts: &[impl AsRef<str>]) -> String {
    parts.iter().map(|p| format!("`{}`", p.as_ref())).collect::<Vec<_>>().join(".")
}

/// sql_mode bit: the default place of NULLs in an ordering is inverted.
pub(crate) const SORT_NULLS_LAST: u64 = 1 << 33;
/// sql_mode bit: columns outside GROUP BY are errors.
pub(crate) const ONLY_FULL_GROUP_BY: u64 = 1 << 5;
/// sql_mode bit: numbers with a point are DOUBLE.
pub(crate) const DOUBLE_LITERAL: u64 = 1 << 17;
