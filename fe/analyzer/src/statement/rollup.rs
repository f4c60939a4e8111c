//! Rollups and synchronous materialized views: which columns an index has, where their values come from, and how equal keys add up.
//!
//! A view gets rows as loads bring them. Where the table itself combines rows of equal key afterwards, a view can only go on combining
//! values as their columns do.

use std::sync::Arc;

use common_base::{Result, bail, err, ids::{ColumnUid, IndexId}};
use common_expr::expr::Expr;
use common_types::LogicalType;
use fe_catalog::model::{Aggregation, Column, ColumnSource, DefaultValue, IndexColumn, IndexState, KeysModel, OlapTable, Table, TableIndex};
use fe_parser::ast::{CreateMaterializedView, RollupDef, sql};

use super::{create_table::short_key_count, index_columns::{bind_text, named}, stored_only};
use crate::{AnalyzeContext, NamedColumn, binder::Binder, error, names, types::datatype::debug_text};

/// An index to be made.
#[derive(Clone, Debug)]
pub struct IndexDraft {
    pub name: String,
    pub keys: KeysModel,
    pub columns: Vec<IndexColumn>,
    pub short_key_columns: u32,
    pub predicate: Option<String>,
    pub definition: Option<String>,
}

impl IndexDraft {
    /// The index, as long as it is built.
    pub fn into_index(self, id: IndexId, created_ms: i64) -> TableIndex {
        TableIndex {
            id,
            name: self.name,
            keys: self.keys,
            columns: self.columns,
            sort_key: Vec::new(),
            short_key_columns: self.short_key_columns,
            schema_version: 0,
            state: IndexState::Building,
            replaces: None,
            predicate: self.predicate,
            definition: self.definition,
            created_ms,
        }
    }
}

/// Analyzes one rollup of ADD ROLLUP.
pub fn analyze_rollup(table: &Table, def: &RollupDef) -> Result<IndexDraft> {
    let olap = stored_only(table, "ADD ROLLUP")?;
    if olap.keys == KeysModel::Primary {
        bail!(User, "Do not support add rollup on primary key table");
    }
    let from = def.from.as_ref().filter(|f| !f.value.eq_ignore_ascii_case(&table.name)).map(|f| source(olap, &f.value)).transpose()?;
    let mut columns: Vec<Column> = Vec::with_capacity(def.columns.len());
    for name in &def.columns {
        let Some(column) = table.column(&name.value) else {
            bail!(User, "Column[{}] does not exist", name.value);
        };
        if let Some(from) = from.filter(|f| !f.columns.iter().any(|c| c.column.uid == column.uid)) {
            bail!(User, "Column[{}] does not exist in index[{}]", name.value, from.name);
        }
        if columns.iter().any(|c| c.uid == column.uid) {
            bail!(User, "Duplicate column name '{}'", name.value);
        }
        columns.push(column.clone());
    }
    let first_value = columns.iter().position(|c| !c.key).unwrap_or(columns.len());
    match olap.keys {
        KeysModel::Duplicate => mark_sorted(&mut columns, def.duplicate_key.as_deref())?,
        _ if columns[first_value..].iter().any(|c| c.key) => bail!(User, "Invalid column order. value should be after key"),
        _ if first_value == 0 => bail!(User, "No key column is found"),
        KeysModel::Unique if table.columns.iter().filter(|c| c.key).count() != first_value => {
            bail!(User, "Rollup should contains all unique keys in basetable")
        }
        _ => check_replaced(table, columns.iter())?,
    }
    let columns = columns.into_iter().map(|column| IndexColumn { source: ColumnSource::Column(column.uid), column }).collect();
    Ok(draft(def.name.value.clone(), olap.keys, columns, None, None))
}

/// The rollup that another one is to be made of. It has the rows of the table, so that the new one is built from the table.
fn source<'a>(olap: &'a OlapTable, name: &str) -> Result<&'a TableIndex> {
    let index = olap.index_by_name(name).filter(|i| i.replaces.is_none());
    let index = index.ok_or_else(|| err!(User, "Base index[{name}] does not exist"))?;
    if index.definition.is_some() {
        bail!(NotSupported, "a rollup of materialized view [{name}] is not supported; build it from the table");
    }
    Ok(index)
}

/// Which of several values replaces the others is decided by all keys.
pub(super) fn check_replaced<'a>(table: &Table, mut columns: impl Iterator<Item = &'a Column> + Clone) -> Result<()> {
    let replaces = |c: &Column| matches!(c.aggregation, Some(Aggregation::Replace | Aggregation::ReplaceIfNotNull));
    let keys = columns.clone().filter(|c| c.key).count();
    if columns.any(replaces) && table.columns.iter().filter(|c| c.key).count() != keys {
        bail!(User, "Rollup should contains all keys if there is a REPLACE value");
    }
    Ok(())
}

