//! ALTER SYSTEM for backends: added, dropped, emptied, changed.

use std::{collections::BTreeSet, sync::Arc};

use common_base::{Result, bail, err, ids::NodeId};
use fe_catalog::{CatalogState, Op, model::Backend};
use fe_jobs::tablet::{cluster::partitions, place};
use fe_parser::ast::Properties;

use crate::{result::StatementResult, session::Session};

/// `host:port`.
pub fn host_port(text: &str) -> Result<(String, u16)> {
    let bad = || err!(User, "Invalid host port: {text}");
    let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
    let port: u16 = port.parse().map_err(|_| bad())?;
    if host.is_empty() || port == 0 {
        return Err(bad());
    }
    Ok((host.to_owned(), port))
}

/// The same for a node that is to be added: the others must be able to reach it there.
pub fn new_host_port(text: &str) -> Result<(String, u16)> {
    let (host, port) = host_port(text)?;
    if host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_unspecified() || ip.is_multicast()) {
        bail!(User, "Invalid host port: {text}: nobody can be reached at this address");
    }
    Ok((host, port))
}

fn find(catalog: &CatalogState, text: &str) -> Result<Arc<Backend>> {
    let (host, port) = host_port(text)?;
    let found = catalog.backends.values().find(|b| b.host == host && b.heartbeat_port == port);
    found.cloned().ok_or_else(|| err!(User, "backend does not exists[{host}:{port}]"))
}

fn find_all(catalog: &CatalogState, hosts: &[String]) -> Result<Vec<Arc<Backend>>> {
    hosts.iter().map(|text| find(catalog, text)).collect()
}

/// ADD BACKEND.
pub async fn add(session: &mut Session, hosts: &[String]) -> Result<StatementResult> {
    let parsed = hosts.iter().map(|h| new_host_port(h)).collect::<Result<Vec<_>>>()?;
    for (host, heartbeat_port) in parsed {
        let id = NodeId(session.engine.meta.next_id().await?);
        let added_ms = session.engine.clock.now_ms();
        let location = String::new();
        let backend = Backend { id, host, heartbeat_port, be_port: 0, http_port: 0, brpc_port: 0, decommissioned: false, added_ms, location };
        session.change(Op::AddBackend(backend)).await?;
    }
    Ok(StatementResult::ok())
}

/// DROP BACKEND: what it holds counts as lost at once. Refused while it holds what nobody else has.
pub async fn drop(session: &mut Session, hosts: &[String], force: bool) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    for text in hosts {
        let catalog = session.engine.meta.snapshot();
        let backend = find(&catalog, text)?;
        if !force {
            check_replicas(&catalog, &backend)?;
        }
        session.change(Op::DropBackend { node: backend.id }).await?;
        session.engine.nodes.forget(backend.id);
        session.engine.replicas.look_again();
    }
    Ok(StatementResult::ok())
}

fn check_replicas(catalog: &CatalogState, backend: &Backend) -> Result<()> {
    let tablets = partitions(catalog).flat_map(|(_, _, p)| &p.indexes).flat_map(|i| &i.tablets);
    let mut needed = tablets.filter(|t| t.replica(backend.id).is_some()).filter_map(|t| Some((t.id, catalog.why_not_drop(t.id, backend.id)?)));
    if let Some((tablet, why)) = needed.next() {
        bail!(
            User,
            "backend {}:{} holds the only copy of tablet {tablet} and {} others ({why}). Dropping it loses their data; use DROP BACKEND ... FORCE to do so, or decommission it first",
            backend.host,
            backend.heartbeat_port,
            needed.count()
        );
    }
    Ok(())
}

