//! PARTITION BY and partition items: bounds as values of the partition columns, batches unrolled, overlaps refused.

use std::cmp::Ordering;

use common_base::{Result, bail, err};
use common_expr::expr::Expr;
use common_types::{LogicalType, Scalar};
use fe_catalog::calendar::{self, DAY_US, Unit};
use fe_catalog::model::{Column, ExpressionKey, KeysModel, PartitionBound, PartitionInfo, PartitionItem, Table};
use fe_parser::ast::{
    AddPartition, BatchPartitions, CreateTable, IntervalUnit, ListPartition, NewPartition, PartitionBy, PartitionStep,
    PartitionValue, Properties, RangeBound, RangePartition, RangePartitionItem, encoding, sql,
};

use super::{
    alter_columns::names_column,
    automatic_partition,
    create_table::{DdlDefaults, PartitionSpec, check_buckets, position},
};
use crate::{AnalyzeContext, binder::Binder, error};

/// The scalars of partition values for the given columns (`p` of `VALUES IN`, `ADD PARTITION`, …).
pub fn partition_values(
    ctx: &AnalyzeContext<'_>,
    values: &[PartitionValue],
    columns: &[&Column],
) -> Result<Vec<Scalar>> {
    error::wrap(|| {
        let binder = Binder::new(ctx);
        values.iter().zip(columns).map(|(v, c)| binder.partition_value(v, c)).collect()
    })
}

/// The partitions `ADD PARTITION` makes, checked against the table's own.
pub fn analyze_add_partition(
    ctx: &AnalyzeContext<'_>,
    table: &Table,
    add: &AddPartition,
    defaults: &DdlDefaults,
) -> Result<Vec<PartitionSpec>> {
    error::wrap(|| {
        let olap = super::stored_only(table, "ADD PARTITION")?;
        let binder = Binder::new(ctx);
        let existing: Vec<(String, PartitionItem)> = olap
            .partitions
            .values()
            .filter(|p| p.temporary == add.temporary)
            .map(|p| (p.name.clone(), p.item.clone()))
            .collect();
        let key = automatic_partition::key_columns(ctx, table, &olap.partition_info)?;
        let key: Vec<&Column> = key.iter().collect();
        let list = olap.partition_info.is_list();
        if let (PartitionInfo::Expression { key: ExpressionKey::Unit, .. }, false) = (&olap.partition_info, add.temporary) {
            match &add.partition {
                NewPartition::Range(_) => bail!(
                    Analysis,
                    "Currently, you cannot manually add a single range partition to a table that is automatically partition."
                ),
                NewPartition::Batch(b) if !matches!(b.every, PartitionStep::Interval { count: 1, .. }) => {
                    bail!(Analysis, "The step of the auto-partitioned table should be 1.")
                }
                _ => {}
            }
        }
        let mut specs = match (&olap.partition_info, &add.partition) {
            (PartitionInfo::Range { .. } | PartitionInfo::Expression { .. }, NewPartition::Range(p)) if !list => {
                let upper =
                    existing.iter().filter_map(|(_, item)| upper_of(item)).max_by(|a, b| compare_bounds(a, b)).cloned();
                vec![binder.range_partition(p, &key, upper.unwrap_or(PartitionBound::Min))?]
            }
            (PartitionInfo::Range { .. } | PartitionInfo::Expression { .. }, NewPartition::Batch(batch)) if !list => {
                binder.batch(batch, &key, defaults)?
            }
            (PartitionInfo::List { .. } | PartitionInfo::Expression { .. }, NewPartition::List(p)) if list => {
                vec![binder.list_partition(p, &key)?]
            }
            (PartitionInfo::Unpartitioned, _) => bail!(User, "table[{}] is not partitioned", table.name),
            _ => bail!(User, "The partition's kind does not fit the table's partitioning"),
        };
        let buckets = add.distribution.as_ref().map(|d| check_buckets(d, defaults)).transpose()?;
        let common = overrides(&add.properties)?;
        specs.retain(|s| !(s.if_not_exists && existing.iter().any(|(n, _)| n.eq_ignore_ascii_case(&s.name))));
        for spec in &mut specs {
            if existing.iter().any(|(n, _)| n.eq_ignore_ascii_case(&spec.name)) {
                bail!(User, "Duplicate partition name {}", spec.name);
            }
            if let Some((n, _)) = existing.iter().find(|(_, item)| intersects(item, &spec.item)) {
                bail!(User, "Range {} is intersected with range {n}", spec.name);
            }
            spec.buckets = spec.buckets.or(buckets);
            spec.replication_num = spec.replication_num.or(common.0);
            if spec.properties.is_empty() {
                spec.properties.clone_from(&common.1);
            }
        }
        check_overlaps(&specs)?;
        Ok(specs)
    })
}

