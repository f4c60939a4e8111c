//! Statements that change state run on the leader, wherever they arrive.
//!
//! Flow: [`wants_leader`] tells which; [`to_leader`] sends the text with the session's facts and waits, after the answer, until this FE
//! has applied what the leader had applied by then, so that the session sees its own changes. [`run_here`] is the leader's side: a
//! session of the same facts that lives for one statement. While there is no leader a statement waits for a bounded time; once it
//! was sent it is never sent again, for nobody knows what has become of it, unless the answer is that it has changed nothing.

use std::{sync::Arc, time::Duration};

use common_base::{Error, Result, bail, err, fail_point, ids::{NodeId, QueryId}};
use common_rpc::status;
use common_types::{Chunk, LogicalType, Scalar, wire};
use fe_parser::{ParsedStatement, ast::{InsertTarget, ShowKind, Statement}};
use proto_services::fe_peer::{ForwardReply, ForwardRequest, ReadIndexRequest, UserVariable};

use super::{Session, variables::Variables};
use crate::{engine::Engine, result::{ResultColumn, Rows, StatementResult}, statement::node_config};

/// The value of a `?` or a user variable.
type Parameter = (Scalar, LogicalType);

/// A statement waits so long for a leader.
const LEADER_WAIT: Duration = Duration::from_secs(10);
/// What the leader had applied is applied here within this time.
const APPLY_WAIT: Duration = Duration::from_secs(60);
/// Between two looks at whether a leader that runs a statement still leads.
const PROBE_PAUSE: Duration = Duration::from_millis(500);
/// A frontend that lives says so within this time.
const PROBE_WAIT: Duration = Duration::from_secs(2);
/// An answer may have this many bytes.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Whether a statement is to run on the leader.
pub fn wants_leader(session: &Session, statement: &Statement) -> bool {
    // What an explicit transaction has written is known to its session; its changes go through the log from here.
    if session.origin.is_some() || session.transaction.is_some() || session.engine.meta.is_leader() {
        return false;
    }
    match statement {
        Statement::Query(_) | Statement::Describe(_) => session.variables.get_bool("forward_to_leader"),
        Statement::Show(show) => session.variables.get_bool("forward_to_leader") || (asks_leader_memory(&show.kind) && session.engine.meta.leader_address().is_some()),
        Statement::Insert(insert) => !matches!(insert.target, InsertTarget::Files(_)),
        Statement::Update(update) => !node_config::is_for(session, update),
        Statement::Explain(_)
        | Statement::Use(_)
        | Statement::SetCatalog(_)
        | Statement::Set(_)
        | Statement::Kill(_)
        | Statement::Prepare(_)
        | Statement::Execute(_)
        | Statement::Deallocate(_)
        | Statement::LockTables
        | Statement::Sync
        | Statement::Begin(_)
        | Statement::Commit
        | Statement::Rollback
        | Statement::Unsupported { .. } => false,
        _ => true,
    }
}

/// What backends report is in the leader's memory only.
fn asks_leader_memory(kind: &ShowKind) -> bool {
    match kind {
        ShowKind::Tablet(_)
        | ShowKind::Tablets { .. }
        | ShowKind::ReplicaDistribution { .. }
        | ShowKind::ReplicaStatus { .. }
        | ShowKind::Data { .. }
        | ShowKind::DataDistribution { .. }
        | ShowKind::DynamicPartitionTables { .. } => true,
        // Frontends and backends are known everywhere, also without a leader.
        ShowKind::Proc(path) => !["frontends", "backends", "current_queries", "global_current_queries"].iter().any(|p| path.trim_matches('/').starts_with(p)),
        _ => false,
    }
}

/// Has the leader run a statement. `None`: this FE has become the leader.
pub async fn to_leader(session: &mut Session, statement: &ParsedStatement, parameters: &[Parameter], id: QueryId) -> Result<Option<StatementResult>> {
    let engine = session.engine.clone();
    let begun = engine.clock.monotonic();
    let mut killed = session.info.kill_signal();
    loop {
        if engine.meta.is_leader() {
            return Ok(None);
        }
        let problem = match engine.meta.leader_address() {
            None => None,
            Some(leader) => {
                let request = request(session, statement, parameters, id);
                let sent = tokio::select! {
                    sent = send(&engine, &leader, request) => sent?,
                    reason = killed.wait_for(Option::is_some) => {
                        let reason = reason.ok().and_then(|r| r.clone());
                        return Err(reason.unwrap_or_else(|| err!(Cancelled, "the statement was cancelled")));
                    }
                };
                match sent {
                    Ok(reply) => return take_in(session, reply).await.map(Some),
                    Err(not_run) => Some(not_run),
                }
            }
        };
        if engine.clock.monotonic().saturating_sub(begun) > LEADER_WAIT {
            let seconds = LEADER_WAIT.as_secs();
            return Err(match problem {
                Some(e) => err!(NotLeader, "the leader of the frontends does not answer within {seconds} s, the statement was not run: {}", e.message()),
                None => err!(NotLeader, "there is no leader among the frontends, the statement was not run within {seconds} s"),
            });
        }
        engine.meta.await_leader(Duration::from_millis(50)).await;
    }
}

