//! Rows of a further index as expressions over the table's columns: for loads that write it, for the conversion of what is stored
//! already, and for queries that may read it instead of the table.
//!
//! A bitmap of a column of integers has all its values: a load with one that no bitmap holds (a negative one) is refused, as the
//! conversion is. So `count(DISTINCT x)` can be answered from it.

use std::sync::Arc;

use common_base::{Result, err};
use common_expr::{expr::Expr, scalar_fn::EvalContext};
use common_types::{LogicalType, Scalar};
use fe_catalog::model::{Column, ColumnSource, IndexColumn, IndexState, Table, TableIndex};
use fe_parser::{ParseOptions, ast::VariableScope};
use fe_plan::logical::{IndexExprs, StoredExprs};

use crate::{AnalyzeContext, NamedColumn, SessionFacts, bind_scalar_expr, binder::Binder};

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
    let names = named(table);
    let text = |text: &str| bind_text(ctx, &names, text);
    // Rows on their way into the table lack a column that it gets with the rollup, whatever its default will be.
    let widens = index.replaces.is_some_and(|old| table.as_olap().is_some_and(|o| o.base_index != old));
    let rows = if widens { RowsAre::Stored } else { rows };
    let exprs = index.columns.iter().map(|c| column(ctx, &names, table, c, rows)).collect::<Result<Vec<Expr>>>()?;
    let predicate = index.predicate.as_deref().map(text).transpose()?.map(|p| p.cast_to(&LogicalType::Boolean));
    let converted = |(to, c): (usize, &IndexColumn)| {
        let ColumnSource::Column(uid) = c.source else { return None };
        let from = table.columns.iter().position(|t| t.uid == uid)?;
        (table.columns[from].ty != c.column.ty).then_some((from as u32, to as u32))
    };
    let sets = exprs.iter().enumerate().filter_map(|(to, e)| Some((set_of(e)?, to as u32)));
    let kept = index.columns.iter().enumerate().filter_map(converted).chain(sets).collect();
    Ok(IndexRows { exprs, predicate, kept })
}

/// `to_bitmap(x)` of a column of integers: the column.
fn set_of(expr: &Expr) -> Option<u32> {
    let [of] = expr.as_call("to_bitmap")? else { return None };
    of.as_column().filter(|_| of.ty.is_integer() || of.ty == LogicalType::Boolean)
}

/// What a query of a table may find stored. What does not bind is left out, and so is what another session would compute otherwise
/// (a moment, a time zone): the query computes it from the columns.
pub fn bind_stored_exprs(ctx: &AnalyzeContext<'_>, table: &Table) -> Arc<StoredExprs> {
    let further = table.as_olap().map(|o| o.further.iter().filter(|i| i.state == IndexState::Normal).collect::<Vec<_>>()).unwrap_or_default();
    if further.is_empty() && table.columns.iter().all(|c| c.generated.is_none()) {
        return Arc::default();
    }
    let nobody = Nobody::default();
    let ctx = &AnalyzeContext { session: &nobody, columns: fe_plan::ColumnFactory::default(), parameters: &[], ..*ctx };
    let names = named(table);
    let generated = |(at, c): (usize, &Column)| {
        let text = c.generated.as_deref().filter(|text| is_same_for_all(ctx, &names, text))?;
        Some((at as u32, bind_text(ctx, &names, text).ok()?))
    };
    let rows = |index: &&Arc<TableIndex>| {
        if index.predicate.as_deref().is_some_and(|text| !is_same_for_all(ctx, &names, text)) {
            return None;
        }
        let IndexRows { exprs, predicate, kept } = bind_index_rows(ctx, table, index, RowsAre::Stored).ok()?;
        let shared = |(c, expr): (&IndexColumn, Expr)| match &c.source {
            ColumnSource::Expr(text) => is_same_for_all(ctx, &names, text).then_some(expr),
            ColumnSource::Column(_) | ColumnSource::Default => Some(expr),
        };
        let columns = index.columns.iter().zip(exprs).map(shared).collect();
        Some(IndexExprs { index: index.id, columns, predicate, kept })
    };
    Arc::new(StoredExprs {
        generated: table.columns.iter().enumerate().filter_map(generated).collect(),
        indexes: further.iter().filter_map(rows).collect(),
    })
}

/// The facts of no session: loads bind what they store by such ones.
#[derive(Default)]
struct Nobody {
    eval: EvalContext,
}

impl SessionFacts for Nobody {
    fn current_database(&self) -> Option<String> {
        None
    }
    fn variable(&self, _: Option<VariableScope>, _: &str) -> Option<(Scalar, LogicalType)> {
        None
    }
    fn user_variable(&self, _: &str) -> Option<(Scalar, LogicalType)> {
        None
    }
    fn eval(&self) -> &EvalContext {
        &self.eval
    }
    fn user(&self) -> String {
        String::new()
    }
}

/// A table's columns, their ordinals for ids.
pub(super) fn named(table: &Table) -> Vec<NamedColumn> {
    let of = |(i, c): (usize, &Column)| NamedColumn { name: c.name.clone(), id: i as u32, ty: c.ty.clone(), nullable: c.nullable };
    table.columns.iter().enumerate().map(of).collect()
}

pub(super) fn bind_text(ctx: &AnalyzeContext<'_>, names: &[NamedColumn], text: &str) -> Result<Expr> {
    let syntax = fe_parser::parse_expr(text, &ParseOptions::default())?;
    bind_scalar_expr(&over(ctx, names), &syntax, names)
}

/// Whether an expression is one whose value does not depend on who computes it: asked before this session's moment is folded in.
fn is_same_for_all(ctx: &AnalyzeContext<'_>, names: &[NamedColumn], text: &str) -> bool {
    let Ok(syntax) = fe_parser::parse_expr(text, &ParseOptions::default()) else { return false };
    let ctx = over(ctx, names);
    let bound = Binder::new(&ctx).bind_standalone(&syntax, names);
    bound.is_ok_and(|e| common_expr::walk::same_in_every_session(&e))
}

/// A context whose columns are these.
fn over<'a>(ctx: &AnalyzeContext<'a>, names: &[NamedColumn]) -> AnalyzeContext<'a> {
    let mut ctx = AnalyzeContext { columns: fe_plan::ColumnFactory::default(), ..*ctx };
    for name in names {
        ctx.columns.computed(name.name.clone(), name.ty.clone(), name.nullable);
    }
    ctx
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
