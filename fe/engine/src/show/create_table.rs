//! SHOW CREATE TABLE: the DDL that makes the table again.

use std::{cmp::Ordering, fmt::Write, sync::Arc};

use common_base::{Result, ids::ColumnUid};
use common_types::{LogicalType, Scalar, compare::compare_scalars};
use fe_catalog::model::{
    Column, DefaultValue, Distribution, ExpressionKey, KeysModel, OlapTable, Partition, PartitionBound, PartitionInfo, PartitionItem, Table as CatalogTable, TableKind,
};
use fe_parser::ast::sql;

use super::{Table, create_view::view_row};
use crate::{cluster::tablets::aggregation_text, result::text, session::Session, statement::names};

/// Bytes of a bucket after which tables with random distribution get more, when nobody said.
const DEFAULT_BUCKET_SIZE: &str = "1073741824";

/// Properties that SHOW CREATE TABLE does not repeat.
const HIDDEN: &[&str] = &["storage_format", "light_schema_change", "in_memory", "short_key"];

/// SHOW CREATE TABLE; of a view as SHOW CREATE VIEW.
pub fn create_table(session: &Session, name: &sql::ObjectName) -> Result<Table> {
    let (db, name) = names::qualified(session, name)?;
    let table = names::find_table(&session.catalog(), &db, &name)?;
    if let TableKind::View(_) = table.kind {
        return Ok(view_row(&table));
    }
    let row = vec![text(table.name.clone()), text(create_table_text(&table))];
    Ok(Table::new(&["Table", "Create Table"], vec![row]))
}

/// The DDL of a table.
pub fn create_table_text(table: &CatalogTable) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "CREATE TABLE `{}` (", table.name);
    let mut lines: Vec<String> = table.columns.iter().map(|c| column_line(c, table.as_olap().is_some_and(|o| o.keys == KeysModel::Aggregate))).collect();
    let olap = table.as_olap();
    if let Some(olap) = olap {
        lines.extend(olap.indexes_ddl.iter().map(|i| format!("  {i}")));
    }
    out.push_str(&lines.join(",\n"));
    match olap {
        Some(olap) => write_olap(&mut out, table, olap),
        None => out.push_str("\n) ENGINE=SCHEMA;"),
    }
    out
}

fn write_olap(out: &mut String, table: &CatalogTable, olap: &OlapTable) {
    out.push_str("\n) ENGINE=OLAP \n");
    let key: Vec<ColumnUid> = table.columns.iter().filter(|c| c.key).map(|c| c.uid).collect();
    if !key.is_empty() {
        let model = match olap.keys {
            KeysModel::Duplicate => "DUPLICATE",
            KeysModel::Aggregate => "AGGREGATE",
            KeysModel::Unique => "UNIQUE",
            KeysModel::Primary => "PRIMARY",
        };
        let _ = writeln!(out, "{model} KEY({})", column_names(table, &key));
    }
    if !table.comment.is_empty() {
        let _ = writeln!(out, "COMMENT \"{}\"", escape(&table.comment));
    }
    write_partitions(out, table, olap);
    match &olap.distribution {
        Distribution::Hash { columns, buckets } => {
            let _ = write!(out, "DISTRIBUTED BY HASH({})", column_names(table, columns));
            write_buckets(out, *buckets);
        }
        Distribution::Random { buckets } => {
            out.push_str("DISTRIBUTED BY RANDOM");
            write_buckets(out, *buckets);
        }
    }
    if !olap.sort_key.is_empty() {
        let _ = writeln!(out, "ORDER BY({})", column_names(table, &olap.sort_key));
    }
    let properties: Vec<String> = shown_properties(olap).into_iter().map(|(k, v)| format!("\"{k}\" = \"{}\"", escape(&v))).collect();
    let _ = write!(out, "PROPERTIES (\n{}\n);", properties.join(",\n"));
}

fn write_buckets(out: &mut String, buckets: u32) {
    if buckets > 0 {
        let _ = write!(out, " BUCKETS {buckets} ");
    }
    out.push('\n');
}

