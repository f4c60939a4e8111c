//! Column definitions of CREATE TABLE and ALTER TABLE.

use common_base::{Result, bail, err, ids::ColumnUid};
use common_types::{LogicalType, MAX_VARCHAR_LENGTH, Scalar, StateType};
use fe_catalog::model::{Aggregation, Column, DefaultValue, KeysModel};
use fe_parser::ast::{AggregateType, ColumnDef, ColumnDefault, sql::DataType};

use crate::{
    AnalyzeContext,
    binder::{Binder, Clause},
    error,
    scope::{Field, Scope},
    types::datatype::{debug_text, logical_type},
};

/// Analyzes one column definition on its own (ADD COLUMN, MODIFY COLUMN); generated columns see `others`.
pub fn analyze_column(
    ctx: &AnalyzeContext<'_>,
    def: &ColumnDef,
    keys: KeysModel,
    is_key: bool,
    uid: ColumnUid,
    others: &[Column],
) -> Result<Column> {
    error::wrap(|| {
        let mut binder = Binder::new(ctx);
        let mut column = binder.column(def, uid)?;
        column.key = is_key || def.is_key;
        finish_column(&mut column, def, keys)?;
        binder.check_generated(&column, def, others)?;
        Ok(column)
    })
}

/// The type a column is declared with; VARCHAR without a length is VARCHAR(1).
fn column_type(ctx: &AnalyzeContext<'_>, def: &ColumnDef) -> Result<LogicalType> {
    if let Some(AggregateType::State { function, args }) = &def.aggregate {
        return state_type(ctx, function, args);
    }
    Ok(match (&def.data_type, logical_type(&def.data_type)?) {
        (DataType::Varchar(None), _) => LogicalType::Varchar(Some(1)),
        (_, LogicalType::Varbinary(None)) => LogicalType::Varbinary(Some(MAX_VARCHAR_LENGTH)),
        (_, ty) => ty,
    })
}

/// The type of a column of states: `avg(int)`.
fn state_type(ctx: &AnalyzeContext<'_>, function: &str, args: &[DataType]) -> Result<LogicalType> {
    let args = args.iter().map(logical_type).collect::<Result<Vec<_>>>()?;
    let refused = |t: &LogicalType| t.is_metric() || matches!(t, LogicalType::Null | LogicalType::Time | LogicalType::Function);
    let known = ctx.registry.is_aggregate(function) && ctx.registry.is_scalar(&format!("{function}_state"));
    if !known || args.is_empty() || args.iter().any(|a| a.any(&refused)) {
        let types: Vec<String> = args.iter().map(debug_text).collect();
        bail!(User, "No matching aggregate function with states: {function}({})", types.join(", "));
    }
    let call = ctx.registry.aggregate(function, &args)?;
    Ok(LogicalType::State(Box::new(StateType { function: call.name().to_owned(), args: call.args.clone() })))
}

