//! How many replicas partitions have, and on what medium: the catalog says what is wanted, the scheduler of replicas makes it so.

use common_base::{Result, bail, err};
use fe_catalog::{Op, model::{OlapTable, Partition, Table}};
use fe_parser::ast::Properties;

use crate::{result::StatementResult, session::Session};

/// A replication number that the cluster can have.
fn replication_num(session: &Session, table: &Table, olap: &OlapTable, value: &str) -> Result<u16> {
    let wanted = value.trim().parse::<u16>().ok().filter(|n| *n > 0).ok_or_else(|| err!(User, "Invalid replication num: {value}"))?;
    if olap.colocate_group.is_some() {
        bail!(User, "Cannot change replication number of colocate table {} to {wanted}", table.name);
    }
    let catalog = session.engine.meta.snapshot();
    let mut alive = session.engine.nodes.alive(&catalog);
    alive.retain(|b| catalog.backends.get(&b.id).is_some_and(|b| !b.decommissioned));
    if usize::from(wanted) > alive.len() {
        let ids: Vec<String> = alive.iter().map(|b| b.id.to_string()).collect();
        bail!(
            User,
            "Table replication num should be less than or equal to the number of available BE nodes. You can change this default by setting the replication_num table properties. Current alive backend is [{}]. ",
            ids.join(",")
        );
    }
    Ok(wanted)
}

/// ALTER TABLE … SET ("replication_num" = n): all partitions, and those made later.
pub async fn of_table(session: &mut Session, table: &Table, olap: &OlapTable, value: &str) -> Result<StatementResult> {
    if olap.partitions.values().all(|p| p.replication_num.to_string() == value.trim()) {
        return Ok(StatementResult::ok());
    }
    let wanted = replication_num(session, table, olap, value)?;
    let op = Op::ModifyPartitions {
        table: table.id,
        partitions: olap.partitions.keys().copied().collect(),
        replication_num: Some(wanted),
        medium: None,
        cooldown_ms: None,
        properties: vec![("replication_num".to_owned(), wanted.to_string())],
    };
    let done = session.change(op).await?;
    session.engine.replicas.look_again();
    Ok(done)
}

/// ALTER TABLE … MODIFY PARTITION … SET (…).
pub async fn of_partitions(session: &mut Session, table: &Table, olap: &OlapTable, chosen: &[Partition], properties: &Properties) -> Result<StatementResult> {
    let (mut replicas, mut medium, mut cooldown_ms) = (None, None, None);
    for p in properties {
        let (key, value) = (p.key.trim().to_ascii_lowercase(), p.value.trim());
        match key.as_str() {
            "replication_num" | "default.replication_num" => match value.parse::<u16>() {
                Ok(n) if chosen.iter().all(|c| c.replication_num == n) => {}
                _ => replicas = Some(replication_num(session, table, olap, value)?),
            },
            // Ignored, as everywhere.
            "in_memory" if ["true", "false"].iter().any(|b| value.eq_ignore_ascii_case(b)) => {}
            "storage_medium" => medium = Some(super::medium::medium(value)?),
            "storage_cooldown_time" => {
                let zone = session.variables.get_text("time_zone");
                cooldown_ms = Some(super::medium::cooldown_time(value, &zone)?);
            }
            "storage_cooldown_ttl" => bail!(NotSupported, "MODIFY PARTITION SET (\"{key}\") is not supported yet: give a storage_cooldown_time"),
            _ => bail!(User, "Unknown properties: {{{}={}}}", p.key, p.value),
        }
    }
    let on_ssd = |p: &Partition| medium.clone().unwrap_or_else(|| partition_medium(olap, p)) == "SSD";
    if let Some(at) = cooldown_ms.filter(|at| *at > 0) {
        if !chosen.iter().all(on_ssd) {
            bail!(User, "Can not assign cooldown time to storage medium HDD");
        }
        if at <= session.engine.clock.now_ms() {
            bail!(User, "Cool down time should later than now");
        }
    }
    if replicas.is_none() && medium.is_none() && cooldown_ms.is_none() {
        return Ok(StatementResult::ok());
    }
    let partitions = chosen.iter().map(|p| p.id).collect();
    let op = Op::ModifyPartitions { table: table.id, partitions, replication_num: replicas, medium, cooldown_ms, properties: Vec::new() };
    let done = session.change(op).await?;
    session.engine.replicas.look_again();
    Ok(done)
}

/// The medium a partition's replicas are to be on, as users see it.
pub fn partition_medium(olap: &OlapTable, partition: &Partition) -> String {
    let wanted = if partition.medium.is_empty() { olap.property("storage_medium").unwrap_or("HDD") } else { &partition.medium };
    wanted.to_ascii_uppercase()
}