/// Properties by key, as SHOW CREATE TABLE and tables_config print them.
pub fn shown_properties(olap: &OlapTable) -> Vec<(String, String)> {
    let primary = olap.keys == KeysModel::Primary;
    let shown = |key: &str| !HIDDEN.contains(&key) && (primary || !key.starts_with("enable_persistent_index"));
    let mut properties: Vec<(String, String)> = olap.properties.iter().filter(|(k, _)| shown(k)).cloned().collect();
    let automatic = matches!(olap.distribution, Distribution::Random { buckets: 0 });
    if automatic && olap.property("bucket_size").is_none() {
        properties.push(("bucket_size".to_owned(), DEFAULT_BUCKET_SIZE.to_owned()));
    }
    properties.retain(|(k, v)| !(matches!(k.as_str(), "mutable_bucket_num" | "primary_index_cache_expire_sec") && v == "0"));
    properties.sort();
    properties
}

/// Values of a UNIQUE KEY table replace each other without being told so: only an AGGREGATE table shows how.
fn column_line(column: &Column, aggregates: bool) -> String {
    let mut line = format!("  `{}` {}", column.name, column.ty.sql_name());
    if let Some(aggregation) = aggregation_text(column).filter(|_| aggregates) {
        let _ = write!(line, " {aggregation}");
    }
    line.push_str(if column.nullable { " NULL" } else { " NOT NULL" });
    if column.auto_increment {
        line.push_str(" AUTO_INCREMENT");
    }
    match &column.default {
        DefaultValue::None | DefaultValue::Literal(Scalar::Null) => {}
        DefaultValue::Literal(value) => {
            let _ = write!(line, " DEFAULT \"{}\"", escape(&value.to_string()));
        }
        DefaultValue::CurrentTimestamp(0) => line.push_str(" DEFAULT CURRENT_TIMESTAMP"),
        DefaultValue::CurrentTimestamp(precision) => {
            let _ = write!(line, " DEFAULT CURRENT_TIMESTAMP({precision})");
        }
        DefaultValue::Expression(expr) => {
            let wrapped = expr.starts_with('(') && expr.ends_with(')');
            let _ = if wrapped { write!(line, " DEFAULT {expr}") } else { write!(line, " DEFAULT ({expr})") };
        }
    }
    if let Some(expr) = &column.generated {
        let _ = write!(line, " AS {expr}");
    }
    let _ = write!(line, " COMMENT \"{}\"", escape(&column.comment));
    line
}

fn write_partitions(out: &mut String, table: &CatalogTable, olap: &OlapTable) {
    match &olap.partition_info {
        PartitionInfo::Unpartitioned => {}
        PartitionInfo::Expression { exprs, key: ExpressionKey::Unit, .. } => {
            let _ = writeln!(out, "PARTITION BY {}", exprs.join(", "));
        }
        PartitionInfo::Expression { exprs, key: ExpressionKey::Tuple, .. } => {
            let _ = writeln!(out, "PARTITION BY ({})", exprs.join(","));
        }
        PartitionInfo::Expression { exprs, key: ExpressionKey::Value, .. } => {
            let partitions: Vec<String> = ordered(olap)
                .iter()
                .filter_map(|p| match &p.item {
                    PartitionItem::Range { lower, upper } => Some(format!("PARTITION {} VALUES [{}, {})", p.name, value_bound(lower), value_bound(upper))),
                    _ => None,
                })
                .collect();
            let _ = writeln!(out, "PARTITION BY RANGE({})\n({})", exprs.join(","), partitions.join(",\n"));
        }
        PartitionInfo::Range { columns } => {
            let types = column_types(table, columns);
            let partitions: Vec<String> = ordered(olap)
                .iter()
                .filter_map(|p| match &p.item {
                    PartitionItem::Range { lower, upper } => {
                        Some(format!("PARTITION {} VALUES [{}, {})", p.name, bound(lower, &types), bound(upper, &types)))
                    }
                    _ => None,
                })
                .collect();
            let _ = writeln!(out, "PARTITION BY RANGE({})\n({})", column_names(table, columns), partitions.join(",\n"));
        }
        PartitionInfo::List { columns } => {
            let partitions: Vec<String> = ordered(olap).iter().map(|p| format!("  PARTITION {} VALUES IN {}", p.name, list_text(&p.item))).collect();
            let _ = writeln!(out, "PARTITION BY LIST({})(\n{}\n)", column_names(table, columns), partitions.join(",\n"));
        }
    }
}

