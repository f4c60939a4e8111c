//! Sessions of all frontends: each is known where its client is connected, so the others are asked.
//!
//! A connection id begins with the number of its frontend: KILL goes there. One that does not answer costs [`ANSWER`] and is left out.

use std::{sync::Arc, time::Duration};

use common_base::{Error, ErrorCode, Result, bail, err};
use common_rpc::status;
use fe_catalog::model::Frontend;
use proto_services::fe_peer::{KillRequest, SessionState, SessionsRequest};
use tracing::debug;

use super::frontends::{address, has_joined};
use crate::{engine::Engine, session::{SessionInfo, number_of}};

/// A frontend that is slower is left out.
const ANSWER: Duration = Duration::from_secs(1);

/// The sessions of this frontend's clients. `characters`: of the statement of each; `None` = all.
pub fn here(engine: &Engine, characters: Option<usize>) -> Vec<SessionState> {
    let now = engine.clock.now_ms();
    let state = |info: Arc<SessionInfo>| {
        let state = info.state.read().clone();
        let statement = match characters.and_then(|n| state.statement.char_indices().nth(n)) {
            Some((end, _)) => state.statement[..end].to_owned(),
            None => state.statement,
        };
        SessionState {
            id: info.id,
            user: info.user.clone(),
            host: info.host.clone(),
            database: state.database,
            command: state.command.to_owned(),
            statement,
            connected_ms: info.connected_ms,
            since_ms: (now - state.started_ms).max(0),
            query_id: state.query_id.map(|id| id.to_string()).unwrap_or_default(),
            custom_query_id: state.custom_query_id,
        }
    };
    // A statement that another frontend has sent here is that one's.
    engine.sessions.all().into_iter().filter(|info| !info.is_forwarded()).map(state).collect()
}

/// The sessions of every frontend that answers, with its name.
pub async fn everywhere(engine: &Engine, characters: Option<usize>) -> Vec<(String, SessionState)> {
    let request = SessionsRequest { characters: characters.map(|n| n as u64) };
    let asked = others(engine).into_iter().map(|frontend| {
        let request = request.clone();
        async move {
            let reply = ask(engine, &frontend, async |mut client| client.sessions(request).await).await;
            let reply = reply.inspect_err(|e| debug!(frontend = %frontend.name, "sessions are not known: {e}"));
            let sessions = reply.map(|r| r.sessions).unwrap_or_default();
            sessions.into_iter().map(|s| (frontend.name.clone(), s)).collect::<Vec<_>>()
        }
    });
    let own = server_name(engine);
    let mut all: Vec<_> = here(engine, characters).into_iter().map(|s| (own.clone(), s)).collect();
    all.extend(futures::future::join_all(asked).await.into_iter().flatten());
    all.sort_by_key(|(_, s)| s.id);
    all
}

/// Ends a session, or with `whole` unset what it runs, wherever its client is connected.
pub async fn kill(engine: &Engine, id: i64, whole: bool) -> Result<()> {
    let unknown = || err!(UnknownThread, "Unknown thread id: {id}");
    let short = u32::try_from(id).map_err(|_| unknown())?;
    let request = KillRequest { connection_id: short, query_id: String::new(), whole };
    let number = short >> 24;
    let owner = if number == number_of(engine.meta.node_id()) { None } else { others(engine).into_iter().find(|f| number_of(f.id.0) == number) };
    let Some(owner) = owner else { return kill_here(engine, &request) };
    match ask(engine, &owner, async |mut client| client.kill(request.clone()).await).await.map(|reply| status::from_message(reply.status)) {
        Ok(outcome) => outcome,
        // What it has sent here can be ended.
        Err(e) => kill_here(engine, &request).map_err(|_| err!(Unavailable, "connection {id} is one of {}, which does not answer: {}", owner.name, e.message())),
    }
}

/// Ends a query by its id, or by the name its session gave it, wherever it runs.
pub async fn kill_query(engine: &Engine, query_id: &str) -> Result<()> {
    let request = KillRequest { connection_id: 0, query_id: query_id.to_owned(), whole: false };
    let asked = others(engine).into_iter().map(|frontend| {
        let request = request.clone();
        async move { ask(engine, &frontend, async |mut client| client.kill(request).await).await.and_then(|reply| status::from_message(reply.status)) }
    });
    let outcomes = futures::future::join_all(asked).await;
    match kill_here(engine, &request) {
        Err(e) if !outcomes.iter().any(Result::is_ok) => Err(e),
        _ => Ok(()),
    }
}

/// The same for what runs on this frontend.
pub fn kill_here(engine: &Engine, request: &KillRequest) -> Result<()> {
    let reason = |what: &str, how: &str| -> Error { err!(KilledByUser, "{what} killed manually: {how}") };
    if !request.query_id.is_empty() {
        let id = &request.query_id;
        let is_meant = |s: &&Arc<SessionInfo>| {
            let state = s.state.read();
            state.query_id.is_some_and(|q| q.to_string() == *id || state.custom_query_id == *id)
        };
        let all = engine.sessions.all();
        let mut victims = all.iter().filter(is_meant).peekable();
        if victims.peek().is_none() {
            bail!(UnknownQueryId, "Unknown query id: {id}");
        }
        victims.for_each(|v| v.kill_query(reason("Query", &format!("KILL QUERY {id}"))));
        return Ok(());
    }
    let id = request.connection_id;
    let victim = engine.sessions.get(id).ok_or_else(|| err!(UnknownThread, "Unknown thread id: {id}"))?;
    match request.whole {
        true => victim.kill_connection(reason("Connection", &format!("KILL {id}"))),
        false => victim.kill_query(reason("Query", &format!("KILL QUERY {id}"))),
    }
    Ok(())
}

/// This FE's name in the cluster.
pub fn server_name(engine: &Engine) -> String {
    let id = engine.meta.node_id();
    let catalog = engine.meta.snapshot();
    catalog.frontends.values().find(|f| f.id.0 == id).map_or_else(|| engine.options.host.clone(), |f| f.name.clone())
}

/// The other frontends, without those known to be dead.
fn others(engine: &Engine) -> Vec<Arc<Frontend>> {
    let catalog = engine.meta.snapshot();
    let asked = |f: &&Arc<Frontend>| f.id.0 != engine.meta.node_id() && has_joined(f) && engine.frontends.get(engine, f.id).alive;
    catalog.frontends.values().filter(asked).cloned().collect()
}

type Client = proto_services::fe_peer::fe_peer_client::FePeerClient<common_rpc::Channel>;

async fn ask<A>(engine: &Engine, frontend: &Frontend, call: impl AsyncFnOnce(Client) -> std::result::Result<tonic::Response<A>, tonic::Status>) -> Result<A> {
    let address = address(frontend);
    let client = engine.pool.fe_peer(&address)?;
    match tokio::time::timeout(ANSWER, call(client)).await {
        Ok(answer) => answer.map(tonic::Response::into_inner).map_err(|e| status::from_grpc(&e, &address)),
        Err(_) => {
            engine.pool.forget(&address);
            Err(Error::new(ErrorCode::Timeout, format!("{address} does not answer within {} s", ANSWER.as_secs())))
        }
    }
}
