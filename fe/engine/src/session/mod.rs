//! One client's session: who it is, its database, its variables, and the statement it runs.

pub mod facts;
pub mod forward;
mod tuning_variables;
pub mod user_variables;
pub mod variables;

use std::{
    collections::HashMap,
    sync::{Arc, atomic::{AtomicBool, AtomicU32, Ordering}},
    time::Duration,
};

use common_base::{Error, ErrorCode, Result, bail, err, ids::{NodeId, QueryId}};
use common_expr::scalar_fn::EvalContext;
use common_types::{LogicalType, Scalar};
use fe_catalog::{CatalogSnapshot, CatalogState, Op};
use fe_parser::{ParseOptions, ParsedStatement, ast::Statement};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use self::variables::Variables;
use crate::statement::transaction::{self, OpenTransaction};
use crate::{dispatch, engine::Engine, files::FileTables, result::{ResultColumn, StatementResult}};

/// A statement prepared for later execution.
#[derive(Clone)]
pub struct Prepared {
    pub statement: Arc<ParsedStatement>,
    pub parameters: usize,
}

/// What others see of a session (SHOW PROCESSLIST, KILL).
pub struct SessionInfo {
    pub id: u32,
    pub user: String,
    pub host: String,
    pub connected_ms: i64,
    pub state: RwLock<SessionState>,
    /// Another frontend's client: this one runs a statement for it.
    forwarded: AtomicBool,
    /// Shared by the sessions of one connection: another user may take it over.
    signals: Arc<Signals>,
}

/// How a connection is told to stop.
struct Signals {
    kill: watch::Sender<Option<Error>>,
    /// Ends the connection itself.
    disconnect: watch::Sender<bool>,
}

/// The moving part of [`SessionInfo`].
#[derive(Clone, Default)]
pub struct SessionState {
    pub database: String,
    pub command: &'static str,
    pub statement: String,
    pub query_id: Option<QueryId>,
    pub started_ms: i64,
    /// What the session calls the running statement.
    pub custom_query_id: String,
}

/// What the connection ids of a frontend begin with.
pub fn number_of(node_id: u64) -> u32 {
    (node_id & 0xff) as u32
}

impl SessionInfo {
    /// Whether another frontend's client has sent the statement here.
    pub fn is_forwarded(&self) -> bool {
        self.forwarded.load(Ordering::Relaxed)
    }

    /// Cancels the running statement.
    pub fn kill_query(&self, reason: Error) {
        self.signals.kill.send_replace(Some(reason));
    }

    /// Ends the session.
    pub fn kill_connection(&self, reason: Error) {
        self.kill_query(reason);
        self.signals.disconnect.send_replace(true);
    }

    /// Resolves when the session was killed.
    pub fn disconnected(&self) -> watch::Receiver<bool> {
        self.signals.disconnect.subscribe()
    }

    pub(crate) fn kill_signal(&self) -> watch::Receiver<Option<Error>> {
        self.signals.kill.subscribe()
    }
}

/// All sessions of this FE.
#[derive(Default)]
pub struct Sessions {
    next: AtomicU32,
    open: Mutex<HashMap<u32, Arc<SessionInfo>>>,
}

impl Sessions {
    /// A session by connection id.
    pub fn get(&self, id: u32) -> Option<Arc<SessionInfo>> {
        self.open.lock().get(&id).cloned()
    }

    /// Every session, by id.
    pub fn all(&self) -> Vec<Arc<SessionInfo>> {
        let mut all: Vec<_> = self.open.lock().values().cloned().collect();
        all.sort_by_key(|s| s.id);
        all
    }

    /// Refuses a client that would be one too many, or one too many of its user.
    pub fn check_room(&self, user: &str, most: usize) -> Result<()> {
        /// Connections of one user.
        const OF_USER_MAX: usize = 1024;
        let open = self.open.lock();
        let of_user = open.values().filter(|s| s.user == user).count();
        if open.len() >= most || of_user >= OF_USER_MAX {
            bail!(TooManyConnections, "Reach limit of connections. Total: {}, User: {of_user}, Current: {}", most, open.len());
        }
        Ok(())
    }