/// The names of the partitions that `START … END … EVERY …` would make of a table.
pub fn batch_names(
    ctx: &AnalyzeContext<'_>,
    table: &Table,
    batch: &BatchPartitions,
    defaults: &DdlDefaults,
) -> Result<Vec<String>> {
    error::wrap(|| {
        let olap = super::stored_only(table, "partitions")?;
        if olap.partition_info.is_list() {
            bail!(Analysis, "List partitioned tables have no ranges of partitions");
        }
        let key = automatic_partition::key_columns(ctx, table, &olap.partition_info)?;
        let specs = Binder::new(ctx).batch(batch, &key.iter().collect::<Vec<_>>(), defaults)?;
        Ok(specs.into_iter().map(|s| s.name).collect())
    })
}

/// Whether partitions may take the places of others: `strict` asks for the same rows, else nothing that stays may overlap.
pub fn check_replacement(
    leaving: &[&PartitionItem],
    entering: &[&PartitionItem],
    staying: &[&PartitionItem],
    strict: bool,
) -> Result<()> {
    if strict {
        let (old_ranges, old_tuples) = union_of(leaving);
        let (new_ranges, new_tuples) = union_of(entering);
        let same_tuples = old_tuples.len() == new_tuples.len() && old_tuples.iter().all(|t| new_tuples.contains(t));
        if old_ranges != new_ranges || !same_tuples {
            bail!(User, "The ranges of the temporary partitions and of the partitions they replace are not strictly matched");
        }
    } else if entering.iter().any(|e| staying.iter().any(|s| intersects(e, s))) {
        bail!(User, "Range of a temporary partition is conflict with a partition that stays");
    }
    Ok(())
}

/// What partitions hold together: ranges that touch joined, and the tuples of lists.
fn union_of<'a>(items: &[&'a PartitionItem]) -> (Vec<(&'a PartitionBound, &'a PartitionBound)>, Vec<&'a Vec<Scalar>>) {
    let mut ranges: Vec<(&PartitionBound, &PartitionBound)> = Vec::new();
    let mut tuples = Vec::new();
    for item in items {
        match item {
            PartitionItem::All => ranges.push((&PartitionBound::Min, &PartitionBound::Max)),
            PartitionItem::Range { lower, upper } => ranges.push((lower, upper)),
            PartitionItem::List(of_one) => tuples.extend(of_one),
        }
    }
    ranges.sort_by(|a, b| compare_bounds(a.0, b.0));
    let mut joined: Vec<(&PartitionBound, &PartitionBound)> = Vec::with_capacity(ranges.len());
    for (lower, upper) in ranges {
        match joined.last_mut() {
            Some(last) if compare_bounds(last.1, lower) == Ordering::Equal => last.1 = upper,
            _ => joined.push((lower, upper)),
        }
    }
    (joined, tuples)
}

type Overrides = (Option<u16>, Vec<(String, String)>);

fn overrides(properties: &Properties) -> Result<Overrides> {
    let mut replication = None;
    let mut rest = Vec::new();
    for p in properties {
        let key = p.key.to_ascii_lowercase();
        match key.as_str() {
            "replication_num" => replication = Some(super::properties::replication_num(&p.value)?),
            "storage_medium" | "storage_cooldown_time" | "in_memory" | "storage_cooldown_ttl" => {
                rest.push((key, p.value.clone()))
            }
            _ => bail!(User, "Unknown properties: {{{}={}}}", p.key, p.value),
        }
    }
    Ok((replication, rest))
}

