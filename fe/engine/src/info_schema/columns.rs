//! information_schema.columns.

use common_types::{LogicalType, Scalar};
use fe_catalog::model::{Column, Database, KeysModel, Table};

use super::{Provider, TEXT, Ty, number};
use crate::{
    result::text,
    show::columns::{default_scalar, extra_text},
};

pub(super) const COLUMNS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "columns",
    columns: &[
        ("TABLE_CATALOG", Ty::Text(512)),
        ("TABLE_SCHEMA", Ty::Text(64)),
        ("TABLE_NAME", Ty::Text(64)),
        ("COLUMN_NAME", Ty::Text(64)),
        ("ORDINAL_POSITION", Ty::BigInt),
        ("COLUMN_DEFAULT", Ty::Text(1024)),
        ("IS_NULLABLE", Ty::Text(3)),
        ("DATA_TYPE", Ty::Text(64)),
        ("CHARACTER_MAXIMUM_LENGTH", Ty::BigInt),
        ("CHARACTER_OCTET_LENGTH", Ty::BigInt),
        ("NUMERIC_PRECISION", Ty::BigInt),
        ("NUMERIC_SCALE", Ty::BigInt),
        ("DATETIME_PRECISION", Ty::BigInt),
        ("CHARACTER_SET_NAME", Ty::Text(32)),
        ("COLLATION_NAME", Ty::Text(32)),
        ("COLUMN_TYPE", TEXT),
        ("COLUMN_KEY", Ty::Text(3)),
        ("EXTRA", Ty::Text(27)),
        ("PRIVILEGES", Ty::Text(80)),
        ("COLUMN_COMMENT", Ty::Text(1024)),
        ("COLUMN_SIZE", Ty::BigInt),
        ("DECIMAL_DIGITS", Ty::BigInt),
        ("GENERATION_EXPRESSION", Ty::Text(64)),
        ("SRS_ID", Ty::BigInt),
    ],
    rows: |cx| {
        let mut rows = Vec::new();
        for (db, table) in cx.tables("TABLE_SCHEMA", "TABLE_NAME") {
            rows.extend(table.columns.iter().enumerate().map(|(i, c)| row(&db, &table, i, c)));
        }
        rows
    },
};

fn row(db: &Database, table: &Table, position: usize, c: &Column) -> Vec<Scalar> {
    let length = text_length(&c.ty);
    let optional = |n: Option<u64>| n.map_or(Scalar::Null, number);
    let is_text = matches!(c.ty, LogicalType::Char(_) | LogicalType::Varchar(_));
    let (precision, scale) = numeric(&c.ty);
    vec![
        text("def"),
        text(db.name.clone()),
        text(table.name.clone()),
        text(c.name.clone()),
        number(position as u64 + 1),
        default_scalar(c),
        text(if c.nullable { "YES" } else { "NO" }),
        text(data_type(&c.ty)),
        optional(length),
        optional(length),
        optional(precision),
        optional(scale),
        if c.ty == LogicalType::Datetime { number(0) } else { Scalar::Null },
        if is_text { text("utf8") } else { Scalar::Null },
        if is_text { text("utf8_general_ci") } else { Scalar::Null },
        text(column_type(&c.ty)),
        text(column_key(table, c)),
        text(extra_text(c).to_lowercase()),
        text(""),
        text(c.comment.clone()),
        optional(length.or(precision)),
        optional(scale),
        c.generated.clone().map_or(Scalar::Null, text),
        Scalar::Null,
    ]
}

/// The plain type as MySQL tools know it.
fn data_type(ty: &LogicalType) -> String {
    match ty {
        LogicalType::Boolean => "tinyint".to_owned(),
        LogicalType::LargeInt => "bigint unsigned".to_owned(),
        LogicalType::Decimal { .. } => "decimal".to_owned(),
        LogicalType::Char(_) => "char".to_owned(),
        LogicalType::Varchar(_) => "varchar".to_owned(),
        LogicalType::Varbinary(_) => "varbinary".to_owned(),
        LogicalType::Array(_) => "array".to_owned(),
        LogicalType::Map(..) => "map".to_owned(),
        LogicalType::Struct(_) => "struct".to_owned(),
        other => other.to_string(),
    }
}

/// The type as SHOW CREATE TABLE has it, with MySQL names for the two that tools do not know.
fn column_type(ty: &LogicalType) -> String {
    match ty {
        LogicalType::Boolean => "tinyint(1)".to_owned(),
        LogicalType::LargeInt => "bigint(20) unsigned".to_owned(),
        LogicalType::Decimal { precision, scale, .. } => format!("decimal({precision},{scale})"),
        other => other.sql_name(),
    }
}

fn column_key(table: &Table, column: &Column) -> &'static str {
    match table.as_olap().map(|o| o.keys) {
        Some(_) if !column.key => "",
        Some(KeysModel::Primary) => "PRI",
        Some(KeysModel::Unique) => "UNI",
        Some(KeysModel::Aggregate) => "AGG",
        Some(KeysModel::Duplicate) => "DUP",
        None => "",
    }
}

fn text_length(ty: &LogicalType) -> Option<u64> {
    match ty {
        LogicalType::Char(n) => Some(u64::from(*n)),
        LogicalType::Varchar(n) | LogicalType::Varbinary(n) => Some(u64::from(n.unwrap_or(common_types::MAX_VARCHAR_LENGTH))),
        _ => None,
    }
}

/// Decimal digits before rounding, and after the point.
fn numeric(ty: &LogicalType) -> (Option<u64>, Option<u64>) {
    match ty {
        LogicalType::Boolean => (Some(1), Some(0)),
        LogicalType::TinyInt => (Some(3), Some(0)),
        LogicalType::SmallInt => (Some(5), Some(0)),
        LogicalType::Int => (Some(10), Some(0)),
        LogicalType::BigInt => (Some(19), Some(0)),
        LogicalType::LargeInt => (Some(39), Some(0)),
        LogicalType::Float => (Some(7), Some(7)),
        LogicalType::Double => (Some(15), Some(15)),
        LogicalType::Decimal { precision, scale, .. } => (Some(u64::from(*precision)), Some(u64::from(scale.unsigned_abs()))),
        _ => (None, None),
    }
}