/// The leading columns of a duplicate rollup sort it.
fn mark_sorted(columns: &mut [Column], asked: Option<&[sql::Ident]>) -> Result<()> {
    let count = match asked {
        Some(keys) => {
            let prefix = keys.len() <= columns.len() && keys.iter().zip(columns.iter()).all(|(k, c)| k.value.eq_ignore_ascii_case(&c.name));
            if !prefix {
                bail!(User, "Key columns must be the first few columns of the rollup");
            }
            keys.len()
        }
        None => short_key_count(&columns.iter().collect::<Vec<_>>()) as usize,
    };
    for (i, column) in columns.iter_mut().enumerate() {
        column.key = i < count && !unsortable(&column.ty);
    }
    if !columns.first().is_some_and(|c| c.key) {
        bail!(User, "Data type of first column cannot be {}", columns.first().map(|c| debug_text(&c.ty)).unwrap_or_default());
    }
    Ok(())
}

fn unsortable(ty: &LogicalType) -> bool {
    ty.is_float() || ty.is_nested() || ty.is_metric() || *ty == LogicalType::Json
}

fn draft(name: String, keys: KeysModel, columns: Vec<IndexColumn>, predicate: Option<String>, definition: Option<String>) -> IndexDraft {
    let short_key_columns = sorted_prefix(&columns);
    IndexDraft { name, keys, columns, short_key_columns, predicate, definition }
}

/// How many leading columns of a rollup are in its short key.
pub(super) fn sorted_prefix(columns: &[IndexColumn]) -> u32 {
    let sorted: Vec<&Column> = columns.iter().map(|c| &c.column).filter(|c| c.key).collect();
    short_key_count(&sorted)
}

/// Analyzes CREATE MATERIALIZED VIEW in its synchronous form: the database, the table it belongs to, the index.
pub fn analyze_sync_view(ctx: &AnalyzeContext<'_>, view: &CreateMaterializedView) -> Result<(String, Arc<Table>, IndexDraft)> {
    error::wrap(|| {
        let sql::SetExpr::Select(select) = view.query.body.as_ref() else {
            bail!(Analysis, "Materialized view query statement only supports a single query block");
        };
        let [sql::TableWithJoins { relation: sql::TableFactor::Table { name, .. }, joins }] = select.from.as_slice() else {
            bail!(Analysis, "The materialized view only support one table in from clause");
        };
        if !joins.is_empty() {
            bail!(Analysis, "The materialized view only support one table in from clause");
        }
        if select.having.is_some() || select.distinct.is_some() || view.query.limit_clause.is_some() {
            bail!(Analysis, "The materialized view does not support HAVING, DISTINCT or LIMIT");
        }
        let parts = names::table_name(name)?;
        let (db, table) = Binder::new(ctx).find_table(parts.db, &parts.table)?;
        let olap = stored_only(&table, "CREATE MATERIALIZED VIEW")?;
        if olap.keys == KeysModel::Primary {
            bail!(Analysis, "Do not support create synchronous materialized view(rollup) on primary key table [{}]", table.name);
        }
        let keys = olap.keys;
        let names = named(&table);
        let mut maker = Maker { ctx, table: &table, names: &names, next_uid: olap.next_column_uid, columns: Vec::new(), bound: Vec::new(), aggregated: false };
        for item in &select.projection {
            maker.item(item)?;
        }
        let Maker { mut columns, bound, aggregated, .. } = maker;
        let grouped = !matches!(&select.group_by, sql::GroupByExpr::Expressions(list, _) if list.is_empty());
        let keys = if aggregated || grouped {
            let first_value = columns.iter().position(|c| c.column.aggregation.is_some()).unwrap_or(columns.len());
            if columns[first_value..].iter().any(|c| c.column.aggregation.is_none()) {
                bail!(Analysis, "The aggregate column should be after none agg column");
            }
            if first_value == 0 {
                bail!(Analysis, "The materialized view must contain at least one key column");
            }
            if let Some(bad) = columns[..first_value].iter().find(|c| unsortable(&c.column.ty)) {
                bail!(Analysis, "Data type {} can not be a key of the materialized view", debug_text(&bad.column.ty));
            }
            columns[..first_value].iter_mut().for_each(|c| c.column.key = true);
            KeysModel::Aggregate
        } else if keys == KeysModel::Duplicate {
            let mut plain: Vec<Column> = columns.iter().map(|c| c.column.clone()).collect();
            mark_sorted(&mut plain, None)?;
            columns.iter_mut().zip(plain).for_each(|(c, p)| c.column.key = p.key);
            KeysModel::Duplicate
        } else {
            keys
        };
        let predicate = select.selection.as_ref().map(fe_parser::print::expr_sql);
        let condition = predicate.as_deref().map(|text| bind_text(ctx, &names, text)).transpose()?;
        if matches!(olap.keys, KeysModel::Aggregate | KeysModel::Unique) {
            check_combined(&table, olap.keys, &columns, &bound, condition.as_ref())?;
        }
        let name = names::table_name(&view.name)?.table;
        Ok((db.name.clone(), table.clone(), draft(name, keys, columns, predicate, Some(view.query_text.clone()))))
    })
}

