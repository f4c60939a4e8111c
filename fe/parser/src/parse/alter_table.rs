//! ALTER TABLE clauses, CANCEL ALTER TABLE, index statements.

use sqlparser::ast::Ident;
use sqlparser::tokenizer::Token;

use super::Parser;
use crate::ast::{
    AlterJobKind, AlterTable, AlterTableClause as Clause, CancelAlterTable, CompactionKind, CreateIndex, Distribution,
    DistributionKind, DropIndex, OptimizeClause, PartitionSelection, Statement,
};
use crate::error::PResult;

impl Parser<'_> {
    /// After `ALTER TABLE`.
    pub(super) fn alter_table(&mut self) -> PResult<Statement> {
        let table = self.name()?;
        let clauses = self.comma_list(Self::alter_clause)?;
        Ok(Statement::AlterTable(AlterTable { table, clauses }))
    }

    fn alter_clause(&mut self) -> PResult<Clause> {
        const STARTS: &[&str] = &[
            "ADD",
            "DROP",
            "MODIFY",
            "RENAME",
            "SWAP",
            "COMMENT",
            "SET",
            "ORDER",
            "TRUNCATE",
            "REPLACE",
            "DISTRIBUTED",
            "PARTITION",
            "PARTITIONS",
            "DUPLICATE",
            "AGGREGATE",
            "UNIQUE",
            "PRIMARY",
            "BASE",
            "CUMULATIVE",
            "COMPACT",
            "AUTO_INCREMENT",
            "TEMPORARY",
        ];
        let Some(kw) = self.word_at(0).and_then(|w| STARTS.iter().find(|s| w.eq_ignore_ascii_case(s))) else {
            return Err(self.unexpected(&[
                "ADD",
                "DROP",
                "MODIFY",
                "RENAME",
                "SET",
                "SWAP",
                "ORDER",
                "PARTITION",
                "TRUNCATE",
                "REPLACE",
                "COMMENT",
            ]));
        };
        match *kw {
            "ADD" => {
                self.pos += 1;
                self.alter_add()
            }
            "DROP" => {
                self.pos += 1;
                self.alter_drop()
            }
            "MODIFY" => {
                self.pos += 1;
                self.alter_modify()
            }
            "RENAME" => {
                self.pos += 1;
                self.alter_rename()
            }
            "SWAP" => {
                self.pos += 1;
                self.expect_kw("WITH")?;
                self.ident().map(Clause::SwapWith)
            }
            "COMMENT" => {
                self.pos += 1;
                self.accept(&Token::Eq);
                self.string().map(Clause::Comment)
            }
            "SET" => {
                self.pos += 1;
                self.accept_kw("PROPERTIES");
                self.property_list().map(Clause::SetProperties)
            }
            "TRUNCATE" => {
                self.pos += 1;
                let names = self.partition_names()?.ok_or_else(|| self.unexpected(&["PARTITION"]))?;
                Ok(Clause::TruncatePartition(names))
            }
            "REPLACE" => {
                self.pos += 1;
                let partitions = self.partition_names()?.ok_or_else(|| self.unexpected(&["PARTITION"]))?;
                self.expect_kw("WITH")?;
                let with = self.partition_names()?.ok_or_else(|| self.unexpected(&["TEMPORARY"]))?;
                Ok(Clause::ReplacePartition { partitions, with, properties: self.properties()? })
            }
            "BASE" | "CUMULATIVE" | "COMPACT" => self.alter_compact(),
            "AUTO_INCREMENT" => {
                self.pos += 1;
                self.accept(&Token::Eq);
                self.integer().map(Clause::AutoIncrement)
            }
            "ORDER" => {
                let columns = self.sort_keys()?.ok_or_else(|| self.unexpected(&["ORDER"]))?;
                let rollup = self.rollup_source()?;
                let properties = self.properties()?;
                if rollup.is_none() && properties.is_empty() && self.is_kws(&["DISTRIBUTED", "BY"]) {
                    let distribution = self.distribution()?;
                    return Ok(Clause::Optimize(OptimizeClause {
                        order_by: Some(columns),
                        distribution,
                        ..OptimizeClause::default()
                    }));
                }
                Ok(Clause::OrderBy { columns, rollup, properties })
            }
            _ => self.alter_optimize(),
        }
    }

    fn alter_add(&mut self) -> PResult<Clause> {
        if self.accept_kw("COLUMN") {
            if self.is(&Token::LParen) {
                let columns = self.paren_list(Self::column_def)?;
                let rollup = self.rollup_target()?;
                return Ok(Clause::AddColumns { columns, rollup, properties: self.properties()? });
            }
            let start = self.pos;
            let column = self.column_def()?;
            if column.auto_increment {
                return Err(self.error_since(
                    start,
                    format!("Column '{}' can not be AUTO_INCREMENT when ADD COLUMN.", column.name.value),
                ));
            }
            if column.generated.is_some() && self.is_any_kw(&["FIRST", "AFTER"]) {
                let word = self.token_text().to_ascii_uppercase();
                return Err(self.error_since(start, format!("{word} can not be set when ADD GENERATED COLUMN.")));
            }
            let position = self.column_position()?;
            let rollup = self.rollup_target()?;
            return Ok(Clause::AddColumn { column, position, rollup, properties: self.properties()? });
        }
        if self.accept_kw("INDEX") {
            return self.index_def().map(Clause::AddIndex);
        }
        if self.accept_kw("ROLLUP") {
            let mut rollups = vec![self.rollup_def()?];
            // The comma also separates clauses: a rollup goes on while a name with a list follows.
            while self.is(&Token::Comma)
                && matches!(self.peek_at(1), Token::Word(_))
                && *self.peek_at(2) == Token::LParen
            {
                self.pos += 1;
                rollups.push(self.rollup_def()?);
            }
            return Ok(Clause::AddRollup(rollups));
        }
        if self.accept_kws(&["PARTITION", "COLUMN"]) {
            return self.comma_list(Self::expr).map(Clause::AddPartitionColumn);
        }
        if self.is_any_kw(&["PARTITION", "PARTITIONS", "TEMPORARY"]) {
            return self.add_partition().map(Clause::AddPartition);
        }
        Err(self.unexpected(&["COLUMN", "INDEX", "PARTITION", "PARTITIONS", "ROLLUP", "TEMPORARY"]))
    }

    fn alter_drop(&mut self) -> PResult<Clause> {
        if self.accept_kw("COLUMN") {
            let name = self.ident()?;
            let rollup = self.rollup_source()?;
            return Ok(Clause::DropColumn { name, rollup, properties: self.properties()? });
        }
        if self.accept_kw("INDEX") {
            return self.ident().map(Clause::DropIndex);
        }
        if self.accept_kw("ROLLUP") {
            let mut names = vec![self.ident()?];
            while self.is(&Token::Comma)
                && matches!(self.peek_at(1), Token::Word(_))
                && matches!(self.peek_at(2), Token::Comma | Token::EOF)
            {
                self.pos += 1;
                names.push(self.ident()?);
            }
            self.properties()?;
            return Ok(Clause::DropRollup(names));
        }
        if self.accept_kws(&["PERSISTENT", "INDEX", "ON", "TABLETS"]) {
            return self.paren_list(Self::integer).map(Clause::DropPersistentIndex);
        }
        if self.accept_kws(&["ALL", "TEMPORARY", "PARTITIONS"]) {
            return Ok(Clause::DropPartition {
                temporary: true,
                if_exists: false,
                selection: PartitionSelection::All,
                force: false,
            });
        }
        if self.accept_kws(&["PARTITION", "COLUMN"]) {
            return self.comma_list(Self::expr).map(Clause::DropPartitionColumn);
        }
        let temporary = self.accept_kw("TEMPORARY");
        self.expect_any_kw(&["PARTITION", "PARTITIONS"])?;
        let if_exists = self.accept_if_exists();
        let selection = if self.is_kw("START") && *self.peek_at(1) == Token::LParen {
            PartitionSelection::Batch(self.batch_partitions()?)
        } else if self.accept_kw("WHERE") {
            PartitionSelection::Where(self.boxed_expr()?)
        } else {
            PartitionSelection::Names(self.partition_name_list(temporary)?.names)
        };
        Ok(Clause::DropPartition { temporary, if_exists, selection, force: self.accept_kw("FORCE") })
    }

    fn alter_modify(&mut self) -> PResult<Clause> {
        if self.accept_kw("PARTITION") {
            let selection = if self.is(&Token::LParen) && *self.peek_at(1) == Token::Mul {
                self.pos += 2;
                self.expect(&Token::RParen)?;
                PartitionSelection::All
            } else {
                PartitionSelection::Names(self.partition_name_list(false)?.names)
            };
            self.expect_kw("SET")?;
            return Ok(Clause::ModifyPartition { selection, properties: self.property_list()? });
        }
        self.expect_kw("COLUMN")?;
        if self.is_kw_at(1, "COMMENT") {
            let name = self.ident()?;
            let comment = self.comment()?.unwrap_or_default();
            return Ok(Clause::ModifyColumnComment { name, comment });
        }
        if self.is_kw_at(1, "ADD") && self.is_kw_at(2, "FIELD") {
            let column = self.ident()?;
            self.pos += 2;
            let path = self.field_path()?;
            let data_type = self.data_type()?;
            return Ok(Clause::AddField { column, path, data_type, position: self.column_position()? });
        }
        if self.is_kw_at(1, "DROP") && self.is_kw_at(2, "FIELD") {
            let column = self.ident()?;
            self.pos += 2;
            return Ok(Clause::DropField { column, path: self.field_path()? });
        }
        let start = self.pos;
        let column = self.column_def()?;
        if column.auto_increment {
            return Err(self.error_since(
                start,
                format!("Column '{}' can not be AUTO_INCREMENT when MODIFY COLUMN.", column.name.value),
            ));
        }
        let position = self.column_position()?;
        let rollup = self.rollup_source()?;
        Ok(Clause::ModifyColumn { column, position, rollup, properties: self.properties()? })
    }

    /// `a.b`, with `[*]` steps through arrays.
    fn field_path(&mut self) -> PResult<Vec<String>> {
        let mut path = Vec::new();
        loop {
            if self.accept(&Token::LBracket) {
                self.expect(&Token::Mul)?;
                self.expect(&Token::RBracket)?;
                path.push("[*]".to_string());
            } else {
                path.push(self.ident_after_dot()?.value);
            }
            if !self.accept(&Token::Period) {
                return Ok(path);
            }
        }
    }

    fn alter_rename(&mut self) -> PResult<Clause> {
        if self.accept_kw("COLUMN") {
            let from = self.ident()?;
            self.expect_kw("TO")?;
            return Ok(Clause::RenameColumn { from, to: self.ident()? });
        }
        if self.is_kw("ROLLUP") && !matches!(self.peek_at(1), Token::Comma | Token::EOF) {
            self.pos += 1;
            return Ok(Clause::RenameRollup { from: self.ident()?, to: self.ident()? });
        }
        if self.accept_kw("PARTITION") {
            return Ok(Clause::RenamePartition { from: self.ident()?, to: self.ident()? });
        }
        self.accept_kw("TO");
        self.ident().map(Clause::Rename)
    }

    fn alter_compact(&mut self) -> PResult<Clause> {
        let kind = match self.accept_any_kw(&["BASE", "CUMULATIVE"]) {
            Some("BASE") => CompactionKind::Base,
            Some(_) => CompactionKind::Cumulative,
            None => CompactionKind::Any,
        };
        self.expect_kw("COMPACT")?;
        let partitions = if self.is(&Token::LParen) {
            self.ident_list()?
        } else if self.is_ident() {
            vec![self.ident()?]
        } else {
            vec![]
        };
        Ok(Clause::Compact { kind, partitions })
    }

    fn alter_optimize(&mut self) -> PResult<Clause> {
        let mut clause = OptimizeClause::default();
        if !self.is_kws(&["PARTITION", "BY"]) {
            clause.partitions = self.partition_names()?;
        }
        clause.key = self.key_desc()?;
        clause.partition_by = self.partition_by()?;
        clause.order_by = self.sort_keys()?;
        if self.is_kws(&["DISTRIBUTED", "BY"]) {
            let start = self.pos;
            clause.distribution = self.distribution()?;
            if self.accept_kw("DEFAULT") {
                let buckets = self.buckets()?;
                let kind = clause.distribution.map_or(DistributionKind::Random, |d| d.kind);
                return Ok(Clause::DefaultBuckets(Distribution { kind, buckets }));
            }
            debug_assert!(self.pos > start);
        }
        if clause.order_by.is_none() {
            clause.order_by = self.sort_keys()?;
        }
        if self.accept_kw("BETWEEN") {
            let low = self.literal_text()?;
            self.expect_kw("AND")?;
            clause.between = Some((low, self.literal_text()?));
        }
        if clause == OptimizeClause::default() {
            return Err(self.unexpected(&[]));
        }
        Ok(Clause::Optimize(clause))
    }

    fn rollup_source(&mut self) -> PResult<Option<Ident>> {
        if self.accept_kw("FROM") { self.ident().map(Some) } else { Ok(None) }
    }

    fn rollup_target(&mut self) -> PResult<Option<Ident>> {
        if self.accept_any_kw(&["TO", "IN"]).is_some() { self.ident().map(Some) } else { Ok(None) }
    }

    /// After `CANCEL ALTER`.
    pub(super) fn cancel_alter(&mut self) -> PResult<Statement> {
        let kind = if self.accept_kws(&["MATERIALIZED", "VIEW"]) {
            AlterJobKind::MaterializedView
        } else {
            self.expect_kw("TABLE")?;
            self.alter_job_kind()?
        };
        self.expect_kw("FROM")?;
        let table = self.name()?;
        let job_ids = if self.is(&Token::LParen) { self.paren_list(Self::integer)? } else { vec![] };
        Ok(Statement::CancelAlterTable(CancelAlterTable { kind, table, job_ids }))
    }

    /// `[COLUMN|ROLLUP|OPTIMIZE]`
    pub(super) fn alter_job_kind(&mut self) -> PResult<AlterJobKind> {
        Ok(match self.accept_any_kw(&["COLUMN", "ROLLUP", "OPTIMIZE"]) {
            Some("ROLLUP") => AlterJobKind::Rollup,
            Some("OPTIMIZE") => AlterJobKind::Optimize,
            _ => AlterJobKind::Column,
        })
    }

    /// After `CREATE INDEX`.
    pub(super) fn create_index(&mut self) -> PResult<Statement> {
        let name = self.ident()?;
        self.expect_kw("ON")?;
        let table = self.name()?;
        let columns = self.ident_list()?;
        let index = self.index_rest(name, columns)?;
        Ok(Statement::CreateIndex(CreateIndex { table, index }))
    }

    /// After `DROP INDEX`.
    pub(super) fn drop_index(&mut self) -> PResult<Statement> {
        let name = self.ident()?;
        self.expect_kw("ON")?;
        Ok(Statement::DropIndex(DropIndex { name, table: self.name()? }))
    }
}
