//! Which partitions a condition over the partition columns takes as a whole: DROP PARTITIONS WHERE, partition_retention_condition.
//!
//! Partitions of tuples are decided by their values. Ranges of few dates or integers are decided by every value they hold, other
//! ranges by comparisons with constants; a partition that is not decided is not touched.

use common_base::{Result, bail, ids::PartitionId};
use common_expr::{eval::CompiledExpr, expr::{Expr, ExprKind}, predicate::extract_all};
use common_types::{LogicalType, Scalar};
use fe_analyzer::{AnalyzeContext, statement::{bind_over_columns, bind_partition_exprs}};
use fe_catalog::model::{ExpressionKey, OlapTable, Partition, PartitionBound, PartitionInfo, PartitionItem, Table};
use fe_parser::ast::sql;

use crate::{
    engine::Engine,
    load::index_rows::outside_sessions,
    result::{ResultColumn, rows_to_chunk},
};

/// Ranges of more values than this are not looked at value by value.
const MOST_VALUES: i128 = 4096;
/// Stands for the first partition key within a bound condition: no table has so many columns.
const KEY: u32 = 1 << 24;

/// What is known of a partition's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    AllPass,
    NonePasses,
    Open,
}

/// Partitions all of whose rows satisfy a condition.
pub fn inside(engine: &Engine, table: &Table, olap: &OlapTable, condition: &sql::Expr) -> Result<Vec<PartitionId>> {
    decided(engine, table, olap, condition, Verdict::AllPass)
}

/// Partitions none of whose rows satisfies a condition.
pub fn outside(engine: &Engine, table: &Table, olap: &OlapTable, condition: &str) -> Result<Vec<PartitionId>> {
    let condition = fe_parser::parse_expr(condition, &fe_parser::ParseOptions::default())?;
    decided(engine, table, olap, &condition, Verdict::NonePasses)
}

fn decided(engine: &Engine, table: &Table, olap: &OlapTable, condition: &sql::Expr, wanted: Verdict) -> Result<Vec<PartitionId>> {
    let catalog = engine.meta.snapshot();
    outside_sessions(engine, &catalog, table, |ctx| {
        let (condition, keys) = over_keys(ctx, table, olap, condition)?;
        let judge = Judge { ctx, condition, keys };
        let formal = olap.partitions.values().filter(|p| !p.temporary);
        let mut out = Vec::new();
        for partition in formal {
            if judge.verdict(partition)? == wanted {
                out.push(partition.id);
            }
        }
        Ok(out)
    })
}

/// The condition over the partition keys alone, which have the ids 0, 1, …, and what each key is: its type, and whether it may be NULL.
fn over_keys(ctx: &AnalyzeContext<'_>, table: &Table, olap: &OlapTable, condition: &sql::Expr) -> Result<(Expr, Vec<(LogicalType, bool)>)> {
    let column = |uid: &common_base::ids::ColumnUid| {
        let at = table.columns.iter().position(|c| c.uid == *uid)?;
        Some(Expr::column(at as u32, table.columns[at].ty.clone(), table.columns[at].nullable))
    };
    let keys: Vec<Expr> = match &olap.partition_info {
        PartitionInfo::Unpartitioned => bail!(User, "Table[{}] is not partitioned", table.name),
        PartitionInfo::Range { columns } | PartitionInfo::List { columns } => columns.iter().filter_map(column).collect(),
        PartitionInfo::Expression { columns, key: ExpressionKey::Unit, .. } => columns.iter().filter_map(column).collect(),
        PartitionInfo::Expression { .. } => bind_partition_exprs(ctx, table)?,
    };
    let bound = bind_over_columns(ctx, &table.columns, condition)?.cast_to(&LogicalType::Boolean);
    let replaced = bound.transform(&mut |e| match keys.iter().position(|k| *k == e) {
        Some(i) => Expr::column(KEY + i as u32, e.ty.clone(), true),
        None => e,
    });
    if replaced.columns().iter().any(|id| *id < KEY) {
        let exprs: Vec<String> = key_names(table, olap);
        bail!(
            Analysis,
            "Getting analyzing error. Detail message: Column `{}` in the partition condition is not a table's partition expression, please use table's partition expressions: {}.",
            table.columns.get(replaced.columns().into_iter().find(|id| *id < KEY).unwrap_or_default() as usize).map_or("?", |c| c.name.as_str()),
            exprs.join(", ")
        );
    }
    let over = replaced.map_columns(&mut |id| id - KEY);
    let kinds = keys.iter().map(|k| (k.ty.clone(), !matches!(k.kind, ExprKind::Column(_)) || k.nullable)).collect();
    Ok((over, kinds))
}

/// What partitions are made by, as messages name it.
fn key_names(table: &Table, olap: &OlapTable) -> Vec<String> {
    match &olap.partition_info {
        PartitionInfo::Unpartitioned => Vec::new(),
        PartitionInfo::Expression { exprs, .. } => exprs.clone(),
        PartitionInfo::Range { columns } | PartitionInfo::List { columns } => {
            columns.iter().filter_map(|uid| table.column_by_uid(*uid)).map(|c| format!("`{}`", c.name)).collect()
        }
    }
}

struct Judge<'a> {
    ctx: &'a AnalyzeContext<'a>,
    condition: Expr,
    keys: Vec<(LogicalType, bool)>,
}