impl Binder<'_> {
    pub(super) fn partitions(
        &mut self,
        create: &CreateTable,
        table: &str,
        columns: &[Column],
        keys: KeysModel,
        defaults: &DdlDefaults,
    ) -> Result<(PartitionInfo, Vec<PartitionSpec>)> {
        let Some(by) = &create.partition_by else {
            let whole = PartitionSpec {
                name: table.to_owned(),
                if_not_exists: false,
                item: PartitionItem::All,
                buckets: None,
                replication_num: None,
                properties: Vec::new(),
            };
            return Ok((PartitionInfo::Unpartitioned, vec![whole]));
        };
        match by {
            PartitionBy::Range { exprs, items } if matches!(exprs.as_slice(), [e] if !matches!(e, sql::Expr::Identifier(_))) => {
                self.expression_partitions(exprs, items, columns, keys, defaults, true)
            }
            PartitionBy::Range { exprs, items } => {
                let own = self.partition_columns(exprs, columns, keys)?;
                for c in &own {
                    check_range_column(c)?;
                }
                let specs = self.range_items(items, &own, defaults)?;
                Ok((PartitionInfo::Range { columns: own.iter().map(|c| c.uid).collect() }, specs))
            }
            PartitionBy::List { exprs, items } => {
                let own = self.partition_columns(exprs, columns, keys)?;
                for c in &own {
                    check_list_column(c)?;
                }
                let mut specs: Vec<PartitionSpec> = Vec::with_capacity(items.len());
                for item in items {
                    let spec = self.list_partition(item, &own)?;
                    if specs.iter().any(|s| s.name.eq_ignore_ascii_case(&spec.name)) {
                        bail!(User, "Duplicate partition name {}", spec.name);
                    }
                    specs.push(spec);
                }
                check_overlaps(&specs)?;
                Ok((PartitionInfo::List { columns: own.iter().map(|c| c.uid).collect() }, specs))
            }
            PartitionBy::Expr { exprs, items } => {
                self.expression_partitions(exprs, items, columns, keys, defaults, false)
            }
        }
    }

    /// Partitions by expressions; `declared`: inside RANGE (…), where an expression that makes no ranges has declared ones.
    fn expression_partitions(
        &self,
        exprs: &[sql::Expr],
        items: &[RangePartitionItem],
        columns: &[Column],
        keys: KeysModel,
        defaults: &DdlDefaults,
        declared: bool,
    ) -> Result<(PartitionInfo, Vec<PartitionSpec>)> {
        let mut used: Vec<&Column> = Vec::new();
        let mut texts = Vec::with_capacity(exprs.len());
        for e in exprs {
            let text = fe_parser::print::expr_sql(e);
            for column in columns.iter().filter(|c| names_column(&text, &c.name)) {
                check_partition_column(column, keys)?;
                if !used.iter().any(|u| u.uid == column.uid) {
                    used.push(column);
                }
            }
            if let sql::Expr::Identifier(name) = e {
                let at = position(columns, name, |n| err!(User, "Partition column[{n}] does not exist in column list."))?;
                check_list_column(&columns[at])?;
            }
            texts.push(text);
        }
        let key = match exprs {
            [one] if automatic_partition::unit_of(one).is_some() => {
                self.partition_expression(one, columns, keys)?;
                ExpressionKey::Unit
            }
            _ if declared => ExpressionKey::Value,
            _ => ExpressionKey::Tuple,
        };
        let mut standing: Vec<Column> = Vec::with_capacity(exprs.len());
        for (e, text) in exprs.iter().zip(&texts) {
            let bound = automatic_partition::bind_over_columns(self.ctx, columns, e)?;
            let Some(column) = columns.iter().find(|c| names_column(text, &c.name)) else {
                bail!(Analysis, "Unsupported partition expression {}", fe_parser::print::expr_text(e))
            };
            let of_value = Column { ty: bound.ty, nullable: true, name: text.clone(), ..column.clone() };
            standing.push(if key == ExpressionKey::Unit { column.clone() } else { of_value });
        }
        match key {
            ExpressionKey::Unit => {}
            ExpressionKey::Value => standing.iter().try_for_each(check_range_column)?,
            ExpressionKey::Tuple => standing.iter().try_for_each(check_list_column)?,
        }
        if key == ExpressionKey::Tuple && !items.is_empty() {
            bail!(Analysis, "Ranges need one date_trunc or time_slice expression");
        }
        let specs = self.range_items(items, &standing.iter().collect::<Vec<_>>(), defaults)?;
        let columns = used.iter().map(|c| c.uid).collect();
        Ok((PartitionInfo::Expression { columns, exprs: texts, key }, specs))
    }

    fn partition_columns<'c>(
        &self,
        exprs: &[sql::Expr],
        columns: &'c [Column],
        keys: KeysModel,
    ) -> Result<Vec<&'c Column>> {
        let mut out: Vec<&Column> = Vec::with_capacity(exprs.len());
        for e in exprs {
            let name = match e {
                sql::Expr::Identifier(i) => i,
                sql::Expr::Function(_) => {
                    bail!(NotSupported, "Partitioning by {} is not supported yet", fe_parser::print::expr_text(e))
                }
                other => bail!(User, "Unsupported partition expression {}", fe_parser::print::expr_text(other)),
            };
            let at = position(columns, name, |n| err!(User, "Partition column[{n}] does not exist in column list."))?;
            out.push(check_partition_column(&columns[at], keys)?);
        }
        Ok(out)
    }

    /// `date_trunc('day', c)`, `time_slice(c, interval …)` or a plain column.
    fn partition_expression<'c>(&self, e: &sql::Expr, columns: &'c [Column], keys: KeysModel) -> Result<&'c Column> {
        let find = |name: &sql::Ident| -> Result<&'c Column> {
            let at = position(columns, name, |n| err!(User, "Partition column[{n}] does not exist in column list."))?;
            check_partition_column(&columns[at], keys)
        };
        match e {
            sql::Expr::Identifier(name) => {
                let column = find(name)?;
                check_list_column(column)?;
                Ok(column)
            }
            sql::Expr::Function(f) => {
                let name = crate::names::function_name(&f.name);
                let sql::FunctionArguments::List(list) = &f.args else {
                    bail!(Analysis, "Only support date_trunc and time_slice as partition expression")
                };
                let args: Vec<&sql::Expr> = list
                    .args
                    .iter()
                    .filter_map(|a| match a {
                        sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(e)) => Some(e),
                        _ => None,
                    })
                    .collect();
                let column = match (name.as_str(), args.as_slice()) {
                    ("date_trunc", [unit, sql::Expr::Identifier(c)]) => {
                        let unit = encoding::string_literal(unit).unwrap_or_default().to_ascii_lowercase();
                        let column = find(c)?;
                        if !["minute", "hour", "day", "week", "month", "quarter", "year"].contains(&unit.as_str()) {
                            bail!(Analysis, "Unsupported date_trunc unit {unit} in partition expression");
                        }
                        if column.ty == LogicalType::Date && matches!(unit.as_str(), "hour" | "minute") {
                            bail!(Analysis, "PARTITION BY date_trunc('{unit}', …) needs a DATETIME column");
                        }
                        column
                    }
                    ("time_slice", [sql::Expr::Identifier(c), rest @ ..]) if !rest.is_empty() => find(c)?,
                    _ => bail!(Analysis, "Only support date_trunc and time_slice as partition expression"),
                };
                if !column.ty.is_date_like() {
                    bail!(Analysis, "Partition expression needs a DATE or DATETIME column: {}", column.name);
                }
                Ok(column)
            }
            other => bail!(Analysis, "Unsupported partition expression {}", fe_parser::print::expr_text(other)),
        }
    }

    fn range_items(
        &self,
        items: &[RangePartitionItem],
        columns: &[&Column],
        defaults: &DdlDefaults,
    ) -> Result<Vec<PartitionSpec>> {
        let mut specs: Vec<PartitionSpec> = Vec::new();
        for item in items {
            match item {
                RangePartitionItem::Single(p) => {
                    let lower = specs.last().and_then(|s| upper_of(&s.item)).cloned().unwrap_or(PartitionBound::Min);
                    specs.push(self.range_partition(p, columns, lower)?);
                }
                RangePartitionItem::Batch(batch) => specs.extend(self.batch(batch, columns, defaults)?),
            }
        }
        for (i, s) in specs.iter().enumerate() {
            if specs[..i].iter().any(|o| o.name.eq_ignore_ascii_case(&s.name)) {
                bail!(User, "Duplicate partition name {}", s.name);
            }
        }
        check_overlaps(&specs)?;
        Ok(specs)
    }

    fn range_partition(
        &self,
        p: &RangePartition,
        columns: &[&Column],
        previous: PartitionBound,
    ) -> Result<PartitionSpec> {
        let (lower, upper) = match &p.bound {
            RangeBound::LessThan(values) => (previous, self.bound(values, columns)?),
            RangeBound::Fixed { lower, upper } => (self.bound(lower, columns)?, self.bound(upper, columns)?),
        };
        if compare_bounds(&lower, &upper) != Ordering::Less {
            bail!(User, "Partition {}: the lower bound must be less than the upper bound", p.name.value);
        }
        let (replication_num, properties) = overrides(&p.properties)?;
        Ok(PartitionSpec {
            name: check_partition_name(&p.name.value)?,
            if_not_exists: p.if_not_exists,
            item: PartitionItem::Range { lower, upper },
            buckets: None,
            replication_num,
            properties,
        })
    }

    /// A bound; missing trailing values are the smallest.
    fn bound(&self, values: &[PartitionValue], columns: &[&Column]) -> Result<PartitionBound> {
        match values {
            [PartitionValue::MaxValue, ..] => return Ok(PartitionBound::Max),
            [PartitionValue::MinValue] => return Ok(PartitionBound::Min),
            _ => {}
        }
        if values.len() > columns.len() {
            bail!(
                User,
                "partition column number in multi partition clause must be one but start with {} columns",
                values.len()
            );
        }
        let mut out = Vec::with_capacity(columns.len());
        for (i, column) in columns.iter().enumerate() {
            out.push(match values.get(i) {
                None | Some(PartitionValue::MinValue) => extreme(&column.ty, false),
                Some(PartitionValue::MaxValue) => extreme(&column.ty, true),
                Some(value) => self.partition_value(value, column)?,
            });
        }
        Ok(PartitionBound::Values(out))
    }

    fn partition_value(&self, value: &PartitionValue, column: &Column) -> Result<Scalar> {
        match value {
            PartitionValue::Literal(text) => {
                let folded = self.fold(Expr::literal(Scalar::string(text)).cast_to(&column.ty));
                match folded.as_literal() {
                    Some(v) if !v.is_null() => Ok(v.clone()),
                    None if column.ty.is_string() => Ok(Scalar::string(text)),
                    _ if column.ty.is_date_like() => bail!(User, "Invalid date literal: {text}"),
                    _ => bail!(User, "Invalid number format: {text}"),
                }
            }
            PartitionValue::Null if column.nullable => Ok(Scalar::Null),
            PartitionValue::Null => {
                bail!(User, "Partition column {} is NOT NULL, but a partition value is NULL", column.name)
            }
            PartitionValue::MaxValue => Ok(extreme(&column.ty, true)),
            PartitionValue::MinValue => Ok(extreme(&column.ty, false)),
        }
    }

    fn list_partition(&self, p: &ListPartition, columns: &[&Column]) -> Result<PartitionSpec> {
        let mut tuples: Vec<Vec<Scalar>> = Vec::with_capacity(p.tuples.len());
        for tuple in &p.tuples {
            if tuple.len() != columns.len() {
                bail!(
                    User,
                    "Partition column size should be equal to the partition column size: {} values for {} columns",
                    tuple.len(),
                    columns.len()
                );
            }
            let values =
                tuple.iter().zip(columns).map(|(v, c)| self.partition_value(v, c)).collect::<Result<Vec<_>>>()?;
            if tuples.contains(&values) {
                bail!(User, "Duplicate values in partition {}", p.name.value);
            }
            tuples.push(values);
        }
        let (replication_num, properties) = overrides(&p.properties)?;
        Ok(PartitionSpec {
            name: check_partition_name(&p.name.value)?,
            if_not_exists: p.if_not_exists,
            item: PartitionItem::List(tuples),
            buckets: None,
            replication_num,
            properties,
        })
    }

    /// `START (a) END (b) EVERY (step)` unrolled.
    fn batch(
        &self,
        batch: &BatchPartitions,
        columns: &[&Column],
        defaults: &DdlDefaults,
    ) -> Result<Vec<PartitionSpec>> {
        let [column] = columns else {
            bail!(
                User,
                "partition column number in multi partition clause must be one but start with {} columns",
                columns.len()
            )
        };
        let start = self.partition_value(&PartitionValue::Literal(batch.start.clone()), column)?;
        let end = self.partition_value(&PartitionValue::Literal(batch.end.clone()), column)?;
        let pieces: Vec<(String, Scalar, Scalar)> = match (&batch.every, column.ty.is_date_like()) {
            (PartitionStep::Interval { count, unit }, true) => {
                self.date_pieces(&column.ty, &start, &end, *count, *unit, defaults)?
            }
            (PartitionStep::Number(step), false) => number_pieces(&column.ty, &start, &end, *step, defaults)?,
            (PartitionStep::Interval { .. }, false) => {
                bail!(Analysis, "Unsupported batch partition build type: {}", column.ty)
            }
            (PartitionStep::Number(_), true) => {
                bail!(Analysis, "Unsupported batch partition build type: {} needs EVERY (INTERVAL n unit)", column.ty)
            }
            (PartitionStep::None, _) => bail!(Analysis, "Batch partitions need an EVERY clause"),
        };
        Ok(pieces
            .into_iter()
            .map(|(name, lower, upper)| PartitionSpec {
                name,
                if_not_exists: false,
                item: PartitionItem::Range {
                    lower: PartitionBound::Values(vec![lower]),
                    upper: PartitionBound::Values(vec![upper]),
                },
                buckets: None,
                replication_num: None,
                properties: Vec::new(),
            })
            .collect())
    }

    fn date_pieces(
        &self,
        ty: &LogicalType,
        start: &Scalar,
        end: &Scalar,
        count: i64,
        unit: IntervalUnit,
        defaults: &DdlDefaults,
    ) -> Result<Vec<(String, Scalar, Scalar)>> {
        if count <= 0 {
            bail!(Analysis, "Batch partition every clause mush be larger than zero.");
        }
        if matches!(
            unit,
            IntervalUnit::Minute
                | IntervalUnit::Second
                | IntervalUnit::Millisecond
                | IntervalUnit::Microsecond
                | IntervalUnit::Quarter
        ) {
            bail!(Analysis, "Unsupported time unit {} in batch partitions", unit.as_str());
        }
        if unit == IntervalUnit::Hour && *ty == LogicalType::Date {
            bail!(Analysis, "The time unit HOUR needs a DATETIME partition column");
        }
        let (first, last) = (micros(start), micros(end));
        if first >= last {
            bail!(Analysis, "Batch build partition start date should less than end date.");
        }
        let (floor_first, floor_last) = (floor(first, unit), floor(last, unit));
        if floor_first != first || floor_last != last {
            let text = |us: i64| from_micros(ty, us).to_string();
            bail!(
                Analysis,
                "Batch build partition range [{},{}) should be a standard unit of time ({}) . suggest range [{},{})If you want to create partial partitions in batch, you can turn off this check by setting the FE config enable_create_partial_partition_in_batch=true",
                text(first),
                text(last),
                unit.as_str(),
                text(floor_first),
                text(floor_last)
            );
        }
        let mut out = Vec::new();
        let mut at = first;
        while at < last {
            let next = advance(first, count * (out.len() as i64 + 1), unit).min(last);
            if next <= at {
                bail!(Analysis, "Batch partitions end beyond the last date");
            }
            out.push((partition_name(at, unit), from_micros(ty, at), from_micros(ty, next)));
            if out.len() > defaults.max_partitions_in_batch {
                bail!(
                    Analysis,
                    "The number of batch partitions should not exceed: {}",
                    defaults.max_partitions_in_batch
                );
            }
            at = next;
        }
        Ok(out)
    }
}

