//! Syntax errors: what is wrong, where, and the text the client sees.

use common_base::{Error, ErrorCode};
use sqlparser::tokenizer::Location;

/// A syntax error before it becomes the product's error.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub at: Option<Location>,
    pub message: String,
}

/// Boxed: results are passed up many frames.
pub(crate) type PResult<T> = Result<T, Box<SyntaxError>>;

impl SyntaxError {
    pub fn new(at: Option<Location>, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { at, message: message.into() })
    }

    /// The client's error; positions are 1-based lines and 0-based columns.
    pub fn into_error(self) -> Error {
        let place = match self.at.and_then(crate::position::location) {
            Some((line, column)) => format!(" at line {line}, column {column}"),
            None => String::new(),
        };
        Error::new(ErrorCode::Syntax, format!("Getting syntax error{place}. Detail message: {}", self.message))
    }
}
