//! Materialized views.

use sqlparser::tokenizer::Token;

use super::Parser;
use crate::ast::{
    AlterMaterializedView, AlterMaterializedViewAction as Action, CancelRefreshMaterializedView,
    CreateMaterializedView, DropMaterializedView, PartitionValue, RefreshKind, RefreshMaterializedView,
    RefreshPartitions, RefreshSchedule, RefreshScheme, Statement, ViewColumn,
};
use crate::error::PResult;

impl Parser<'_> {
    /// After `CREATE MATERIALIZED VIEW`.
    pub(super) fn create_materialized_view(&mut self) -> PResult<Statement> {
        let if_not_exists = self.accept_if_not_exists();
        let name = self.name()?;
        let mut columns = Vec::new();
        let mut indexes = Vec::new();
        if self.accept(&Token::LParen) {
            loop {
                if self.accept_kw("INDEX") {
                    indexes.push(self.index_def()?);
                } else {
                    let name = self.ident()?;
                    columns.push(ViewColumn { name, comment: self.comment()? });
                }
                if !self.accept(&Token::Comma) {
                    break;
                }
            }
            self.expect(&Token::RParen)?;
        }
        let mut comment = self.comment()?;
        let (mut partition_by, mut distribution, mut order_by, mut refresh) = (vec![], None, None, None);
        let mut properties = vec![];
        // The reference lets these clauses come in any order.
        loop {
            if self.is_kws(&["PARTITION", "BY"]) {
                self.pos += 2;
                partition_by = self.partition_exprs()?;
            } else if self.is_kws(&["DISTRIBUTED", "BY"]) {
                distribution = self.distribution()?;
            } else if self.is_kws(&["ORDER", "BY"]) {
                order_by = self.sort_keys()?;
            } else if self.is_kw("REFRESH") {
                refresh = Some(self.refresh_scheme()?);
            } else if self.is_kw("PROPERTIES") {
                properties = self.properties()?;
            } else if self.is_kw("COMMENT") {
                comment = self.comment()?;
            } else {
                break;
            }
        }
        self.expect_kw("AS")?;
        let (query, query_text) = self.query_with_text()?;
        Ok(Statement::CreateMaterializedView(Box::new(CreateMaterializedView {
            name,
            if_not_exists,
            columns,
            indexes,
            comment,
            partition_by,
            distribution,
            order_by,
            refresh,
            properties,
            query,
            query_text,
        })))
    }

    /// `REFRESH [IMMEDIATE|DEFERRED] [ASYNC [START(..)] [EVERY(..)] | MANUAL | INCREMENTAL]`
    fn refresh_scheme(&mut self) -> PResult<RefreshScheme> {
        self.expect_kw("REFRESH")?;
        let immediate = self.accept_any_kw(&["IMMEDIATE", "DEFERRED"]).map(|kw| kw == "IMMEDIATE");
        let kind = match self.accept_any_kw(&["ASYNC", "MANUAL", "INCREMENTAL"]) {
            Some("ASYNC") => RefreshKind::Async(self.refresh_schedule()?),
            Some("MANUAL") => RefreshKind::Manual,
            Some(_) => RefreshKind::Incremental,
            None if immediate.is_some() => RefreshKind::Unspecified,
            None => return Err(self.unexpected(&["ASYNC", "MANUAL", "INCREMENTAL", "IMMEDIATE", "DEFERRED"])),
        };
        Ok(RefreshScheme { immediate, kind })
    }

    fn refresh_schedule(&mut self) -> PResult<Option<RefreshSchedule>> {
        let mut start = None;
        if self.is_kw("START") {
            self.pos += 1;
            self.expect(&Token::LParen)?;
            start = Some(self.string()?);
            self.expect(&Token::RParen)?;
        }
        if start.is_some() || self.is_kw("EVERY") {
            self.expect_kw("EVERY")?;
            let (every, unit) = self.every_interval()?;
            return Ok(Some(RefreshSchedule { start, every, unit }));
        }
        Ok(None)
    }

    /// After `ALTER MATERIALIZED VIEW`.
    pub(super) fn alter_materialized_view(&mut self) -> PResult<Statement> {
        let name = self.name()?;
        let action = if self.accept_kw("RENAME") {
            Action::Rename(self.ident()?)
        } else if self.is_kw("REFRESH") {
            Action::Refresh(self.refresh_scheme()?)
        } else if self.accept_kw("ACTIVE") {
            Action::Active
        } else if self.accept_kw("INACTIVE") {
            Action::Inactive
        } else if self.accept_kws(&["SWAP", "WITH"]) {
            Action::SwapWith(self.ident()?)
        } else if self.accept_kw("SET") {
            Action::SetProperties(self.property_list()?)
        } else if self.accept_kws(&["ADD", "INDEX"]) {
            Action::AddIndex(self.index_def()?)
        } else if self.accept_kws(&["DROP", "INDEX"]) {
            Action::DropIndex(self.ident()?)
        } else {
            return Err(self.unexpected(&["RENAME", "REFRESH", "ACTIVE", "INACTIVE", "SWAP", "SET"]));
        };
        Ok(Statement::AlterMaterializedView(AlterMaterializedView { name, action }))
    }

    /// After `DROP MATERIALIZED VIEW`.
    pub(super) fn drop_materialized_view(&mut self) -> PResult<Statement> {
        let if_exists = self.accept_if_exists();
        Ok(Statement::DropMaterializedView(DropMaterializedView { name: self.name()?, if_exists }))
    }

    /// After `REFRESH MATERIALIZED VIEW`.
    pub(super) fn refresh_materialized_view(&mut self) -> PResult<Statement> {
        let name = self.name()?;
        let mut partitions = None;
        if self.accept_any_kw(&["PARTITION", "PARTITIONS"]).is_some() {
            partitions = Some(if self.is_kw("START") {
                let batch = self.batch_partitions()?;
                RefreshPartitions::Range { start: batch.start, end: batch.end }
            } else {
                let tuples: Vec<Vec<PartitionValue>> = self.list_tuples()?;
                RefreshPartitions::List(tuples)
            });
        }
        let force = self.accept_kw("FORCE");
        let sync = self.sync_mode()?;
        let priority = if self.accept_kws(&["WITH", "PRIORITY"]) { Some(self.integer()?) } else { None };
        Ok(Statement::RefreshMaterializedView(RefreshMaterializedView { name, partitions, force, sync, priority }))
    }

    /// After `CANCEL REFRESH MATERIALIZED VIEW`.
    pub(super) fn cancel_refresh(&mut self) -> PResult<Statement> {
        let name = self.name()?;
        Ok(Statement::CancelRefreshMaterializedView(CancelRefreshMaterializedView {
            name,
            force: self.accept_kw("FORCE"),
        }))
    }
}
