//! Databases, catalogs, KILL, transactions, tasks, pipes, functions, dictionaries, files.

use sqlparser::tokenizer::Token;

use super::Parser;
use crate::ast::{
    AlterCatalog, AlterDatabase, AlterDatabaseAction, AlterPipe, AlterPipeAction, Begin, CreateCatalog, CreateDatabase,
    CreateDictionary, CreateFile, CreateFunction, CreatePipe, Describe, DescribeTarget, DictionaryCommand, DropCatalog,
    DropDatabase, DropFile, DropFunction, DropTask, FunctionReturns, Kill, KillAnalyze, Recover, RefreshExternalTable,
    Statement, SubmitTask, TaskSchedule, Use,
};
use crate::error::PResult;

impl Parser<'_> {
    /// After `CREATE {DATABASE|SCHEMA}`.
    pub(super) fn create_database(&mut self) -> PResult<Statement> {
        let if_not_exists = self.accept_if_not_exists();
        let name = self.name()?;
        loop {
            self.accept_kw("DEFAULT");
            if self.accept_kws(&["CHARACTER", "SET"]) || self.accept_kw("CHARSET") || self.accept_kw("COLLATE") {
                self.accept(&Token::Eq);
                self.ident_or_string()?;
            } else {
                break;
            }
        }
        Ok(Statement::CreateDatabase(CreateDatabase { name, if_not_exists, properties: self.properties()? }))
    }

    /// After `DROP {DATABASE|SCHEMA}`.
    pub(super) fn drop_database(&mut self) -> PResult<Statement> {
        let if_exists = self.accept_if_exists();
        let name = self.name()?;
        Ok(Statement::DropDatabase(DropDatabase { name, if_exists, force: self.accept_kw("FORCE") }))
    }

    /// After `ALTER DATABASE`.
    pub(super) fn alter_database(&mut self) -> PResult<Statement> {
        let name = self.name()?;
        let action = if self.accept_kw("RENAME") {
            AlterDatabaseAction::Rename(self.ident()?)
        } else {
            self.expect_kw("SET")?;
            if self.accept_kws(&["DATA", "QUOTA"]) {
                // `10T` lexes as a word, `10` as a number.
                let text = self.token_text().to_string();
                match self.peek() {
                    Token::Word(_) | Token::Number(..) => self.pos += 1,
                    _ => return Err(self.unexpected(&["a quota"])),
                }
                AlterDatabaseAction::DataQuota(text)
            } else if self.accept_kws(&["REPLICA", "QUOTA"]) {
                AlterDatabaseAction::ReplicaQuota(self.integer()?)
            } else {
                AlterDatabaseAction::SetProperties(self.property_list()?)
            }
        };
        Ok(Statement::AlterDatabase(AlterDatabase { name, action }))
    }

    /// After `CREATE EXTERNAL CATALOG`.
    pub(super) fn create_catalog(&mut self) -> PResult<Statement> {
        let if_not_exists = self.accept_if_not_exists();
        let name = self.ident_or_string_ident()?;
        let comment = self.comment()?;
        Ok(Statement::CreateCatalog(CreateCatalog { name, if_not_exists, comment, properties: self.properties()? }))
    }

    /// After `ALTER CATALOG`.
    pub(super) fn alter_catalog(&mut self) -> PResult<Statement> {
        let name = self.ident_or_string_ident()?;
        self.expect_kw("SET")?;
        Ok(Statement::AlterCatalog(AlterCatalog { name, properties: self.property_list()? }))
    }

    /// After `DROP CATALOG`.
    pub(super) fn drop_catalog(&mut self) -> PResult<Statement> {
        let if_exists = self.accept_if_exists();
        Ok(Statement::DropCatalog(DropCatalog { name: self.ident_or_string_ident()?, if_exists }))
    }

    /// After USE.
    pub(super) fn use_statement(&mut self) -> PResult<Statement> {
        if self.is_string() {
            let text = self.string()?;
            let mut words = text.split_whitespace();
            if let (Some(kw), Some(catalog), None) = (words.next(), words.next(), words.next())
                && kw.eq_ignore_ascii_case("catalog")
            {
                return Ok(Statement::Use(Use::Catalog(catalog.to_string())));
            }
            return Err(self.error(format!("Invalid catalog string '{text}'")));
        }
        if self.is_kw("CATALOG") && self.is_ident_at(1) {
            self.pos += 1;
            return Ok(Statement::Use(Use::Catalog(self.ident()?.value)));
        }
        self.name().map(|name| Statement::Use(Use::Database(name)))
    }

    fn is_ident_at(&self, n: usize) -> bool {
        matches!(self.peek_at(n), Token::Word(_))
    }

    /// After RECOVER.
    pub(super) fn recover(&mut self) -> PResult<Statement> {
        Ok(Statement::Recover(match self.expect_any_kw(&["DATABASE", "SCHEMA", "TABLE", "PARTITION"])? {
            "TABLE" => Recover::Table(self.name()?),
            "PARTITION" => {
                let name = self.ident()?;
                self.expect_kw("FROM")?;
                Recover::Partition { name, table: self.name()? }
            }
            _ => Recover::Database(self.name()?),
        }))
    }

    /// After `REFRESH EXTERNAL TABLE`.
    pub(super) fn refresh_external(&mut self) -> PResult<Statement> {
        let table = self.name()?;
        let partitions = if self.accept_kw("PARTITION") { self.paren_list(Self::string)? } else { vec![] };
        Ok(Statement::RefreshExternalTable(RefreshExternalTable { table, partitions }))
    }

    /// After KILL.
    pub(super) fn kill(&mut self) -> PResult<Statement> {
        if self.accept_kws(&["ALL", "PENDING", "ANALYZE"]) {
            return Ok(Statement::KillAnalyze(KillAnalyze::AllPending));
        }
        if self.accept_kw("ANALYZE") {
            if self.accept(&Token::AtSign) {
                return Ok(Statement::KillAnalyze(KillAnalyze::Variable(self.ident_after_dot()?.value)));
            }
            return Ok(Statement::KillAnalyze(KillAnalyze::Id(self.integer()?)));
        }
        let query = self.accept_kw("QUERY");
        if !query {
            self.accept_kw("CONNECTION");
        }
        if self.is_string() {
            return Ok(Statement::Kill(Kill::QueryId(self.string()?)));
        }
        let id = self.integer()?;
        Ok(Statement::Kill(if query { Kill::Query(id) } else { Kill::Connection(id) }))
    }

    /// After BEGIN or `START TRANSACTION`.
    pub(super) fn begin(&mut self, start: bool) -> PResult<Statement> {
        if start {
            self.accept_kws(&["WITH", "CONSISTENT", "SNAPSHOT"]);
        } else {
            self.accept_kw("WORK");
        }
        let label = if self.accept_kws(&["WITH", "LABEL"]) { Some(self.ident_or_string_ident()?) } else { None };
        Ok(Statement::Begin(Begin { label }))
    }

    /// `[WORK] [AND [NO] CHAIN] [[NO] RELEASE]` after COMMIT or ROLLBACK.
    pub(super) fn transaction_end(&mut self) {
        self.accept_kw("WORK");
        let _ = self.accept_kws(&["AND", "NO", "CHAIN"]) || self.accept_kws(&["AND", "CHAIN"]);
        let _ = self.accept_kws(&["NO", "RELEASE"]) || self.accept_kw("RELEASE");
    }

    /// After DESC or DESCRIBE, when no query follows.
    pub(super) fn describe(&mut self) -> PResult<Statement> {
        if self.is_kw("FILES") && *self.peek_at(1) == Token::LParen {
            self.pos += 1;
            return Ok(Statement::Describe(Describe {
                target: DescribeTarget::Files(self.property_list()?),
                all: false,
            }));
        }
        if self.is_kw("PIPE") && self.is_ident_at(1) {
            self.pos += 1;
            return Ok(Statement::Describe(Describe { target: DescribeTarget::Pipe(self.name()?), all: false }));
        }
        if self.accept_kws(&["STORAGE", "VOLUME"]) {
            return Ok(Statement::Describe(Describe {
                target: DescribeTarget::StorageVolume(self.ident()?),
                all: false,
            }));
        }
        let target = DescribeTarget::Table(self.name()?);
        Ok(Statement::Describe(Describe { target, all: self.accept_kw("ALL") }))
    }

    /// After `SUBMIT TASK`.
    pub(super) fn submit_task(&mut self) -> PResult<Statement> {
        let clause = self.is_any_kw(&["AS", "SCHEDULE", "PROPERTIES"]);
        let name = if clause { None } else { Some(self.name()?) };
        let mut schedule = None;
        let mut properties = vec![];
        loop {
            if self.is_kw("SCHEDULE") && schedule.is_none() {
                self.pos += 1;
                let mut start = None;
                if self.accept_kw("START") {
                    self.expect(&Token::LParen)?;
                    start = Some(self.string()?);
                    self.expect(&Token::RParen)?;
                }
                self.expect_kw("EVERY")?;
                let (every, unit) = self.every_interval()?;
                schedule = Some(TaskSchedule { start, every, unit });
            } else if self.is_kw("PROPERTIES") {
                properties = self.properties()?;
            } else {
                break;
            }
        }
        self.expect_kw("AS")?;
        let (statement, text) = self.statement_with_text()?;
        Ok(Statement::SubmitTask(SubmitTask { name, schedule, properties, statement, text }))
    }

    fn statement_with_text(&mut self) -> PResult<(Box<Statement>, String)> {
        let start = self.offset();
        let statement = Box::new(self.nested(Self::statement)?);
        Ok((statement, self.text_from(start).to_string()))
    }

    /// After `DROP TASK`.
    pub(super) fn drop_task(&mut self) -> PResult<Statement> {
        let if_exists = self.accept_if_exists();
        let name = self.name()?;
        Ok(Statement::DropTask(DropTask { name, if_exists, force: self.accept_kw("FORCE") }))
    }

    /// After `CREATE [OR REPLACE] PIPE`.
    pub(super) fn create_pipe(&mut self, or_replace: bool) -> PResult<Statement> {
        let if_not_exists = self.accept_if_not_exists();
        let name = self.name()?;
        let properties = self.properties()?;
        self.expect_kw("AS")?;
        let (statement, text) = self.statement_with_text()?;
        Ok(Statement::CreatePipe(CreatePipe { name, or_replace, if_not_exists, properties, statement, text }))
    }

    /// After `ALTER PIPE`.
    pub(super) fn alter_pipe(&mut self) -> PResult<Statement> {
        let name = self.name()?;
        let action = if self.accept_kw("SET") {
            AlterPipeAction::SetProperties(self.property_list()?)
        } else if self.accept_kw("SUSPEND") {
            AlterPipeAction::Suspend
        } else if self.accept_kw("RESUME") {
            AlterPipeAction::Resume
        } else if self.accept_kws(&["RETRY", "ALL"]) {
            AlterPipeAction::RetryAll
        } else {
            self.expect_kws(&["RETRY", "FILE"])?;
            AlterPipeAction::RetryFile(self.string()?)
        };
        Ok(Statement::AlterPipe(AlterPipe { name, action }))
    }

    /// After `CREATE [OR REPLACE]`, at `[GLOBAL] [AGGREGATE|TABLE] FUNCTION`.
    pub(super) fn create_function(&mut self, or_replace: bool) -> PResult<Statement> {
        let global = self.accept_kw("GLOBAL");
        let kind = self.accept_any_kw(&["AGGREGATE", "TABLE"]).unwrap_or("SCALAR").to_string();
        self.expect_kw("FUNCTION")?;
        let if_not_exists = self.accept_if_not_exists();
        let name = self.name()?;
        let args = self.function_signature()?;
        self.expect_kw("RETURNS")?;
        // A type is followed by the end, PROPERTIES, or the words of a Java UDF; anything else is an expression.
        let start = self.pos;
        let returns = match self.data_type() {
            Ok(t) if self.at_end() || self.is_any_kw(&["PROPERTIES", "TYPE", "SYMBOL", "AS", "INTERMEDIATE"]) => {
                FunctionReturns::Type(t)
            }
            _ => {
                self.pos = start;
                FunctionReturns::Expr(self.boxed_expr()?)
            }
        };
        let properties = self.properties()?;
        let inline = if self.accept_kw("AS") {
            let start = self.offset();
            self.pos = self.end;
            Some(self.text_from(start).trim_matches('$').to_string())
        } else {
            None
        };
        Ok(Statement::CreateFunction(CreateFunction {
            name,
            or_replace,
            if_not_exists,
            global,
            kind,
            args,
            returns,
            properties,
            inline,
        }))
    }

    /// After `DROP [GLOBAL] FUNCTION`.
    pub(super) fn drop_function(&mut self, global: bool) -> PResult<Statement> {
        let if_exists = self.accept_if_exists();
        let name = self.name()?;
        let args = self.function_signature()?;
        Ok(Statement::DropFunction(DropFunction { name, global, if_exists, args }))
    }

    /// After `CREATE DICTIONARY`.
    pub(super) fn create_dictionary(&mut self) -> PResult<Statement> {
        let name = self.ident()?;
        self.expect_kw("USING")?;
        let source = self.name()?;
        let (mut keys, mut values) = (vec![], vec![]);
        self.paren_list(|p| {
            let column = p.ident()?;
            match p.expect_any_kw(&["KEY", "VALUE"])? {
                "KEY" => keys.push(column),
                _ => values.push(column),
            }
            Ok(())
        })?;
        Ok(Statement::CreateDictionary(CreateDictionary { name, source, keys, values, properties: self.properties()? }))
    }

    /// `DICTIONARY d` commands, the verb having been read.
    pub(super) fn dictionary_command(
        &mut self,
        make: fn(sqlparser::ast::Ident) -> DictionaryCommand,
    ) -> PResult<Statement> {
        self.ident().map(|name| Statement::DictionaryCommand(make(name)))
    }

    /// After `CREATE FILE`.
    pub(super) fn create_file(&mut self) -> PResult<Statement> {
        let name = self.string()?;
        let db = self.in_db()?;
        Ok(Statement::CreateFile(CreateFile { name, db, properties: self.properties()? }))
    }

    /// After `DROP FILE`.
    pub(super) fn drop_file(&mut self) -> PResult<Statement> {
        let name = self.string()?;
        let db = self.in_db()?;
        Ok(Statement::DropFile(DropFile { name, db, properties: self.properties()? }))
    }

    /// After CALL.
    pub(super) fn call_procedure(&mut self) -> PResult<Statement> {
        let procedure = self.name()?;
        self.expect(&Token::LParen)?;
        let args = self.plain_arguments()?;
        Ok(Statement::Call { procedure, args })
    }
}
