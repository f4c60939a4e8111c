//! Rows of a further index as expressions over the table's columns: for loads that write it and for the conversion of what is
//! stored already.

use common_base::{Result, err};
use common_expr::expr::Expr;
use common_types::LogicalType;
use fe_catalog::model::{ColumnSource, IndexColumn, Table, TableIndex};
use fe_parser::ParseOptions;

use crate::{AnalyzeContext, NamedColumn, bind_scalar_expr, binder::Binder};

/// Which rows an index gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsAre {
    /// Read from the base index: a column they lack has its `before`.
    Stored,
    /// On their way in: a column the load does not know has its default.
    Loaded,
}

/// An index's columns and condition; column references are ordinals of the table's columns.
#[derive(Clone, Debug)]
pub struct IndexRows {
    pub exprs: Vec<Expr>,
    pub predicate: Option<Expr>,
    /// Table column and index column of conversions that must not lose values.
    pub kept: Vec<(u32, u32)>,
}

/// Binds an index's columns over its table.
pub fn bind_index_rows(ctx: &AnalyzeContext<'_>, table: &Table, index: &TableIndex, rows: RowsAre) -> Result<IndexRows> {
    let mut names: Vec<NamedColumn> = Vec::with_capacity(table.columns.len());
    for (i, c) in table.columns.iter().enumerate() {
        names.push(NamedColumn { name: c.name.clone(), id: i as u32, ty: c.ty.clone(), nullable: c.nullable });
    }
    let text = |text: &str| bind_text(ctx, &names, text);
    // Rows on their way into the table lack a column that it gets with the rollup, whatever its default will be.
    let widens = index.replaces.is_some_and(|old| table.as_olap().is_some_and(|o| o.base_index != old));
    let rows = if widens { RowsAre::Stored } else { rows };
    let exprs = index.columns.iter().map(|c| column(ctx, &names, table, c, rows)).collect::<Result<_>>()?;
    let predicate = index.predicate.as_deref().map(text).transpose()?.map(|p| p.cast_to(&LogicalType::Boolean));
    let converted = |(to, c): (usize, &IndexColumn)| {
        let ColumnSource::Column(uid) = c.source else { return None };
        let from = table.columns.iter().position(|t| t.uid == uid)?;
        (table.columns[from].ty != c.column.ty).then_some((from as u32, to as u32))
    };
    let kept = index.columns.iter().enumerate().filter_map(converted).collect();
    Ok(IndexRows { exprs, predicate, kept })
}

pub(super) fn bind_text(ctx: &AnalyzeContext<'_>, names: &[NamedColumn], text: &str) -> Result<Expr> {
    let syntax = fe_parser::parse_expr(text, &ParseOptions::default())?;
    let mut ctx = AnalyzeContext { columns: fe_plan::ColumnFactory::default(), ..*ctx };
    for name in names {
        ctx.columns.computed(name.name.clone(), name.ty.clone(), name.nullable);
    }
    bind_scalar_expr(&ctx, &syntax, names)
}

fn column(ctx: &AnalyzeContext<'_>, names: &[NamedColumn], table: &Table, column: &IndexColumn, rows: RowsAre) -> Result<Expr> {
    let target = &column.column;
    let value = match (&column.source, rows) {
        (ColumnSource::Column(uid), _) => {
            let at = table.columns.iter().position(|c| c.uid == *uid);
            let at = at.ok_or_else(|| err!(Internal, "column {} of an index comes from a column that is gone", target.name))?;
            Expr::column(at as u32, table.columns[at].ty.clone(), table.columns[at].nullable)
        }
        (ColumnSource::Expr(text), _) => bind_text(ctx, names, text)?,
        (ColumnSource::Default, RowsAre::Stored) => Expr::literal(target.before.clone()),
        (ColumnSource::Default, RowsAre::Loaded) => {
            Binder::new(ctx).default_of(target)?.unwrap_or_else(|| Expr::null(target.ty.clone()))
        }
    };
    Ok(value.cast_to(&target.ty))
}