/// DECOMMISSION BACKEND: its replicas move away, then it leaves.
pub async fn decommission(session: &mut Session, hosts: &[String]) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let engine = session.engine.clone();
    let catalog = engine.meta.snapshot();
    let chosen = find_all(&catalog, hosts)?;
    let leaving: BTreeSet<NodeId> = chosen.iter().map(|b| b.id).collect();
    let alive = engine.nodes.alive(&catalog);
    let stay: Vec<NodeId> = alive.iter().map(|b| b.id).filter(|id| !leaving.contains(id) && catalog.backends.get(id).is_some_and(|b| !b.decommissioned)).collect();
    let most = partitions(&catalog).map(|(_, _, p)| usize::from(p.replication_num)).max().unwrap_or(0);
    if stay.len() < most {
        bail!(
            User,
            "It will cause insufficient BE number if these BEs are decommissioned, because the maximum replication number of partitions is {most} and {} BEs would be left",
            stay.len()
        );
    }
    let bytes = |id: &NodeId, of: fn(&proto_services::fe_service::DiskReport) -> u64| engine.nodes.get(*id).reply.map_or(0, |r| r.disks.iter().map(of).sum::<u64>());
    let moving: u64 = leaving.iter().map(|id| bytes(id, |d| d.used_bytes)).sum();
    let free: u64 = stay.iter().map(|id| bytes(id, |d| if d.broken || d.full { 0 } else { d.available_bytes })).sum();
    if moving > free {
        bail!(User, "It will cause insufficient disk space if these BEs are decommissioned: they hold {moving} bytes, the others have {free} left");
    }
    for backend in chosen.iter().filter(|b| !b.decommissioned) {
        session.change(Op::UpdateBackend(Backend { decommissioned: true, ..Backend::clone(backend) })).await?;
    }
    engine.replicas.look_again();
    Ok(StatementResult::ok())
}

/// CANCEL DECOMMISSION BACKEND.
pub async fn cancel_decommission(session: &mut Session, hosts: &[String]) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let catalog = session.engine.meta.snapshot();
    let chosen = find_all(&catalog, hosts)?;
    if let Some(other) = chosen.iter().find(|b| !b.decommissioned) {
        bail!(User, "Backend is not decommissioned[{}:{}]", other.host, other.heartbeat_port);
    }
    for backend in chosen {
        session.change(Op::UpdateBackend(Backend { decommissioned: false, ..Backend::clone(&backend) })).await?;
    }
    session.engine.replicas.look_again();
    Ok(StatementResult::ok())
}

/// MODIFY BACKEND HOST "a" TO "b": the machine has got another name or address.
pub async fn rename_host(session: &mut Session, from: &str, to: &str) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let catalog = session.engine.meta.snapshot();
    let mine: Vec<_> = catalog.backends.values().filter(|b| b.host == from).cloned().collect();
    if mine.is_empty() {
        bail!(User, "backend [{from}] not found");
    }
    if to.is_empty() || mine.iter().any(|m| catalog.backends.values().any(|b| b.host == to && b.heartbeat_port == m.heartbeat_port)) {
        bail!(User, "Backend already exists with same host {to}");
    }
    for backend in mine {
        session.change(Op::UpdateBackend(Backend { host: to.to_owned(), ..Backend::clone(&backend) })).await?;
    }
    Ok(StatementResult::ok())
}

/// MODIFY BACKEND "h:p" SET ("labels.location" = "rack:r1").
pub async fn modify(session: &mut Session, host: &str, properties: &Properties) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let backend = find(&session.engine.meta.snapshot(), host)?;
    let mut changed = Backend::clone(&backend);
    for p in properties {
        if !p.key.trim().eq_ignore_ascii_case("labels.location") {
            bail!(User, "Unknown property: {}. Only labels.location can be changed", p.key);
        }
        let value = p.value.trim();
        if !value.is_empty() && !place::is_location(value) {
            bail!(User, "invalid 'location' or 'labels.location' property format, should be like: 'key:val', got: {value}");
        }
        changed.location = value.split_once(':').map_or_else(String::new, |(key, place)| format!("{}:{}", key.trim(), place.trim()));
    }
    session.change(Op::UpdateBackend(changed)).await?;
    session.engine.replicas.look_again();
    Ok(StatementResult::ok())
}