impl Judge<'_> {
    fn verdict(&self, partition: &Partition) -> Result<Verdict> {
        match &partition.item {
            PartitionItem::All => Ok(Verdict::Open),
            PartitionItem::List(tuples) => self.by_values(tuples),
            PartitionItem::Range { lower, upper } => {
                let [(ty, nullable)] = self.keys.as_slice() else { return Ok(Verdict::Open) };
                match values_between(ty, lower, upper) {
                    Some(values) => self.by_values(&values),
                    None => Ok(self.by_bounds(ty, *nullable, lower, upper)),
                }
            }
        }
    }

    fn by_values(&self, tuples: &[Vec<Scalar>]) -> Result<Verdict> {
        let columns: Vec<ResultColumn> = self.keys.iter().map(|(ty, _)| ResultColumn { name: String::new(), ty: ty.clone() }).collect();
        let passes = CompiledExpr::compile(&self.condition).eval(self.ctx.session.eval(), &rows_to_chunk(&columns, tuples)?)?;
        let passing = (0..tuples.len()).filter(|i| matches!(passes.scalar(*i), Scalar::Boolean(true))).count();
        Ok(match passing {
            0 => Verdict::NonePasses,
            n if n == tuples.len() => Verdict::AllPass,
            _ => Verdict::Open,
        })
    }

    fn by_bounds(&self, ty: &LogicalType, nullable: bool, lower: &PartitionBound, upper: &PartitionBound) -> Verdict {
        let at = |b: &PartitionBound, off: i128| match b {
            PartitionBound::Values(v) => v.first().and_then(|v| step(ty, v, off)),
            _ => None,
        };
        let (min, max) = (at(lower, 0), at(upper, -1));
        // NULLs live in the lowest partition.
        let nulls = u64::from(nullable && *lower == PartitionBound::Min);
        let conjuncts = self.condition.clone().into_conjuncts();
        let (predicates, rest) = extract_all(&conjuncts);
        let (low, high) = (min.clone().unwrap_or(Scalar::Null), max.clone().unwrap_or(Scalar::Null));
        let known = min.is_some() && max.is_some();
        let open_ended = |p: &common_expr::predicate::ColumnPredicate| {
            let (from, to) = p.interval();
            let misses_low = to.is_some_and(|to| min.as_ref().is_some_and(|m| less(&to.value, m)));
            let misses_high = from.is_some_and(|from| max.as_ref().is_some_and(|m| less(m, &from.value)));
            (misses_low || misses_high) && !(nulls > 0 && p.accepts_null())
        };
        if predicates.iter().any(|p| if known { !p.may_match(&low, &high, nulls, 2) } else { open_ended(p) }) {
            return Verdict::NonePasses;
        }
        let low = min.unwrap_or_else(|| lowest(ty));
        if rest.is_empty() && high != Scalar::Null && predicates.iter().all(|p| p.all_match(&low, &high, nulls, 2)) {
            return Verdict::AllPass;
        }
        Verdict::Open
    }
}

fn less(a: &Scalar, b: &Scalar) -> bool {
    common_expr::predicate::order::compare_scalars(a, b) == Some(std::cmp::Ordering::Less)
}

/// Below every value that dates can have; of other types the least.
fn lowest(ty: &LogicalType) -> Scalar {
    match ty {
        LogicalType::Date => Scalar::Date(-719_528),
        LogicalType::Datetime => Scalar::Datetime(-719_528 * fe_catalog::calendar::DAY_US),
        LogicalType::TinyInt => Scalar::TinyInt(i8::MIN),
        LogicalType::SmallInt => Scalar::SmallInt(i16::MIN),
        LogicalType::Int => Scalar::Int(i32::MIN),
        LogicalType::BigInt => Scalar::BigInt(i64::MIN),
        LogicalType::LargeInt => Scalar::LargeInt(i128::MIN),
        _ => Scalar::Null,
    }
}

/// A value some steps of its type away.
fn step(ty: &LogicalType, value: &Scalar, by: i128) -> Option<Scalar> {
    match value {
        Scalar::Date(d) => Some(Scalar::Date(d + by as i32)),
        Scalar::Datetime(us) => Some(Scalar::Datetime(us + by as i64)),
        other => Scalar::from_i128(ty, other.as_i128()? + by),
    }
}

/// Every value of a range of dates or integers, when they are few.
fn values_between(ty: &LogicalType, lower: &PartitionBound, upper: &PartitionBound) -> Option<Vec<Vec<Scalar>>> {
    let (PartitionBound::Values(lower), PartitionBound::Values(upper)) = (lower, upper) else { return None };
    let (from, to) = match (lower.first()?, upper.first()?) {
        (Scalar::Date(a), Scalar::Date(b)) => (i128::from(*a), i128::from(*b)),
        (Scalar::Datetime(_), _) => return None,
        (a, b) => (a.as_i128()?, b.as_i128()?),
    };
    if to - from > MOST_VALUES {
        return None;
    }
    (0..to - from).map(|i| Some(vec![step(ty, lower.first()?, i)?])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_ranges() {
        let bound = |v| PartitionBound::Values(vec![v]);
        let days = values_between(&LogicalType::Date, &bound(Scalar::Date(3)), &bound(Scalar::Date(5)));
        assert_eq!(days, Some(vec![vec![Scalar::Date(3)], vec![Scalar::Date(4)]]));
        assert_eq!(values_between(&LogicalType::Int, &bound(Scalar::Int(0)), &bound(Scalar::Int(9999))), None);
        assert_eq!(values_between(&LogicalType::Int, &PartitionBound::Min, &bound(Scalar::Int(9))), None);
        assert_eq!(step(&LogicalType::Datetime, &Scalar::Datetime(5), -1), Some(Scalar::Datetime(4)));
    }
}
