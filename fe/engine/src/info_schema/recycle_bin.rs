//! information_schema.recyclebin_catalogs.

use common_types::Scalar;

use super::{Provider, TEXT, Ty, number};
use crate::{
    result::text,
    show::{recycle_bin::entries, time},
};

pub(super) const RECYCLEBIN_CATALOGS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "recyclebin_catalogs",
    columns: &[("TYPE", TEXT), ("NAME", TEXT), ("DB_ID", Ty::BigInt), ("TABLE_ID", Ty::BigInt), ("PARTITION_ID", Ty::BigInt), ("DROP_TIME", Ty::Datetime)],
    rows: |cx| {
        let id = |id: Option<u64>| id.map_or(Scalar::Null, number);
        let row = |e: crate::show::recycle_bin::Entry| vec![text(e.kind), text(e.name), number(e.db), id(e.table), id(e.partition), time::datetime(e.dropped_ms)];
        entries(cx.catalog).into_iter().map(row).collect()
    },
};
