//! File loads: source fields, mapped columns, the row filter — for stream load and its kin.
//!
//! A source field that only feeds one table column has that column's type (the reader converts); one that is used in an
//! expression is text.

use std::sync::Arc;

use common_base::{
    Result, bail, err,
    ids::{ColumnUid, PartitionId},
};
use common_expr::expr::{ColumnId, Expr};
use common_types::{LogicalType, coercion::can_cast};
use fe_catalog::model::{Aggregation, KeysModel, Table};
use fe_parser::ast::{ImportColumn, PartitionNames, sql};
use fe_plan::ColumnFactory;

use super::{insert::partition_ids, stored_only};
use crate::{
    AnalyzeContext,
    binder::{Binder, Clause},
    error,
    scope::{Field, Scope},
};

/// The delete marker column of primary-key loads.
const OP_COLUMN: &str = "__op";

/// What a load says about columns.
#[derive(Clone, Debug, Default)]
pub struct LoadRequest<'a> {
    pub db: &'a str,
    pub table: &'a str,
    /// The `columns` header; None = the table's own columns in order.
    pub columns: Option<&'a [ImportColumn]>,
    pub selection: Option<&'a sql::Expr>,
    pub partitions: Option<&'a PartitionNames>,
    /// Only the listed columns are written (primary-key tables).
    pub partial_update: bool,
    /// Values of SUM columns are taken away instead of added (AGGREGATE KEY tables).
    pub negative: bool,
    /// What the body says it holds (Parquet): sources are taken from it by name. None = text, by position.
    pub fields: Option<&'a [(String, LogicalType)]>,
}

/// A field the reader makes.
#[derive(Clone, Debug)]
pub struct LoadField {
    pub name: String,
    pub id: ColumnId,
    pub ty: LogicalType,
    /// The table column it becomes unchanged, if it does: conversions of it follow strict_mode.
    pub column: Option<ColumnUid>,
}

/// An analyzed load.
#[derive(Clone, Debug)]
pub struct AnalyzedLoad {
    pub db_name: String,
    pub table: Arc<Table>,
    /// In file order.
    pub fields: Vec<LoadField>,
    /// Rows that fail are not selected.
    pub conjuncts: Vec<Expr>,
    /// Every table column (only the written ones in a partial update) in table order, of its type.
    pub columns: Vec<(ColumnUid, Expr)>,
    /// `__op`: TINYINT, 0 = upsert, 1 = delete.
    pub op: Option<Expr>,
    pub partitions: Option<Vec<PartitionId>>,
    /// The AUTO_INCREMENT column when the load leaves it out: it is NULL, and its rows are to be numbered.
    pub auto_increment: Option<ColumnUid>,
    /// Columns that come for rows of new keys only (primary keys): numbers and defaults of a row's own.
    pub kept: Vec<ColumnUid>,
    pub factory: ColumnFactory,
}

/// Analyzes the column side of a load.
pub fn analyze_load(ctx: &AnalyzeContext<'_>, request: &LoadRequest<'_>) -> Result<AnalyzedLoad> {
    error::wrap(|| {
        let mut binder = Binder::new(ctx);
        let (db, table) = binder.find_table(Some(request.db.to_owned()), request.table)?;
        let olap = Arc::clone(stored_only(&table, "Load")?);
        let partitions = request.partitions.map(|p| partition_ids(&olap, &table, p)).transpose()?;
        let own: Vec<ImportColumn>;
        let listed = match request.columns {
            Some(columns) => columns,
            None => {
                own = table
                    .columns
                    .iter()
                    .filter(|c| c.generated.is_none() && request.fields.is_none_or(|fields| field_of(fields, &c.name).is_some()))
                    .map(|c| ImportColumn { name: sql::Ident::new(c.name.clone()), expr: None })
                    .collect();
                &own
            }
        };
        let primary = olap.keys == KeysModel::Primary;
        if request.negative && olap.keys != KeysModel::Aggregate {
            bail!(Analysis, "negative loads take values away from SUM columns: table '{}' has another model", table.name);
        }
        if let Some(missing) = request.fields.and_then(|fields| listed.iter().find(|c| c.expr.is_none() && field_of(fields, &c.name.value).is_none())) {
            bail!(Analysis, "column '{}' is not found in the file", missing.name.value);
        }
        if listed.is_empty() {
            bail!(Analysis, "the file has no column that table '{}' has", table.name);
        }
        let mut load = binder.bind_load(&table, listed, request, primary)?;
        load.db_name.clone_from(&db.name);
        load.partitions = partitions;
        let left_out = |name: &str| !listed.iter().any(|c| c.name.value.eq_ignore_ascii_case(name));
        let numbered = table.columns.iter().filter(|c| primary && c.auto_increment && !c.key && left_out(&c.name)).map(|c| c.uid);
        load.kept.extend(numbered);
        load.auto_increment = table.columns.iter().find(|c| c.auto_increment && left_out(&c.name)).map(|c| c.uid);
        load.factory = binder.columns;
        Ok(load)
    })
}

