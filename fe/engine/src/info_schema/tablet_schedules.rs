//! information_schema.fe_tablet_schedules: replicas that are to be brought up now.

use common_types::Scalar;

use super::{Provider, TEXT, Ty, number};
use crate::{result::text, show::tablets::replicas};

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
        let alive = cx.engine.nodes.alive(cx.catalog);
        let answers = |id| alive.iter().any(|b| b.id == id);
        let mut rows = Vec::new();
        for table in cx.catalog.tables.values().filter(|t| cx.wants("TABLE_ID", &t.id.to_string())) {
            let Some(olap) = table.as_olap() else { continue };
            let medium = olap.property("storage_medium").map_or_else(|| "HDD".to_owned(), str::to_uppercase);
            for (partition, tablet, replica) in olap.partitions.values().flat_map(|p| replicas(p)) {
                let version = partition.visible_version;
                if replica.version >= version && !replica.bad {
                    continue;
                }
                let whole = |r: &&fe_catalog::model::Replica| r.version >= version && !r.bad && answers(r.node);
                let source = tablet.replicas.iter().find(whole).map(|r| r.node);
                let (state, message) = match (answers(replica.node), source) {
                    (false, _) => ("PENDING", "its backend does not answer"),
                    (_, None) => ("PENDING", "no other replica is whole"),
                    (true, Some(_)) => ("RUNNING", ""),
                };
                let reason = if replica.bad { "NEED_FURTHER_REPAIR" } else { "VERSION_INCOMPLETE" };
                let mut row = vec![number(tablet.id.0), number(table.id.0), number(partition.id.0), text("REPAIR"), text(state), text(reason)];
                row.extend([text(&*medium), text("NORMAL"), text("NORMAL"), Scalar::Null, Scalar::BigInt(version), Scalar::BigInt(version)]);
                row.extend([source.map_or(Scalar::Null, |id| number(id.0)), Scalar::Null, number(replica.node.0)]);
                let path = cx.engine.statistics.replica(tablet.id, replica.node).map_or(Scalar::Null, |f| text(&*f.dir));
                row.push(path);
                row.extend(std::iter::repeat_n(Scalar::Null, 9));
                row.push(text(message));
                rows.push(row);
            }
        }
        rows
    },
};
