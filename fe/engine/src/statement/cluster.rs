//! ALTER SYSTEM: nodes of the cluster.

use common_base::{Result, bail, err, ids::NodeId};
use fe_catalog::{Op, model::Backend};
use fe_parser::ast::AlterSystem;

use crate::{result::StatementResult, session::Session};

/// Runs ALTER SYSTEM.
pub async fn run(session: &mut Session, statement: &AlterSystem) -> Result<StatementResult> {
    match statement {
        AlterSystem::AddBackends { hosts } => add_backends(session, hosts).await,
        AlterSystem::DropBackends { hosts, force } => drop_backends(session, hosts, *force).await,
        AlterSystem::CreateImage => {
            session.engine.meta.checkpoint().await?;
            Ok(StatementResult::ok())
        }
        AlterSystem::AddFollower(_) | AlterSystem::AddObserver(_) | AlterSystem::DropFollower(_) | AlterSystem::DropObserver(_) => {
            bail!(NotSupported, "clusters of several frontends are not supported yet")
        }
        AlterSystem::DecommissionBackends(_) | AlterSystem::CancelDecommissionBackends(_) => bail!(NotSupported, "decommissioning is not supported yet"),
        other => bail!(NotSupported, "ALTER SYSTEM {other:?} is not supported yet"),
    }
}

fn host_port(text: &str) -> Result<(String, u16)> {
    let bad = || err!(User, "Invalid host port: {text}");
    let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
    let port: u16 = port.parse().map_err(|_| bad())?;
    if host.is_empty() || port == 0 {
        return Err(bad());
    }
    Ok((host.to_owned(), port))
}

async fn add_backends(session: &mut Session, hosts: &[String]) -> Result<StatementResult> {
    let parsed = hosts.iter().map(|h| host_port(h)).collect::<Result<Vec<_>>>()?;
    for (host, heartbeat_port) in parsed {
        let id = NodeId(session.engine.meta.next_id().await?);
        let added_ms = session.engine.clock.now_ms();
        let backend = Backend { id, host, heartbeat_port, be_port: 0, http_port: 0, brpc_port: 0, decommissioned: false, added_ms };
        session.change(Op::AddBackend(backend)).await?;
    }
    Ok(StatementResult::ok())
}

async fn drop_backends(session: &mut Session, hosts: &[String], force: bool) -> Result<StatementResult> {
    for text in hosts {
        let (host, port) = host_port(text)?;
        let catalog = session.engine.meta.snapshot();
        let found = catalog.backends.values().find(|b| b.host == host && b.heartbeat_port == port);
        let node = found.ok_or_else(|| err!(User, "backend does not exists[{host}:{port}]"))?.id;
        let holds_the_only_copy = catalog.tables.values().flat_map(|t| t.as_olap()).flat_map(|o| o.partitions.values()).flat_map(|p| &p.indexes).flat_map(|i| &i.tablets).any(|t| t.replicas.iter().all(|r| r.node == node));
        if holds_the_only_copy && !force {
            bail!(User, "backend {host}:{port} holds the only copy of some tablets. Dropping it loses their data; use DROP BACKEND ... FORCE to do so, or decommission it first");
        }
        session.change(Op::DropBackend { node }).await?;
        session.engine.nodes.forget(node);
    }
    Ok(StatementResult::ok())
}
