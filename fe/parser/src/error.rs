//! Syntax errors: what is wrong, where, and the text the client sees.

use common_base::{Error, ErrorCode};
use sqlparser::tokenizer::Location;

/// A syntax error before it becomes the product's error.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub at: Option<Location>,
    /// Where the offending text ends (its last token), when it is more than one token.
    pub to: Option<Location>,
    pub message: String,
}

/// Boxed: results are passed up many frames.
pub(crate) type PResult<T> = Result<T, Box<SyntaxError>>;

impl SyntaxError {
    pub fn new(at: Option<Location>, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { at, to: None, message: message.into() })
    }

    /// An error about a stretch of text: the starts of its first and last tokens.
    pub fn between(at: Option<Location>, to: Option<Location>, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { at, to: to.filter(|_| at != to), message: message.into() })
    }

    /// The client's error; positions are 1-based lines and 0-based columns.
    pub fn into_error(self) -> Error {
        let place = |at: Option<Location>| {
            at.and_then(crate::position::location).map(|(line, column)| format!("line {line}, column {column}"))
        };
        let place = match (place(self.at), place(self.to)) {
            (Some(from), Some(to)) => format!(" from {from} to {to}"),
            (Some(at), None) => format!(" at {at}"),
            _ => String::new(),
        };
        Error::new(ErrorCode::Syntax, format!("Getting syntax error{place}. Detail message: {}", self.message))
    }
}
