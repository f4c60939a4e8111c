//! Repositories, BACKUP, RESTORE.

use sqlparser::ast::Ident;
use sqlparser::tokenizer::Token;

use super::Parser;
use crate::ast::{Backup, BackupObject, BackupObjectKind as Kind, CreateRepository, Restore, Statement};
use crate::error::PResult;

impl Parser<'_> {
    /// After `CREATE [READ ONLY] REPOSITORY`.
    pub(super) fn create_repository(&mut self, read_only: bool) -> PResult<Statement> {
        let name = self.ident()?;
        self.expect_kws(&["WITH", "BROKER"])?;
        let broker = if self.is_kws(&["ON", "LOCATION"]) { None } else { Some(self.ident_or_string()?) };
        self.expect_kws(&["ON", "LOCATION"])?;
        let location = self.string()?;
        Ok(Statement::CreateRepository(CreateRepository {
            name,
            read_only,
            broker,
            location,
            properties: self.properties()?,
        }))
    }

    /// After BACKUP.
    pub(super) fn backup(&mut self) -> PResult<Statement> {
        let external_catalogs = if self.accept_kws(&["ALL", "EXTERNAL", "CATALOGS"]) {
            Some(vec![])
        } else if self.is_kw("EXTERNAL") {
            self.pos += 1;
            self.expect_any_kw(&["CATALOG", "CATALOGS"])?;
            Some(self.ident_list()?)
        } else {
            None
        };
        let db = if self.accept_kw("DATABASE") { Some(self.ident()?) } else { None };
        self.expect_kw("SNAPSHOT")?;
        let snapshot = self.name()?;
        self.expect_kw("TO")?;
        let repository = self.ident()?;
        let (objects, all_kinds) = self.backup_objects()?;
        let properties = self.properties()?;
        Ok(Statement::Backup(Backup { db, snapshot, repository, objects, all_kinds, external_catalogs, properties }))
    }

    /// `[ON ( object | ALL kinds, .. )]`
    fn backup_objects(&mut self) -> PResult<(Vec<BackupObject>, Vec<Kind>)> {
        let (mut objects, mut all) = (vec![], vec![]);
        if !self.accept_kw("ON") {
            return Ok((objects, all));
        }
        self.expect(&Token::LParen)?;
        loop {
            let every = self.accept_kw("ALL");
            let kind = self.backup_kind();
            if every {
                all.push(kind.ok_or_else(|| self.unexpected(&["TABLES", "VIEWS", "FUNCTIONS", "MATERIALIZED"]))?);
            } else {
                let name = self.name()?;
                let partitions = self.partition_names()?;
                let alias = if self.accept_kw("AS") { Some(self.ident()?) } else { None };
                objects.push(BackupObject { kind: kind.unwrap_or(Kind::Table), name, partitions, alias });
            }
            if !self.accept(&Token::Comma) {
                break;
            }
        }
        self.expect(&Token::RParen)?;
        Ok((objects, all))
    }

    fn backup_kind(&mut self) -> Option<Kind> {
        if self.accept_kws(&["MATERIALIZED", "VIEW"]) || self.accept_kws(&["MATERIALIZED", "VIEWS"]) {
            return Some(Kind::MaterializedView);
        }
        let kinds = [
            ("TABLE", Kind::Table),
            ("TABLES", Kind::Table),
            ("VIEW", Kind::View),
            ("VIEWS", Kind::View),
            ("FUNCTION", Kind::Function),
            ("FUNCTIONS", Kind::Function),
        ];
        kinds.into_iter().find(|(word, _)| self.accept_kw(word)).map(|(_, kind)| kind)
    }

    /// After RESTORE.
    pub(super) fn restore(&mut self) -> PResult<Statement> {
        self.expect_kw("SNAPSHOT")?;
        let snapshot = self.name()?;
        self.expect_kw("FROM")?;
        let repository = self.ident()?;
        let with_alias = |p: &mut Self| -> PResult<(Ident, Option<Ident>)> {
            let name = p.ident()?;
            Ok((name, if p.accept_kw("AS") { Some(p.ident()?) } else { None }))
        };
        let external_catalogs = if self.accept_kws(&["ALL", "EXTERNAL", "CATALOGS"]) {
            Some(vec![])
        } else if self.is_kw("EXTERNAL") {
            self.pos += 1;
            self.expect_any_kw(&["CATALOG", "CATALOGS"])?;
            Some(self.paren_list(with_alias)?)
        } else {
            None
        };
        let (db, db_alias) = if self.accept_kw("DATABASE") {
            let (db, alias) = with_alias(self)?;
            (Some(db), alias)
        } else {
            (None, None)
        };
        let (objects, all_kinds) = self.backup_objects()?;
        let properties = self.properties()?;
        Ok(Statement::Restore(Restore {
            snapshot,
            repository,
            db,
            db_alias,
            objects,
            all_kinds,
            external_catalogs,
            properties,
        }))
    }
}
