//! Places in a statement text. Lines count from 1, columns from 0 (characters), offsets are bytes.

use crate::ast::sql;

/// A place in the text that was parsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    pub line: u32,
    pub column: u32,
    pub offset: usize,
}

/// The line (from 1) and column (from 0) at which a node starts, or none for a node that was not written.
pub fn line_column(span: sql::Span) -> Option<(u32, u32)> {
    location(span.start)
}

pub(crate) fn location(at: sql::Location) -> Option<(u32, u32)> {
    (at.line > 0).then(|| (at.line as u32, at.column.saturating_sub(1) as u32))
}

/// Where an expression starts, if the source is known.
pub fn expr_position(expr: &sql::Expr) -> Option<(u32, u32)> {
    use sql::Spanned;
    line_column(expr.span())
}