    /// How many clients of this frontend are connected.
    pub fn connected(&self) -> usize {
        self.open.lock().values().filter(|s| !s.forwarded.load(std::sync::atomic::Ordering::Relaxed)).count()
    }

    /// How many run a statement.
    pub fn busy(&self) -> usize {
        self.open.lock().values().filter(|s| s.state.read().command != "Sleep").count()
    }

    /// A connection id for a client that is still logging in: (FE id & 0xFF) << 24 | counter.
    pub fn next_id(&self, node_id: u64) -> u32 {
        loop {
            let id = number_of(node_id) << 24 | (self.next.fetch_add(1, Ordering::Relaxed) & 0x00ff_ffff);
            // After 16 million connections the numbers come again.
            if !self.open.lock().contains_key(&id) {
                return id;
            }
        }
    }
}

/// A logged-in client.
pub struct Session {
    pub engine: Arc<Engine>,
    pub info: Arc<SessionInfo>,
    pub user: String,
    /// The account's host pattern: `current_user()` is `'user'@'pattern'`.
    pub account_host: String,
    pub client_host: String,
    pub database: Option<String>,
    pub variables: Variables,
    pub user_variables: HashMap<String, (Scalar, LogicalType)>,
    pub prepared: HashMap<String, Prepared>,
    pub last_query_id: Option<QueryId>,
    /// What `session_id()` says; temporary tables belong to it.
    pub uuid: String,
    /// BEGIN without its COMMIT yet.
    pub transaction: Option<OpenTransaction>,
    /// Files of the running statement.
    pub(crate) files: Arc<FileTables>,
    /// Log index of the session's last change: reads wait for it.
    pub(crate) seen_index: u64,
    /// The frontend that has forwarded the session's one statement to this one.
    pub(crate) origin: Option<NodeId>,
    reign: Reign,
}

/// How a statement that holds names stands to this frontend's leadership.
///
/// The names are held in this frontend's memory, which is worth nothing once another frontend leads. So what the statement changes
/// from then on it changes in the term in which it took them, or not at all; if it has changed nothing yet it begins again on the new
/// leader.
#[derive(Default)]
struct Reign {
    term: Option<u64>,
    changed: bool,
    lost: bool,
}

impl Session {
    /// A session of an authenticated user.
    pub fn open(engine: Arc<Engine>, id: u32, user: &str, account_host: &str, client_host: &str) -> Self {
        let signals = Signals { kill: watch::Sender::new(None), disconnect: watch::Sender::new(false) };
        Self::with_signals(engine, id, user, account_host, client_host, Arc::new(signals))
    }

    /// A session of another user on the same connection; whoever could stop the old one can stop this one.
    pub fn open_over(previous: &Self, user: &str, account_host: &str) -> Self {
        let signals = previous.info.signals.clone();
        Self::with_signals(previous.engine.clone(), previous.info.id, user, account_host, &previous.client_host, signals)
    }

    fn with_signals(engine: Arc<Engine>, id: u32, user: &str, account_host: &str, client_host: &str, signals: Arc<Signals>) -> Self {
        let now = engine.clock.now_ms();
        let info = Arc::new(SessionInfo {
            id,
            user: user.to_owned(),
            host: client_host.to_owned(),
            connected_ms: now,
            state: RwLock::new(SessionState { command: "Sleep", started_ms: now, ..SessionState::default() }),
            forwarded: AtomicBool::new(false),
            signals,
        });
        engine.sessions.open.lock().insert(id, info.clone());
        let variables = Variables::of_session(&engine);
        let uuid = QueryId(engine.rng.uuid()).to_string();
        Self {
            uuid,
            transaction: None,
            engine,
            info,
            user: user.to_owned(),
            account_host: account_host.to_owned(),
            client_host: client_host.to_owned(),
            database: None,
            variables,
            user_variables: HashMap::new(),
            prepared: HashMap::new(),
            last_query_id: None,
            files: Arc::default(),
            seen_index: 0,
            origin: None,
            reign: Reign::default(),
        }
    }

    /// The frontend the client is connected to.
    pub fn frontend(&self) -> NodeId {
        self.origin.unwrap_or(NodeId(self.engine.meta.node_id()))
    }

