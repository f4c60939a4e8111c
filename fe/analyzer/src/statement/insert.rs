//! INSERT: the plan makes exactly the table's columns, in table order and of their types.

use std::sync::Arc;

use common_base::{
    Result, bail, err,
    ids::{ColumnUid, PartitionId},
};
use common_expr::expr::{ColumnId, Expr};
use common_types::LogicalType;
use fe_catalog::model::{Column, KeysModel, OlapTable, Table};
use fe_parser::ast::{Insert, InsertPartitions, InsertSource, InsertTarget, PartitionNames, Properties, encoding, sql};
use fe_plan::{ColumnFactory, LogicalNode, LogicalOp, logical::LogicalValues};

use super::stored_only;
use crate::{
    AnalyzeContext, TableUse,
    binder::{Binder, BoundQuery, Clause},
    error, names,
    scope::{Field, Scope},
};

/// An analyzed INSERT.
#[derive(Clone, Debug)]
pub struct AnalyzedInsert {
    pub db_name: String,
    pub table: Arc<Table>,
    pub overwrite: bool,
    /// Named partitions; None = all.
    pub partitions: Option<Vec<PartitionId>>,
    pub temporary_partitions: bool,
    pub label: Option<String>,
    pub properties: Properties,
    pub plan: LogicalNode,
    /// Plan column of every table column, in table order.
    pub output: Vec<(ColumnUid, ColumnId)>,
    /// The AUTO_INCREMENT column, where its NULLs stand for numbers to be given.
    pub auto_increment: Option<ColumnUid>,
    /// Columns that are written for rows of new keys only (primary keys): numbers and defaults of a row's own.
    pub kept: Vec<ColumnUid>,
    /// Columns the statement names (all when it has no list), with generated columns over them: a partial update writes only these.
    pub written: Vec<ColumnUid>,
    /// Rows of known keys keep their values in columns that are not written (primary keys).
    pub partial: bool,
    pub columns: ColumnFactory,
    /// What the source reads; the target is `table`.
    pub tables: Vec<TableUse>,
}

/// Analyzes INSERT INTO a table.
pub fn analyze_insert(ctx: &AnalyzeContext<'_>, insert: &Insert) -> Result<AnalyzedInsert> {
    error::wrap(|| {
        let InsertTarget::Table(name) = &insert.target else {
            bail!(Internal, "an INSERT that writes no table came where tables are written");
        };
        let mut binder = Binder::new(ctx);
        let parts = names::table_name(name)?;
        let (db, table) = binder.find_table(parts.db, &parts.table)?;
        let olap = Arc::clone(stored_only(&table, "INSERT")?);
        let (partitions, temporary_partitions) = match &insert.partitions {
            None => (None, false),
            Some(InsertPartitions::Names(names)) => (Some(partition_ids(&olap, &table, names)?), names.temporary),
            Some(InsertPartitions::Values(_)) => {
                bail!(NotSupported, "INSERT with static partition values is not supported")
            }
        };
        let producers = match &insert.with {
            Some(with) => binder.bind_with(with)?,
            None => Vec::new(),
        };
        let mut defaults = false;
        let mut source = match &insert.source {
            InsertSource::Values(rows) => {
                defaults = true;
                binder.insert_values(&table, insert.columns.as_deref(), &rows.iter().collect::<Vec<_>>())?
            }
            InsertSource::Query(query) => {
                if let (sql::SetExpr::Values(values), None, None) = (&*query.body, &query.with, &query.limit_clause) {
                    let rows: Vec<&Vec<sql::Expr>> = values.rows.iter().map(|r| &r.content).collect();
                    defaults = true;
                    binder.insert_values(&table, insert.columns.as_deref(), &rows)?
                } else {
                    let bound = binder.bind_query(query)?;
                    let targets = if insert.by_name {
                        by_name(&table, &bound)?
                    } else {
                        target_columns(&table, insert.columns.as_deref())?
                    };
                    Source { targets, bound }
                }
            }
        };
        source.bound.plan = binder.place_ctes(source.bound.plan, producers);
        let partial = is_partial(ctx, &olap, &table, &source.targets, insert.columns.is_some() || insert.by_name);
        let left_out = |c: &Column| !source.targets.iter().any(|t| table.columns[*t].uid == c.uid);
        let automatic = table.columns.iter().find(|c| c.auto_increment);
        // In a query a NULL is a value, and not a good one.
        let auto_increment = automatic.filter(|c| defaults || left_out(c)).map(|c| c.uid);
        let mut kept = Vec::new();
        for column in table.columns.iter().filter(|c| olap.keys == KeysModel::Primary && !c.key && left_out(c)) {
            if column.auto_increment || (partial && binder.default_varies(column)?) {
                kept.push(column.uid);
            }
        }
        let mut written = written_columns(&olap, &table, &source.targets, partial)?;
        if partial {
            let numbered = automatic.filter(|c| c.key && left_out(c)).map(|c| c.uid);
            written.extend(kept.iter().copied().chain(numbered).filter(|uid| !written.contains(uid)).collect::<Vec<_>>());
        }
        let (mut plan, output) = binder.fill_columns(&table, source, partial)?;
        binder.fold_plan(&mut plan);
        Ok(AnalyzedInsert {
            db_name: db.name.clone(),
            auto_increment,
            kept,
            overwrite: insert.overwrite,
            partitions,
            temporary_partitions,
            label: insert.label.as_ref().map(|l| l.value.clone()),
            properties: insert.properties.clone(),
            plan,
            output,
            written,
            partial,
            columns: binder.columns,
            tables: binder.tables,
            table,
        })
    })
}

