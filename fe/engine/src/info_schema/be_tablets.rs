//! information_schema.be_tablets: replicas by the catalog, sizes by the newest reports.

use common_types::Scalar;

use super::{Provider, TEXT, Ty, number};
use crate::statement::replication::partition_medium;
use crate::{result::text, show::{columns::keys_name, tablets::replicas}};

pub(super) const BE_TABLETS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "be_tablets",
    columns: &[
        ("BE_ID", Ty::BigInt),
        ("TABLE_ID", Ty::BigInt),
        ("PARTITION_ID", Ty::BigInt),
        ("TABLET_ID", Ty::BigInt),
        ("NUM_VERSION", Ty::BigInt),
        ("MAX_VERSION", Ty::BigInt),
        ("MIN_VERSION", Ty::BigInt),
        ("NUM_ROWSET", Ty::BigInt),
        ("NUM_ROW", Ty::BigInt),
        ("DATA_SIZE", Ty::BigInt),
        ("INDEX_MEM", Ty::BigInt),
        ("CREATE_TIME", Ty::BigInt),
        ("STATE", TEXT),
        ("TYPE", TEXT),
        ("DATA_DIR", TEXT),
        ("SHARD_ID", Ty::BigInt),
        ("SCHEMA_HASH", Ty::BigInt),
        ("INDEX_DISK", Ty::BigInt),
        ("MEDIUM_TYPE", TEXT),
        ("NUM_SEGMENT", Ty::BigInt),
    ],
    rows: |cx| {
        let mut rows = Vec::new();
        for table in cx.catalog.tables.values().filter(|t| cx.wants("TABLE_ID", &t.id.to_string())) {
            let Some(olap) = table.as_olap() else { continue };
            for (partition, tablet, replica) in olap.partitions.values().flat_map(|p| replicas(p)) {
                let size = cx.engine.statistics.tablet(tablet.id);
                let facts = cx.engine.statistics.replica(tablet.id, replica.node);
                let rowsets = || facts.as_ref().map_or(Scalar::Null, |f| number(u64::from(f.rowsets)));
                rows.push(vec![
                    number(replica.node.0),
                    number(table.id.0),
                    number(partition.id.0),
                    number(tablet.id.0),
                    rowsets(),
                    Scalar::BigInt(replica.version),
                    Scalar::Null,
                    rowsets(),
                    number(size.map_or(0, |s| s.rows)),
                    number(size.map_or(0, |s| s.bytes)),
                    Scalar::Null,
                    Scalar::BigInt(table.created_ms / 1000),
                    text(if replica.bad { "BAD" } else { "RUNNING" }),
                    text(keys_name(olap.keys)),
                    facts.as_ref().map_or(Scalar::Null, |f| text(&*f.dir)),
                    number(0),
                    number(0),
                    Scalar::Null,
                    text(partition_medium(olap, partition)),
                    Scalar::Null,
                ]);
            }
        }
        rows
    },
};