    /// Back to how the session began (COM_RESET_CONNECTION): variables, prepared statements and user variables are gone.
    pub fn reset(&mut self) {
        self.variables = Variables::of_session(&self.engine);
        self.user_variables.clear();
        self.prepared.clear();
        transaction::leave(self);
    }

    /// The catalog as this session sees it, its temporary tables included.
    pub fn catalog(&self) -> CatalogSnapshot {
        CatalogState::seen_by(&self.engine.meta.snapshot(), &self.uuid)
    }

    /// Changes the database; the error names an unknown one.
    pub fn use_database(&mut self, name: &str) -> Result<()> {
        // `catalog.db` is accepted for the one catalog there is.
        let name = name.strip_prefix("default_catalog.").unwrap_or(name);
        let known = crate::info_schema::is_system_database(name) || self.engine.meta.snapshot().database(name).is_some();
        if !known {
            bail!(UnknownDatabase, "Unknown database '{name}'");
        }
        self.database = Some(name.to_owned());
        name.clone_into(&mut self.info.state.write().database);
        Ok(())
    }

    /// The same; a frontend that does not lead makes sure first that an unknown one was not made a moment ago.
    pub async fn find_and_use_database(&mut self, name: &str) -> Result<()> {
        match self.use_database(name) {
            Err(e) if self.engine.catch_up_once().await => self.use_database(name).map_err(|_| e),
            outcome => outcome,
        }
    }

    /// No database any more.
    pub fn leave_database(&mut self) {
        self.database = None;
        self.info.state.write().database.clear();
    }

    /// How texts of this session are parsed.
    pub fn parse_options(&self) -> ParseOptions {
        ParseOptions { sql_mode: self.variables.sql_mode(), max_chain: self.engine.setting_count("expr_children_limit"), ..ParseOptions::default() }
    }

    /// Runs one statement of a parsed text.
    pub async fn execute(&mut self, statement: &ParsedStatement) -> Result<StatementResult> {
        self.execute_with(statement, &[]).await
    }

    /// Runs one statement with values for its `?`.
    pub async fn execute_with(&mut self, statement: &ParsedStatement, parameters: &[(Scalar, LogicalType)]) -> Result<StatementResult> {
        if statement.parameters > parameters.len() {
            bail!(Analysis, "Getting analyzing error. Detail message: statement has {} parameters, {} were given.", statement.parameters, parameters.len());
        }
        let query_id = self.engine.new_query_id();
        self.execute_as(statement, parameters, query_id).await
    }

    /// The same under a query id that was given elsewhere.
    pub(crate) async fn execute_as(&mut self, statement: &ParsedStatement, parameters: &[(Scalar, LogicalType)], query_id: QueryId) -> Result<StatementResult> {
        self.begin(statement, query_id);
        let result = dispatch::run(self, statement, parameters, query_id).await;
        self.last_query_id = Some(query_id);
        if !matches!(result, Ok(StatementResult::Rows(_))) {
            self.end();
        }
        result
    }

    fn begin(&self, statement: &ParsedStatement, query_id: QueryId) {
        // A kill that came between statements was for a statement that is over.
        self.info.signals.kill.send_replace(None);
        let mut state = self.info.state.write();
        state.command = "Query";
        state.statement.clone_from(&statement.text);
        state.query_id = Some(query_id);
        state.started_ms = self.engine.clock.now_ms();
        state.custom_query_id = self.variables.get_text("custom_query_id");
    }

    /// The running statement is over, its rows are sent.
    pub fn end(&self) {
        let mut state = self.info.state.write();
        state.command = "Sleep";
        state.statement.clear();
        state.query_id = None;
        state.started_ms = self.engine.clock.now_ms();
    }

    /// A statement begins, maybe again.
    pub(crate) fn forget_reign(&mut self) {
        self.reign = Reign::default();
    }

    /// From here on the statement makes its changes as the present leader only.
    pub(crate) fn bind_to_reign(&mut self) {
        // No term is 0.
        self.reign.term = Some(self.engine.meta.reign().unwrap_or(0));
    }