fn check_partition_name(name: &str) -> Result<String> {
    let mut chars = name.chars();
    let good = name.chars().count() <= 64
        && chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name != "_";
    if !good {
        bail!(User, "Incorrect partition name '{name}'");
    }
    Ok(name.to_owned())
}

fn check_partition_column(column: &Column, keys: KeysModel) -> Result<&Column> {
    if keys != KeysModel::Duplicate && !column.key {
        bail!(User, "The partition column could not be aggregated column: {}", column.name);
    }
    if column.generated.is_some() {
        bail!(NotSupported, "Generated columns as partition columns are not supported yet");
    }
    Ok(column)
}

fn check_range_column(column: &Column) -> Result<()> {
    if !column.ty.is_integer() && !column.ty.is_date_like() {
        bail!(
            User,
            "Column[{}] type[{}] cannot be a range partition key.",
            column.name,
            column.ty.to_string().to_uppercase()
        );
    }
    Ok(())
}

fn check_list_column(column: &Column) -> Result<()> {
    let ty = &column.ty;
    if ty.is_float()
        || ty.is_decimal()
        || ty.is_nested()
        || ty.is_metric()
        || matches!(ty, LogicalType::Json | LogicalType::Varbinary(_) | LogicalType::Time)
    {
        bail!(User, "Column[{}] type[{}] cannot be a partition column", column.name, ty.to_string().to_uppercase());
    }
    Ok(())
}

