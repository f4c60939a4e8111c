//! The grammar. `Parser` is a cursor over the tokens of one statement; each sibling file adds the productions of one area to it.
//! Errors carry the place and text of the offending token; there is no backtracking except where a construct says so.

mod account;
mod admin;
mod alter_table;
mod backup;
mod columns;
mod create_table;
mod dml;
mod expr;
mod function;
mod hint;
mod load;
mod misc;
mod mv;
mod partition;
mod query;
mod relation;
mod resource;
mod set;
mod show;
mod statement;
mod types;
mod view;

use sqlparser::ast::{Ident, ObjectName};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use crate::ast::{Property, sql};
use crate::dialect::is_reserved;
use crate::error::{PResult, SyntaxError};
use crate::lexer::{Lexed, Tok, UNMATCHED};
use crate::options::ParseOptions;

pub(crate) use function::is_callable;
pub(crate) use hint::parse_hints;

static EOF: Token = Token::EOF;

/// A cursor over the tokens of one statement.
pub(crate) struct Parser<'a> {
    pub text: &'a str,
    lexed: &'a Lexed,
    pos: usize,
    /// One past the last token of the statement.
    end: usize,
    depth: usize,
    options: &'a ParseOptions,
    /// How many `?` were seen.
    pub parameters: usize,
}

impl<'a> Parser<'a> {
    pub fn new(text: &'a str, lexed: &'a Lexed, start: usize, end: usize, options: &'a ParseOptions) -> Self {
        Self { text, lexed, pos: start, end, depth: 0, options, parameters: 0 }
    }

    // --- looking -----------------------------------------------------------------------------------------------------

