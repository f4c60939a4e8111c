//! ALTER SYSTEM: nodes of the cluster.

use common_base::{Result, bail, ids::NodeId};
use fe_catalog::{Op, model::{Frontend, FrontendRole}};
use fe_parser::ast::AlterSystem;

use super::backends;
use crate::{cluster::frontends, dispatch, result::StatementResult, session::Session};

/// Runs ALTER SYSTEM.
pub async fn run(session: &mut Session, statement: &AlterSystem) -> Result<StatementResult> {
    match statement {
        AlterSystem::AddBackends { hosts } => backends::add(session, hosts).await,
        AlterSystem::DropBackends { hosts, force } => backends::drop(session, hosts, *force).await,
        AlterSystem::DecommissionBackends(hosts) => backends::decommission(session, hosts).await,
        AlterSystem::CancelDecommissionBackends(hosts) => backends::cancel_decommission(session, hosts).await,
        AlterSystem::ModifyBackendHost { from, to } => backends::rename_host(session, from, to).await,
        AlterSystem::ModifyBackend { host, properties } => backends::modify(session, host, properties).await,
        AlterSystem::CleanTabletSchedulerQueue => {
            session.engine.replicas.scheduler.lock().clean();
            Ok(StatementResult::ok())
        }
        AlterSystem::CreateImage => {
            session.engine.meta.checkpoint().await?;
            Ok(StatementResult::ok())
        }
        AlterSystem::AddFollower(host) => add_frontend(session, host, FrontendRole::Follower).await,
        AlterSystem::AddObserver(host) => add_frontend(session, host, FrontendRole::Observer).await,
        AlterSystem::DropFollower(host) => drop_frontend(session, host, FrontendRole::Follower).await,
        AlterSystem::DropObserver(host) => drop_frontend(session, host, FrontendRole::Observer).await,
        other => bail!(NotSupported, "ALTER SYSTEM {} is not supported yet", dispatch::words_of(other)),
    }
}

async fn add_frontend(session: &mut Session, text: &str, role: FrontendRole) -> Result<StatementResult> {
    let (host, edit_log_port) = backends::new_host_port(text)?;
    let added_ms = session.engine.clock.now_ms();
    let name = format!("{host}_{edit_log_port}_{added_ms}");
    // Its other ports are known when it joins.
    let frontend = Frontend { id: NodeId(0), name, host, edit_log_port, query_port: 0, http_port: 0, rpc_port: 0, role, added_ms };
    session.change(Op::AddFrontend(frontend)).await
}

async fn drop_frontend(session: &mut Session, text: &str, role: FrontendRole) -> Result<StatementResult> {
    let (host, port) = backends::host_port(text)?;
    let index = frontends::drop(&session.engine.clone(), &host, port, role).await?;
    session.saw(index);
    Ok(StatementResult::ok())
}