/// Outer error: nobody knows what has happened. Inner error: nothing has.
async fn send(engine: &Engine, leader: &str, request: ForwardRequest) -> Result<std::result::Result<ForwardReply, Error>> {
    let mut client = engine.pool.fe_peer(leader)?;
    let answer = tokio::select! {
        answer = client.forward_statement(request) => answer,
        () = lost(engine, leader) => Err(tonic::Status::unavailable("another frontend leads, and it does not answer")),
    };
    match answer {
        Ok(reply) => {
            let reply = reply.into_inner();
            let not_run = if reply.not_run { status::from_message(reply.status.clone()).err() } else { None };
            Ok(not_run.map_or(Ok(reply), Err))
        }
        Err(e) if status::was_not_sent(&e) => Ok(Err(status::from_grpc(&e, leader))),
        Err(e) => {
            engine.pool.forget(leader);
            let cause = status::from_grpc(&e, leader);
            bail!(Unavailable, "the leader was lost while it ran the statement; whether it was run is not known: {}", cause.message())
        }
    }
}

/// Resolves when a leader is replaced and silent. One that has handed over answers, and brings what it runs to its end.
async fn lost(engine: &Engine, leader: &str) {
    loop {
        tokio::time::sleep(PROBE_PAUSE).await;
        let leads = engine.meta.leader_address().map_or(!engine.meta.is_leader(), |now| now == leader);
        if leads {
            continue;
        }
        // On a connection of its own: the old one may hang.
        engine.pool.forget(leader);
        let Ok(mut client) = engine.pool.fe_peer(leader) else { return };
        match tokio::time::timeout(PROBE_WAIT, client.read_index(ReadIndexRequest::default())).await {
            Ok(answer) if answer.as_ref().is_ok() => {}
            _ => {
                engine.pool.forget(leader);
                return;
            }
        }
    }
}

fn request(session: &Session, statement: &ParsedStatement, parameters: &[Parameter], id: QueryId) -> ForwardRequest {
    let variable = |name: &str, (value, ty): &Parameter| UserVariable {
        name: name.to_owned(),
        value: Some(wire::scalar_to_proto(value, ty)),
        r#type: Some(wire::type_to_proto(ty)),
    };
    ForwardRequest {
        sql: statement.text.clone(),
        user: session.user.clone(),
        database: session.database.clone().unwrap_or_default(),
        variables: session.variables.changed().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        connection_id: u64::from(session.info.id),
        account_host: session.account_host.clone(),
        client_host: session.client_host.clone(),
        session_id: session.uuid.clone(),
        frontend: session.engine.meta.node_id(),
        depth: 1,
        query_id: id.0.to_be_bytes().to_vec().into(),
        user_variables: session.user_variables.iter().map(|(name, value)| variable(name, value)).collect(),
        parameters: parameters.iter().map(|value| variable("", value)).collect(),
        seen_index: session.seen_index,
        last_query_id: session.last_query_id.map(|id| id.0.to_string()).unwrap_or_default(),
    }
}

async fn take_in(session: &mut Session, reply: ForwardReply) -> Result<StatementResult> {
    if fail_point!("planted.answer.early")?.is_none() {
        // Also a statement that failed may have changed something.
        session.saw(reply.index);
        session.engine.meta.wait_applied(reply.index, APPLY_WAIT).await?;
    }
    status::from_message(reply.status)?;
    if !reply.rows {
        return Ok(StatementResult::Done { affected_rows: reply.affected_rows, info: reply.info });
    }
    let column = |(name, ty): (String, &proto_messages::types::LogicalType)| Ok(ResultColumn { name, ty: wire::type_from_proto(ty)? });
    let columns = reply.columns.into_iter().zip(&reply.types).map(column).collect::<Result<Vec<_>>>()?;
    let chunks = reply.chunks.into_iter().map(Chunk::from_ipc).collect::<Result<Vec<_>>>()?;
    Ok(StatementResult::Rows(Rows::of_chunks(columns, chunks)))
}

