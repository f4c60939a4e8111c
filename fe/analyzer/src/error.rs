//! The one place that gives analysis errors their prefix and position.

use common_base::{Error, ErrorCode, Result};
use fe_parser::ast::sql::{self, Location, Spanned};

const PREFIX: &str = "Getting analyzing error";

/// Messages that have their prefix already, or that the reference gives without a place.
const WITHOUT_PLACE: &[&str] =
    &["Getting ", "Column '", "Lambda function in sort_array", "The type of the third parameter", "Struct subfield"];

/// Whether no overload of a function fits.
pub(crate) fn is_no_match(e: &Error) -> bool {
    e.code() == ErrorCode::Analysis && e.message().starts_with("No matching function")
}

/// Runs an analysis; an error of code Analysis (or not supported) leaves with the prefix.
pub(crate) fn wrap<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    run().map_err(with_prefix)
}

fn with_prefix(e: Error) -> Error {
    if e.message().starts_with("Getting ") {
        return e;
    }
    let text = match e.code() {
        ErrorCode::Analysis
        | ErrorCode::NotSupported
        | ErrorCode::AmbiguousColumn
        | ErrorCode::UnknownTable
        | ErrorCode::TableExists
        | ErrorCode::NoTablesUsed
        | ErrorCode::NoDefaultForColumn
        | ErrorCode::UnknownDatabase
        | ErrorCode::UnknownColumn
        | ErrorCode::UnknownFunction
        | ErrorCode::UnknownPartition
        | ErrorCode::NotUniqueTableOrAlias
        | ErrorCode::DerivedTableAlias
        | ErrorCode::DuplicateColumn
        | ErrorCode::InsertColumnCount
        | ErrorCode::User => format!("{PREFIX}. Detail message: {}.", e.message()),
        _ => return e,
    };
    e.with_message(text)
}

/// Adds the place of an expression to an analysis error that has none yet.
pub(crate) fn at(e: Error, expr: &sql::Expr) -> Error {
    if e.code() != ErrorCode::Analysis || WITHOUT_PLACE.iter().any(|start| e.message().starts_with(start)) {
        return e;
    }
    let start = expr.span().start;
    let end = stop_token(expr);
    let place = match (start.line, end) {
        (0, _) => return e,
        (_, Some(end)) if end != start => {
            format!(
                " from line {}, column {} to line {}, column {}",
                start.line,
                start.column - 1,
                end.line,
                end.column.saturating_sub(1)
            )
        }
        _ => format!(" at line {}, column {}", start.line, start.column - 1),
    };
    let text = format!("{PREFIX}{place}. Detail message: {}.", e.message());
    e.with_message(text)
}

/// Where the last token of an expression starts; None when the tree does not tell.
fn stop_token(expr: &sql::Expr) -> Option<Location> {
    match expr {
        sql::Expr::Function(_) | sql::Expr::Nested(_) | sql::Expr::Array(_) | sql::Expr::Map(_) => {
            let mut end = end_of(expr)?;
            end.column = end.column.saturating_sub(1);
            Some(end)
        }
        sql::Expr::BinaryOp { right, .. } => stop_token(right),
        sql::Expr::Value(v) => Some(v.span.start),
        sql::Expr::Identifier(i) => Some(i.span.start),
        sql::Expr::CompoundIdentifier(parts) => parts.last().map(|p| p.span.start),
        _ => None,
    }
    .filter(|l| l.line != 0)
}

/// One past the last character of an expression, taking the closing parenthesis to follow its last argument at once.
fn end_of(expr: &sql::Expr) -> Option<Location> {
    let after = |mut l: Location, n: u64| {
        l.column += n;
        l
    };
    match expr {
        sql::Expr::Nested(inner) => end_of(inner).map(|l| after(l, 1)),
        sql::Expr::BinaryOp { right, .. } => end_of(right),
        sql::Expr::Function(f) => {
            let last = match &f.args {
                sql::FunctionArguments::List(list) => list.args.last(),
                _ => None,
            };
            match last {
                Some(sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(e))) => end_of(e).map(|l| after(l, 1)),
                Some(_) => None,
                None => Some(after(f.name.span().end, 2)),
            }
        }
        sql::Expr::Array(a) => match a.elem.last() {
            Some(e) => end_of(e).map(|l| after(l, 1)),
            None => None,
        },
        sql::Expr::Map(m) => match m.entries.last() {
            Some(entry) => end_of(&entry.value).map(|l| after(l, 1)),
            None => None,
        },
        sql::Expr::Interval(i) => {
            let unit = i.leading_field.as_ref().map_or(0, |u| u.to_string().len() as u64);
            end_of(&i.value).map(|l| after(l, 1 + unit))
        }
        sql::Expr::Lambda(l) => end_of(&l.body),
        other => {
            let end = other.span().end;
            (end.line != 0).then_some(end)
        }
    }
}
