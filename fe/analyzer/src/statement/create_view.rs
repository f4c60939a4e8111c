//! CREATE VIEW and ALTER VIEW: output columns, and the text that is stored.

use std::collections::HashMap;

use common_base::{Result, bail, ids::ColumnUid};
use common_types::LogicalType;
use fe_catalog::model::{Column, DefaultValue, TableKind, View};
use fe_parser::ast::{CreateView, ViewColumn, ViewSecurity, sql};

use super::qualify::{Qualifier, StarColumns, StarPlace};
use crate::{AnalyzeContext, OutputColumn, TableUse, binder::Binder, error, names};

/// A view ready to be stored.
#[derive(Clone, Debug)]
pub struct CreateViewSpec {
    pub db_name: String,
    pub name: String,
    pub if_not_exists: bool,
    pub or_replace: bool,
    pub comment: String,
    pub security: ViewSecurity,
    pub columns: Vec<Column>,
    pub view: View,
    /// What the query reads: the creator needs SELECT on it.
    pub tables: Vec<TableUse>,
}

/// Analyzes CREATE VIEW.
pub fn analyze_create_view(ctx: &AnalyzeContext<'_>, create: &CreateView) -> Result<CreateViewSpec> {
    error::wrap(|| {
        let (db_name, name) = target(ctx, &create.name)?;
        if !create.or_replace && !create.if_not_exists && ctx.view.table(&db_name, &name).is_some() {
            bail!(TableExists, "Table '{name}' already exists");
        }
        let (columns, definition, tables) = view_parts(ctx, &create.columns, &create.query)?;
        Ok(CreateViewSpec {
            db_name,
            name,
            if_not_exists: create.if_not_exists,
            or_replace: create.or_replace,
            comment: create.comment.clone().unwrap_or_default(),
            security: create.security.unwrap_or(ViewSecurity::None),
            columns,
            view: View { definition, sql_mode: ctx.session.eval().sql_mode },
            tables,
        })
    })
}

/// Analyzes `ALTER VIEW v [(columns)] AS query`.
pub fn analyze_alter_view(
    ctx: &AnalyzeContext<'_>,
    name: &sql::ObjectName,
    columns: &[ViewColumn],
    query: &sql::Query,
) -> Result<CreateViewSpec> {
    error::wrap(|| {
        let (db_name, name) = target(ctx, name)?;
        match ctx.view.table(&db_name, &name) {
            None => bail!(UnknownTable, "Unknown table '{name}'"),
            Some(t) if !matches!(t.kind, TableKind::View(_)) => {
                bail!(User, "The specified table [{name}] is not a view")
            }
            Some(_) => {}
        }
        let (columns, definition, tables) = view_parts(ctx, columns, query)?;
        Ok(CreateViewSpec {
            db_name,
            name,
            if_not_exists: false,
            or_replace: true,
            comment: String::new(),
            security: ViewSecurity::None,
            columns,
            view: View { definition, sql_mode: ctx.session.eval().sql_mode },
            tables,
        })
    })
}

/// The database (which must exist) and name of a new object.
pub(super) fn target(ctx: &AnalyzeContext<'_>, name: &sql::ObjectName) -> Result<(String, String)> {
    let parts = names::table_name(name)?;
    let db_name = match parts.db {
        Some(db) => db,
        None => Binder::new(ctx).current_database()?,
    };
    if ctx.view.database(&db_name).is_none() {
        bail!(UnknownDatabase, "Unknown database '{db_name}'");
    }
    if names::is_system_database(&db_name) {
        bail!(AccessDenied, "Access denied for database '{db_name}'");
    }
    if parts.table.is_empty() || parts.table.len() > 1024 || parts.table.contains('\0') {
        bail!(User, "Incorrect table name '{}'", parts.table);
    }
    Ok((db_name, parts.table))
}

fn view_parts(
    ctx: &AnalyzeContext<'_>,
    names: &[ViewColumn],
    query: &sql::Query,
) -> Result<(Vec<Column>, String, Vec<TableUse>)> {
    let mut binder = Binder::new(ctx);
    binder.stars = Some(HashMap::new());
    let bound = binder.bind_query_root(query)?;
    let columns = view_columns(names, &bound.output)?;
    let stars: HashMap<StarPlace, StarColumns> = binder.stars.take().unwrap_or_default();
    let mut stored = query.clone();
    let db = ctx.session.current_database().unwrap_or_default();
    Qualifier::new(&db, &stars).query(&mut stored);
    Ok((columns, fe_parser::print::query_sql(&stored), binder.tables))
}

fn view_columns(names: &[ViewColumn], output: &[OutputColumn]) -> Result<Vec<Column>> {
    if !names.is_empty() && names.len() != output.len() {
        bail!(Analysis, "View's SELECT and view's field list have different column counts");
    }
    let mut columns: Vec<Column> = Vec::with_capacity(output.len());
    for (i, out) in output.iter().enumerate() {
        let (name, comment) = match names.get(i) {
            Some(n) => (n.name.value.clone(), n.comment.clone().unwrap_or_default()),
            None => (out.name.clone(), String::new()),
        };
        if columns.iter().any(|c| c.name.eq_ignore_ascii_case(&name)) {
            bail!(DuplicateColumn, "Duplicate column name '{name}'");
        }
        let ty = match &out.ty {
            LogicalType::Null => LogicalType::Boolean,
            ty => ty.clone(),
        };
        columns.push(Column {
            uid: ColumnUid(i as u64 + 1),
            name,
            ty,
            nullable: out.nullable,
            key: false,
            aggregation: None,
            default: DefaultValue::None,
            before: common_types::Scalar::Null,
            auto_increment: false,
            generated: None,
            comment,
        });
    }
    Ok(columns)
}
