//! information_schema.fe_tablet_schedules: copies of replicas that wait, run and have ended, as the leader knows them.

use common_types::Scalar;

use common_base::ids::NodeId;
use fe_jobs::tablet::{Task, TaskKind, TaskState, Work};

use super::{Provider, TEXT, Ty, number};
use crate::{result::text, show::{cluster_balance, time}};

pub(super) const FE_TABLET_SCHEDULES: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "fe_tablet_schedules",
    columns: &[
        ("TABLET_ID", Ty::BigInt),
        ("TABLE_ID", Ty::BigInt),
        ("PARTITION_ID", Ty::BigInt),
        ("TYPE", TEXT),
        ("STATE", TEXT),
        ("SCHEDULE_REASON", TEXT),
        ("MEDIUM", TEXT),
        ("PRIORITY", TEXT),
        ("ORIG_PRIORITY", TEXT),
        ("LAST_PRIORITY_ADJUST_TIME", Ty::Datetime),
        ("VISIBLE_VERSION", Ty::BigInt),
        ("COMMITTED_VERSION", Ty::BigInt),
        ("SRC_BE_ID", Ty::BigInt),
        ("SRC_PATH", TEXT),
        ("DEST_BE_ID", Ty::BigInt),
        ("DEST_PATH", TEXT),
        ("TIMEOUT", Ty::BigInt),
        ("CREATE_TIME", Ty::Datetime),
        ("SCHEDULE_TIME", Ty::Datetime),
        ("FINISH_TIME", Ty::Datetime),
        ("CLONE_BYTES", Ty::BigInt),
        ("CLONE_DURATION", Ty::Double),
        ("CLONE_RATE", Ty::Double),
        ("FAILED_SCHEDULE_COUNT", Ty::BigInt),
        ("FAILED_RUNNING_COUNT", Ty::BigInt),
        ("MSG", TEXT),
    ],
    rows: |cx| {
        let scheduler = cx.engine.replicas.scheduler.lock();
        let all = scheduler.pending().chain(scheduler.running().cloned()).chain(scheduler.history().iter().rev().cloned());
        all.filter(|t| cx.wants("TABLE_ID", &t.table.to_string()) && cx.wants("TABLET_ID", &t.tablet.to_string())).map(|t| row(&t)).collect()
    },
};

fn row(t: &Task) -> Vec<Scalar> {
    let node = |n: Option<NodeId>| n.filter(|n| n.0 != 0).map_or(Scalar::Null, |n| number(n.0));
    let path = |p: &str| if p.is_empty() { Scalar::Null } else { text(p) };
    let source = match &t.work {
        Work::Add { instead_of: Some(from), .. } => Some(*from),
        _ => t.sources.first().copied(),
    };
    let finished = t.state == TaskState::Finished;
    let seconds = (t.finished_ms - t.started_ms).max(0) as f64 / 1000.0;
    vec![
        number(t.tablet.0),
        number(t.table.0),
        number(t.partition.0),
        text(if t.kind == TaskKind::Balance { "BALANCE" } else { "REPAIR" }),
        text(cluster_balance::state_name(t.state)),
        text(t.health.name()),
        text(if t.medium.is_empty() { "HDD".to_owned() } else { t.medium.to_uppercase() }),
        text(t.priority.name()),
        text(t.priority.name()),
        Scalar::Null,
        Scalar::BigInt(t.version),
        Scalar::BigInt(t.version),
        node(source),
        path(&t.source_disk),
        node(Some(t.work.node())),
        path(&t.disk),
        Scalar::BigInt((t.deadline_ms - t.started_ms).max(0) / 1000),
        time::datetime(t.created_ms),
        time::datetime(t.started_ms),
        time::datetime(t.finished_ms),
        if finished { number(t.bytes) } else { Scalar::Null },
        if finished { Scalar::Double(seconds) } else { Scalar::Null },
        if finished && seconds > 0.0 { Scalar::Double(t.bytes as f64 / 1_048_576.0 / seconds) } else { Scalar::Null },
        number(0),
        number(u64::from(t.failures)),
        text(t.message.clone()),
    ]
}
