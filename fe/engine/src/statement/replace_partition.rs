//! ALTER TABLE … REPLACE PARTITION … WITH TEMPORARY PARTITION: one catalog change swaps them, then the old tablets leave.

use common_base::{Result, bail};
use fe_analyzer::statement::check_replacement;
use fe_catalog::{
    Op,
    model::{OlapTable, Partition, PartitionItem, Table},
};
use fe_parser::ast::{PartitionNames, Properties};

use super::alter::{named, partitioned};
use crate::{cluster::tablets, result::StatementResult, session::Session};

/// Runs the clause.
pub async fn run(
    session: &mut Session,
    table: &Table,
    olap: &OlapTable,
    partitions: &PartitionNames,
    with: &PartitionNames,
    properties: &Properties,
) -> Result<StatementResult> {
    partitioned(table, olap)?;
    if partitions.temporary || !with.temporary {
        bail!(User, "Only support replace partitions with temp partitions");
    }
    let (mut strict, mut temporary_names) = (true, false);
    for p in properties {
        let on = match p.value.trim() {
            v if v.eq_ignore_ascii_case("true") => true,
            v if v.eq_ignore_ascii_case("false") => false,
            v => bail!(User, "Property {} must be true or false, not {v}", p.key),
        };
        match p.key.trim().to_ascii_lowercase().as_str() {
            "strict_range" => strict = on,
            "use_temp_partition_name" => temporary_names = on,
            _ => bail!(User, "Unknown properties: {{{}={}}}", p.key, p.value),
        }
    }
    let leaving = named(olap, false, false, &partitions.names)?;
    let entering = named(olap, true, false, &with.names)?;
    let staying: Vec<&PartitionItem> =
        olap.partitions.values().filter(|p| !p.temporary && !leaving.iter().any(|l| l.id == p.id)).map(|p| &p.item).collect();
    check_replacement(&items(&leaving), &items(&entering), &staying, strict)?;
    // As many as before keep the names in use, unless asked otherwise.
    let keep_names = leaving.len() == entering.len() && !temporary_names;
    let name = |(at, p): (usize, &Partition)| (p.id, if keep_names { leaving[at].name.clone() } else { p.name.clone() });
    let op = Op::SwapPartitions {
        table: table.id,
        leave: leaving.iter().map(|p| p.id).collect(),
        enter: entering.iter().enumerate().map(name).collect(),
        now_ms: session.engine.clock.now_ms(),
    };
    let done = session.change(op).await?;
    tablets::drop_tablets(&session.engine, &leaving);
    Ok(done)
}

fn items(partitions: &[Partition]) -> Vec<&PartitionItem> {
    partitions.iter().map(|p| &p.item).collect()
}