/// The smallest or greatest value of a partition column's type.
pub(super) fn extreme(ty: &LogicalType, max: bool) -> Scalar {
    match ty {
        LogicalType::Boolean => Scalar::Boolean(max),
        LogicalType::TinyInt => Scalar::TinyInt(if max { i8::MAX } else { i8::MIN }),
        LogicalType::SmallInt => Scalar::SmallInt(if max { i16::MAX } else { i16::MIN }),
        LogicalType::Int => Scalar::Int(if max { i32::MAX } else { i32::MIN }),
        LogicalType::BigInt => Scalar::BigInt(if max { i64::MAX } else { i64::MIN }),
        LogicalType::LargeInt => Scalar::LargeInt(if max { i128::MAX } else { i128::MIN }),
        // 0000-01-01 and 9999-12-31.
        LogicalType::Date => Scalar::Date(if max { 2_932_896 } else { -719_528 }),
        LogicalType::Datetime => Scalar::Datetime(if max { 2_932_897 * DAY_US - 1 } else { -719_528 * DAY_US }),
        _ => Scalar::string(""),
    }
}

fn upper_of(item: &PartitionItem) -> Option<&PartitionBound> {
    match item {
        PartitionItem::Range { upper, .. } => Some(upper),
        _ => None,
    }
}