    fn token_at(&self, index: usize) -> &'a Token {
        match self.lexed.tokens.get(index) {
            Some(t) if index < self.end => &t.token,
            _ => &EOF,
        }
    }

    fn peek(&self) -> &'a Token {
        self.token_at(self.pos)
    }

    fn peek_at(&self, n: usize) -> &'a Token {
        self.token_at(self.pos + n)
    }

    fn tok(&self) -> Option<&'a Tok> {
        self.lexed.tokens.get(self.pos).filter(|_| self.pos < self.end)
    }

    /// The unquoted word `n` tokens ahead.
    fn word_at(&self, n: usize) -> Option<&'a str> {
        match self.peek_at(n) {
            Token::Word(w) if w.quote_style.is_none() => Some(&w.value),
            _ => None,
        }
    }

    fn is_kw_at(&self, n: usize, kw: &str) -> bool {
        self.word_at(n).is_some_and(|w| w.eq_ignore_ascii_case(kw))
    }

    fn is_kw(&self, kw: &str) -> bool {
        self.is_kw_at(0, kw)
    }

    fn is_any_kw(&self, kws: &[&str]) -> bool {
        self.word_at(0).is_some_and(|w| kws.iter().any(|k| w.eq_ignore_ascii_case(k)))
    }

    fn is_kws(&self, kws: &[&str]) -> bool {
        kws.iter().enumerate().all(|(i, kw)| self.is_kw_at(i, kw))
    }

    fn is(&self, token: &Token) -> bool {
        self.peek() == token
    }

    fn at_end(&self) -> bool {
        self.pos >= self.end
    }

    fn span(&self) -> Span {
        self.tok().map_or_else(Span::empty, |t| t.span)
    }

    fn location(&self) -> Option<Location> {
        match self.tok() {
            Some(t) => Some(t.span.start),
            None => self.lexed.tokens[..self.end.min(self.lexed.tokens.len())].last().map(|t| t.span.end),
        }
    }

    /// Byte offset of the next token.
    pub fn offset(&self) -> usize {
        self.tok().map_or_else(|| self.end_offset(), |t| t.start)
    }

    /// Byte offset after the last consumed token.
    fn consumed_offset(&self) -> usize {
        if self.pos == 0 { 0 } else { self.lexed.tokens[self.pos - 1].end }
    }

    /// Byte offset after the statement's last token.
    fn end_offset(&self) -> usize {
        if self.end == 0 { 0 } else { self.lexed.tokens[self.end - 1].end }
    }

    /// The source text from a byte offset up to the last consumed token.
    fn text_from(&self, start: usize) -> &'a str {
        &self.text[start..self.consumed_offset().max(start)]
    }

    /// Index of the token that closes the bracket at `index`.
    fn closing(&self, index: usize) -> Option<usize> {
        match self.lexed.matching.get(index) {
            Some(&m) if m != UNMATCHED && (m as usize) < self.end => Some(m as usize),
            _ => None,
        }
    }

    // --- consuming ---------------------------------------------------------------------------------------------------

    fn accept(&mut self, token: &Token) -> bool {
        let yes = self.is(token);
        self.pos += usize::from(yes);
        yes
    }

    fn accept_kw(&mut self, kw: &str) -> bool {
        let yes = self.is_kw(kw);
        self.pos += usize::from(yes);
        yes
    }

    /// All words in a row, or none.
    fn accept_kws(&mut self, kws: &[&str]) -> bool {
        let yes = self.is_kws(kws);
        self.pos += if yes { kws.len() } else { 0 };
        yes
    }

    /// The first of the words that comes next.
    fn accept_any_kw(&mut self, kws: &[&'static str]) -> Option<&'static str> {
        let word = self.word_at(0)?;
        let found = kws.iter().find(|k| word.eq_ignore_ascii_case(k))?;
        self.pos += 1;
        Some(found)
    }

    fn expect(&mut self, token: &Token) -> PResult<()> {
        if self.accept(token) { Ok(()) } else { Err(self.unexpected(&[&format!("'{token}'")])) }
    }

    fn expect_kw(&mut self, kw: &str) -> PResult<()> {
        if self.accept_kw(kw) { Ok(()) } else { Err(self.unexpected(&[kw])) }
    }

    fn expect_kws(&mut self, kws: &[&str]) -> PResult<()> {
        kws.iter().try_for_each(|kw| self.expect_kw(kw))
    }

    fn expect_any_kw(&mut self, kws: &[&'static str]) -> PResult<&'static str> {
        match self.accept_any_kw(kws) {
            Some(kw) => Ok(kw),
            None => Err(self.unexpected(kws)),
        }
    }

    fn expect_end(&mut self) -> PResult<()> {
        if self.at_end() { Ok(()) } else { Err(self.unexpected(&["<EOF>", "';'"])) }
    }

    /// `IF NOT EXISTS`.
    fn accept_if_not_exists(&mut self) -> bool {
        self.accept_kws(&["IF", "NOT", "EXISTS"])
    }

    /// `IF EXISTS`.
    fn accept_if_exists(&mut self) -> bool {
        self.accept_kws(&["IF", "EXISTS"])
    }

    // --- errors ------------------------------------------------------------------------------------------------------

    fn token_text(&self) -> &'a str {
        self.tok().map_or("<EOF>", |t| &self.text[t.start..t.end])
    }

    /// The next token is not one of those that may come here.
    fn unexpected(&self, wanted: &[&str]) -> Box<SyntaxError> {
        if wanted.is_empty() {
            return self.error(format!("No viable statement for input '{}'.", self.token_text()));
        }
        let quoted = |w: &&str| {
            if w.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') { format!("'{w}'") } else { (*w).to_string() }
        };
        let similar = wanted.iter().map(quoted).collect::<Vec<_>>().join(", ");
        self.error(format!("Unexpected input '{}', the most similar input is {{{similar}}}.", self.token_text()))
    }

    /// An error about the tokens from `start` to the last consumed one.
    fn error_since(&self, start: usize, message: impl Into<String>) -> Box<SyntaxError> {
        let at = |i: usize| self.lexed.tokens.get(i).map(|t| t.span.start);
        SyntaxError::between(at(start), at(self.pos.saturating_sub(1).max(start)), message)
    }

    fn error(&self, message: impl Into<String>) -> Box<SyntaxError> {
        SyntaxError::new(self.location(), message)
    }

    /// Runs a production one level deeper; too deep is an error instead of a stack overflow.
    #[inline(never)]
    fn nested<T>(&mut self, f: impl FnOnce(&mut Self) -> PResult<T>) -> PResult<T> {
        self.nested_by(1, f)
    }

    fn nested_by<T>(&mut self, levels: usize, f: impl FnOnce(&mut Self) -> PResult<T>) -> PResult<T> {
        if self.depth + levels > self.options.max_depth {
            let limit = self.options.max_depth;
            return Err(self.error(format!("Expression or query nesting exceeds the limit of {limit} levels")));
        }
        self.depth += levels;
        let result = f(self);
        self.depth -= levels;
        result
    }

    // --- common productions ------------------------------------------------------------------------------------------

    fn comma_list<T>(&mut self, mut item: impl FnMut(&mut Self) -> PResult<T>) -> PResult<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.accept(&Token::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `( item, .. )`, at least one.
    fn paren_list<T>(&mut self, item: impl FnMut(&mut Self) -> PResult<T>) -> PResult<Vec<T>> {
        self.expect(&Token::LParen)?;
        let items = self.comma_list(item)?;
        self.expect(&Token::RParen)?;
        Ok(items)
    }

    /// Whether an identifier comes next.
    fn is_ident(&self) -> bool {
        matches!(self.peek(), Token::Word(w) if w.quote_style.is_some() || !is_reserved(&w.value))
    }

    fn ident(&mut self) -> PResult<Ident> {
        if self.is_ident() { Ok(self.any_word()) } else { Err(self.unexpected(&["a legal identifier"])) }
    }

    /// An identifier after a dot: reserved words are fine there.
    fn ident_after_dot(&mut self) -> PResult<Ident> {
        match self.peek() {
            Token::Word(_) => Ok(self.any_word()),
            _ => Err(self.unexpected(&["a legal identifier"])),
        }
    }

    /// The next token, known to be a word, as an identifier.
    fn any_word(&mut self) -> Ident {
        let span = self.span();
        let ident = match self.peek() {
            Token::Word(w) => Ident { value: w.value.clone(), quote_style: w.quote_style, span },
            other => Ident::with_span(span, other.to_string()),
        };
        self.pos += 1;
        ident
    }

    /// `[a.][b.]c`
    fn name(&mut self) -> PResult<ObjectName> {
        let mut parts = vec![self.ident()?];
        while self.is(&Token::Period) {
            self.pos += 1;
            parts.push(self.ident_after_dot()?);
        }
        Ok(ObjectName::from(parts))
    }

    fn ident_list(&mut self) -> PResult<Vec<Ident>> {
        self.paren_list(Self::ident)
    }

    fn is_string(&self) -> bool {
        matches!(self.peek(), Token::SingleQuotedString(_) | Token::DoubleQuotedString(_))
    }

    fn string(&mut self) -> PResult<String> {
        match self.peek() {
            Token::SingleQuotedString(s) | Token::DoubleQuotedString(s) => {
                self.pos += 1;
                Ok(s.clone())
            }
            _ => Err(self.unexpected(&["a string"])),
        }
    }

    fn string_list(&mut self) -> PResult<Vec<String>> {
        self.comma_list(Self::string)
    }

    /// A name written as an identifier or as a string.
    fn ident_or_string(&mut self) -> PResult<String> {
        if self.is_string() { self.string() } else { Ok(self.ident()?.value) }
    }

    fn ident_or_string_ident(&mut self) -> PResult<Ident> {
        let span = self.span();
        if self.is_string() { Ok(Ident { value: self.string()?, quote_style: None, span }) } else { self.ident() }
    }

    fn integer(&mut self) -> PResult<i64> {
        let negative = self.accept(&Token::Minus);
        match self.peek() {
            Token::Number(n, _) => match n.parse::<i64>() {
                Ok(v) => {
                    self.pos += 1;
                    Ok(if negative { -v } else { v })
                }
                Err(_) => Err(self.error(format!("Numeric overflow {n}"))),
            },
            _ => Err(self.unexpected(&["an integer"])),
        }
    }

    fn integer_list(&mut self) -> PResult<Vec<i64>> {
        self.comma_list(Self::integer)
    }

    /// `"k" = "v"`; keys and values may be bare words or numbers where the reference allows them.
    fn property(&mut self) -> PResult<Property> {
        let key = self.property_word(true)?;
        self.expect(&Token::Eq)?;
        let value = self.property_word(false)?;
        Ok(Property { key, value })
    }

    fn property_word(&mut self, dotted: bool) -> PResult<String> {
        match self.peek() {
            Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) => self.string(),
            Token::Word(_) => {
                let mut word = self.any_word().value;
                while dotted && self.accept(&Token::Period) {
                    word.push('.');
                    word.push_str(&self.ident_after_dot()?.value);
                }
                Ok(word)
            }
            Token::Number(n, _) if !dotted => {
                self.pos += 1;
                Ok(n.clone())
            }
            Token::Minus if !dotted && matches!(self.peek_at(1), Token::Number(..)) => Ok(self.integer()?.to_string()),
            _ => Err(self.unexpected(&["a string"])),
        }
    }

    /// `( "k"="v", .. )`
    fn property_list(&mut self) -> PResult<Vec<Property>> {
        self.expect(&Token::LParen)?;
        let mut items = Vec::new();
        if !self.accept(&Token::RParen) {
            items = self.comma_list(Self::property)?;
            self.expect(&Token::RParen)?;
        }
        Ok(items)
    }

    /// `[PROPERTIES (..)]`
    fn properties(&mut self) -> PResult<Vec<Property>> {
        if self.accept_kw("PROPERTIES") { self.property_list() } else { Ok(vec![]) }
    }

    /// `[COMMENT [=] 's']`
    fn comment(&mut self) -> PResult<Option<String>> {
        if !self.accept_kw("COMMENT") {
            return Ok(None);
        }
        self.accept(&Token::Eq);
        self.string().map(Some)
    }

    /// `[WITH {SYNC|ASYNC} MODE]`
    fn sync_mode(&mut self) -> PResult<Option<bool>> {
        if !(self.is_kw("WITH") && (self.is_kw_at(1, "SYNC") || self.is_kw_at(1, "ASYNC"))) {
            return Ok(None);
        }
        self.pos += 1;
        let sync = self.expect_any_kw(&["SYNC", "ASYNC"])? == "SYNC";
        self.expect_kw("MODE")?;
        Ok(Some(sync))
    }

    /// `[{FROM|IN} db]`
    fn in_db(&mut self) -> PResult<Option<ObjectName>> {
        if self.accept_any_kw(&["FROM", "IN"]).is_some() { self.name().map(Some) } else { Ok(None) }
    }

    fn attached(&self) -> sql::AttachedToken {
        let t =
            self.tok().map_or_else(TokenWithSpan::new_eof, |t| TokenWithSpan { token: t.token.clone(), span: t.span });
        sql::AttachedToken(t)
    }
}
