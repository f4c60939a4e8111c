//! information_schema.partitions_meta.

use common_types::Scalar;

use super::{Provider, TEXT, Ty, number};
use crate::statement::replication::partition_medium;
use crate::{
    result::text,
    show::{
        create_table::ordered,
        partitions::{distribution_key, item_text, partition_key},
        time,
    },
};

pub(super) const PARTITIONS_META: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "partitions_meta",
    columns: &[
        ("DB_NAME", TEXT),
        ("TABLE_NAME", TEXT),
        ("PARTITION_NAME", TEXT),
        ("PARTITION_ID", Ty::BigInt),
        ("COMPACT_VERSION", Ty::BigInt),
        ("VISIBLE_VERSION", Ty::BigInt),
        ("VISIBLE_VERSION_TIME", Ty::Datetime),
        ("NEXT_VERSION", Ty::BigInt),
        ("DATA_VERSION", Ty::BigInt),
        ("VERSION_EPOCH", Ty::BigInt),
        ("VERSION_TXN_TYPE", TEXT),
        ("PARTITION_KEY", TEXT),
        ("PARTITION_VALUE", TEXT),
        ("DISTRIBUTION_KEY", TEXT),
        ("BUCKETS", Ty::BigInt),
        ("REPLICATION_NUM", Ty::BigInt),
        ("STORAGE_MEDIUM", TEXT),
        ("COOLDOWN_TIME", Ty::Datetime),
        ("LAST_CONSISTENCY_CHECK_TIME", Ty::Datetime),
        ("IS_IN_MEMORY", TEXT),
        ("IS_TEMP", TEXT),
        ("DATA_SIZE", TEXT),
        ("ROW_COUNT", Ty::BigInt),
        ("ENABLE_DATACACHE", TEXT),
        ("AVG_CS", Ty::Double),
        ("P50_CS", Ty::Double),
        ("MAX_CS", Ty::Double),
        ("STORAGE_PATH", TEXT),
        ("STORAGE_SIZE", TEXT),
        ("TABLET_BALANCED", TEXT),
        ("METADATA_SWITCH_VERSION", Ty::BigInt),
    ],
    rows: |cx| {
        let mut rows = Vec::new();
        for (db, table) in cx.tables("DB_NAME", "TABLE_NAME") {
            let Some(olap) = table.as_olap() else { continue };
            let statistics = cx.catalog.statistics_of(table.id);
            let temporary = olap.partitions.values().filter(|p| p.temporary).cloned();
            for p in ordered(olap).into_iter().chain(temporary) {
                let (count, bytes) = statistics.and_then(|s| s.partitions.iter().find(|x| x.partition == p.id)).map_or((0, 0), |s| (s.rows, s.bytes));
                let flag = |b: bool| text(if b { "1" } else { "0" });
                rows.push(vec![
                    text(db.name.clone()),
                    text(table.name.clone()),
                    text(p.name.clone()),
                    number(p.id.0),
                    number(0),
                    Scalar::BigInt(p.visible_version),
                    time::datetime(p.visible_time_ms),
                    Scalar::BigInt(p.next_version),
                    Scalar::BigInt(p.visible_version),
                    number(0),
                    text("TXN_NORMAL"),
                    text(partition_key(&table, olap)),
                    text(item_text(&table, olap, &p.item)),
                    text(distribution_key(&table, olap)),
                    number(u64::from(p.buckets)),
                    number(u64::from(p.replication_num)),
                    text(partition_medium(olap, &p)),
                    Scalar::Null,
                    Scalar::Null,
                    flag(false),
                    flag(p.temporary),
                    text(time::short_size(bytes)),
                    number(count),
                    flag(false),
                    Scalar::Double(0.0),
                    Scalar::Double(0.0),
                    Scalar::Double(0.0),
                    text(""),
                    text(time::short_size(bytes)),
                    flag(true),
                    number(0),
                ]);
            }
        }
        rows
    },
};