fn compare_scalars(a: &Scalar, b: &Scalar) -> Ordering {
    match (a, b) {
        (Scalar::Null, Scalar::Null) => Ordering::Equal,
        (Scalar::Null, _) => Ordering::Less,
        (_, Scalar::Null) => Ordering::Greater,
        _ => match (a.as_i128(), b.as_i128()) {
            (Some(x), Some(y)) => x.cmp(&y),
            _ => a.as_bytes().cmp(&b.as_bytes()),
        },
    }
}

fn compare_bounds(a: &PartitionBound, b: &PartitionBound) -> Ordering {
    use PartitionBound as B;
    match (a, b) {
        (B::Min, B::Min) | (B::Max, B::Max) => Ordering::Equal,
        (B::Min, _) | (_, B::Max) => Ordering::Less,
        (B::Max, _) | (_, B::Min) => Ordering::Greater,
        (B::Values(x), B::Values(y)) => x
            .iter()
            .zip(y)
            .map(|(p, q)| compare_scalars(p, q))
            .find(|o| *o != Ordering::Equal)
            .unwrap_or(Ordering::Equal),
    }
}

/// Whether a row could belong to both.
pub fn partitions_intersect(a: &PartitionItem, b: &PartitionItem) -> bool {
    intersects(a, b)
}

