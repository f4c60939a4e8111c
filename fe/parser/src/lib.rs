//! SQL text to statements. A text is cut into tokens once (`lexer`, on sqlparser's tokenizer), each statement between semicolons is
//! parsed on its own (`parse`), and the result is our statement tree over sqlparser's query and expression nodes (`ast`).
//! Nothing here knows a catalog: names stay names. `print` renders trees back to text, `digest` normalises a text.

pub mod ast;
mod dialect;
pub mod digest;
mod error;
mod lexer;
mod options;
mod parse;
pub mod position;
pub mod print;

use std::ops::Range;

use common_base::{Error, Result};
use sqlparser::tokenizer::Token;

use crate::ast::{ImportColumn, Statement, sql};
use crate::error::{PResult, SyntaxError};
use crate::lexer::{Lexed, lex};
use crate::parse::Parser;

pub use crate::options::{ParseOptions, SQL_MODE_PIPES_AS_CONCAT};
pub use crate::position::Position;

/// Whether a word needs back quotes to be an identifier.
pub fn is_reserved_word(word: &str) -> bool {
    dialect::is_reserved(word)
}

/// All reserved words, sorted, upper case.
pub fn reserved_words() -> &'static [&'static str] {
    dialect::RESERVED
}

/// One assignment of a `/*+ … */` hint.
#[derive(Clone, Debug, PartialEq)]
pub enum Hint {
    /// `SET_VAR(name = value)`; a bare word is `Expr::Identifier`.
    SetVar { name: String, value: sql::Expr },
    /// `SET_USER_VARIABLE(@name = expr)`.
    SetUserVariable { name: String, value: sql::Expr },
}

/// A statement with where it stands and what its session must know before running it.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedStatement {
    pub stmt: Statement,
    /// Byte range in the text that was parsed, without the semicolon.
    pub text_range: Range<usize>,
    /// The statement's own text.
    pub text: String,
    /// Where the statement starts.
    pub position: Position,
    /// The assignments of all hints in the statement, in order.
    pub hints: Vec<Hint>,
    /// How many `?` it has.
    pub parameters: usize,
}

/// All statements of a text; the first error wins. Use [`statements`] to get those before the error.
pub fn parse(text: &str, options: &ParseOptions) -> Result<Vec<ParsedStatement>> {
    statements(text, options).collect()
}

/// Exactly one statement.
pub fn parse_one(text: &str, options: &ParseOptions) -> Result<ParsedStatement> {
    let mut all = statements(text, options);
    let first = all.next().unwrap_or_else(|| Err(syntax("No viable statement for input '<EOF>'.")))?;
    match all.next() {
        None => Ok(first),
        Some(Err(e)) => Err(e),
        Some(Ok(next)) => {
            let word = next.text.split_whitespace().next().unwrap_or_default().to_string();
            Err(syntax(&format!("Unexpected input '{word}', the most similar input is {{<EOF>}}.")))
        }
    }
}

fn syntax(message: &str) -> Error {
    SyntaxError::new(None, message).into_error()
}

/// The statements of a text one at a time: an error in one does not hide those before it. Nothing comes after an error.
pub fn statements<'a>(text: &'a str, options: &'a ParseOptions) -> Statements<'a> {
    Statements { text, options, lexed: lex(text, options.max_tokens), next: 0, failed: false }
}

/// Iterator over the statements of a text.
pub struct Statements<'a> {
    text: &'a str,
    options: &'a ParseOptions,
    lexed: Lexed,
    next: usize,
    failed: bool,
}

impl Statements<'_> {
    /// Whether only empty statements are left.
    pub fn is_finished(&self) -> bool {
        self.failed
            || (self.lexed.error.is_none()
                && self.lexed.tokens[self.next..].iter().all(|t| t.token == Token::SemiColon))
    }

    fn parse_range(&mut self, start: usize, end: usize) -> PResult<ParsedStatement> {
        let last = end == self.lexed.tokens.len();
        let mut parser = Parser::new(self.text, &self.lexed, start, end, self.options);
        let stmt = parser.whole_statement();
        let parameters = parser.parameters;
        let stmt = match stmt {
            // What cannot be lexed is what is wrong with a statement that ends there.
            _ if last && self.lexed.error.is_some() => {
                return Err(self.lexed.error.take().expect("checked by the arm"));
            }
            other => other?,
        };
        let mut hints = Vec::new();
        for (_, text) in self.lexed.hints.iter().filter(|(at, _)| *at >= start && *at < end) {
            hints.extend(parse::parse_hints(text, self.options)?);
        }
        let (first, final_) = (&self.lexed.tokens[start], &self.lexed.tokens[end - 1]);
        let (line, column) = position::location(first.span.start).unwrap_or((1, 0));
        let text_range = first.start..final_.end;
        let text = self.text[text_range.clone()].to_string();
        Ok(ParsedStatement {
            stmt,
            text,
            position: Position { line, column, offset: text_range.start },
            text_range,
            hints,
            parameters,
        })
    }
}

impl Iterator for Statements<'_> {
    type Item = Result<ParsedStatement>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let tokens = &self.lexed.tokens;
        let start = (self.next..tokens.len()).find(|&i| tokens[i].token != Token::SemiColon);
        let Some(start) = start else {
            self.next = tokens.len();
            let error = self.lexed.error.take()?;
            self.failed = true;
            return Some(Err(error.into_error()));
        };
        let end = (start..tokens.len()).find(|&i| tokens[i].token == Token::SemiColon).unwrap_or(tokens.len());
        self.next = (end + 1).min(tokens.len());
        let result = self.parse_range(start, end).map_err(|e| e.into_error());
        self.failed = result.is_err();
        Some(result)
    }
}

/// A scalar expression alone: the `where` header of a load, a default, a retention condition.
pub fn parse_expr(text: &str, options: &ParseOptions) -> Result<sql::Expr> {
    with_parser(text, options, |p| p.whole_expr())
}

/// The `columns` header of a load: `a, b, c = expr`.
pub fn parse_columns_header(text: &str, options: &ParseOptions) -> Result<Vec<ImportColumn>> {
    with_parser(text, options, |p| p.whole_import_columns())
}

/// The `where` header of a load, with or without the word WHERE.
pub fn parse_where_header(text: &str, options: &ParseOptions) -> Result<sql::Expr> {
    let trimmed = text.trim_start();
    let word = trimmed.get(..5).filter(|w| {
        w.eq_ignore_ascii_case("where") && !trimmed[5..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
    });
    parse_expr(if word.is_some() { &trimmed[5..] } else { text }, options)
}

/// The body of PREPARE or COM_STMT_PREPARE: one statement with its number of parameters.
pub fn parse_prepared(text: &str, options: &ParseOptions) -> Result<ParsedStatement> {
    parse_one(text, options)
}

fn with_parser<T>(text: &str, options: &ParseOptions, production: impl FnOnce(&mut Parser) -> PResult<T>) -> Result<T> {
    let mut lexed = lex(text, options.max_tokens);
    if let Some(error) = lexed.error.take() {
        return Err(error.into_error());
    }
    let mut parser = Parser::new(text, &lexed, 0, lexed.tokens.len(), options);
    production(&mut parser).map_err(|e| e.into_error())
}

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod tests;