/// Rows on their way into a table: query output i feeds table column `targets[i]`.
pub(super) struct Source {
    pub targets: Vec<usize>,
    pub bound: BoundQuery,
}

/// The ids of named partitions.
pub(super) fn partition_ids(olap: &OlapTable, table: &Table, names: &PartitionNames) -> Result<Vec<PartitionId>> {
    if names.names.is_empty() {
        bail!(Analysis, "No partition specified in partition lists");
    }
    names
        .names
        .iter()
        .map(|n| match olap.partition_by_name(&n.value, names.temporary) {
            Some(p) => Ok(p.id),
            None => Err(err!(UnknownPartition, "Unknown partition '{}' in table '{}'", n.value, table.name)),
        })
        .collect()
}

/// Indices of the listed columns; without a list all that can be written.
pub(super) fn target_columns(table: &Table, columns: Option<&[sql::Ident]>) -> Result<Vec<usize>> {
    let Some(columns) = columns else {
        return Ok((0..table.columns.len()).filter(|i| table.columns[*i].generated.is_none()).collect());
    };
    let mut targets: Vec<usize> = Vec::with_capacity(columns.len());
    for name in columns {
        let at = column_index(table, &name.value)?;
        if table.columns[at].generated.is_some() {
            bail!(Analysis, "generated column '{}' can not be specified", name.value);
        }
        if targets.contains(&at) {
            bail!(DuplicateColumn, "Column '{}' specified twice", name.value);
        }
        targets.push(at);
    }
    Ok(targets)
}

pub(super) fn column_index(table: &Table, name: &str) -> Result<usize> {
    match table.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name)) {
        Some(at) => Ok(at),
        None => Err(err!(UnknownColumn, "Unknown column '{name}' in '{}'", table.name)),
    }
}

fn by_name(table: &Table, bound: &BoundQuery) -> Result<Vec<usize>> {
    let names: Vec<sql::Ident> = bound.output.iter().map(|c| sql::Ident::new(c.name.clone())).collect();
    target_columns(table, Some(&names))
}

/// Whether an INSERT with a column list only changes the listed columns.
fn is_partial(ctx: &AnalyzeContext<'_>, olap: &OlapTable, table: &Table, targets: &[usize], listed: bool) -> bool {
    let ordinary = table.columns.iter().filter(|c| c.generated.is_none() && !c.auto_increment).count();
    let given = targets.iter().filter(|t| !table.columns[**t].auto_increment).count();
    let wanted = || ctx.session.variable(None, "enable_insert_partial_update").is_none_or(|(v, _)| v.as_bool().unwrap_or_else(|| v.to_string().trim_matches('\'').eq_ignore_ascii_case("true") || v.as_i64() == Some(1)));
    listed && olap.keys == KeysModel::Primary && given < ordinary && wanted()
}

/// The columns that are written: the listed ones, and the generated ones that read only those.
fn written_columns(olap: &OlapTable, table: &Table, targets: &[usize], partial: bool) -> Result<Vec<ColumnUid>> {
    let mut written: Vec<ColumnUid> = targets.iter().map(|i| table.columns[*i].uid).collect();
    if !partial {
        return Ok(written);
    }
    if olap.sort_key.iter().any(|uid| !written.contains(uid)) {
        bail!(Analysis, "partial update on table with sort key must provide all sort key columns");
    }
    for column in table.columns.iter() {
        let Some(text) = &column.generated else { continue };
        if reads_only(table, text, &|uid| targets.iter().any(|t| table.columns[*t].uid == uid))? {
            written.push(column.uid);
        }
    }
    Ok(written)
}

/// Whether a generated column's expression reads given columns only; some given and some not is an error.
pub(super) fn reads_only(table: &Table, text: &str, is_given: &dyn Fn(ColumnUid) -> bool) -> Result<bool> {
    let syntax = fe_parser::parse_expr(text, &fe_parser::ParseOptions::default())?;
    let (mut given, mut missing) = (false, false);
    super::qualify::walk(&syntax, &mut |e| {
        if let sql::Expr::Identifier(i) = e
            && let Some(c) = table.column(&i.value)
        {
            given |= is_given(c.uid);
            missing |= !is_given(c.uid);
        }
    });
    if given && missing {
        bail!(Analysis, "All ref Column must be sepecfied in partial update mode.");
    }
    Ok(!missing)
}

