//! INSERT, UPDATE, DELETE, TRUNCATE.

use sqlparser::ast::With;
use sqlparser::tokenizer::Token;

use super::Parser;
use crate::ast::{
    Assignment, Delete, Insert, InsertPartitions, InsertSource, InsertTarget, Statement, TruncateTable, Update,
};
use crate::error::PResult;

impl Parser<'_> {
    /// At INSERT.
    pub(super) fn insert(&mut self, with: Option<With>) -> PResult<Statement> {
        self.expect_kw("INSERT")?;
        let overwrite = self.expect_any_kw(&["INTO", "OVERWRITE"])? == "OVERWRITE";
        let (target, partitions) = self.insert_target()?;
        let mut insert = Insert {
            with,
            overwrite,
            target,
            partitions,
            label: None,
            columns: None,
            by_name: false,
            properties: vec![],
            source: InsertSource::Values(vec![]),
        };
        loop {
            if self.is_kws(&["WITH", "LABEL"]) {
                self.pos += 2;
                insert.label = Some(self.ident_or_string_ident()?);
            } else if self.is_kws(&["BY", "NAME"]) {
                self.pos += 2;
                insert.by_name = true;
            } else if self.is_kw("PROPERTIES") {
                insert.properties = self.properties()?;
            } else if self.is(&Token::LParen) && insert.columns.is_none() && !self.paren_is_query(self.pos) {
                insert.columns = Some(self.paren_list(Self::ident_or_string_ident)?);
            } else {
                break;
            }
        }
        insert.source = self.insert_source()?;
        Ok(Statement::Insert(insert))
    }

    fn insert_target(&mut self) -> PResult<(InsertTarget, Option<InsertPartitions>)> {
        if self.is_kw("FILES") && *self.peek_at(1) == Token::LParen {
            self.pos += 1;
            return Ok((InsertTarget::Files(self.property_list()?), None));
        }
        if self.is_kw("BLACKHOLE") && *self.peek_at(1) == Token::LParen && *self.peek_at(2) == Token::RParen {
            self.pos += 3;
            return Ok((InsertTarget::Blackhole, None));
        }
        self.accept_kw("TABLE");
        let table = InsertTarget::Table(self.name()?);
        let key_values = self.is_kw("PARTITION") && *self.peek_at(1) == Token::LParen && *self.peek_at(3) == Token::Eq;
        let partitions = if key_values {
            self.pos += 1;
            Some(InsertPartitions::Values(self.paren_list(|p| {
                let name = p.ident()?;
                p.expect(&Token::Eq)?;
                Ok((name, p.expr()?))
            })?))
        } else {
            self.partition_names()?.map(InsertPartitions::Names)
        };
        Ok((table, partitions))
    }

    fn insert_source(&mut self) -> PResult<InsertSource> {
        if self.is_kw("VALUES") {
            self.pos += 1;
            let rows = self.comma_list(|p| {
                if p.is(&Token::LParen) && *p.peek_at(1) == Token::RParen {
                    p.pos += 2;
                    return Ok(vec![]);
                }
                p.paren_list(Self::expr_or_default)
            })?;
            return Ok(InsertSource::Values(rows));
        }
        if !self.is_query_start() {
            return Err(self.unexpected(&["SELECT", "VALUES", "'('", "WITH"]));
        }
        Ok(InsertSource::Query(self.query()?))
    }

    /// At UPDATE.
    pub(super) fn update(&mut self, with: Option<With>) -> PResult<Statement> {
        self.expect_kw("UPDATE")?;
        let table = self.name()?;
        self.expect_kw("SET")?;
        let assignments = self.comma_list(|p| {
            let column = p.ident_or_string_ident()?;
            p.expect(&Token::Eq)?;
            Ok(Assignment { column, value: p.expr_or_default()? })
        })?;
        let from = if self.accept_kw("FROM") { self.relation_list()? } else { vec![] };
        let selection = if self.accept_kw("WHERE") { Some(self.expr()?) } else { None };
        Ok(Statement::Update(Update { with, table, assignments, from, selection }))
    }

    /// At DELETE.
    pub(super) fn delete(&mut self, with: Option<With>) -> PResult<Statement> {
        self.expect_kws(&["DELETE", "FROM"])?;
        let table = self.name()?;
        let partitions = self.partition_names()?;
        let alias = if self.accept_kw("AS") || self.is_implicit_alias() { Some(self.ident()?) } else { None };
        let using = if self.accept_kw("USING") { self.relation_list()? } else { vec![] };
        let selection = if self.accept_kw("WHERE") { Some(self.expr()?) } else { None };
        Ok(Statement::Delete(Delete { with, table, alias, partitions, using, selection }))
    }

    /// After `TRUNCATE TABLE`.
    pub(super) fn truncate_table(&mut self) -> PResult<Statement> {
        let table = self.name()?;
        Ok(Statement::TruncateTable(TruncateTable { table, partitions: self.partition_names()? }))
    }
}
