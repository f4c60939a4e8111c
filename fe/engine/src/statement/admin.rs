//! ADMIN statements.

use common_base::{Result, bail, err, failpoint, ids::{NodeId, TabletId}};
use fe_catalog::Op;
use fe_parser::ast::{Admin, Properties};

use crate::{result::StatementResult, session::Session, settings, show::tablets};

/// Runs ADMIN.
pub async fn run(session: &mut Session, statement: &Admin) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    match statement {
        Admin::SetFrontendConfig { properties, .. } => set_config(session, properties).await,
        Admin::RepairTable { table, partitions, .. } => {
            let (_, partitions) = tablets::chosen(session, table, partitions.as_ref())?;
            let ids: Vec<_> = partitions.iter().map(|p| p.id).collect();
            session.engine.replicas.scheduler.lock().ask(&ids, session.engine.clock.now_ms());
            session.engine.replicas.look_again();
            Ok(StatementResult::ok())
        }
        Admin::CancelRepairTable { table, partitions } => {
            let (_, partitions) = tablets::chosen(session, table, partitions.as_ref())?;
            let ids: Vec<_> = partitions.iter().map(|p| p.id).collect();
            session.engine.replicas.scheduler.lock().unask(&ids);
            Ok(StatementResult::ok())
        }
        Admin::CheckTablets { tablets, .. } => {
            let catalog = session.engine.meta.snapshot();
            for tablet in tablets {
                if catalog.partition_of_tablet(TabletId(*tablet as u64)).is_none() {
                    bail!(Analysis, "tablet {tablet} does not exist");
                }
            }
            // Every page is checked against its checksum when it is read: there is no separate check to start.
            Ok(StatementResult::ok())
        }
        Admin::Failpoint { enable, name, times, probability, .. } => set_failpoint(name, *enable, *times, *probability),
        Admin::SetPartitionVersion { .. } => bail!(NotSupported, "ADMIN SET TABLE ... VERSION is not supported yet"),
        Admin::SetReplicaStatus(properties) => set_replica_status(session, properties).await,
        Admin::ExecuteScript { .. } => bail!(NotSupported, "ADMIN EXECUTE is not supported"),
    }
}

async fn set_config(session: &mut Session, properties: &Properties) -> Result<StatementResult> {
    let mut changes = Vec::with_capacity(properties.len());
    for property in properties {
        changes.push(settings::check(&property.key, &property.value)?);
    }
    for (setting, value) in changes {
        session.change(Op::SetFrontendConfig { name: setting.name.to_owned(), value }).await?;
    }
    session.wait_for_own_changes().await?;
    Ok(StatementResult::ok())
}

/// `bad`: the replica is not read and is made again from others; `ok`: it is believed again.
async fn set_replica_status(session: &mut Session, properties: &Properties) -> Result<StatementResult> {
    let (mut tablet, mut backend, mut bad) = (None, None, None);
    for p in properties {
        let value = p.value.trim();
        let number = || value.parse::<u64>().map_err(|_| err!(User, "Invalid {}: {value}", p.key));
        match p.key.trim().to_ascii_lowercase().as_str() {
            "tablet_id" => tablet = Some(TabletId(number()?)),
            "backend_id" => backend = Some(NodeId(number()?)),
            "status" => {
                bad = Some(match value.to_ascii_lowercase().as_str() {
                    "bad" | "set_bad_force" => true,
                    "ok" => false,
                    _ => bail!(User, "Do not support replica status: {value}"),
                });
            }
            _ => bail!(User, "Unknown property: {}", p.key),
        }
    }
    let (Some(tablet), Some(backend), Some(bad)) = (tablet, backend, bad) else {
        bail!(User, "Should add following properties: TABLET_ID, BACKEND_ID and STATUS");
    };
    let catalog = session.engine.meta.snapshot();
    if !catalog.known_partition(tablet).is_some_and(|(_, p)| p.tablet(tablet).is_some_and(|t| t.replica(backend).is_some())) {
        bail!(User, "tablet {tablet} has no replica on backend {backend}");
    }
    let done = session.change(Op::DeclareReplicas { replicas: vec![(tablet, backend, bad)] }).await?;
    session.engine.replicas.look_again();
    Ok(done)
}

/// Fail points of this process; a name no code asks for never fires.
fn set_failpoint(name: &str, enable: bool, times: Option<i64>, probability: Option<f64>) -> Result<StatementResult> {
    if probability.is_some() {
        bail!(NotSupported, "fail points with a probability are not supported");
    }
    let spec = match (enable, times) {
        (false, _) => "off".to_owned(),
        (true, Some(n)) => format!("{}*error", n.max(0)),
        (true, None) => "error".to_owned(),
    };
    failpoint::set(name, &spec)?;
    Ok(StatementResult::ok())
}