impl Binder<'_> {
    fn bind_load(
        &mut self,
        table: &Arc<Table>,
        listed: &[ImportColumn],
        request: &LoadRequest<'_>,
        primary: bool,
    ) -> Result<AnalyzedLoad> {
        let (selection, partial) = (request.selection, request.partial_update);
        let derived: Vec<(&str, &sql::Expr)> =
            listed.iter().filter_map(|c| c.expr.as_ref().map(|e| (c.name.value.as_str(), e))).collect();
        let sources: Vec<&str> = listed.iter().filter(|c| c.expr.is_none()).map(|c| c.name.value.as_str()).collect();
        for (i, name) in sources.iter().enumerate() {
            if sources[..i].iter().any(|n| n.eq_ignore_ascii_case(name)) {
                bail!(Analysis, "Duplicate column: {name}");
            }
        }
        for (i, (name, _)) in derived.iter().enumerate() {
            if derived[..i].iter().any(|(n, _)| n.eq_ignore_ascii_case(name)) {
                bail!(Analysis, "Duplicate column mapping: {name}");
            }
            if table.column(name).is_none() && !name.eq_ignore_ascii_case(OP_COLUMN) {
                return Err(err!(UnknownColumn, "Unknown column '{name}' in '{}'", table.name));
            }
        }
        let used = |name: &str| derived.iter().any(|(_, e)| mentions(e, name));
        let mut fields = Vec::with_capacity(sources.len());
        for name in sources {
            let column = table
                .column(name)
                .filter(|c| c.generated.is_none() && !derived.iter().any(|(d, _)| d.eq_ignore_ascii_case(name)));
            let direct = column.filter(|_| !used(name));
            let known = request.fields.and_then(|fields| field_of(fields, name));
            if let (Some(c), Some((_, from))) = (direct, known)
                && !can_cast(from, if c.ty.is_metric() { &LogicalType::Varchar(None) } else { &c.ty })
            {
                bail!(Analysis, "column '{name}' of the file has type {from}, which column '{}' of type {} cannot take", c.name, c.ty);
            }
            let ty = match direct {
                // The reader cannot make these; their functions take text.
                Some(c) if c.ty.is_metric() => LogicalType::varchar(),
                Some(c) => c.ty.clone(),
                None => known.map_or_else(LogicalType::varchar, |(_, ty)| ty.clone()),
            };
            let id = self.columns.computed(name, ty.clone(), true);
            fields.push(LoadField { name: name.to_owned(), id, ty, column: direct.map(|c| c.uid) });
        }
        let scope = Scope {
            fields: fields
                .iter()
                .map(|f| Field { relation: None, name: f.name.clone(), id: f.id, source: None })
                .collect(),
            relations: Vec::new(),
        };
        let mut mapped: Vec<(String, Expr)> = Vec::with_capacity(derived.len());
        for (name, syntax) in &derived {
            let (bound, _) = self.with_frame(scope.clone(), Clause::Values, |b| b.bind_expr(syntax))?;
            let value = match table.column(name) {
                Some(column) => self.implicit_cast(bound, &column.ty)?,
                None => bound,
            };
            mapped.push(((*name).to_owned(), self.fold(value)));
        }
        let op = self.load_op(&fields, &mapped, primary)?;
        let mut columns: Vec<(ColumnUid, Expr)> = Vec::with_capacity(table.columns.len());
        let mut kept = Vec::new();
        for column in table.columns.iter().filter(|c| c.generated.is_none()) {
            let value = if let Some((_, e)) = mapped.iter().find(|(n, _)| n.eq_ignore_ascii_case(&column.name)) {
                e.clone()
            } else if let Some(f) = fields.iter().find(|f| f.name.eq_ignore_ascii_case(&column.name)) {
                let reference = self.columns.reference(f.id);
                self.implicit_cast(reference, &column.ty)?
            } else if partial && !column.auto_increment && !self.default_varies(column)? {
                if column.key {
                    bail!(Analysis, "'{}' must be explicitly mentioned in column permutation: ", column.name);
                }
                continue;
            } else {
                if partial && !column.key && !column.auto_increment {
                    kept.push(column.uid);
                }
                let default = self.required_default(column)?;
                self.fold(default)
            };
            let negated = request.negative && column.aggregation == Some(Aggregation::Sum);
            columns.push((column.uid, if negated { self.negated(value, &column.ty)? } else { value }));
        }
        for column in table.columns.iter() {
            if let Some(text) = &column.generated {
                if partial && !super::insert::reads_only(table, text, &|uid| columns.iter().any(|(c, _)| *c == uid))? {
                    continue;
                }
                let value = self.over_columns(table, &columns, |b, scope| b.generated(column, text, scope))?;
                columns.push((column.uid, value));
            }
        }
        columns.sort_by_key(|(uid, _)| table.columns.iter().position(|c| c.uid == *uid));
        let conjuncts = match selection {
            None => Vec::new(),
            Some(selection) => {
                let condition = self.load_filter(table, &columns, &fields, selection)?;
                self.fold(condition).into_conjuncts()
            }
        };
        Ok(AnalyzedLoad {
            db_name: String::new(),
            table: Arc::clone(table),
            fields,
            conjuncts,
            columns,
            op,
            partitions: None,
            auto_increment: None,
            kept,
            factory: ColumnFactory::default(),
        })
    }

    fn negated(&self, value: Expr, ty: &LogicalType) -> Result<Expr> {
        let negative = self.call("multiply", vec![value, Expr::literal(common_types::Scalar::TinyInt(-1))])?;
        self.implicit_cast(negative, ty)
    }

    /// Binds something over the table's columns and puts their load expressions in.
    fn over_columns(
        &mut self,
        table: &Table,
        columns: &[(ColumnUid, Expr)],
        bind: impl FnOnce(&mut Self, Scope) -> Result<Expr>,
    ) -> Result<Expr> {
        let mut fields = Vec::with_capacity(columns.len());
        let mut by = std::collections::HashMap::with_capacity(columns.len());
        for (uid, value) in columns {
            let Some(column) = table.column_by_uid(*uid) else { continue };
            let id = self.columns.computed(column.name.clone(), column.ty.clone(), true);
            fields.push(Field { relation: None, name: column.name.clone(), id, source: None });
            by.insert(id, value.clone());
        }
        let bound = bind(self, Scope { fields, relations: Vec::new() })?;
        Ok(common_expr::walk::substitute(bound, &by))
    }

    /// The filter over table columns and, for other names, source fields.
    fn load_filter(
        &mut self,
        table: &Table,
        columns: &[(ColumnUid, Expr)],
        sources: &[LoadField],
        selection: &sql::Expr,
    ) -> Result<Expr> {
        let extra: Vec<Field> = sources
            .iter()
            .filter(|f| table.column(&f.name).is_none())
            .map(|f| Field { relation: None, name: f.name.clone(), id: f.id, source: None })
            .collect();
        self.over_columns(table, columns, |b, mut scope| {
            scope.fields.extend(extra);
            let (bound, _) = b.with_frame(scope, Clause::Where, |b| {
                let bound = b.bind_expr(selection)?;
                b.to_boolean(bound)
            })?;
            Ok(bound)
        })
    }

    fn load_op(&mut self, fields: &[LoadField], mapped: &[(String, Expr)], primary: bool) -> Result<Option<Expr>> {
        let value = match mapped.iter().find(|(n, _)| n.eq_ignore_ascii_case(OP_COLUMN)) {
            Some((_, e)) => e.clone(),
            None => match fields.iter().find(|f| f.name.eq_ignore_ascii_case(OP_COLUMN)) {
                Some(f) => self.columns.reference(f.id),
                None => return Ok(None),
            },
        };
        if !primary {
            bail!(Analysis, "load by column mapping with __op is only supported on primary key tables");
        }
        let folded = self.fold(value);
        if let Some(text) = folded.as_literal().and_then(common_types::Scalar::as_str) {
            let op = match text.to_ascii_lowercase().as_str() {
                "upsert" | "0" => 0,
                "delete" | "1" => 1,
                other => bail!(Analysis, "load op type column only support upsert/delete, not '{other}'"),
            };
            return Ok(Some(Expr::literal(common_types::Scalar::TinyInt(op))));
        }
        self.implicit_cast(folded, &LogicalType::TinyInt).map(Some)
    }
}

/// A field of the body by name: as written, or else in any case.
pub fn field_of<'a>(fields: &'a [(String, LogicalType)], name: &str) -> Option<&'a (String, LogicalType)> {
    fields.iter().find(|(n, _)| n == name).or_else(|| fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)))
}

/// Whether an expression names a field.
fn mentions(expr: &sql::Expr, name: &str) -> bool {
    let mut found = false;
    super::qualify::walk(expr, &mut |e| {
        if let sql::Expr::Identifier(i) = e {
            found |= i.value.eq_ignore_ascii_case(name);
        }
    });
    found
}
