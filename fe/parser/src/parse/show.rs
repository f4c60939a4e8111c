//! SHOW: one table from leading words to what is shown, then the filter all forms share.

use sqlparser::ast::ObjectName;
use sqlparser::tokenizer::Token;

use super::Parser;
use crate::ast::{AlterJobKind, Show, ShowFilter, ShowKind as K, Statement, VariableScope};
use crate::error::PResult;

impl Parser<'_> {
    /// After SHOW.
    pub(super) fn show(&mut self) -> PResult<Statement> {
        let start = self.pos;
        let kind = match self.show_simple() {
            Some(kind) => kind,
            None => match self.show_object()? {
                Some(kind) => kind,
                None => {
                    self.pos = start;
                    if self.is_known_unsupported_show() {
                        return Ok(self.unsupported("SHOW"));
                    }
                    return Err(self.unexpected(&[
                        "TABLES",
                        "DATABASES",
                        "COLUMNS",
                        "VARIABLES",
                        "CREATE",
                        "PARTITIONS",
                        "PROCESSLIST",
                    ]));
                }
            },
        };
        let filter = self.show_filter()?;
        Ok(Statement::Show(Box::new(Show { kind, filter })))
    }

    fn is_known_unsupported_show(&self) -> bool {
        self.is_any_kw(&[
            "CLUSTERS",
            "NODES",
            "CNGROUPS",
            "CNGROUP",
            "RULES",
            "AUTOMATED",
            "STORAGE",
            "BINARY",
            "MASTER",
            "REPLICA",
            "SLAVE",
            "RELAYLOG",
            "ENGINE",
            "TABLET_STATS",
        ]) || self.is_kws(&["CREATE", "FUNCTION"])
            || self.is_kws(&["CREATE", "PROCEDURE"])
            || self.is_kws(&["CREATE", "TRIGGER"])
            || self.is_kws(&["CREATE", "EVENT"])
            || self.is_kws(&["CREATE", "USER"])
            || self.is_kws(&["CREATE", "STORAGE"])
            || self.is_kws(&["CREATE", "DICTIONARY"])
            || self.is_kws(&["CREATE", "PIPE"])
    }

    /// Forms of fixed words.
    fn show_simple(&mut self) -> Option<K> {
        let forms: &[(&[&str], K)] = &[
            (&["CATALOGS"], K::Catalogs),
            (&["OPEN", "TABLES"], K::OpenTables),
            (&["PROFILELIST"], K::ProfileList),
            (&["RUNNING", "QUERIES"], K::RunningQueries),
            (&["WARNINGS"], K::Warnings),
            (&["ERRORS"], K::Errors),
            (&["ENGINES"], K::Engines),
            (&["STORAGE", "ENGINES"], K::Engines),
            (&["AUTHORS"], K::Authors),
            (&["CHARSET"], K::Charset),
            (&["CHARACTER", "SET"], K::Charset),
            (&["CHAR", "SET"], K::Charset),
            (&["COLLATION"], K::Collation),
            (&["PROCEDURE", "STATUS"], K::ProcedureStatus),
            (&["FUNCTION", "STATUS"], K::FunctionStatus),
            (&["PLUGINS"], K::Plugins),
            (&["USERS"], K::Users),
            (&["ROLES"], K::Roles),
            (&["PRIVILEGES"], K::Privileges),
            (&["SECURITY", "INTEGRATIONS"], K::SecurityIntegrations),
            (&["GROUP", "PROVIDERS"], K::GroupProviders),
            (&["USAGE", "RESOURCE", "GROUPS"], K::UsageResourceGroups),
            (&["USAGE", "RESOURCE", "GROUP"], K::UsageResourceGroups),
            (&["VERBOSE", "RESOURCE", "GROUPS", "ALL"], K::ResourceGroups { all: true, verbose: true }),
            (&["VERBOSE", "RESOURCE", "GROUPS"], K::ResourceGroups { all: false, verbose: true }),
            (&["RESOURCE", "GROUPS", "ALL"], K::ResourceGroups { all: true, verbose: false }),
            (&["RESOURCE", "GROUPS"], K::ResourceGroups { all: false, verbose: false }),
            (&["RESOURCES"], K::Resources),
            (&["STORAGE", "VOLUMES"], K::StorageVolumes),
            (&["WAREHOUSES"], K::Warehouses),
            (&["FRONTENDS"], K::Frontends),
            (&["BACKENDS"], K::Backends),
            (&["COMPUTE", "NODES"], K::ComputeNodes),
            (&["BROKER"], K::Broker),
            (&["SQLBLACKLIST"], K::SqlBlacklist),
            (&["SQL", "DIGEST", "BLACKLIST"], K::SqlDigestBlacklist),
            (&["BACKEND", "BLACKLIST"], K::BackendBlacklist),
            (&["COMPUTE", "NODE", "BLACKLIST"], K::ComputeNodeBlacklist),
            (&["WHITELIST"], K::WhiteList),
            (&["FAILPOINTS"], K::Failpoints),
            (&["REPOSITORIES"], K::Repositories),
            (&["CATALOG", "RECYCLE", "BIN"], K::CatalogRecycleBin),
            (&["ANALYZE", "JOB"], K::AnalyzeJob),
            (&["ANALYZE", "STATUS"], K::AnalyzeStatus),
            (&["ANALYZE"], K::AnalyzeStatus),
            (&["STATS", "META"], K::StatsMeta),
            (&["HISTOGRAM", "META"], K::HistogramMeta),
            (&["MULTIPLE", "COLUMNS", "STATS", "META"], K::MultiColumnStatsMeta),
            (&["PLAN", "ADVISOR"], K::PlanAdvisor),
            (&["BASELINE"], K::Baseline),
            (&["DATACACHE", "RULES"], K::DataCacheRules),
            (&["TASKS"], K::Tasks),
        ];
        let (words, kind) = forms.iter().find(|(words, _)| self.is_kws(words))?;
        self.pos += words.len();
        Some(kind.clone())
    }

    fn show_object(&mut self) -> PResult<Option<K>> {
        if self.is_kw("CREATE") {
            return self.show_create();
        }
        if let Some(kind) = self.show_schema_object()? {
            return Ok(Some(kind));
        }
        if let Some(kind) = self.show_load_object()? {
            return Ok(Some(kind));
        }
        let scope = |p: &mut Self, word: &str| {
            let scoped = p.is_any_kw(&["GLOBAL", "SESSION", "LOCAL"]) && p.is_kw_at(1, word);
            let scope: Option<VariableScope> = if scoped { p.variable_scope() } else { None };
            (p.accept_kw(word), scope)
        };
        let verbose = self.is_kw("VERBOSE") && (self.is_kw_at(1, "VARIABLES") || self.is_kw_at(2, "VARIABLES"));
        self.pos += usize::from(verbose);
        if let (true, scope) = scope(self, "VARIABLES") {
            return Ok(Some(K::Variables { scope, verbose }));
        }
        if let (true, scope) = scope(self, "STATUS") {
            return Ok(Some(K::Status { scope }));
        }
        Ok(Some(if self.accept_kws(&["FULL", "PROCESSLIST"]) {
            K::ProcessList { full: true, user: self.for_user()? }
        } else if self.accept_kw("PROCESSLIST") {
            K::ProcessList { full: false, user: self.for_user()? }
        } else if self.accept_kw("GRANTS") {
            let target = if self.accept_kws(&["FOR", "CURRENT_USER"]) {
                if self.accept(&Token::LParen) {
                    self.expect(&Token::RParen)?;
                }
                None
            } else if self.accept_kw("FOR") {
                Some(self.grant_target()?)
            } else {
                None
            };
            K::Grants { target }
        } else if self.is_kw("AUTHENTICATION") || self.is_kws(&["ALL", "AUTHENTICATION"]) {
            let all = self.accept_kw("ALL");
            self.pos += 1;
            let user = if self.accept_kw("FOR") { Some(self.user_identity()?) } else { None };
            K::Authentication { all, user }
        } else if self.accept_kw("PROPERTY") {
            K::Property { user: self.for_user()? }
        } else if self.accept_kws(&["RESOURCE", "GROUP"]) {
            K::ResourceGroup(self.ident()?)
        } else if self.accept_kw("PROC") {
            K::Proc(self.string()?)
        } else if self.accept_kws(&["SNAPSHOT", "ON"]) {
            K::Snapshot { repository: self.ident()? }
        } else if self.accept_kw("BACKUP") {
            K::Backup { db: self.in_db()? }
        } else if self.accept_kw("RESTORE") {
            K::Restore { db: self.in_db()? }
        } else if self.accept_kw("FILE") {
            K::File { db: self.in_db()? }
        } else if self.accept_kw("PIPES") {
            K::Pipes { db: self.in_db()? }
        } else if self.accept_kw("DICTIONARY") {
            let name = if self.is_ident() { Some(self.ident()?) } else { None };
            K::Dictionary { name }
        } else if self.accept_kw("TRIGGERS") || self.accept_kws(&["FULL", "TRIGGERS"]) {
            K::Triggers { db: self.in_db()? }
        } else if self.accept_kw("EVENTS") {
            K::Events { db: self.in_db()? }
        } else if self.show_functions_ahead() {
            let full = self.accept_kw("FULL");
            let builtin = self.accept_kw("BUILTIN");
            let global = self.accept_kw("GLOBAL");
            self.expect_kw("FUNCTIONS")?;
            K::Functions { full, builtin, global, db: self.in_db()? }
        } else {
            return Ok(None);
        }))
    }

    fn show_functions_ahead(&self) -> bool {
        (0..3)
            .find(|n| !self.is_any_kw_at(*n, &["FULL", "BUILTIN", "GLOBAL"]))
            .is_some_and(|n| self.is_kw_at(n, "FUNCTIONS"))
    }

    fn for_user(&mut self) -> PResult<Option<String>> {
        if !self.accept_kw("FOR") {
            return Ok(None);
        }
        Ok(Some(self.user_identity()?.user))
    }

    fn show_create(&mut self) -> PResult<Option<K>> {
        type Make = fn(ObjectName) -> K;
        let forms: &[(&[&str], Make)] = &[
            (&["CREATE", "TABLE"], K::CreateTable),
            (&["CREATE", "VIEW"], K::CreateView),
            (&["CREATE", "MATERIALIZED", "VIEW"], K::CreateMaterializedView),
            (&["CREATE", "DATABASE"], K::CreateDatabase),
            (&["CREATE", "SCHEMA"], K::CreateDatabase),
            (&["CREATE", "ROUTINE", "LOAD"], K::CreateRoutineLoad),
        ];
        if let Some((words, make)) = forms.iter().find(|(words, _)| self.is_kws(words)) {
            self.pos += words.len();
            if matches!(words[1], "DATABASE" | "SCHEMA") {
                self.accept_if_not_exists();
            }
            return Ok(Some(make(self.name()?)));
        }
        Ok(Some(if self.accept_kws(&["CREATE", "CATALOG"]) || self.accept_kws(&["CREATE", "EXTERNAL", "CATALOG"]) {
            K::CreateCatalog(self.ident_or_string_ident()?)
        } else if self.accept_kws(&["CREATE", "SECURITY", "INTEGRATION"]) {
            K::CreateSecurityIntegration(self.ident()?)
        } else if self.accept_kws(&["CREATE", "GROUP", "PROVIDER"]) {
            K::CreateGroupProvider(self.ident()?)
        } else {
            return Ok(None);
        }))
    }

    fn show_schema_object(&mut self) -> PResult<Option<K>> {
        if self.accept_any_kw(&["DATABASES", "SCHEMAS"]).is_some() {
            let catalog = if self.accept_kw("FROM") { Some(self.ident()?) } else { None };
            return Ok(Some(K::Databases { catalog }));
        }
        if self.accept_kws(&["TABLE", "STATUS"]) {
            return Ok(Some(K::TableStatus { db: self.in_db()? }));
        }
        if self.accept_kws(&["TEMPORARY", "TABLES"]) {
            return Ok(Some(K::Tables { full: false, temporary: true, db: self.in_db()? }));
        }
        let full = self.is_kw("FULL");
        let n = usize::from(full);
        if self.is_kw_at(n, "TABLES") {
            self.pos += n + 1;
            return Ok(Some(K::Tables { full, temporary: false, db: self.in_db()? }));
        }
        if self.is_any_kw_at(n, &["COLUMNS", "FIELDS"]) {
            self.pos += n + 1;
            self.expect_any_kw(&["FROM", "IN"])?;
            let table = self.name()?;
            return Ok(Some(K::Columns { full, table, db: self.in_db()? }));
        }
        if self.accept_any_kw(&["INDEX", "INDEXES", "KEY", "KEYS"]).is_some() {
            self.expect_any_kw(&["FROM", "IN"])?;
            let table = self.name()?;
            return Ok(Some(K::Index { table, db: self.in_db()? }));
        }
        let temporary = self.is_kws(&["TEMPORARY", "PARTITIONS"]);
        if temporary || self.is_kw("PARTITIONS") {
            self.pos += 1 + usize::from(temporary);
            self.expect_kw("FROM")?;
            return Ok(Some(K::Partitions { temporary, table: self.name()? }));
        }
        if self.accept_any_kw(&["TABLET", "TABLETS"]).is_some() {
            if matches!(self.peek(), Token::Number(..)) {
                return Ok(Some(K::Tablet(self.integer()?)));
            }
            self.expect_kw("FROM")?;
            let table = self.name()?;
            return Ok(Some(K::Tablets { table, partitions: self.partition_names()? }));
        }
        if self.accept_kws(&["DATA", "DISTRIBUTION"]) {
            self.expect_kw("FROM")?;
            let table = self.name()?;
            return Ok(Some(K::DataDistribution { table, partitions: self.partition_names()? }));
        }
        if self.accept_kw("DATA") {
            let table = if self.accept_kw("FROM") { Some(self.name()?) } else { None };
            return Ok(Some(K::Data { table }));
        }
        if self.accept_kws(&["DYNAMIC", "PARTITION", "TABLES"]) {
            return Ok(Some(K::DynamicPartitionTables { db: self.in_db()? }));
        }
        if self.accept_kw("DELETE") {
            return Ok(Some(K::Delete { db: self.in_db()? }));
        }
        if self.accept_kws(&["ALTER", "MATERIALIZED", "VIEW"]) {
            return Ok(Some(K::AlterJobs { kind: AlterJobKind::MaterializedView, db: self.in_db()? }));
        }
        if self.accept_kws(&["ALTER", "TABLE"]) {
            let kind = self.alter_job_kind()?;
            return Ok(Some(K::AlterJobs { kind, db: self.in_db()? }));
        }
        if self.accept_kws(&["MATERIALIZED", "VIEWS"]) || self.accept_kws(&["MATERIALIZED", "VIEW"]) {
            return Ok(Some(K::MaterializedViews { db: self.in_db()? }));
        }
        Ok(None)
    }

    fn show_load_object(&mut self) -> PResult<Option<K>> {
        let all = self.is_kw("ALL");
        let n = usize::from(all);
        if self.is_kw_at(n, "ROUTINE") && self.is_kw_at(n + 1, "LOAD") {
            self.pos += n + 2;
            if self.accept_kw("TASK") {
                return Ok(Some(K::RoutineLoadTask { db: self.in_db()? }));
            }
            let job = if self.accept_kw("FOR") { Some(self.name()?) } else { None };
            return Ok(Some(K::RoutineLoad { all, job, db: self.in_db()? }));
        }
        if self.is_kw_at(n, "STREAM") && self.is_kw_at(n + 1, "LOAD") {
            self.pos += n + 2;
            let label = if self.accept_kw("FOR") { Some(self.name()?) } else { None };
            return Ok(Some(K::StreamLoad { all, label, db: self.in_db()? }));
        }
        if self.accept_kws(&["LOAD", "WARNINGS"]) {
            let url = if self.accept_kw("ON") { Some(self.string()?) } else { None };
            return Ok(Some(K::LoadWarnings { db: self.in_db()?, url }));
        }
        if self.accept_kw("LOAD") {
            let all = self.accept_kw("ALL");
            return Ok(Some(K::Load { db: self.in_db()?, all }));
        }
        if self.accept_kw("TRANSACTION") {
            return Ok(Some(K::Transaction { db: self.in_db()? }));
        }
        if self.accept_kw("EXPORT") {
            return Ok(Some(K::Export { db: self.in_db()? }));
        }
        Ok(None)
    }

    /// `[LIKE 'p' | WHERE e] [ORDER BY ..] [LIMIT ..]`
    pub(super) fn show_filter(&mut self) -> PResult<ShowFilter> {
        let mut filter = ShowFilter::default();
        if self.accept_kw("LIKE") {
            filter.like = Some(self.string()?);
        }
        if self.accept_kw("WHERE") {
            filter.selection = Some(self.expr()?);
        }
        if self.accept_kws(&["ORDER", "BY"]) {
            filter.order_by = self.comma_list(Self::order_by_item)?;
        }
        filter.limit = self.limit()?;
        Ok(filter)
    }
}