fn check_name(name: &str) -> Result<()> {
    let bad = name.is_empty()
        || name.chars().count() > 1024
        || name.chars().any(|c| matches!(c, '=' | '<' | '>' | '!' | '*' | '\0'));
    if bad {
        bail!(User, "Incorrect column name '{name}'");
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("__op") || lower.starts_with("__row") {
        bail!(User, "Column name '{name}' is a system reserved name. Please choose a different one.");
    }
    Ok(())
}

/// Things that depend on the key model: nullability of keys, aggregation of values.
pub(super) fn finish_column(column: &mut Column, def: &ColumnDef, keys: KeysModel) -> Result<()> {
    if keys == KeysModel::Primary && column.key {
        if def.nullable == Some(true) {
            bail!(User, "primary key column[{}] cannot be nullable", column.name);
        }
        column.nullable = false;
    }
    if column.key {
        if def.aggregate.is_some() {
            bail!(User, "Cannot specify aggregate function for key column '{}'", column.name);
        }
        let refused = column.ty.is_float()
            || column.ty.is_nested()
            || column.ty.is_metric()
            || matches!(column.ty, LogicalType::Json | LogicalType::Time);
        if refused {
            bail!(User, "Invalid data type of key column '{}': '{}'", column.name, debug_text(&column.ty));
        }
        if def.generated.is_some() {
            bail!(Analysis, "Generated Column {} can not be KEY", column.name);
        }
        column.aggregation = None;
        return Ok(());
    }
    match keys {
        KeysModel::Aggregate if column.aggregation.is_none() && def.generated.is_none() => {
            bail!(User, "Aggregate type is missing for value column '{}' of an AGGREGATE KEY table", column.name)
        }
        KeysModel::Aggregate => {}
        KeysModel::Unique if def.aggregate.is_none() => column.aggregation = Some(Aggregation::Replace),
        _ if def.aggregate.is_some() => {
            bail!(User, "{keys:?} key table's value column '{}' should not specify aggregate function", column.name)
        }
        _ => {}
    }
    Ok(())
}

impl Binder<'_> {
    /// The column of a definition; key and aggregation rules are the caller's.
    pub(super) fn column(&mut self, def: &ColumnDef, uid: ColumnUid) -> Result<Column> {
        let name = def.name.value.clone();
        check_name(&name)?;
        let ty = column_type(self.ctx, def)?;
        let most = self.ctx.session.varchar_length_max();
        if let LogicalType::Varchar(Some(n)) = ty
            && n > most
        {
            bail!(Analysis, "Varchar size must be <= {most}: {n}");
        }
        if ty.any(&|t| *t == LogicalType::Time) {
            bail!(Analysis, "Type:{} of column:{name} does not support", debug_text(&ty));
        }
        let mut nullable = def.nullable.unwrap_or(true);
        if def.auto_increment {
            if ty != LogicalType::BigInt {
                bail!(Analysis, "The AUTO_INCREMENT column must be BIGINT");
            }
            if def.nullable == Some(true) {
                bail!(Analysis, "AUTO_INCREMENT column: {name} must not be NULL");
            }
            if def.default.is_some() {
                bail!(Analysis, "AUTO_INCREMENT column can't set default value");
            }
            nullable = false;
        }
        let default = match &def.default {
            None => DefaultValue::None,
            Some(default) => self.default_value(&name, &ty, nullable, default)?,
        };
        let aggregation = def.aggregate.as_ref().map(|a| aggregation(a, &name, &ty)).transpose()?;
        Ok(Column {
            uid,
            name,
            ty,
            nullable,
            key: def.is_key,
            aggregation,
            default,
            before: Scalar::Null,
            auto_increment: def.auto_increment,
            generated: def.generated.as_ref().map(fe_parser::print::expr_sql),
            comment: def.comment.clone().unwrap_or_default(),
        })
    }

    fn default_value(
        &mut self,
        name: &str,
        ty: &LogicalType,
        nullable: bool,
        default: &ColumnDefault,
    ) -> Result<DefaultValue> {
        match default {
            ColumnDefault::Null => {
                if !nullable {
                    bail!(User, "Invalid default value for '{name}': default value is NULL for a NOT NULL column");
                }
                Ok(DefaultValue::Literal(Scalar::Null))
            }
            ColumnDefault::CurrentTimestamp(precision) => {
                if *ty != LogicalType::Datetime {
                    bail!(User, "Invalid default value for '{name}': CURRENT_TIMESTAMP is only for DATETIME columns");
                }
                let precision = precision.unwrap_or(0);
                if precision > 6 {
                    bail!(User, "Too-big precision {precision} specified for '{name}'. Maximum is 6.");
                }
                Ok(DefaultValue::CurrentTimestamp(precision))
            }
            ColumnDefault::Expr(e) => {
                let (bound, _) = self.with_frame(Scope::default(), Clause::Values, |b| b.bind_expr(e))?;
                self.implicit_cast(bound, ty)?;
                Ok(DefaultValue::Expression(fe_parser::print::expr_sql(e)))
            }
            ColumnDefault::Literal(text) => {
                let invalid =
                    || err!(User, "Invalid default value for '{name}': {text} is not a value of {}", debug_text(ty));
                match ty {
                    LogicalType::Bitmap | LogicalType::Hll if text.is_empty() => {
                        return Ok(DefaultValue::Literal(Scalar::Binary(bytes::Bytes::new())));
                    }
                    t if t.is_metric() => return Err(invalid()),
                    t if t.is_nested() => return Err(invalid()),
                    LogicalType::Char(n) | LogicalType::Varchar(Some(n)) if text.len() > *n as usize => {
                        bail!(User, "Default value is too long: {text}");
                    }
                    _ => {}
                }
                let value = self.fold(common_expr::expr::Expr::literal(Scalar::string(text)).cast_to(ty));
                match value.as_literal() {
                    Some(v) if !v.is_null() => Ok(DefaultValue::Literal(v.clone())),
                    // Strings of one family fold to themselves.
                    None if ty.is_string() => Ok(DefaultValue::Literal(Scalar::string(text))),
                    _ => Err(invalid()),
                }
            }
        }
    }

    /// A generated column's expression over the ordinary columns.
    pub(super) fn check_generated(&mut self, column: &Column, def: &ColumnDef, others: &[Column]) -> Result<()> {
        let Some(expr) = &def.generated else { return Ok(()) };
        if def.default.is_some() {
            bail!(Analysis, "Generated Column can not have default value");
        }
        let mut problem = None;
        super::qualify::walk(expr, &mut |e| {
            if let fe_parser::ast::sql::Expr::Identifier(i) = e {
                match others.iter().find(|c| c.name.eq_ignore_ascii_case(&i.value)) {
                    Some(c) if c.generated.is_some() => {
                        problem = Some(format!("Expression can not refers to other generated columns: {}", c.name));
                    }
                    Some(c) if c.auto_increment => {
                        problem = Some(format!("Expression can not refers to AUTO_INCREMENT columns: {}", c.name));
                    }
                    _ => {}
                }
            }
            if let fe_parser::ast::sql::Expr::Function(f) = e {
                if self.ctx.registry.is_aggregate(&crate::names::function_name(&f.name)) {
                    problem = Some("Generated Column don't support aggregation function".to_owned());
                }
            }
        });
        if let Some(text) = problem {
            bail!(Analysis, "{text}");
        }
        let mut scope = Scope::default();
        for c in others.iter().filter(|c| c.generated.is_none()) {
            let id = self.columns.computed(c.name.clone(), c.ty.clone(), c.nullable);
            scope.fields.push(Field { relation: None, name: c.name.clone(), id, source: None });
        }
        let (bound, frame) = self.with_frame(scope, Clause::Values, |b| b.bind_expr(expr))?;
        if !frame.applies.is_empty() {
            bail!(Analysis, "Generated Column don't support subquery");
        }
        if !bound.is_deterministic() {
            bail!(Analysis, "Generated Column don't support non-deterministic function");
        }
        if bound.ty != column.ty && !(bound.ty.same_kind(&column.ty) || bound.ty == LogicalType::Null) {
            bail!(
                Analysis,
                "Illegal expression type for Generated Column Column Type: {}, Expression Type: {}",
                debug_text(&column.ty),
                debug_text(&bound.ty)
            );
        }
        Ok(())
    }
}

fn aggregation(kind: &AggregateType, name: &str, ty: &LogicalType) -> Result<Aggregation> {
    let (aggregation, fits) = match kind {
        AggregateType::Sum => (Aggregation::Sum, ty.is_numeric()),
        AggregateType::Min => (Aggregation::Min, !ty.is_nested() && !ty.is_metric() && *ty != LogicalType::Json),
        AggregateType::Max => (Aggregation::Max, !ty.is_nested() && !ty.is_metric() && *ty != LogicalType::Json),
        AggregateType::Replace => (Aggregation::Replace, true),
        AggregateType::ReplaceIfNotNull => (Aggregation::ReplaceIfNotNull, true),
        AggregateType::HllUnion => (Aggregation::HllUnion, *ty == LogicalType::Hll),
        AggregateType::BitmapUnion => (Aggregation::BitmapUnion, *ty == LogicalType::Bitmap),
        AggregateType::PercentileUnion => (Aggregation::PercentileUnion, *ty == LogicalType::Percentile),
        AggregateType::State { .. } => (Aggregation::StateUnion, true),
    };
    if !fits {
        bail!(User, "Invalid aggregate function '{aggregation:?}' for column '{name}' of type {}", debug_text(ty));
    }
    Ok(aggregation)
}
