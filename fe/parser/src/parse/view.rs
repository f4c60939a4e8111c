//! Views.

use sqlparser::tokenizer::Token;

use super::Parser;
use crate::ast::{AlterView, AlterViewAction, CreateView, DropView, Statement, ViewColumn, ViewSecurity, sql};
use crate::error::PResult;

impl Parser<'_> {
    /// After `CREATE [OR REPLACE] VIEW`.
    pub(super) fn create_view(&mut self, or_replace: bool) -> PResult<Statement> {
        let if_not_exists = self.accept_if_not_exists();
        let name = self.name()?;
        let columns = self.view_columns()?;
        let mut comment = self.comment()?;
        let security = if self.accept_kw("SECURITY") { Some(self.view_security()?) } else { None };
        if comment.is_none() {
            comment = self.comment()?;
        }
        let properties = self.properties()?;
        self.expect_kw("AS")?;
        let (query, query_text) = self.query_with_text()?;
        Ok(Statement::CreateView(CreateView {
            name,
            or_replace,
            if_not_exists,
            columns,
            comment,
            security,
            properties,
            query,
            query_text,
        }))
    }

    /// A query and its source text.
    pub(super) fn query_with_text(&mut self) -> PResult<(Box<sql::Query>, String)> {
        let start = self.offset();
        let query = self.query()?;
        let text = self.text_from(start).to_string();
        Ok((query, text))
    }

    /// `[(c [COMMENT 's'], ..)]`; a list that is a query is left alone.
    pub(super) fn view_columns(&mut self) -> PResult<Vec<ViewColumn>> {
        if !self.is(&Token::LParen) {
            return Ok(vec![]);
        }
        self.paren_list(|p| {
            let name = p.ident()?;
            Ok(ViewColumn { name, comment: p.comment()? })
        })
    }

    fn view_security(&mut self) -> PResult<ViewSecurity> {
        Ok(match self.expect_any_kw(&["NONE", "INVOKER"])? {
            "NONE" => ViewSecurity::None,
            _ => ViewSecurity::Invoker,
        })
    }

    /// After `ALTER VIEW`.
    pub(super) fn alter_view(&mut self) -> PResult<Statement> {
        let name = self.name()?;
        let action = if self.accept_kws(&["SET", "SECURITY"]) {
            AlterViewAction::Security(self.view_security()?)
        } else if self.accept_kw("SET") {
            self.accept_kw("PROPERTIES");
            AlterViewAction::SetProperties(self.property_list()?)
        } else if self.is_any_kw(&["ADD", "MODIFY"]) && self.is_kw_at(1, "DIALECT") {
            self.pos += 2;
            let start = self.offset();
            self.query()?;
            AlterViewAction::Dialect(self.text_from(start).to_string())
        } else {
            let columns = self.view_columns()?;
            self.expect_kw("AS")?;
            let (query, query_text) = self.query_with_text()?;
            AlterViewAction::Query { columns, query, query_text }
        };
        Ok(Statement::AlterView(AlterView { name, action }))
    }

    /// After `DROP VIEW`.
    pub(super) fn drop_view(&mut self) -> PResult<Statement> {
        let if_exists = self.accept_if_exists();
        Ok(Statement::DropView(DropView { name: self.name()?, if_exists }))
    }
}