    /// Whether the statement that has failed may begin again on another frontend, which leads by now.
    pub(crate) fn has_lost_reign(&self) -> bool {
        self.reign.lost && !self.reign.changed
    }

    /// Proposes a change and remembers it: this session's reads wait for it.
    pub(crate) async fn change(&mut self, op: Op) -> Result<StatementResult> {
        let proposed = match self.reign.term {
            Some(term) => self.engine.meta.propose_in(term, &op).await,
            None => self.engine.meta.propose(&op).await,
        };
        self.reign.lost = self.reign.term.is_some() && proposed.as_ref().is_err_and(|e| e.code() == ErrorCode::NotLeader);
        let (_, index) = proposed?;
        self.reign.changed = true;
        self.saw(index);
        Ok(StatementResult::ok())
    }

    /// Takes back what the statement itself has made, named by its ids: whoever leads.
    pub(crate) async fn take_back(&mut self, op: Op) -> Result<()> {
        let (_, index) = self.engine.meta.propose(&op).await?;
        self.saw(index);
        Ok(())
    }

    /// The session has seen the catalog at a log index.
    pub(crate) fn saw(&mut self, index: u64) {
        self.seen_index = self.seen_index.max(index);
    }

    /// Waits until this FE shows everything the session has changed or seen.
    pub(crate) async fn wait_for_own_changes(&self) -> Result<()> {
        if self.engine.meta.applied_index() >= self.seen_index {
            return Ok(());
        }
        self.engine.meta.wait_applied(self.seen_index, Duration::from_secs(30)).await
    }

    /// Result columns of a prepared statement; parameters count as NULL. Empty when they cannot be told before execution.
    pub fn describe(&self, prepared: &Prepared) -> Result<Vec<ResultColumn>> {
        let Statement::Query(query) = &prepared.statement.stmt else { return Ok(Vec::new()) };
        let unknown = vec![(Scalar::Null, LogicalType::Null); prepared.parameters];
        match crate::statement::plan::result_columns(self, &query.query, &unknown) {
            Err(e) if crate::info_schema::is_for_leader(&e) => Ok(Vec::new()),
            columns => columns,
        }
    }

    /// The facts kernels may read, fixed for one statement.
    pub(crate) fn eval_context(&self) -> EvalContext {
        EvalContext {
            now_us: self.engine.clock.now_us(),
            time_zone: self.variables.get_text("time_zone"),
            sql_mode: self.variables.sql_mode(),
            user: format!("'{}'@'{}'", self.user, self.client_host),
            database: self.database.clone().unwrap_or_default(),
            connection_id: u64::from(self.info.id),
            seed: self.engine.rng.next_u64(),
            variables: self.function_variables(),
            ..EvalContext::default()
        }
    }

    /// The active roles: the administrator's own, which cannot be taken away; others cannot be granted yet.
    pub fn role(&self) -> &'static str {
        if self.user == "root" { "root" } else { "NONE" }
    }

    fn function_variables(&self) -> Vec<(String, String)> {
        let mut variables = self.variables.for_functions();
        variables.push(("current_role".to_owned(), self.role().to_owned()));
        variables.push(("version".to_owned(), self.variables.get_text("version")));
        variables.push(("session_id".to_owned(), self.uuid.clone()));
        variables
    }

    /// Prepares a text that holds one statement.
    pub fn prepare(&self, text: &str) -> Result<Prepared> {
        let statement = fe_parser::parse_prepared(text, &self.parse_options())?;
        if !matches!(statement.stmt, Statement::Query(_)) {
            return Err(err!(PreparedUnsupported, "This command is not supported in the prepared statement protocol yet"));
        }
        Ok(Prepared { parameters: statement.parameters, statement: Arc::new(statement) })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        transaction::leave(self);
        // A forwarded session goes on where it came from.
        if self.origin.is_none() {
            crate::statement::temporary::leave(self);
        }
        self.info.kill_query(err!(Cancelled, "the client has gone"));
        let mut open = self.engine.sessions.open.lock();
        // After COM_CHANGE_USER the id belongs to the session that took over.
        if open.get(&self.info.id).is_some_and(|info| Arc::ptr_eq(info, &self.info)) {
            open.remove(&self.info.id);
        }
    }
}
