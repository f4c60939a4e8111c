//! What a table function is: per input row zero or more output rows.

use std::{fmt, sync::Arc};

use common_base::Result;
use common_types::{Column, LogicalType};

/// The rows a table function made from one chunk of arguments.
pub struct TableFunctionOutput {
    pub columns: Vec<Column>,
    /// For each output row the input row it came from, ascending.
    pub source_rows: Vec<u32>,
}

/// One table function: a row of a function table.
#[derive(Clone)]
pub struct TableFunction {
    pub names: &'static [&'static str],
    /// Argument types after coercion and the result columns (default name, type), or the reason it does not fit.
    pub resolve: fn(args: &[LogicalType]) -> Result<TableFunctionTypes>,
    pub kernel: fn(args: &[Column], rows: usize, results: &[LogicalType]) -> Result<TableFunctionOutput>,
    /// Set by functions that may make any number of rows from one: makes them piece by piece, so that a query can be stopped
    /// and its memory counted in between.
    pub pieces: Option<PieceKernel>,
}

/// Makes at most `max` rows from a cursor on, and where the next piece starts; `None` when the arguments are used up.
pub type PieceKernel =
    fn(args: &[Column], rows: usize, results: &[LogicalType], from: PieceCursor, max: usize) -> Result<(TableFunctionOutput, Option<PieceCursor>)>;

/// A place among the rows a chunk of arguments gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PieceCursor {
    /// The input row.
    pub row: usize,
    /// Rows of it that were made already.
    pub made: u128,
}

/// Result of resolving a table function.
pub struct TableFunctionTypes {
    pub args: Vec<LogicalType>,
    pub columns: Vec<(String, LogicalType)>,
}

/// A shared handle that compares by name.
#[derive(Clone)]
pub struct TableFunctionRef(pub Arc<TableFunction>);

impl TableFunctionRef {
    /// Canonical name.
    pub fn name(&self) -> &'static str {
        self.0.names[0]
    }
}

impl fmt::Debug for TableFunctionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialEq for TableFunctionRef {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}