fn intersects(a: &PartitionItem, b: &PartitionItem) -> bool {
    match (a, b) {
        (PartitionItem::Range { lower: l1, upper: u1 }, PartitionItem::Range { lower: l2, upper: u2 }) => {
            compare_bounds(l1, u2) == Ordering::Less && compare_bounds(l2, u1) == Ordering::Less
        }
        (PartitionItem::List(x), PartitionItem::List(y)) => x.iter().any(|t| y.contains(t)),
        _ => false,
    }
}

fn check_overlaps(specs: &[PartitionSpec]) -> Result<()> {
    let mut ranges: Vec<&PartitionSpec> =
        specs.iter().filter(|s| matches!(s.item, PartitionItem::Range { .. })).collect();
    ranges.sort_by(|a, b| match (&a.item, &b.item) {
        (PartitionItem::Range { lower: x, .. }, PartitionItem::Range { lower: y, .. }) => compare_bounds(x, y),
        _ => Ordering::Equal,
    });
    for pair in ranges.windows(2) {
        if intersects(&pair[0].item, &pair[1].item) {
            bail!(User, "Range {} is intersected with range {}", pair[1].name, pair[0].name);
        }
    }
    let mut seen: std::collections::HashMap<&Vec<Scalar>, &str> = std::collections::HashMap::new();
    for spec in specs {
        if let PartitionItem::List(tuples) = &spec.item {
            for t in tuples {
                if let Some(other) = seen.insert(t, &spec.name) {
                    if other != spec.name {
                        bail!(User, "Duplicate values in partitions {other} and {}", spec.name);
                    }
                }
            }
        }
    }
    Ok(())
}