/// A bound of values that are no column's.
fn value_bound(bound: &PartitionBound) -> String {
    match bound {
        PartitionBound::Min => "(MINVALUE)".to_owned(),
        PartitionBound::Max => "(MAXVALUE)".to_owned(),
        PartitionBound::Values(values) => format!("({})", values.iter().map(|v| format!("\"{v}\"")).collect::<Vec<_>>().join(", ")),
    }
}

/// Formal partitions, ranges in their order, others as they were made.
pub fn ordered(olap: &OlapTable) -> Vec<Arc<Partition>> {
    let mut partitions: Vec<Arc<Partition>> = olap.partitions.values().filter(|p| !p.temporary).cloned().collect();
    sort_partitions(&mut partitions);
    partitions
}

/// Sorts ranges by their lower ends; the order of others stays.
pub fn sort_partitions(partitions: &mut [Arc<Partition>]) {
    partitions.sort_by(|a, b| match (&a.item, &b.item) {
        (PartitionItem::Range { lower: a, .. }, PartitionItem::Range { lower: b, .. }) => compare_bounds(a, b),
        _ => Ordering::Equal,
    });
}

fn compare_bounds(a: &PartitionBound, b: &PartitionBound) -> Ordering {
    use PartitionBound as B;
    match (a, b) {
        (B::Min, B::Min) | (B::Max, B::Max) => Ordering::Equal,
        (B::Min, _) | (_, B::Max) => Ordering::Less,
        (_, B::Min) | (B::Max, _) => Ordering::Greater,
        (B::Values(a), B::Values(b)) => a.iter().zip(b).map(|(x, y)| compare_scalars(x, y)).find(|o| *o != Ordering::Equal).unwrap_or(Ordering::Equal),
    }
}

/// Types of columns given by uid.
pub fn column_types(table: &CatalogTable, columns: &[ColumnUid]) -> Vec<LogicalType> {
    columns.iter().filter_map(|uid| table.column_by_uid(*uid)).map(|c| c.ty.clone()).collect()
}

fn bound(bound: &PartitionBound, types: &[LogicalType]) -> String {
    let values: Vec<String> = bound_values(bound, types).into_iter().map(|v| if v == "MAXVALUE" { v } else { format!("\"{}\"", escape(&v)) }).collect();
    format!("({})", values.join(", "))
}

/// The values of a bound as text, one per column.
pub fn bound_values(bound: &PartitionBound, types: &[LogicalType]) -> Vec<String> {
    match bound {
        PartitionBound::Min => types.iter().map(min_text).collect(),
        PartitionBound::Max => types.iter().map(|_| "MAXVALUE".to_owned()).collect(),
        PartitionBound::Values(values) => values.iter().map(ToString::to_string).collect(),
    }
}

/// The least value of a type.
fn min_text(ty: &LogicalType) -> String {
    match ty {
        LogicalType::TinyInt => i8::MIN.to_string(),
        LogicalType::SmallInt => i16::MIN.to_string(),
        LogicalType::Int => i32::MIN.to_string(),
        LogicalType::BigInt => i64::MIN.to_string(),
        LogicalType::LargeInt => i128::MIN.to_string(),
        LogicalType::Datetime => "0000-01-01 00:00:00".to_owned(),
        LogicalType::Date => "0000-01-01".to_owned(),
        _ => String::new(),
    }
}

/// `('a', 'b')` or `(('a', 'x'), ('b', 'y'))`.
pub fn list_text(item: &PartitionItem) -> String {
    let PartitionItem::List(tuples) = item else { return "()".to_owned() };
    let value = |v: &Scalar| if v.is_null() { "NULL".to_owned() } else { format!("'{}'", v.to_string().replace('\'', "\\'")) };
    let tuple = |t: &Vec<Scalar>| match t.as_slice() {
        [one] => value(one),
        more => format!("({})", more.iter().map(value).collect::<Vec<_>>().join(", ")),
    };
    format!("({})", tuples.iter().map(tuple).collect::<Vec<_>>().join(", "))
}

/// `` `a`, `b` ``
pub fn column_names(table: &CatalogTable, uids: &[ColumnUid]) -> String {
    let names: Vec<String> = uids.iter().filter_map(|uid| table.column_by_uid(*uid)).map(|c| format!("`{}`", c.name)).collect();
    names.join(", ")
}

/// Text inside double quotes.
pub fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
