//! Partitioning by expressions: the partition key as bound expressions, and the partitions that a load's rows call for.
//!
//! `date_trunc` or `time_slice` of one column makes ranges of that column, each as wide as the unit. Any other list of expressions
//! makes list partitions of one tuple each. `RANGE (f(c))` has declared ranges of the expression's values and makes none by itself.

use common_base::{Result, bail, ensure, err};
use common_expr::expr::Expr;
use common_types::{LogicalType, Scalar};
use fe_catalog::model::{Column, ExpressionKey, PartitionBound, PartitionInfo, PartitionItem, Table};
use fe_parser::{
    ParseOptions,
    ast::{IntervalUnit, encoding, sql},
};

use super::{
    alter_columns::names_column,
    create_table::PartitionSpec,
    partition::{advance, extreme, from_micros, micros, partition_name},
};
use crate::{AnalyzeContext, NamedColumn, bind_scalar_expr, error};

/// The width of the ranges of `date_trunc('day', c)` or `time_slice(c, INTERVAL 7 day)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionUnit {
    pub count: i64,
    pub unit: IntervalUnit,
}

/// The column and the width of a partition expression that makes ranges by itself.
pub fn unit_of(expr: &sql::Expr) -> Option<(&sql::Ident, PartitionUnit)> {
    let sql::Expr::Function(f) = expr else { return None };
    let sql::FunctionArguments::List(list) = &f.args else { return None };
    let mut args: Vec<&sql::Expr> = Vec::new();
    for arg in &list.args {
        let sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(e)) = arg else { return None };
        args.push(e);
    }
    match (crate::names::function_name(&f.name).as_str(), args.as_slice()) {
        ("date_trunc", [unit, sql::Expr::Identifier(column)]) => {
            let unit = IntervalUnit::from_word(&encoding::string_literal(unit)?)?;
            Some((column, PartitionUnit { count: 1, unit }))
        }
        ("time_slice" | "date_slice", [sql::Expr::Identifier(column), sql::Expr::Interval(i), ..]) => {
            let unit = IntervalUnit::from_word(&i.leading_field.as_ref()?.to_string())?;
            let count = i.value.to_string().trim_matches('\'').parse().ok().filter(|n| *n > 0)?;
            Some((column, PartitionUnit { count, unit }))
        }
        _ => None,
    }
}

/// The type in which values of a partition expression are declared and compared.
pub fn key_type(expr: &sql::Expr, bound: &LogicalType) -> LogicalType {
    let sql::Expr::Function(f) = expr else { return bound.clone() };
    match crate::names::function_name(&f.name).as_str() {
        "from_unixtime" | "from_unixtime_ms" => LogicalType::Datetime,
        "str2date" => LogicalType::Date,
        _ => bound.clone(),
    }
}

/// Binds an expression over columns; references are ordinals of the columns.
pub fn bind_over_columns(ctx: &AnalyzeContext<'_>, columns: &[Column], expr: &sql::Expr) -> Result<Expr> {
    let mut names: Vec<NamedColumn> = Vec::with_capacity(columns.len());
    let mut ctx = AnalyzeContext { columns: fe_plan::ColumnFactory::default(), ..*ctx };
    for (i, c) in columns.iter().enumerate() {
        ctx.columns.computed(c.name.clone(), c.ty.clone(), c.nullable);
        names.push(NamedColumn { name: c.name.clone(), id: i as u32, ty: c.ty.clone(), nullable: c.nullable });
    }
    let bound = bind_scalar_expr(&ctx, expr, &names)?;
    let ty = key_type(expr, &bound.ty);
    Ok(bound.cast_to(&ty))
}

/// The partition expressions of a table, over its columns.
pub fn bind_partition_exprs(ctx: &AnalyzeContext<'_>, table: &Table) -> Result<Vec<Expr>> {
    let Some(PartitionInfo::Expression { exprs, .. }) = table.as_olap().map(|o| &o.partition_info) else { return Ok(Vec::new()) };
    exprs.iter().map(|text| bind_over_columns(ctx, &table.columns, &parse(text)?)).collect()
}

fn parse(text: &str) -> Result<sql::Expr> {
    fe_parser::parse_expr(text, &ParseOptions::default())
}

/// Columns that stand for the partition key of a table: its own, or one of each expression's type.
pub fn key_columns(ctx: &AnalyzeContext<'_>, table: &Table, info: &PartitionInfo) -> Result<Vec<Column>> {
    let own = |uids: &[common_base::ids::ColumnUid]| uids.iter().filter_map(|u| table.column_by_uid(*u)).cloned().collect();
    match info {
        PartitionInfo::Unpartitioned => Ok(Vec::new()),
        PartitionInfo::Range { columns } | PartitionInfo::List { columns } => Ok(own(columns)),
        PartitionInfo::Expression { columns, key: ExpressionKey::Unit, .. } => Ok(own(columns)),
        PartitionInfo::Expression { exprs, .. } => exprs
            .iter()
            .map(|text| {
                let bound = bind_over_columns(ctx, &table.columns, &parse(text)?)?;
                let column = table.columns.iter().find(|c| names_column(text, &c.name));
                let column = column.ok_or_else(|| err!(Analysis, "partition expression {text} names no column"))?;
                Ok(Column { ty: bound.ty, nullable: true, name: text.clone(), ..column.clone() })
            })
            .collect(),
    }
}

