//! The texts of `/*+ … */`: SET_VAR and SET_USER_VARIABLE of a statement.

use sqlparser::tokenizer::{Location, Token};

use super::Parser;
use crate::Hint;
use crate::ast::sql;
use crate::error::{PResult, SyntaxError};
use crate::lexer::lex;
use crate::options::ParseOptions;

/// The assignments of one hint text. Unknown hints are ignored as comments.
pub(crate) fn parse_hints(text: &str, options: &ParseOptions) -> PResult<Vec<Hint>> {
    let lexed = lex(text, options.max_tokens);
    let mut parser = Parser::new(text, &lexed, 0, lexed.tokens.len(), options);
    let mut hints = Vec::new();
    // The reference reports a fixed place for hints.
    let at = Location { line: 1, column: 2 };
    let invalid = || SyntaxError::new(Some(at), format!("Invalid hint value '/*+{text}*/'."));
    while !parser.at_end() {
        if parser.is_kw("SET_VAR") && *parser.peek_at(1) == Token::LParen {
            parser.pos += 1;
            let list = parser.paren_list(|p| {
                let name = p.ident_after_dot()?.value;
                p.expect(&Token::Eq)?;
                let value = p.hint_value()?;
                Ok(Hint::SetVar { name, value })
            });
            hints.extend(list.map_err(|_| invalid())?);
        } else if parser.is_kw("SET_USER_VARIABLE") && *parser.peek_at(1) == Token::LParen {
            parser.pos += 1;
            let list = parser.paren_list(|p| {
                p.expect(&Token::AtSign)?;
                let name = p.ident_or_string()?;
                p.expect(&Token::Eq)?;
                Ok(Hint::SetUserVariable { name, value: p.expr()? })
            });
            hints.extend(list.map_err(|_| invalid())?);
        } else {
            parser.pos += 1;
        }
    }
    Ok(hints)
}

impl Parser<'_> {
    /// A literal, or a bare word such as `on`.
    fn hint_value(&mut self) -> PResult<sql::Expr> {
        match self.peek() {
            Token::Word(w) if matches!(self.peek_at(1), Token::Comma | Token::RParen) => {
                let word = w.value.clone();
                let span = self.span();
                if matches!(word.to_ascii_uppercase().as_str(), "TRUE" | "FALSE") {
                    return self.expr();
                }
                self.pos += 1;
                Ok(sql::Expr::Identifier(sql::Ident { value: word, quote_style: None, span }))
            }
            _ => self.expr(),
        }
    }
}
