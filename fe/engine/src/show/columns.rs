//! SHOW COLUMNS, and how columns are spelt to clients.

use common_base::Result;
use common_types::{LogicalType, Scalar};
use fe_catalog::model::{Column, DefaultValue, KeysModel};
use fe_parser::ast::sql;

use super::Table;
use crate::{cluster::tablets::aggregation_text, result::text, session::Session, statement::names};

/// SHOW [FULL] COLUMNS.
pub fn columns(session: &Session, full: bool, table: &sql::ObjectName, db: Option<&sql::ObjectName>) -> Result<Table> {
    let table = find(session, table, db)?;
    let yes = |b: bool| text(if b { "YES" } else { "NO" });
    let rows = table.columns.iter().map(|c| {
        let (ty, nullable, key) = (text(column_type_text(&c.ty)), yes(c.nullable), yes(c.key));
        let (default, extra) = (default_scalar(c), text(extra_text(c)));
        if full {
            vec![text(c.name.clone()), ty, text(""), nullable, key, default, extra, text(""), text(c.comment.clone())]
        } else {
            vec![text(c.name.clone()), ty, nullable, key, default, extra]
        }
    });
    let names: &[&str] = if full {
        &["Field", "Type", "Collation", "Null", "Key", "Default", "Extra", "Privileges", "Comment"]
    } else {
        &["Field", "Type", "Null", "Key", "Default", "Extra"]
    };
    Ok(Table::new(names, rows.collect()))
}

/// The table of `FROM t [FROM db]`.
pub fn find(session: &Session, table: &sql::ObjectName, db: Option<&sql::ObjectName>) -> Result<std::sync::Arc<fe_catalog::model::Table>> {
    let (db, name) = qualified(session, table, db)?;
    names::find_table(&session.catalog(), &db, &name)
}

/// Database and table of `FROM t [FROM db]`.
pub fn qualified(session: &Session, table: &sql::ObjectName, db: Option<&sql::ObjectName>) -> Result<(String, String)> {
    match db {
        None => names::qualified(session, table),
        Some(db) => {
            let name = fe_parser::ast::encoding::name_parts(table).last().map(|i| i.value.clone()).unwrap_or_default();
            Ok((names::database_name(db)?, name))
        }
    }
}

/// The canonical type, lower case: `int`, `varchar(20)`, `decimal(10,2)`, `array<int(11)>`.
pub fn column_type_text(ty: &LogicalType) -> String {
    match ty {
        LogicalType::Decimal { precision, scale, .. } => format!("decimal({precision},{scale})"),
        LogicalType::TinyInt | LogicalType::SmallInt | LogicalType::Int | LogicalType::BigInt | LogicalType::LargeInt => ty.to_string(),
        LogicalType::Varbinary(_) => "varbinary".to_owned(),
        other => other.sql_name(),
    }
}

/// The default as a cell; NULL when there is none.
pub fn default_scalar(column: &Column) -> Scalar {
    match &column.default {
        DefaultValue::None | DefaultValue::Literal(Scalar::Null) => Scalar::Null,
        DefaultValue::Literal(value) => text(value.to_string()),
        DefaultValue::CurrentTimestamp(0) => text("CURRENT_TIMESTAMP"),
        DefaultValue::CurrentTimestamp(precision) => text(format!("CURRENT_TIMESTAMP({precision})")),
        DefaultValue::Expression(expr) => text(expr.clone()),
    }
}

/// What the Extra column says.
pub fn extra_text(column: &Column) -> String {
    match aggregation_text(column) {
        Some(aggregation) => aggregation,
        None if column.auto_increment => "auto_increment".to_owned(),
        None => String::new(),
    }
}

/// The key model as messages and SHOW name it.
pub fn keys_name(keys: KeysModel) -> &'static str {
    match keys {
        KeysModel::Duplicate => "DUP_KEYS",
        KeysModel::Aggregate => "AGG_KEYS",
        KeysModel::Unique => "UNIQUE_KEYS",
        KeysModel::Primary => "PRIMARY_KEYS",
    }
}