/// The partitions that rows with these partition values call for, one for each tuple, named after it.
pub fn automatic_partitions(table: &Table, tuples: Vec<Vec<Scalar>>) -> Result<Vec<PartitionSpec>> {
    error::wrap(|| {
        let olap = super::stored_only(table, "automatic partitions")?;
        let PartitionInfo::Expression { columns, exprs, key } = &olap.partition_info else {
            bail!(User, "table[{}] has no automatic partitions", table.name)
        };
        let spec = |name: String, item: PartitionItem| PartitionSpec {
            name,
            if_not_exists: true,
            item,
            buckets: None,
            replication_num: None,
            properties: Vec::new(),
        };
        match key {
            ExpressionKey::Value => bail!(User, "table[{}] has no automatic partitions", table.name),
            ExpressionKey::Tuple => tuples.into_iter().map(|t| Ok(spec(tuple_name(&t), PartitionItem::List(vec![t])))).collect(),
            ExpressionKey::Unit => {
                let [text] = exprs.as_slice() else { bail!(Internal, "one expression makes ranges, not {}", exprs.len()) };
                let (_, unit) = unit_of(&parse(text)?).map(|(c, u)| (c.clone(), u)).ok_or_else(|| err!(Internal, "{text} makes no ranges"))?;
                let ty = columns.first().and_then(|u| table.column_by_uid(*u)).map(|c| c.ty.clone());
                let ty = ty.ok_or_else(|| err!(Internal, "the partition column of {} is gone", table.name))?;
                tuples
                    .iter()
                    .map(|tuple| {
                        ensure!(tuple.len() == 1, Internal, "{} values for one partition column", tuple.len());
                        let (name, item) = range_of(&ty, unit, &tuple[0]);
                        Ok(spec(name, item))
                    })
                    .collect()
            }
        }
    })
}

/// The range of a unit that starts at a value; NULLs live in the range below all values.
fn range_of(ty: &LogicalType, width: PartitionUnit, start: &Scalar) -> (String, PartitionItem) {
    let first = extreme(ty, false);
    let at = micros(if start.is_null() { &first } else { start });
    let end = advance(at, width.count, width.unit);
    let end = if end > micros(&extreme(ty, true)) { PartitionBound::Max } else { PartitionBound::Values(vec![from_micros(ty, end)]) };
    let lower = if start.is_null() || at <= micros(&first) { PartitionBound::Min } else { PartitionBound::Values(vec![from_micros(ty, at)]) };
    (partition_name(at, if width.unit == IntervalUnit::Week { IntervalUnit::Day } else { width.unit }), PartitionItem::Range { lower, upper: end })
}

/// `p20220401_Houston`; letters and digits stay, a minus becomes an underscore, what else would not do in a name its code.
fn tuple_name(tuple: &[Scalar]) -> String {
    const LONGEST: usize = 50;
    let mut name = String::from("p");
    for (i, value) in tuple.iter().enumerate() {
        if i > 0 {
            name.push('_');
        }
        if value.is_null() {
            name.push_str("NULL");
            continue;
        }
        let mut text = value.to_string();
        if matches!(value, Scalar::Datetime(_)) {
            text = text.split('.').next().unwrap_or_default().to_owned();
        }
        if text.starts_with('-') {
            name.push('_');
        }
        for c in text.chars() {
            match c {
                c if c.is_ascii_alphanumeric() => name.push(c),
                c if c.is_ascii() => {}
                c => name.push_str(&format!("{:x}", c as u32)),
            }
        }
    }
    if name.len() > LONGEST {
        // Long values that begin alike must not share a name.
        let hash = common_types::hash::hash_bytes(tuple.iter().map(ToString::to_string).collect::<Vec<_>>().join("\u{1}").as_bytes());
        name.truncate(LONGEST);
        name.push_str(&format!("_{:x}", hash as u32));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tuples() {
        assert_eq!(tuple_name(&[Scalar::Date(19083), Scalar::string("Houston")]), "p20220401_Houston");
        assert_eq!(tuple_name(&[Scalar::Null, Scalar::Int(-3)]), "pNULL__3");
        assert_eq!(tuple_name(&[Scalar::string("a b-c")]), "pabc");
        assert_ne!(tuple_name(&[Scalar::string(&"x".repeat(80))]), tuple_name(&[Scalar::string(&"x".repeat(81))]));
    }

    #[test]
    fn ranges_of_units() {
        let unit = |text: &str| unit_of(&parse(text).unwrap()).map(|(c, u)| (c.value.clone(), u.count, u.unit));
        assert_eq!(unit("date_trunc('month', dt)"), Some(("dt".into(), 1, IntervalUnit::Month)));
        assert_eq!(unit("time_slice(dt, INTERVAL 7 DAY)"), Some(("dt".into(), 7, IntervalUnit::Day)));
        assert_eq!(unit("from_unixtime(dt)"), None);
        let month = PartitionUnit { count: 1, unit: IntervalUnit::Month };
        let (name, item) = range_of(&LogicalType::Date, month, &Scalar::Date(19783));
        assert_eq!(name, "p202403");
        let bounds = |d| PartitionBound::Values(vec![Scalar::Date(d)]);
        assert_eq!(item, PartitionItem::Range { lower: bounds(19783), upper: bounds(19814) });
        let (_, item) = range_of(&LogicalType::Date, month, &Scalar::Null);
        assert!(matches!(item, PartitionItem::Range { lower: PartitionBound::Min, .. }));
    }
}
