//! ADMIN statements.

use common_base::{Result, bail, failpoint};
use fe_catalog::Op;
use fe_parser::ast::{Admin, Properties};

use super::names;
use crate::{result::StatementResult, session::Session, settings};

/// Runs ADMIN.
pub async fn run(session: &mut Session, statement: &Admin) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    match statement {
        Admin::SetFrontendConfig { properties, .. } => set_config(session, properties).await,
        Admin::RepairTable { table, .. } | Admin::CancelRepairTable { table, .. } => {
            // Tablets below their replica number are repaired as they are found; there is no queue to jump.
            let (db, name) = names::qualified(session, table)?;
            names::olap(&*names::find_table(&session.engine.meta.snapshot(), &db, &name)?)?;
            Ok(StatementResult::ok())
        }
        Admin::CheckTablets { tablets, .. } => {
            let catalog = session.engine.meta.snapshot();
            for tablet in tablets {
                if catalog.partition_of_tablet(common_base::ids::TabletId(*tablet as u64)).is_none() {
                    bail!(Analysis, "tablet {tablet} does not exist");
                }
            }
            // Every page is checked against its checksum when it is read: there is no separate check to start.
            Ok(StatementResult::ok())
        }
        Admin::Failpoint { enable, name, times, probability, .. } => set_failpoint(name, *enable, *times, *probability),
        Admin::SetPartitionVersion { .. } => bail!(NotSupported, "ADMIN SET TABLE ... VERSION is not supported yet"),
        Admin::SetReplicaStatus(_) => bail!(NotSupported, "ADMIN SET REPLICA STATUS is not supported yet"),
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
