//! The leading words of a statement choose its production.

use sqlparser::tokenizer::Token;

use super::Parser;
use crate::ast::{
    BaselineAction, DictionaryCommand, Explain, ExplainMode, OutFile, PlanAdvisor, QueryStatement, Statement, Trace,
};
use crate::error::PResult;

impl Parser<'_> {
    /// One whole statement: nothing may follow it.
    pub fn whole_statement(&mut self) -> PResult<Statement> {
        let statement = self.statement()?;
        self.expect_end()?;
        Ok(statement)
    }

    /// One whole expression.
    pub fn whole_expr(&mut self) -> PResult<crate::ast::sql::Expr> {
        let expr = self.expr()?;
        self.expect_end()?;
        Ok(expr)
    }

    /// One whole column list of a load.
    pub fn whole_import_columns(&mut self) -> PResult<Vec<crate::ast::ImportColumn>> {
        let columns = self.import_columns()?;
        self.expect_end()?;
        Ok(columns)
    }

    pub(super) fn statement(&mut self) -> PResult<Statement> {
        let Some(word) = self.word_at(0) else {
            if self.is(&Token::LParen) {
                return self.query_statement();
            }
            return Err(self.unexpected(&[]));
        };
        let upper = word.to_ascii_uppercase();
        if matches!(upper.as_str(), "SELECT" | "WITH" | "VALUES") {
            return self.with_or_query();
        }
        let start = self.pos;
        self.pos += 1;
        match upper.as_str() {
            "EXPLAIN" | "DESC" | "DESCRIBE" => self.explain_or_describe(),
            "TRACE" => self.trace(),
            "INSERT" | "UPDATE" | "DELETE" => {
                if upper == "DELETE" && !self.is_kw("FROM") {
                    return self.blacklist(false);
                }
                self.pos = start;
                self.dml(None)
            }
            "ADD" => self.blacklist(true),
            "TRUNCATE" if self.accept_kws(&["PLAN", "ADVISOR"]) => Ok(Statement::PlanAdvisor(PlanAdvisor::Truncate)),
            "TRUNCATE" => {
                self.expect_kw("TABLE")?;
                self.truncate_table()
            }
            "CREATE" => self.create(),
            "ALTER" => self.alter(),
            "DROP" => self.drop(),
            "SHOW" => self.show(),
            "SET" => self.set(),
            "USE" => self.use_statement(),
            "RECOVER" => self.recover(),
            "REFRESH" => self.refresh(),
            "CANCEL" => self.cancel(),
            "KILL" => self.kill(),
            "BEGIN" => self.begin(false),
            "START" => {
                self.expect_kw("TRANSACTION")?;
                self.begin(true)
            }
            "COMMIT" => {
                self.transaction_end();
                Ok(Statement::Commit)
            }
            "ROLLBACK" => {
                self.transaction_end();
                Ok(Statement::Rollback)
            }
            "PREPARE" => {
                let options = self.options;
                self.prepare(options)
            }
            "EXECUTE" if self.accept_kw("AS") => self.execute_as(),
            "EXECUTE" => self.execute(),
            "DEALLOCATE" => {
                self.expect_kw("PREPARE")?;
                self.ident().map(Statement::Deallocate)
            }
            "GRANT" => self.grant(false),
            "REVOKE" => self.grant(true),
            "ADMIN" => self.admin(),
            "ANALYZE" => self.analyze(),
            "LOAD" => {
                self.expect_kw("LABEL")?;
                self.broker_load()
            }
            "PAUSE" | "RESUME" | "STOP" => self.routine_load_command(&upper),
            "EXPORT" => {
                self.expect_kw("TABLE")?;
                self.export()
            }
            "BACKUP" => self.backup(),
            "RESTORE" => self.restore(),
            "SUBMIT" => {
                self.expect_kw("TASK")?;
                self.submit_task()
            }
            "CALL" => self.call_procedure(),
            "SYNC" => Ok(Statement::Sync),
            "HELP" => self.ident_or_string().map(Statement::Help),
            "INSTALL" => {
                self.expect_kws(&["PLUGIN", "FROM"])?;
                Ok(Statement::InstallPlugin { source: self.ident_or_string()?, properties: self.properties()? })
            }
            "UNINSTALL" => {
                self.expect_kw("PLUGIN")?;
                Ok(Statement::UninstallPlugin { name: self.ident_or_string()? })
            }
            "LOCK" | "UNLOCK" => {
                self.expect_any_kw(&["TABLES", "TABLE"])?;
                self.pos = self.end;
                Ok(Statement::LockTables)
            }
            "CLEAN" if self.accept_kws(&["TEMPORARY", "TABLE", "ON", "SESSION"]) => {
                self.string().map(Statement::CleanTemporaryTables)
            }
            "ENABLE" | "DISABLE" if self.accept_kw("BASELINE") => {
                let action = if upper == "ENABLE" { BaselineAction::Enable } else { BaselineAction::Disable };
                Ok(Statement::ChangeBaseline { action, ids: self.integer_list()? })
            }
            "SUSPEND" | "CLEAR" | "CLEAN" | "CACHE" | "TRANSLATE" | "ENABLE" | "DISABLE" | "UNSET" => {
                Ok(self.unsupported(&upper))
            }
            _ => {
                self.pos = start;
                Err(self.unexpected(&[
                    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "SHOW", "SET", "USE", "EXPLAIN",
                    "WITH",
                ]))
            }
        }
    }

    /// WITH may lead a query or a data change.
    fn with_or_query(&mut self) -> PResult<Statement> {
        if !self.is_kw("WITH") {
            return self.query_statement();
        }
        let with = self.with_clause()?;
        if self.is_any_kw(&["INSERT", "UPDATE", "DELETE"]) {
            return self.dml(with);
        }
        let query = self.query_after_with(with)?;
        let into_outfile = self.out_file()?;
        Ok(Statement::Query(QueryStatement { query, into_outfile }))
    }

    fn query_statement(&mut self) -> PResult<Statement> {
        let query = self.query()?;
        let into_outfile = self.out_file()?;
        Ok(Statement::Query(QueryStatement { query, into_outfile }))
    }

    /// `[INTO OUTFILE "uri" [FORMAT AS f] [PROPERTIES(..)]]`
    fn out_file(&mut self) -> PResult<Option<OutFile>> {
        if !self.accept_kws(&["INTO", "OUTFILE"]) {
            return Ok(None);
        }
        let path = self.string()?;
        let format = if self.accept_kws(&["FORMAT", "AS"]) { Some(self.ident_or_string()?) } else { None };
        Ok(Some(OutFile { path, format, properties: self.properties()? }))
    }

    fn dml(&mut self, with: Option<crate::ast::sql::With>) -> PResult<Statement> {
        if self.is_kw("INSERT") {
            self.insert(with)
        } else if self.is_kw("UPDATE") {
            self.update(with)
        } else {
            self.delete(with)
        }
    }

    fn explain_or_describe(&mut self) -> PResult<Statement> {
        const MODES: &[(&str, ExplainMode)] = &[
            ("ANALYZE", ExplainMode::Analyze),
            ("LOGICAL", ExplainMode::Logical),
            ("VERBOSE", ExplainMode::Verbose),
            ("COSTS", ExplainMode::Costs),
            ("SCHEDULER", ExplainMode::Scheduler),
        ];
        const EXPLAINABLE: &[&str] = &["SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "CREATE", "REFRESH", "VALUES"];
        let starts = |p: &Self, n: usize| p.is_any_kw_at(n, EXPLAINABLE) || *p.peek_at(n) == Token::LParen;
        if let Some((_, mode)) = MODES.iter().find(|(word, _)| self.is_kw(word)).filter(|_| starts(self, 1)) {
            self.pos += 1;
            let inner = Box::new(self.nested(Self::statement)?);
            return Ok(Statement::Explain(Explain { mode: *mode, inner }));
        }
        if starts(self, 0) {
            let inner = Box::new(self.nested(Self::statement)?);
            return Ok(Statement::Explain(Explain { mode: ExplainMode::Normal, inner }));
        }
        self.describe()
    }

    fn trace(&mut self) -> PResult<Statement> {
        let mode = self.expect_any_kw(&["ALL", "LOGS", "TIMES", "VALUES", "REASON"])?.to_string();
        let module = if self.is_query_start() || self.is_any_kw(&["INSERT", "UPDATE", "DELETE", "CREATE", "REFRESH"]) {
            None
        } else {
            Some(self.ident_after_dot()?.value)
        };
        let inner = Box::new(self.nested(Self::statement)?);
        Ok(Statement::Trace(Trace { mode, module, inner }))
    }

    fn create(&mut self) -> PResult<Statement> {
        let or_replace = self.accept_kws(&["OR", "REPLACE"]);
        if self.accept_kw("VIEW") {
            return self.create_view(or_replace);
        }
        if self.accept_kw("PIPE") {
            return self.create_pipe(or_replace);
        }
        let function = (0..2).find(|n| !self.is_any_kw_at(*n, &["GLOBAL", "AGGREGATE", "TABLE"])).unwrap_or(2);
        if self.is_kw_at(function, "FUNCTION") {
            return self.create_function(or_replace);
        }
        if self.accept_kws(&["EXTERNAL", "CATALOG"]) {
            return self.create_catalog();
        }
        if self.accept_kws(&["MATERIALIZED", "VIEW"]) {
            return self.create_materialized_view();
        }
        if self.accept_kws(&["RESOURCE", "GROUP"]) {
            return self.create_resource_group();
        }
        if self.is_kw("RESOURCE") || self.is_kws(&["EXTERNAL", "RESOURCE"]) {
            let external = self.accept_kw("EXTERNAL");
            self.pos += 1;
            return self.create_resource(external);
        }
        let (external, temporary) = (self.is_kws(&["EXTERNAL", "TABLE"]), self.is_kws(&["TEMPORARY", "TABLE"]));
        if external || temporary || self.is_kw("TABLE") {
            self.pos += 1 + usize::from(external || temporary);
            return self.create_table(temporary, external);
        }
        if self.accept_kws(&["ROUTINE", "LOAD"]) {
            return self.create_routine_load();
        }
        if self.accept_kws(&["READ", "ONLY", "REPOSITORY"]) {
            return self.create_repository(true);
        }
        if let Some(statement) = self.create_admin_object()? {
            return Ok(statement);
        }
        if self.is_any_kw(&["STORAGE", "WAREHOUSE", "DATACACHE", "CNGROUP"]) {
            return Ok(self.unsupported("CREATE"));
        }
        match self.expect_any_kw(&[
            "DATABASE",
            "SCHEMA",
            "INDEX",
            "USER",
            "ROLE",
            "REPOSITORY",
            "ANALYZE",
            "DICTIONARY",
            "FILE",
            "TABLE",
            "VIEW",
        ])? {
            "DATABASE" | "SCHEMA" => self.create_database(),
            "INDEX" => self.create_index(),
            "USER" => self.create_user(),
            "ROLE" => self.create_role(),
            "REPOSITORY" => self.create_repository(false),
            "ANALYZE" => self.create_analyze(),
            "DICTIONARY" => self.create_dictionary(),
            _ => self.create_file(),
        }
    }

    fn alter(&mut self) -> PResult<Statement> {
        if self.accept_kws(&["MATERIALIZED", "VIEW"]) {
            return self.alter_materialized_view();
        }
        if self.accept_kws(&["RESOURCE", "GROUP"]) {
            return self.alter_resource_group();
        }
        if self.accept_kws(&["ROUTINE", "LOAD", "FOR"]) {
            return self.alter_routine_load();
        }
        if self.accept_kws(&["LOAD", "FOR"]) {
            let label = self.name()?;
            return Ok(Statement::AlterLoad { label, properties: self.properties()? });
        }
        if let Some(statement) = self.alter_admin_object()? {
            return Ok(statement);
        }
        if self.is_any_kw(&["STORAGE", "WAREHOUSE", "CNGROUP"]) {
            return Ok(self.unsupported("ALTER"));
        }
        match self.expect_any_kw(&[
            "TABLE", "DATABASE", "SCHEMA", "VIEW", "SYSTEM", "USER", "ROLE", "CATALOG", "RESOURCE", "PIPE",
        ])? {
            "TABLE" => self.alter_table(),
            "DATABASE" | "SCHEMA" => self.alter_database(),
            "VIEW" => self.alter_view(),
            "SYSTEM" => self.alter_system(),
            "USER" => self.alter_user(),
            "ROLE" => self.alter_role(),
            "CATALOG" => self.alter_catalog(),
            "RESOURCE" => self.alter_resource(),
            _ => self.alter_pipe(),
        }
    }

    fn drop(&mut self) -> PResult<Statement> {
        if self.accept_kws(&["MATERIALIZED", "VIEW"]) {
            return self.drop_materialized_view();
        }
        if self.accept_kws(&["RESOURCE", "GROUP"]) {
            let if_exists = self.accept_if_exists();
            return Ok(Statement::DropResourceGroup { name: self.ident()?, if_exists });
        }
        if self.is_kw("TABLE") || self.is_kws(&["TEMPORARY", "TABLE"]) {
            let temporary = self.accept_kw("TEMPORARY");
            self.pos += 1;
            let if_exists = self.accept_if_exists();
            let name = self.name()?;
            return Ok(Statement::DropTable(crate::ast::DropTable {
                name,
                temporary,
                if_exists,
                force: self.accept_kw("FORCE"),
            }));
        }
        if self.is_kw("FUNCTION") || self.is_kws(&["GLOBAL", "FUNCTION"]) {
            let global = self.accept_kw("GLOBAL");
            self.pos += 1;
            return self.drop_function(global);
        }
        if self.accept_kws(&["ALL", "ANALYZE", "JOB"]) {
            return Ok(Statement::DropAnalyzeJob { id: None });
        }
        if self.accept_kw("STATS") {
            return Ok(Statement::DropStats { table: self.name()?, multi_columns: false });
        }
        if self.accept_kws(&["MULTIPLE", "COLUMNS", "STATS"]) {
            return Ok(Statement::DropStats { table: self.name()?, multi_columns: true });
        }
        if let Some(statement) = self.drop_admin_object()? {
            return Ok(statement);
        }
        if self.is_any_kw(&["STORAGE", "WAREHOUSE", "DATACACHE", "CNGROUP"]) {
            return Ok(self.unsupported("DROP"));
        }
        let kinds = &[
            "TABLE",
            "VIEW",
            "DATABASE",
            "SCHEMA",
            "INDEX",
            "USER",
            "ROLE",
            "CATALOG",
            "RESOURCE",
            "REPOSITORY",
            "ANALYZE",
            "DICTIONARY",
            "FILE",
            "TASK",
            "PIPE",
            "PREPARE",
        ];
        match self.expect_any_kw(kinds)? {
            "VIEW" => self.drop_view(),
            "DATABASE" | "SCHEMA" => self.drop_database(),
            "INDEX" => self.drop_index(),
            "USER" => self.drop_user(),
            "ROLE" => self.drop_role(),
            "CATALOG" => self.drop_catalog(),
            "RESOURCE" => Ok(Statement::DropResource { name: self.ident_or_string()? }),
            "REPOSITORY" => self.ident().map(Statement::DropRepository),
            "ANALYZE" => Ok(Statement::DropAnalyzeJob { id: Some(self.integer()?) }),
            "DICTIONARY" => {
                let name = self.ident()?;
                let cache_only = self.accept_kw("CACHE");
                Ok(Statement::DictionaryCommand(DictionaryCommand::Drop { name, cache_only }))
            }
            "FILE" => self.drop_file(),
            "TASK" => self.drop_task(),
            "PIPE" => {
                let if_exists = self.accept_if_exists();
                Ok(Statement::DropPipe { name: self.name()?, if_exists })
            }
            _ => self.ident().map(Statement::Deallocate),
        }
    }

    fn refresh(&mut self) -> PResult<Statement> {
        if self.accept_kws(&["MATERIALIZED", "VIEW"]) {
            return self.refresh_materialized_view();
        }
        if self.accept_kws(&["EXTERNAL", "TABLE"]) {
            return self.refresh_external();
        }
        if self.accept_kw("CONNECTIONS") {
            return Ok(Statement::RefreshConnections { force: self.accept_kw("FORCE") });
        }
        if self.accept_kw("DICTIONARY") {
            return self.dictionary_command(DictionaryCommand::Refresh);
        }
        Err(self.unexpected(&["MATERIALIZED", "EXTERNAL", "DICTIONARY", "CONNECTIONS"]))
    }

    fn cancel(&mut self) -> PResult<Statement> {
        if self.accept_kw("ALTER") {
            return self.cancel_alter();
        }
        if self.accept_kws(&["REFRESH", "MATERIALIZED", "VIEW"]) {
            return self.cancel_refresh();
        }
        if self.accept_kws(&["REFRESH", "DICTIONARY"]) {
            return self.dictionary_command(DictionaryCommand::CancelRefresh);
        }
        if self.accept_kws(&["DECOMMISSION", "BACKEND"]) {
            let hosts = self.string_list()?;
            return Ok(Statement::AlterSystem(crate::ast::AlterSystem::CancelDecommissionBackends(hosts)));
        }
        if self.is_kw("COMPACTION") {
            return Ok(self.unsupported("CANCEL"));
        }
        match self.expect_any_kw(&["LOAD", "EXPORT", "BACKUP", "RESTORE"])? {
            "LOAD" => self.cancel_job().map(Statement::CancelLoad),
            "EXPORT" => self.cancel_job().map(Statement::CancelExport),
            kind => {
                let db = if self.accept_kws(&["FOR", "EXTERNAL", "CATALOG"]) { None } else { self.in_db()? };
                Ok(if kind == "BACKUP" { Statement::CancelBackup { db } } else { Statement::CancelRestore { db } })
            }
        }
    }

    fn routine_load_command(&mut self, verb: &str) -> PResult<Statement> {
        if verb == "RESUME" && self.is_kw("WAREHOUSE") {
            return Ok(self.unsupported(verb));
        }
        self.expect_kws(&["ROUTINE", "LOAD", "FOR"])?;
        let name = self.name()?;
        Ok(match verb {
            "PAUSE" => Statement::PauseRoutineLoad(name),
            "RESUME" => Statement::ResumeRoutineLoad(name),
            _ => Statement::StopRoutineLoad(name),
        })
    }
}
