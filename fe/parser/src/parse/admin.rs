//! ALTER SYSTEM, ADMIN, block lists, statistics.

use sqlparser::tokenizer::Token;

use super::Parser;
use crate::ast::{
    Admin, AlterSystem, AnalyzeColumns, AnalyzeHistogram, AnalyzeProfile, AnalyzeScope, AnalyzeTable, BaselineAction,
    Blacklist, CreateAnalyzeJob, CreateBaseline, DiskAction, PlanAdvisor, Show, ShowKind, Statement,
};
use crate::error::PResult;

impl Parser<'_> {
    /// After `ALTER SYSTEM`.
    pub(super) fn alter_system(&mut self) -> PResult<Statement> {
        let action = match self.expect_any_kw(&[
            "ADD",
            "DROP",
            "DECOMMISSION",
            "CANCEL",
            "MODIFY",
            "CREATE",
            "CLEAN",
            "DISABLE",
        ])? {
            "ADD" => self.system_add()?,
            "DROP" => self.system_drop()?,
            "DECOMMISSION" if self.accept_kw("DISK") => self.disks(DiskAction::Decommission)?,
            "DECOMMISSION" => {
                self.expect_kw("BACKEND")?;
                AlterSystem::DecommissionBackends(self.string_list()?)
            }
            "DISABLE" => {
                self.expect_kw("DISK")?;
                self.disks(DiskAction::Disable)?
            }
            "CANCEL" if self.accept_kws(&["DECOMMISSION", "DISK"]) => self.disks(DiskAction::CancelDecommission)?,
            "CANCEL" if self.accept_kws(&["DISABLE", "DISK"]) => self.disks(DiskAction::CancelDisable)?,
            "CANCEL" => {
                self.expect_kws(&["DECOMMISSION", "BACKEND"])?;
                AlterSystem::CancelDecommissionBackends(self.string_list()?)
            }
            "MODIFY" => self.system_modify()?,
            "CREATE" => {
                self.expect_kw("IMAGE")?;
                AlterSystem::CreateImage
            }
            _ => {
                self.expect_kws(&["TABLET", "SCHEDULER", "QUEUE"])?;
                AlterSystem::CleanTabletSchedulerQueue
            }
        };
        Ok(Statement::AlterSystem(action))
    }

    fn system_add(&mut self) -> PResult<AlterSystem> {
        Ok(match self.expect_any_kw(&["FOLLOWER", "OBSERVER", "BACKEND", "COMPUTE", "BROKER"])? {
            "FOLLOWER" => AlterSystem::AddFollower(self.string()?),
            "OBSERVER" => AlterSystem::AddObserver(self.string()?),
            "BACKEND" => AlterSystem::AddBackends { hosts: self.node_list()? },
            "COMPUTE" => {
                self.expect_kw("NODE")?;
                AlterSystem::AddComputeNodes(self.node_list()?)
            }
            _ => AlterSystem::AddBroker { name: self.ident_or_string()?, hosts: self.string_list()? },
        })
    }

    /// Host list, with the cloud's `INTO WAREHOUSE w` swallowed.
    fn node_list(&mut self) -> PResult<Vec<String>> {
        let hosts = self.string_list()?;
        if self.accept_kws(&["INTO", "WAREHOUSE"]) || self.accept_kws(&["FROM", "WAREHOUSE"]) {
            self.ident_or_string()?;
        }
        Ok(hosts)
    }

    fn system_drop(&mut self) -> PResult<AlterSystem> {
        if self.accept_kws(&["ALL", "BROKER"]) {
            return Ok(AlterSystem::DropAllBroker(self.ident_or_string()?));
        }
        Ok(match self.expect_any_kw(&["FOLLOWER", "OBSERVER", "BACKEND", "COMPUTE", "BROKER"])? {
            "FOLLOWER" => AlterSystem::DropFollower(self.string()?),
            "OBSERVER" => AlterSystem::DropObserver(self.string()?),
            "BACKEND" => AlterSystem::DropBackends { hosts: self.node_list()?, force: self.accept_kw("FORCE") },
            "COMPUTE" => {
                self.expect_kw("NODE")?;
                AlterSystem::DropComputeNodes(self.node_list()?)
            }
            _ => AlterSystem::DropBroker { name: self.ident_or_string()?, hosts: self.string_list()? },
        })
    }

    fn system_modify(&mut self) -> PResult<AlterSystem> {
        let frontend = self.expect_any_kw(&["FRONTEND", "BACKEND"])? == "FRONTEND";
        if self.accept_kw("HOST") {
            let from = self.string()?;
            self.expect_kw("TO")?;
            let to = self.string()?;
            return Ok(if frontend {
                AlterSystem::ModifyFrontendHost { from, to }
            } else {
                AlterSystem::ModifyBackendHost { from, to }
            });
        }
        let host = self.string()?;
        self.expect_kw("SET")?;
        Ok(AlterSystem::ModifyBackend { host, properties: self.property_list()? })
    }

    fn disks(&mut self, action: DiskAction) -> PResult<AlterSystem> {
        let paths = self.string_list()?;
        self.expect_kws(&["ON", "BACKEND"])?;
        Ok(AlterSystem::Disks { action, paths, backend: self.string()? })
    }

    /// After ADMIN.
    pub(super) fn admin(&mut self) -> PResult<Statement> {
        let admin = match self
            .expect_any_kw(&["SET", "SHOW", "REPAIR", "CANCEL", "CHECK", "EXECUTE", "ENABLE", "DISABLE", "ALTER"])?
        {
            "SHOW" => return self.admin_show(),
            "ALTER" => return Ok(self.unsupported("ADMIN ALTER")),
            "SET" => match self.admin_set()? {
                Some(admin) => admin,
                None => return Ok(self.unsupported("ADMIN SET")),
            },
            "REPAIR" => {
                self.expect_kw("TABLE")?;
                let table = self.name()?;
                let partitions = self.partition_names()?;
                Admin::RepairTable { table, partitions, properties: self.properties()? }
            }
            "CANCEL" => {
                self.expect_kws(&["REPAIR", "TABLE"])?;
                Admin::CancelRepairTable { table: self.name()?, partitions: self.partition_names()? }
            }
            "CHECK" => {
                self.expect_any_kw(&["TABLET", "TABLETS"])?;
                let tablets = self.paren_list(Self::integer)?;
                Admin::CheckTablets { tablets, properties: self.properties()? }
            }
            "EXECUTE" => {
                self.expect_kw("ON")?;
                let backend = if self.accept_kw("FRONTEND") { None } else { Some(self.integer()?) };
                Admin::ExecuteScript { backend, script: self.string()? }
            }
            enable => self.failpoint(enable == "ENABLE")?,
        };
        Ok(Statement::Admin(admin))
    }

    fn admin_set(&mut self) -> PResult<Option<Admin>> {
        if self.accept_kws(&["FRONTEND", "CONFIG"]) {
            let properties = self.property_list()?;
            return Ok(Some(Admin::SetFrontendConfig {
                properties,
                persistent: self.accept_kws(&["WITH", "PERSISTENT"]),
            }));
        }
        if self.accept_kws(&["REPLICA", "STATUS"]) {
            return Ok(Some(Admin::SetReplicaStatus(self.properties()?)));
        }
        if self.accept_kw("TABLE") {
            let table = self.name()?;
            self.expect_kw("PARTITION")?;
            self.expect(&Token::LParen)?;
            let partition = match self.peek() {
                Token::Number(..) => self.literal_text()?,
                _ => self.ident_or_string()?,
            };
            self.expect(&Token::RParen)?;
            self.expect_kws(&["VERSION", "TO"])?;
            return Ok(Some(Admin::SetPartitionVersion { table, partition, version: self.integer()? }));
        }
        Ok(None)
    }

    fn failpoint(&mut self, enable: bool) -> PResult<Admin> {
        self.expect_kw("FAILPOINT")?;
        let name = self.string()?;
        let (mut times, mut probability, mut backends) = (None, None, None);
        if self.accept_kw("WITH") {
            let at = self.location();
            let number = self.literal_text()?;
            let bad = |_| {
                crate::error::SyntaxError::new(
                    at,
                    format!("Unexpected input '{number}', the most similar input is {{a number}}."),
                )
            };
            match self.expect_any_kw(&["TIMES", "PROBABILITY"])? {
                "TIMES" => times = Some(number.parse::<i64>().map_err(|_| bad(()))?),
                _ => probability = Some(number.parse::<f64>().map_err(|_| bad(()))?),
            }
        }
        if self.accept_kw("ON") {
            if self.accept_kw("BACKEND") {
                backends = Some(self.string()?);
            } else {
                self.expect_kw("FRONTEND")?;
            }
        }
        Ok(Admin::Failpoint { enable, name, times, probability, backends })
    }

    fn admin_show(&mut self) -> PResult<Statement> {
        let kind = if self.accept_kws(&["FRONTEND", "CONFIG"]) {
            ShowKind::FrontendConfig
        } else if self.accept_kws(&["REPLICA", "DISTRIBUTION", "FROM"]) {
            ShowKind::ReplicaDistribution { table: self.name()?, partitions: self.partition_names()? }
        } else if self.accept_kws(&["REPLICA", "STATUS", "FROM"]) {
            ShowKind::ReplicaStatus { table: self.name()?, partitions: self.partition_names()? }
        } else if self.is_any_kw(&["AUTOMATED"]) {
            return Ok(self.unsupported("ADMIN SHOW"));
        } else {
            return Err(self.unexpected(&["FRONTEND", "REPLICA"]));
        };
        let filter = self.show_filter()?;
        Ok(Statement::Show(Box::new(Show { kind, filter })))
    }

    /// After ADD or DELETE: block lists.
    pub(super) fn blacklist(&mut self, add: bool) -> PResult<Statement> {
        let list = if self.accept_kw("SQLBLACKLIST") {
            if add { Blacklist::Sql(self.string()?) } else { Blacklist::SqlIds(self.integer_list()?) }
        } else if self.accept_kws(&["SQL", "DIGEST", "BLACKLIST"]) {
            Blacklist::SqlDigests(self.comma_list(|p| {
                // A digest is hex: it may read as a number or a word.
                let text = p.token_text().trim_matches(['\'', '"', '`']).to_string();
                p.pos += 1;
                Ok(text)
            })?)
        } else if self.accept_kws(&["BACKEND", "BLACKLIST"]) {
            Blacklist::Backends(self.integer_list()?)
        } else if self.accept_kws(&["COMPUTE", "NODE", "BLACKLIST"]) {
            Blacklist::ComputeNodes(self.integer_list()?)
        } else {
            return Err(self.unexpected(&["SQLBLACKLIST", "SQL", "BACKEND", "COMPUTE"]));
        };
        Ok(if add { Statement::AddBlacklist(list) } else { Statement::DeleteBlacklist(list) })
    }

    /// After ANALYZE.
    pub(super) fn analyze(&mut self) -> PResult<Statement> {
        if self.accept_kw("PROFILE") {
            self.expect_kw("FROM")?;
            let query_id = if self.accept_kw("LAST_QUERY_ID") {
                self.expect(&Token::LParen)?;
                self.expect(&Token::RParen)?;
                None
            } else {
                Some(self.string()?)
            };
            let nodes = if self.accept(&Token::Comma) { self.integer_list()? } else { vec![] };
            return Ok(Statement::AnalyzeProfile(AnalyzeProfile { query_id, nodes }));
        }
        let sample = self.accept_any_kw(&["FULL", "SAMPLE"]) == Some("SAMPLE");
        self.expect_kw("TABLE")?;
        let table = self.name()?;
        let histogram = |p: &Self, verb| p.is_kw(verb) && p.is_kw_at(1, "HISTOGRAM");
        if histogram(self, "UPDATE") || histogram(self, "DROP") {
            let drop = self.is_kw("DROP");
            self.pos += 2;
            self.expect_kw("ON")?;
            let columns = if self.is_any_kw(&["ALL", "PREDICATE", "MULTIPLE"]) {
                self.analyze_columns()?
            } else {
                AnalyzeColumns::List(self.comma_list(Self::expr)?)
            };
            let mut sync = self.sync_mode()?;
            let buckets = if self.accept_kw("WITH") {
                let n = self.integer()?;
                self.expect_kw("BUCKETS")?;
                Some(n)
            } else {
                None
            };
            sync = sync.or(self.sync_mode()?);
            return Ok(Statement::AnalyzeHistogram(AnalyzeHistogram {
                table,
                drop,
                columns,
                buckets,
                sync,
                properties: self.properties()?,
            }));
        }
        let mut columns = self.analyze_columns()?;
        let partitions = self.partition_names()?;
        if columns == AnalyzeColumns::Default {
            columns = self.analyze_columns()?;
        }
        let sync = self.sync_mode()?;
        Ok(Statement::AnalyzeTable(AnalyzeTable {
            table,
            sample,
            columns,
            partitions,
            sync,
            properties: self.properties()?,
        }))
    }

    fn analyze_columns(&mut self) -> PResult<AnalyzeColumns> {
        if self.accept_kws(&["ALL", "COLUMNS"]) {
            return Ok(AnalyzeColumns::All);
        }
        if self.accept_kws(&["PREDICATE", "COLUMNS"]) {
            return Ok(AnalyzeColumns::Predicate);
        }
        if self.accept_kws(&["MULTIPLE", "COLUMNS"]) {
            return self.paren_list(Self::expr).map(AnalyzeColumns::Multiple);
        }
        if self.is(&Token::LParen) {
            self.paren_list(Self::expr).map(AnalyzeColumns::List)
        } else {
            Ok(AnalyzeColumns::Default)
        }
    }

    /// After `CREATE ANALYZE`.
    pub(super) fn create_analyze(&mut self) -> PResult<Statement> {
        let sample = self.accept_any_kw(&["FULL", "SAMPLE"]) == Some("SAMPLE");
        let scope = match self.expect_any_kw(&["ALL", "DATABASE", "TABLE"])? {
            "ALL" => AnalyzeScope::All,
            "DATABASE" => AnalyzeScope::Database(self.name()?),
            _ => AnalyzeScope::Table { table: self.name()?, columns: self.analyze_columns()? },
        };
        Ok(Statement::CreateAnalyzeJob(CreateAnalyzeJob { sample, scope, properties: self.properties()? }))
    }

    /// After `ALTER PLAN ADVISOR`.
    fn plan_advisor(&mut self) -> PResult<Statement> {
        if self.accept_kw("DROP") {
            return Ok(Statement::PlanAdvisor(PlanAdvisor::Drop(self.string()?)));
        }
        self.expect_kw("ADD")?;
        let (query, text) = self.query_with_text()?;
        Ok(Statement::PlanAdvisor(PlanAdvisor::Add { query, text }))
    }

    /// After `CREATE [GLOBAL] BASELINE`.
    fn create_baseline(&mut self, global: bool) -> PResult<Statement> {
        let on = if self.accept_kw("ON") { Some(self.query_with_text()?) } else { None };
        self.expect_kw("USING")?;
        let using = self.query_with_text()?;
        Ok(Statement::CreateBaseline(CreateBaseline { global, on, using, properties: self.properties()? }))
    }

    /// Small administrative objects under CREATE; none when it is something else.
    pub(super) fn create_admin_object(&mut self) -> PResult<Option<Statement>> {
        Ok(Some(if self.accept_kws(&["GROUP", "PROVIDER"]) {
            let if_not_exists = self.accept_if_not_exists();
            let name = self.ident()?;
            Statement::CreateGroupProvider { name, if_not_exists, properties: self.properties()? }
        } else if self.accept_kws(&["SECURITY", "INTEGRATION"]) {
            let name = self.ident()?;
            Statement::CreateSecurityIntegration { name, properties: self.properties()? }
        } else if self.is_kw("BASELINE") || self.is_kws(&["GLOBAL", "BASELINE"]) {
            let global = self.accept_kw("GLOBAL");
            self.pos += 1;
            self.create_baseline(global)?
        } else {
            return Ok(None);
        }))
    }

    /// The same under ALTER.
    pub(super) fn alter_admin_object(&mut self) -> PResult<Option<Statement>> {
        Ok(Some(if self.accept_kws(&["PLAN", "ADVISOR"]) {
            self.plan_advisor()?
        } else if self.accept_kws(&["SECURITY", "INTEGRATION"]) {
            let name = self.ident()?;
            self.expect_kw("SET")?;
            Statement::AlterSecurityIntegration { name, properties: self.property_list()? }
        } else {
            return Ok(None);
        }))
    }

    /// The same under DROP.
    pub(super) fn drop_admin_object(&mut self) -> PResult<Option<Statement>> {
        Ok(Some(if self.accept_kws(&["GROUP", "PROVIDER"]) {
            let if_exists = self.accept_if_exists();
            Statement::DropGroupProvider { name: self.ident()?, if_exists }
        } else if self.accept_kws(&["SECURITY", "INTEGRATION"]) {
            let if_exists = self.accept_if_exists();
            Statement::DropSecurityIntegration { name: self.ident()?, if_exists }
        } else if self.accept_kw("BASELINE") {
            Statement::ChangeBaseline { action: BaselineAction::Drop, ids: self.integer_list()? }
        } else {
            return Ok(None);
        }))
    }
}
