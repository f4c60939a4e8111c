//! Parsed statement + catalog view + function registry + session facts → analyzed statement (typed logical plan or a normalised
//! specification). Decides legality and meaning; executes nothing.
//!
//! Flow: `bind` turns a query into logical operators, `expr` turns syntax into typed expressions (collecting aggregates, windows
//! and subqueries in the frame of the enclosing SELECT), `statement` handles everything that is not a bare query.
//! Invariants: implicit casts are explicit nodes of the result; every column has one id; names never survive analysis.

mod bind;
mod binder;
mod error;
mod expr;
mod names;
mod plan_util;
mod scope;
pub mod statement;
mod types;

#[cfg(test)]
mod plan_text;
#[cfg(test)]
mod test_catalog;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use common_base::{Error, Result, err};
use common_expr::{
    expr::{ColumnId, Expr},
    registry::FunctionRegistry,
    scalar_fn::EvalContext,
};
use common_types::{Chunk, LogicalType, Scalar};
use fe_catalog::model::{Database, Table};
use fe_parser::ast::{Properties, VariableScope, sql};
use fe_plan::{ColumnFactory, LogicalNode, files::FilesScan};

pub use types::datatype::{logical_type, type_text};

/// The catalog as the analyzer sees it: one consistent state.
pub trait CatalogView {
    /// A database by name.
    fn database(&self, name: &str) -> Option<Arc<Database>>;
    /// A table or view by name.
    fn table(&self, db: &str, name: &str) -> Option<Arc<Table>>;
    /// A rollup or synchronous materialized view that can be read, as a table of its own.
    fn sync_view(&self, _db: &str, _name: &str) -> Option<Arc<Table>> {
        None
    }
    /// Every database the user may see.
    fn databases(&self) -> Vec<Arc<Database>>;
    /// The rows of a system table, columns in table order. `hints` are equality conditions known beforehand (column, text), which
    /// the provider may use to make fewer rows.
    fn system_rows(&self, table: &Table, hints: &[(String, String)]) -> Result<Arc<Vec<Chunk>>>;
}

/// What the session knows that changes the meaning of a statement.
pub trait SessionFacts {
    /// The current database.
    fn current_database(&self) -> Option<String>;
    /// A system variable; None = unknown (or not in that scope).
    fn variable(&self, scope: Option<VariableScope>, name: &str) -> Option<(Scalar, LogicalType)>;
    /// A user variable; None = never set.
    fn user_variable(&self, name: &str) -> Option<(Scalar, LogicalType)>;
    /// Constants of the statement: its time, zone, sql_mode.
    fn eval(&self) -> &EvalContext;
    /// The text of `user()`: `'root'@'10.0.0.1'`.
    fn user(&self) -> String;
    /// The text of `current_user()`: `'root'@'%'`.
    fn current_user(&self) -> String {
        self.user()
    }
    /// The text of `current_role()`.
    fn current_role(&self) -> String {
        "NONE".to_owned()
    }
    /// The text of `version()`.
    fn server_version(&self) -> String {
        "8.0.33".to_owned()
    }
    /// The longest VARCHAR a column may have.
    fn varchar_length_max(&self) -> u32 {
        common_types::MAX_VARCHAR_LENGTH
    }
    /// The id of the session's previous query.
    fn last_query_id(&self) -> Option<String> {
        None
    }
    /// The error for an unknown system variable.
    fn unknown_variable(&self, name: &str) -> Error {
        err!(UnknownVariable, "Unknown system variable '{name}'")
    }
    /// The files `FILES(...)` stands for.
    fn files(&self, _properties: &Properties) -> Result<Arc<FilesTable>> {
        Err(err!(NotSupported, "FILES() is not supported here"))
    }
    /// A boolean variable.
    fn flag(&self, name: &str) -> bool {
        match self.variable(None, name) {
            Some((Scalar::Boolean(v), _)) => v,
            Some((value, _)) => matches!(value.to_string().to_ascii_lowercase().as_str(), "true" | "1" | "on"),
            None => false,
        }
    }
}

/// Files as a relation.
#[derive(Clone, Debug)]
pub struct FilesTable {
    pub columns: Vec<(String, LogicalType)>,
    pub rows: FilesRows,
}

/// Where the rows of [`FilesTable`] are.
#[derive(Clone, Debug)]
pub enum FilesRows {
    /// In the files.
    Scan(Arc<FilesScan>),
    /// Here: `list_files_only`.
    Made(Arc<Vec<Chunk>>),
}

/// Everything analysis needs besides the statement.
pub struct AnalyzeContext<'a> {
    pub view: &'a dyn CatalogView,
    pub registry: &'a FunctionRegistry,
    pub session: &'a dyn SessionFacts,
    /// Columns already in use; new ones are numbered after them.
    pub columns: ColumnFactory,
    /// Values of `?`, in order.
    pub parameters: &'a [(Scalar, LogicalType)],
}

/// One column of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputColumn {
    /// The header.
    pub name: String,
    pub id: ColumnId,
    pub ty: LogicalType,
    pub nullable: bool,
}

/// A table or view the statement reads, for privileges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableUse {
    pub db: String,
    pub table: String,
    pub is_view: bool,
    /// Lower-case names of the columns used; all of them when the whole row is.
    pub columns: Vec<String>,
    /// Read through a view: no privilege of its own needed (SECURITY NONE).
    pub through_view: bool,
}

/// An analyzed query.
#[derive(Clone, Debug)]
pub struct AnalyzedQuery {
    pub plan: LogicalNode,
    pub output: Vec<OutputColumn>,
    pub columns: ColumnFactory,
    pub tables: Vec<TableUse>,
}

/// Analyzes a query.
pub fn analyze_query(ctx: &AnalyzeContext<'_>, query: &sql::Query) -> Result<AnalyzedQuery> {
    error::wrap(|| {
        let mut binder = binder::Binder::new(ctx);
        let bound = binder.bind_query_root(query)?;
        binder.finish(bound)
    })
}

/// A name an expression outside a query may use.
#[derive(Clone, Debug)]
pub struct NamedColumn {
    pub name: String,
    pub id: ColumnId,
    pub ty: LogicalType,
    pub nullable: bool,
}

/// Types and folds a standalone expression (SET, partition bounds, defaults, load mappings) over the given columns.
pub fn bind_scalar_expr(ctx: &AnalyzeContext<'_>, expr: &sql::Expr, columns: &[NamedColumn]) -> Result<Expr> {
    error::wrap(|| {
        let mut binder = binder::Binder::new(ctx);
        let bound = binder.bind_standalone(expr, columns)?;
        Ok(binder.fold(bound))
    })
}