/// What a view can hold of a table whose rows of equal key become one.
fn check_combined(table: &Table, keys: KeysModel, columns: &[IndexColumn], bound: &[Expr], condition: Option<&Expr>) -> Result<()> {
    let base = |id: u32| &table.columns[id as usize];
    for (c, expr) in columns.iter().zip(bound) {
        let name = &c.column.name;
        match (c.column.aggregation, expr.as_column().map(base)) {
            (Some(wanted), Some(of)) if of.aggregation == Some(wanted) => {}
            (Some(_), Some(of)) if of.key => bail!(Analysis, "The column[{}] must be the key of materialized view", of.name),
            (Some(_), of) => {
                let name = of.map_or(name, |of| &of.name);
                bail!(Analysis, "The aggregation type of column[{name}] must be same as the aggregate type of base column in aggregate table")
            }
            (None, _) if c.column.key && expr.columns().into_iter().any(|id| !base(id).key) => {
                bail!(Analysis, "The column[{name}] of the materialized view cannot be a key: it is made of value columns of the table")
            }
            (None, _) => {}
        }
    }
    if condition.is_some_and(|e| e.columns().into_iter().any(|id| !base(id).key)) {
        bail!(Analysis, "The condition of a materialized view on table [{}] can only use its key columns", table.name);
    }
    let whole = |c: &&Column| columns.iter().any(|i| i.source == ColumnSource::Column(c.uid));
    if keys == KeysModel::Unique && !table.columns.iter().filter(|c| c.key).all(|c| whole(&c)) {
        bail!(Analysis, "The materialized view should contain all keys of unique table [{}]", table.name);
    }
    Ok(())
}

struct Maker<'a> {
    ctx: &'a AnalyzeContext<'a>,
    table: &'a Table,
    names: &'a [NamedColumn],
    next_uid: u64,
    columns: Vec<IndexColumn>,
    /// The value of each column, over ordinals of the table's columns.
    bound: Vec<Expr>,
    aggregated: bool,
}

