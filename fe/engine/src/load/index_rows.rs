//! Rows of further indexes and partition expressions, bound outside any session: by the catalog and the clock alone.

use common_base::Result;
use common_expr::{expr::Expr, scalar_fn::EvalContext};
use common_types::{LogicalType, Scalar};
use fe_analyzer::{
    AnalyzeContext, SessionFacts,
    statement::{IndexRows, RowsAre, bind_index_rows, bind_partition_exprs},
};
use fe_catalog::{
    CatalogState,
    model::{Table, TableIndex},
};
use fe_parser::ast::VariableScope;
use fe_plan::ColumnFactory;
use proto_messages::expr::KeptValue;

use crate::{engine::Engine, session::variables, view::SnapshotView};

/// What an index gets of rows of its table.
pub fn bind(engine: &Engine, catalog: &CatalogState, table: &Table, index: &TableIndex, rows: RowsAre) -> Result<IndexRows> {
    outside_sessions(engine, catalog, table, |ctx| bind_index_rows(ctx, table, index, rows))
}

/// The partition expressions of a table over its columns.
pub fn partition_exprs(engine: &Engine, catalog: &CatalogState, table: &Table) -> Result<Vec<Expr>> {
    outside_sessions(engine, catalog, table, |ctx| bind_partition_exprs(ctx, table))
}

/// Binds as no session does: UTC, defaults of variables.
pub(crate) fn outside_sessions<T>(engine: &Engine, catalog: &CatalogState, table: &Table, bind: impl FnOnce(&AnalyzeContext<'_>) -> Result<T>) -> Result<T> {
    let database = catalog.databases.get(&table.db_id).map(|d| d.name.clone()).unwrap_or_default();
    let facts = NoSession { eval: EvalContext { now_us: engine.clock.now_us(), database, ..EvalContext::default() } };
    let view = SnapshotView { engine, catalog: engine.meta.snapshot() };
    let ctx = AnalyzeContext { view: &view, registry: &engine.registry, session: &facts, columns: ColumnFactory::default(), parameters: &[] };
    bind(&ctx)
}

/// Conversions that must not lose values.
pub fn kept_messages(index: &TableIndex, kept: &[(u32, u32)]) -> Vec<KeptValue> {
    let name = |to: u32| index.columns.get(to as usize).map(|c| c.column.name.clone()).unwrap_or_default();
    kept.iter().map(|(from, to)| KeptValue { from: *from, to: *to, name: name(*to) }).collect()
}

/// The facts of nobody's session.
struct NoSession {
    eval: EvalContext,
}

impl SessionFacts for NoSession {
    fn current_database(&self) -> Option<String> {
        Some(self.eval.database.clone())
    }

    fn variable(&self, _scope: Option<VariableScope>, name: &str) -> Option<(Scalar, LogicalType)> {
        variables::definition(name).map(|d| (Scalar::string(d.default), LogicalType::varchar()))
    }

    fn user_variable(&self, _name: &str) -> Option<(Scalar, LogicalType)> {
        None
    }

    fn eval(&self) -> &EvalContext {
        &self.eval
    }

    fn user(&self) -> String {
        String::new()
    }
}
