//! SET in all forms, prepared statements.

use sqlparser::ast::{Expr, Ident};
use sqlparser::tokenizer::Token;

use super::Parser;
use super::expr::placeholder;
use crate::ast::{
    Execute, PasswordValue, Prepare, RoleChoice, Set, SetDefaultRole, SetItem, SetRole, SetUserProperty, Statement,
    VariableScope, encoding,
};
use crate::error::PResult;
use crate::options::ParseOptions;

impl Parser<'_> {
    /// After SET.
    pub(super) fn set(&mut self) -> PResult<Statement> {
        if self.accept_kw("CATALOG") {
            return self.ident_or_string_ident().map(Statement::SetCatalog);
        }
        if self.is_kw("ROLE") && !matches!(self.peek_at(1), Token::Eq) {
            self.pos += 1;
            return Ok(Statement::SetRole(SetRole { roles: self.role_choice()? }));
        }
        if self.accept_kws(&["DEFAULT", "ROLE"]) {
            let roles = self.role_choice()?;
            self.expect_kw("TO")?;
            return Ok(Statement::SetDefaultRole(SetDefaultRole { roles, user: self.user_identity()? }));
        }
        if self.is_kw("PROPERTY") && !matches!(self.peek_at(1), Token::Eq) {
            self.pos += 1;
            let user = if self.accept_kw("FOR") { Some(self.ident_or_string()?) } else { None };
            let properties = self.comma_list(Self::property)?;
            return Ok(Statement::SetUserProperty(SetUserProperty { user, properties }));
        }
        if self.is_kws(&["LOAD", "ERRORS", "HUB"])
            || (self.is_ident() && self.is_kws_at(1, &["AS", "DEFAULT", "STORAGE", "VOLUME"]))
        {
            return Ok(self.unsupported("SET"));
        }
        let items = self.comma_list(Self::set_item)?;
        Ok(Statement::Set(Set { items }))
    }

    fn is_kws_at(&self, n: usize, kws: &[&str]) -> bool {
        kws.iter().enumerate().all(|(i, kw)| self.is_kw_at(n + i, kw))
    }

    pub(super) fn role_choice(&mut self) -> PResult<RoleChoice> {
        if self.accept_kw("DEFAULT") {
            return Ok(RoleChoice::Default);
        }
        if self.accept_kw("NONE") {
            return Ok(RoleChoice::None);
        }
        if self.accept_kw("ALL") {
            let except = if self.accept_kw("EXCEPT") { self.comma_list(Self::ident_or_string)? } else { vec![] };
            return Ok(RoleChoice::All { except });
        }
        self.comma_list(Self::ident_or_string).map(RoleChoice::List)
    }

    pub(super) fn variable_scope(&mut self) -> Option<VariableScope> {
        match self.accept_any_kw(&["GLOBAL", "SESSION", "LOCAL"])? {
            "GLOBAL" => Some(VariableScope::Global),
            "SESSION" => Some(VariableScope::Session),
            _ => Some(VariableScope::Local),
        }
    }

    fn set_item(&mut self) -> PResult<SetItem> {
        if self.accept(&Token::AtAt) {
            let mut name = self.ident_after_dot()?.value;
            let mut scope = None;
            if self.accept(&Token::Period) {
                scope = match name.to_ascii_lowercase().as_str() {
                    "global" => Some(VariableScope::Global),
                    "session" => Some(VariableScope::Session),
                    "local" => Some(VariableScope::Local),
                    _ => return Err(self.unexpected(&["'='"])),
                };
                name = self.ident_after_dot()?.value;
            }
            return self.set_variable(scope, name);
        }
        if self.accept(&Token::AtSign) {
            let name = if self.is_string() { self.string()? } else { self.ident_after_dot()?.value };
            self.set_equals()?;
            return Ok(SetItem::UserVariable { name, value: self.expr()? });
        }
        let assigned = matches!(self.peek_at(1), Token::Eq | Token::Assignment);
        if !assigned && let Some(special) = self.set_special()? {
            return Ok(special);
        }
        let scope = if assigned { None } else { self.variable_scope() };
        if scope.is_some() && self.accept_kw("TRANSACTION") {
            return Ok(SetItem::Transaction { scope, text: self.rest_of_item() });
        }
        if scope == Some(VariableScope::Session) && self.accept_kw("WAREHOUSE") {
            self.accept(&Token::Eq);
            return Ok(SetItem::Warehouse(self.ident_or_string()?));
        }
        let mut name = self.ident_after_dot()?.value;
        while self.accept(&Token::Period) {
            name.push('.');
            name.push_str(&self.ident_after_dot()?.value);
        }
        self.set_variable(scope, name)
    }

    /// NAMES, CHARACTER SET, TRANSACTION, PASSWORD.
    fn set_special(&mut self) -> PResult<Option<SetItem>> {
        if self.accept_kw("NAMES") {
            if self.accept_kw("DEFAULT") {
                return Ok(Some(SetItem::Names { charset: None, collation: None }));
            }
            let charset = Some(self.ident_or_string()?);
            let collation = if self.accept_kw("COLLATE") {
                if self.accept_kw("DEFAULT") { None } else { Some(self.ident_or_string()?) }
            } else {
                None
            };
            return Ok(Some(SetItem::Names { charset, collation }));
        }
        if self.accept_kws(&["CHARACTER", "SET"]) || self.accept_kws(&["CHAR", "SET"]) || self.accept_kw("CHARSET") {
            if self.accept_kw("DEFAULT") {
                return Ok(Some(SetItem::Charset(None)));
            }
            return self.ident_or_string().map(|c| Some(SetItem::Charset(Some(c))));
        }
        if self.accept_kw("TRANSACTION") {
            return Ok(Some(SetItem::Transaction { scope: None, text: self.rest_of_item() }));
        }
        Ok(None)
    }

    fn set_equals(&mut self) -> PResult<()> {
        if self.accept(&Token::Assignment) { Ok(()) } else { self.expect(&Token::Eq) }
    }

    fn set_variable(&mut self, scope: Option<VariableScope>, name: String) -> PResult<SetItem> {
        if scope.is_none() && name.eq_ignore_ascii_case("password") && (self.is(&Token::Eq) || self.is_kw("FOR")) {
            return self.set_password();
        }
        self.set_equals()?;
        let value = self.set_value()?;
        Ok(SetItem::Variable { scope, name, value })
    }

    /// A variable's value: an expression, or a bare word such as ON, ALL, BINARY, utf8.
    fn set_value(&mut self) -> PResult<Expr> {
        let span = self.span();
        let alone = matches!(self.peek_at(1), Token::EOF | Token::Comma);
        match self.peek() {
            Token::Word(w) if alone && w.quote_style.is_none() => {
                let word = w.value.to_ascii_uppercase();
                if matches!(word.as_str(), "TRUE" | "FALSE" | "NULL") {
                    return self.expr();
                }
                self.pos += 1;
                if word == "DEFAULT" {
                    return Ok(placeholder(encoding::DEFAULT.to_string(), span));
                }
                Ok(Expr::Identifier(Ident { value: w.value.clone(), quote_style: None, span }))
            }
            _ => self.expr(),
        }
    }

    fn set_password(&mut self) -> PResult<SetItem> {
        let user = if self.accept_kw("FOR") { Some(self.user_identity()?) } else { None };
        self.expect(&Token::Eq)?;
        let password = if self.accept_kw("PASSWORD") {
            self.expect(&Token::LParen)?;
            let text = self.string()?;
            self.expect(&Token::RParen)?;
            PasswordValue::Plain(text)
        } else {
            PasswordValue::Hash(self.string()?)
        };
        Ok(SetItem::Password { user, password })
    }

    /// The text up to the end of the statement.
    fn rest_of_item(&mut self) -> String {
        let start = self.offset();
        self.pos = self.end;
        self.text_from(start).to_string()
    }

    /// After PREPARE.
    pub(super) fn prepare(&mut self, options: &ParseOptions) -> PResult<Statement> {
        let name = self.ident()?;
        self.expect_kw("FROM")?;
        if self.is_string() {
            let at = self.location();
            let text = self.string()?;
            let prepared = crate::parse_prepared(&text, options)
                .map_err(|e| crate::error::SyntaxError::new(at, e.message().to_string()))?;
            return Ok(Statement::Prepare(Prepare {
                name,
                statement: Box::new(prepared.stmt),
                text,
                parameters: prepared.parameters,
            }));
        }
        let start = self.offset();
        let statement = Box::new(self.nested(Self::statement)?);
        let text = self.text_from(start).to_string();
        // Its `?` get their values at EXECUTE: PREPARE itself has none.
        let parameters = std::mem::take(&mut self.parameters);
        Ok(Statement::Prepare(Prepare { name, statement, text, parameters }))
    }

    /// After EXECUTE.
    pub(super) fn execute(&mut self) -> PResult<Statement> {
        let name = self.ident()?;
        let mut using = Vec::new();
        if self.accept_kw("USING") {
            using = self.comma_list(|p| {
                p.expect(&Token::AtSign)?;
                if p.is_string() { p.string() } else { Ok(p.ident_after_dot()?.value) }
            })?;
        }
        Ok(Statement::Execute(Execute { name, using }))
    }

    /// A known statement whose details nobody needs: everything up to its end is skipped.
    pub(super) fn unsupported(&mut self, lead: &str) -> Statement {
        let mut what = lead.to_string();
        for _ in 0..2 {
            match self.word_at(0) {
                Some(w) => {
                    what.push(' ');
                    what.push_str(&w.to_ascii_uppercase());
                    self.pos += 1;
                }
                None => break,
            }
        }
        self.pos = self.end;
        Statement::Unsupported { what }
    }
}