impl Maker<'_> {
    fn item(&mut self, item: &sql::SelectItem) -> Result<()> {
        match item {
            sql::SelectItem::UnnamedExpr(e) => self.expr(e, None),
            sql::SelectItem::ExprWithAlias { expr, alias } => self.expr(expr, Some(&alias.value)),
            sql::SelectItem::Wildcard(_) => {
                for column in self.table.columns.clone() {
                    self.plain(&column, None)?;
                }
                Ok(())
            }
            _ => bail!(Analysis, "The materialized view only supports columns and expressions"),
        }
    }

    fn expr(&mut self, e: &sql::Expr, alias: Option<&str>) -> Result<()> {
        let column = match e {
            sql::Expr::Identifier(i) => self.table.column(&i.value).cloned(),
            sql::Expr::CompoundIdentifier(parts) => parts.last().and_then(|i| self.table.column(&i.value)).cloned(),
            _ => None,
        };
        if let Some(column) = column {
            return self.plain(&column, alias);
        }
        if let sql::Expr::Function(f) = e {
            let name = names::function_name(&f.name);
            if self.ctx.registry.is_aggregate(&name) {
                return self.aggregate(&name, f);
            }
        }
        let text = fe_parser::print::expr_sql(e);
        let bound = bind_text(self.ctx, self.names, &text)?;
        let Some(alias) = alias else {
            bail!(Analysis, "Create materialized view non-slot ref expression should have an alias:{}", fe_parser::print::expr_text(e));
        };
        self.push(alias.to_owned(), bound.ty.clone(), bound.nullable, None, text, bound)
    }

    fn plain(&mut self, column: &Column, alias: Option<&str>) -> Result<()> {
        self.bound.push(bind_text(self.ctx, self.names, &format!("`{}`", column.name))?);
        // The same values under the same number.
        let own = Column { key: false, aggregation: None, name: alias.unwrap_or(&column.name).to_owned(), generated: None, ..column.clone() };
        self.columns.push(IndexColumn { column: own, source: ColumnSource::Column(column.uid) });
        Ok(())
    }

    fn aggregate(&mut self, name: &str, f: &sql::Function) -> Result<()> {
        use LogicalType as T;
        self.aggregated = true;
        let args: Vec<&sql::Expr> = match &f.args {
            sql::FunctionArguments::List(list) if list.duplicate_treatment.is_none() => {
                let arg = |a: &'_ sql::FunctionArg| match a {
                    sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(_) | sql::FunctionArgExpr::Wildcard) => true,
                    _ => false,
                };
                if !list.args.iter().all(arg) {
                    bail!(Analysis, "unsupported arguments of {name} in a materialized view");
                }
                list.args
                    .iter()
                    .filter_map(|a| if let sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(e)) = a { Some(e) } else { None })
                    .collect()
            }
            _ => bail!(Analysis, "Unsupported aggregate of materialized view: {name} with DISTINCT"),
        };
        if name == "count" {
            let (text, column) = match args.as_slice() {
                [] => ("1".to_owned(), "star".to_owned()),
                [e] => (format!("CASE WHEN {} IS NULL THEN 0 ELSE 1 END", fe_parser::print::expr_sql(e)), named_after(e)),
                _ => bail!(Analysis, "The function count must match pattern:count(column)"),
            };
            let bound = bind_text(self.ctx, self.names, &text)?;
            return self.push(format!("mv_count_{column}"), T::BigInt, false, Some(Aggregation::Sum), text, bound);
        }
        let [arg] = args.as_slice() else { bail!(Analysis, "The function {name} of a materialized view takes one argument") };
        let text = fe_parser::print::expr_sql(arg);
        let bound = bind_text(self.ctx, self.names, &text)?;
        let (aggregation, ty) = match name {
            "sum" => {
                let ty = match &bound.ty {
                    T::TinyInt | T::SmallInt | T::Int | T::BigInt | T::Boolean => T::BigInt,
                    T::LargeInt => T::LargeInt,
                    T::Float | T::Double => T::Double,
                    T::Decimal { scale, .. } => T::decimal(38, *scale),
                    other => bail!(Analysis, "sum of {} is not supported in a materialized view", debug_text(other)),
                };
                (Aggregation::Sum, ty)
            }
            "min" => (Aggregation::Min, bound.ty.clone()),
            "max" => (Aggregation::Max, bound.ty.clone()),
            "bitmap_union" => (Aggregation::BitmapUnion, T::Bitmap),
            "hll_union" => (Aggregation::HllUnion, T::Hll),
            "percentile_union" => (Aggregation::PercentileUnion, T::Percentile),
            _ => match &bound.ty {
                T::State(state) if self.unites(name, &state.function) => (Aggregation::StateUnion, bound.ty.clone()),
                _ => bail!(Analysis, "Unsupported aggregate function of materialized view: {name}"),
            },
        };
        let nullable = bound.nullable && !matches!(ty, T::State(_));
        self.push(format!("mv_{name}_{}", named_after(arg)), ty, nullable, Some(aggregation), text, bound)
    }

    /// Whether an aggregate unites states of a function, by whatever name of it.
    fn unites(&self, name: &str, function: &str) -> bool {
        name.strip_suffix("_union")
            .and_then(|of| self.ctx.registry.aggregate_function(of))
            .is_some_and(|of| of.names[0] == function)
    }

    fn push(&mut self, name: String, ty: LogicalType, nullable: bool, aggregation: Option<Aggregation>, text: String, bound: Expr) -> Result<()> {
        if self.columns.iter().any(|c| c.column.name.eq_ignore_ascii_case(&name)) {
            return Err(err!(DuplicateColumn, "Duplicate column name '{name}'"));
        }
        let column = Column {
            uid: ColumnUid(self.next_uid),
            name,
            ty,
            nullable,
            key: false,
            aggregation,
            default: DefaultValue::None,
            before: common_types::Scalar::Null,
            auto_increment: false,
            generated: None,
            comment: String::new(),
        };
        self.next_uid += 1;
        self.columns.push(IndexColumn { column, source: ColumnSource::Expr(text) });
        self.bound.push(bound);
        Ok(())
    }
}

/// `to_bitmap(tag_id)` → `tag_id`: the column an aggregate's column is called after.
fn named_after(e: &sql::Expr) -> String {
    match e {
        sql::Expr::Identifier(i) => i.value.clone(),
        sql::Expr::CompoundIdentifier(parts) => parts.last().map(|i| i.value.clone()).unwrap_or_default(),
        sql::Expr::Nested(inner) => named_after(inner),
        sql::Expr::Function(f) => match &f.args {
            sql::FunctionArguments::List(list) => match list.args.as_slice() {
                [sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(inner))] => named_after(inner),
                _ => fe_parser::print::expr_text(e),
            },
            _ => fe_parser::print::expr_text(e),
        },
        other => fe_parser::print::expr_text(other),
    }
}