pub(super) fn micros(v: &Scalar) -> i64 {
    match v {
        Scalar::Date(d) => i64::from(*d) * DAY_US,
        Scalar::Datetime(us) => *us,
        _ => 0,
    }
}

pub(super) fn from_micros(ty: &LogicalType, us: i64) -> Scalar {
    if *ty == LogicalType::Date { Scalar::Date(us.div_euclid(DAY_US) as i32) } else { Scalar::Datetime(us) }
}

/// The calendar unit of an interval's; finer ones than seconds count as days, as no partition has them.
pub(super) fn calendar_unit(unit: IntervalUnit) -> Unit {
    match unit {
        IntervalUnit::Second => Unit::Second,
        IntervalUnit::Minute => Unit::Minute,
        IntervalUnit::Hour => Unit::Hour,
        IntervalUnit::Week => Unit::Week,
        IntervalUnit::Month => Unit::Month,
        IntervalUnit::Quarter => Unit::Quarter,
        IntervalUnit::Year => Unit::Year,
        _ => Unit::Day,
    }
}

fn floor(us: i64, unit: IntervalUnit) -> i64 {
    calendar::floor(us, calendar_unit(unit))
}

pub(super) fn advance(us: i64, n: i64, unit: IntervalUnit) -> i64 {
    calendar::advance(us, n, calendar_unit(unit))
}

pub(super) fn partition_name(us: i64, unit: IntervalUnit) -> String {
    format!("p{}", calendar::suffix(us, calendar_unit(unit)))
}

fn number_pieces(
    ty: &LogicalType,
    start: &Scalar,
    end: &Scalar,
    step: i64,
    defaults: &DdlDefaults,
) -> Result<Vec<(String, Scalar, Scalar)>> {
    if step <= 0 {
        bail!(Analysis, "Batch partition every clause mush be larger than zero.");
    }
    let (Some(first), Some(last)) = (start.as_i128(), end.as_i128()) else {
        bail!(Analysis, "Unsupported batch partition build type: {ty}")
    };
    if first >= last {
        bail!(Analysis, "Batch build partition start value should less then end value.");
    }
    let mut out = Vec::new();
    let mut at = first;
    while at < last {
        let next = (at + i128::from(step)).min(last);
        let value = |v: i128| {
            Scalar::from_i128(ty, v).ok_or_else(|| err!(Analysis, "Batch partition value {v} is out of range"))
        };
        let name = if at < 0 { format!("p_{}", -at) } else { format!("p{at}") };
        out.push((name, value(at)?, value(next)?));
        if out.len() > defaults.max_partitions_in_batch {
            bail!(Analysis, "The number of batch partitions should not exceed: {}", defaults.max_partitions_in_batch);
        }
        at = next;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacements() {
        let range = |a: i32, b: i32| PartitionItem::Range {
            lower: PartitionBound::Values(vec![Scalar::Int(a)]),
            upper: PartitionBound::Values(vec![Scalar::Int(b)]),
        };
        let (whole, first, second, apart) = (range(0, 20), range(0, 10), range(10, 20), range(11, 20));
        assert!(check_replacement(&[&whole], &[&second, &first], &[], true).is_ok());
        assert!(check_replacement(&[&whole], &[&first, &apart], &[], true).is_err());
        assert!(check_replacement(&[&first], &[&apart], &[], false).is_ok());
        assert!(check_replacement(&[&first], &[&whole], &[&apart], false).is_err());
    }

    #[test]
    fn extremes() {
        assert_eq!(extreme(&LogicalType::Date, true).to_string(), "9999-12-31");
        assert_eq!(extreme(&LogicalType::Date, false).to_string(), "0000-01-01");
    }
}