/// The leader's side. A caller that leaves cancels the statement.
pub async fn run_here(engine: &Arc<Engine>, request: ForwardRequest) -> ForwardReply {
    let not_run = |e: Error| ForwardReply { status: Some(status::to_message(&e)), not_run: true, ..ForwardReply::default() };
    if request.depth > 1 {
        return not_run(err!(NotLeader, "a statement is forwarded once only: this frontend does not lead"));
    }
    if !engine.meta.is_leader() {
        return not_run(err!(NotLeader, "this frontend does not lead"));
    }
    let session = match open(engine, &request) {
        Ok(session) => session,
        Err(e) => return not_run(e),
    };
    let cancel = CancelOnDrop(session.info.clone());
    let (engine, id) = (engine.clone(), query_id(&request));
    // In a task of its own: a change is brought to its end even when its client has gone.
    let running = common_base::runtime::spawn("forwarded statement", async move {
        let mut session = session;
        let result = run(&mut session, &request, id).await;
        if session.has_lost_reign()
            && let Err(e) = &result
        {
            return not_run(e.clone());
        }
        let index = engine.meta.applied_index();
        let mut reply = result.unwrap_or_else(|e| ForwardReply { status: Some(status::to_message(&e)), ..ForwardReply::default() });
        reply.index = index;
        reply
    });
    let reply = running.await.unwrap_or_else(|e| ForwardReply { status: Some(status::to_message(&err!(Internal, "the statement ended without an answer: {e}"))), ..ForwardReply::default() });
    drop(cancel);
    reply
}

struct CancelOnDrop(Arc<super::SessionInfo>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.kill_query(err!(Cancelled, "the client has gone"));
    }
}

fn query_id(request: &ForwardRequest) -> QueryId {
    let bytes: [u8; 16] = request.query_id.as_ref().try_into().unwrap_or_default();
    QueryId(u128::from_be_bytes(bytes))
}

fn open(engine: &Arc<Engine>, request: &ForwardRequest) -> Result<Session> {
    let id = u32::try_from(request.connection_id).unwrap_or_default();
    let mut session = Session::open(engine.clone(), id, &request.user, &request.account_host, &request.client_host);
    session.origin = Some(NodeId(request.frontend));
    session.info.forwarded.store(true, std::sync::atomic::Ordering::Relaxed);
    session.uuid.clone_from(&request.session_id);
    session.database = Some(request.database.clone()).filter(|d| !d.is_empty());
    session.info.state.write().database.clone_from(&request.database);
    session.variables = Variables::of_changed(request.variables.iter().map(|(name, value)| (name.as_str(), value.clone())));
    session.last_query_id = request.last_query_id.parse().ok().map(QueryId);
    for variable in &request.user_variables {
        session.user_variables.insert(variable.name.clone(), value_of(variable)?);
    }
    session.seen_index = request.seen_index;
    Ok(session)
}

fn value_of(variable: &UserVariable) -> Result<Parameter> {
    let (Some(value), Some(ty)) = (&variable.value, &variable.r#type) else { bail!(Internal, "a forwarded value has no type") };
    Ok((wire::scalar_from_proto(value)?, wire::type_from_proto(ty)?))
}

async fn run(session: &mut Session, request: &ForwardRequest, id: QueryId) -> Result<ForwardReply> {
    session.wait_for_own_changes().await?;
    let statement = fe_parser::parse_one(&request.sql, &session.parse_options())?;
    let parameters = request.parameters.iter().map(value_of).collect::<Result<Vec<_>>>()?;
    let result = session.execute_as(&statement, &parameters, id).await?;
    let reply = match result {
        StatementResult::Done { affected_rows, info } => ForwardReply { affected_rows, info, ..ForwardReply::default() },
        StatementResult::Rows(mut rows) => {
            let (mut chunks, mut bytes) = (Vec::new(), 0);
            while let Some(chunk) = rows.next().await? {
                let body = chunk.to_ipc();
                bytes += body.len();
                if bytes > ANSWER_BYTES_MAX {
                    bail!(TooLarge, "the answer has more than {} MB: ask the leader itself, or unset forward_to_leader", ANSWER_BYTES_MAX >> 20);
                }
                chunks.push(body);
            }
            ForwardReply {
                rows: true,
                columns: rows.columns.iter().map(|c| c.name.clone()).collect(),
                types: rows.columns.iter().map(|c| wire::type_to_proto(&c.ty)).collect(),
                chunks,
                ..ForwardReply::default()
            }
        }
    };
    session.end();
    Ok(reply)
}
