//! information_schema.be_threads, be_txns, be_logs, fe_threads: what the cluster's processes do.

use common_types::Scalar;

use super::{Context, Provider, TEXT, Ty, number};
use crate::result::text;

pub(super) const BE_THREADS: Provider = Provider {
    asks_backends: true,
    db: "information_schema",
    name: "be_threads",
    columns: &[
        ("BE_ID", Ty::BigInt),
        ("GROUP", TEXT),
        ("NAME", TEXT),
        ("PTHREAD_ID", Ty::BigInt),
        ("TID", Ty::BigInt),
        ("IDLE", Ty::BigInt),
        ("FINISHED_TASKS", Ty::BigInt),
        ("BOUND_CPUS", TEXT),
    ],
    rows: |cx| {
        of_backends(cx, |reply| {
            let row = |t: &proto_services::be_service::ThreadReport| {
                let idle = Scalar::BigInt(i64::from(t.state == "S"));
                // A thread of a pool is called after it, with its number.
                let group = t.name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
                vec![text(group), text(&*t.name), Scalar::Null, number(u64::from(t.id)), idle, Scalar::Null, text(&*t.cpus)]
            };
            reply.threads.iter().map(row).collect()
        })
    },
};

pub(super) const BE_TXNS: Provider = Provider {
    asks_backends: true,
    db: "information_schema",
    name: "be_txns",
    columns: &[
        ("BE_ID", Ty::BigInt),
        ("LOAD_ID", TEXT),
        ("TXN_ID", Ty::BigInt),
        ("PARTITION_ID", Ty::BigInt),
        ("TABLET_ID", Ty::BigInt),
        ("CREATE_TIME", Ty::BigInt),
        ("COMMIT_TIME", Ty::BigInt),
        ("PUBLISH_TIME", Ty::BigInt),
        ("ROWSET_ID", TEXT),
        ("NUM_SEGMENT", Ty::BigInt),
        ("NUM_DELFILE", Ty::BigInt),
        ("NUM_ROW", Ty::BigInt),
        ("DATA_SIZE", Ty::BigInt),
        ("VERSION", Ty::BigInt),
    ],
    rows: |cx| {
        of_backends(cx, |reply| {
            let row = |t: &proto_services::be_service::TxnReport| {
                let known = cx.catalog.txns.get(&common_base::ids::TxnId(t.txn_id));
                let load = known.map_or(Scalar::Null, |txn| text(common_base::ids::QueryId(txn.request_id).to_string()));
                let published = known.map_or(0, |txn| txn.finish_ms);
                vec![
                    load,
                    number(t.txn_id),
                    number(t.partition_id),
                    number(t.tablet_id),
                    Scalar::BigInt(t.create_ms / 1000),
                    Scalar::BigInt(t.commit_ms / 1000),
                    Scalar::BigInt(if t.version > 0 { published / 1000 } else { 0 }),
                    text(&*t.rowset_id),
                    number(t.segments),
                    number(t.delete_files),
                    number(t.rows),
                    number(t.bytes),
                    Scalar::BigInt(t.version),
                ]
            };
            reply.txns.iter().map(row).collect()
        })
    },
};

pub(super) const BE_LOGS: Provider = Provider {
    asks_backends: true,
    db: "information_schema",
    name: "be_logs",
    columns: &[("BE_ID", Ty::BigInt), ("LEVEL", TEXT), ("TIMESTAMP", Ty::BigInt), ("TID", Ty::BigInt), ("LOG", Ty::Text(65533))],
    rows: |cx| {
        of_backends(cx, |reply| {
            // Levels by their first letter, as be.INFO has them.
            let row = |l: &proto_services::be_service::LogReport| {
                vec![text(l.level.get(..1).unwrap_or_default()), Scalar::BigInt(l.time_us / 1_000_000), Scalar::Null, text(&*l.text)]
            };
            reply.logs.iter().map(row).collect()
        })
    },
};

pub(super) const FE_THREADS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "fe_threads",
    columns: &[
        ("FE_ADDRESS", TEXT),
        ("THREAD_ID", Ty::BigInt),
        ("THREAD_NAME", TEXT),
        ("THREAD_STATE", TEXT),
        ("IS_DAEMON", TEXT),
        ("PRIORITY", Ty::BigInt),
        ("CPU_TIME_MS", Ty::BigInt),
        ("USER_TIME_MS", Ty::BigInt),
    ],
    rows: |cx| {
        let options = &cx.engine.options;
        let address = format!("{}:{}", options.host, options.http_port);
        let state = |c: char| match c {
            'R' => "RUNNABLE",
            'D' => "BLOCKED",
            _ => "WAITING",
        };
        let row = |t: common_base::machine::ThreadFacts| {
            vec![
                text(&*address),
                number(u64::from(t.id)),
                text(t.name),
                text(state(t.state)),
                text("false"),
                Scalar::Null,
                number(t.user_ms + t.system_ms),
                number(t.user_ms),
            ]
        };
        (options.thread_list)().into_iter().map(row).collect()
    },
};

/// The rows of every wanted backend that has answered, its id first.
fn of_backends(cx: &Context<'_>, rows: impl Fn(&proto_services::be_service::InspectReply) -> Vec<Vec<Scalar>>) -> Vec<Vec<Scalar>> {
    let wanted = cx.asked.iter().filter(|(id, _)| cx.wants("BE_ID", &id.to_string()));
    wanted.flat_map(|(id, reply)| rows(reply).into_iter().map(move |row| std::iter::once(number(id.0)).chain(row).collect())).collect()
}