fn check_count(targets: usize, values: usize) -> Result<()> {
    if targets != values {
        bail!(
            InsertColumnCount,
            "Inserted target column count: {targets} doesn't match select/value column count: {values}"
        );
    }
    Ok(())
}

impl Binder<'_> {
    /// VALUES rows, each value cast to its column's type on its own; DEFAULT is the column's default.
    fn insert_values(
        &mut self,
        table: &Table,
        columns: Option<&[sql::Ident]>,
        rows: &[&Vec<sql::Expr>],
    ) -> Result<Source> {
        let targets = target_columns(table, columns)?;
        let (rows, frame) = self.with_frame(Scope::default(), Clause::Values, |b| {
            let mut out = Vec::with_capacity(rows.len());
            for row in rows {
                check_count(targets.len(), row.len())?;
                let mut bound = Vec::with_capacity(row.len());
                for (value, at) in row.iter().zip(&targets) {
                    let column = &table.columns[*at];
                    bound.push(b.insert_value(value, column)?);
                }
                out.push(bound);
            }
            Ok(out)
        })?;
        if !frame.applies.is_empty() {
            bail!(NotSupported, "Subqueries in INSERT VALUES are not supported");
        }
        let mut ids = Vec::with_capacity(targets.len());
        let mut output = Vec::with_capacity(targets.len());
        for at in &targets {
            let column = &table.columns[*at];
            let id = self.columns.computed(column.name.clone(), column.ty.clone(), true);
            ids.push(id);
            output.push(crate::OutputColumn { name: column.name.clone(), id, ty: column.ty.clone(), nullable: true });
        }
        let plan =
            LogicalNode::leaf(LogicalOp::Values(LogicalValues { columns: ids, rows, chunks: Arc::new(Vec::new()) }));
        Ok(Source { targets, bound: BoundQuery { plan, output } })
    }

    fn insert_value(&mut self, value: &sql::Expr, column: &Column) -> Result<Expr> {
        if encoding::is_default(value) {
            return self.required_default(column);
        }
        let bound = self.bind_expr(value)?;
        if column.auto_increment && matches!(bound.ty, LogicalType::Null) {
            bail!(
                Analysis,
                " `NULL` value is not supported for an AUTO_INCREMENT column: {} You can use `default` for an AUTO INCREMENT column",
                column.name
            );
        }
        self.implicit_cast(bound, &column.ty)
    }

    /// Projects a source to the table's columns: given values cast, the rest defaults, then generated columns.
    pub(super) fn fill_columns(
        &mut self,
        table: &Table,
        source: Source,
        partial: bool,
    ) -> Result<(LogicalNode, Vec<(ColumnUid, ColumnId)>)> {
        let Source { targets, bound } = source;
        check_count(targets.len(), bound.output.len())?;
        let mut exprs = Vec::with_capacity(table.columns.len());
        let mut ids: Vec<Option<ColumnId>> = vec![None; table.columns.len()];
        for (i, column) in table.columns.iter().enumerate() {
            if column.generated.is_some() {
                continue;
            }
            let value = match targets.iter().position(|t| *t == i) {
                Some(at) => {
                    let reference = self.columns.reference(bound.output[at].id);
                    self.implicit_cast(reference, &column.ty)?
                }
                None => match self.default_of(column)? {
                    Some(value) => value,
                    // Not written: rows keep what they have.
                    None if partial && !column.key => Expr::null(column.ty.clone()),
                    None => {
                        let listed: String = targets.iter().map(|t| format!(" {} ", table.columns[*t].name)).collect();
                        bail!(
                            Analysis,
                            "'{}' must be explicitly mentioned in column permutation: {listed}",
                            column.name
                        );
                    }
                },
            };
            // A query may give one column twice; each table column needs its own.
            let own = value.as_column().filter(|id| !exprs.iter().any(|(e, _): &(ColumnId, Expr)| e == id));
            let id =
                own.unwrap_or_else(|| self.columns.computed(column.name.clone(), column.ty.clone(), value.nullable));
            ids[i] = Some(id);
            exprs.push((id, value));
        }
        let mut plan = LogicalNode::unary(LogicalOp::Project { exprs }, bound.plan);
        if table.columns.iter().any(|c| c.generated.is_some()) {
            let fields: Vec<Field> = table
                .columns
                .iter()
                .zip(&ids)
                .filter_map(|(c, id)| id.map(|id| Field { relation: None, name: c.name.clone(), id, source: None }))
                .collect();
            let mut computed = Vec::new();
            for (i, column) in table.columns.iter().enumerate() {
                if let Some(text) = &column.generated {
                    let value =
                        self.generated(column, text, Scope { fields: fields.clone(), relations: Vec::new() })?;
                    let id = self.columns.computed(column.name.clone(), column.ty.clone(), value.nullable);
                    ids[i] = Some(id);
                    computed.push((id, value));
                }
            }
            plan = self.project_more(plan, computed);
        }
        let output =
            table.columns.iter().zip(ids).map(|(c, id)| (c.uid, id.expect("every column got a value"))).collect();
        Ok((plan, output))
    }
}
