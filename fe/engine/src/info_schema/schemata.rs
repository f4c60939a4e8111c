//! information_schema.schemata.

use common_types::Scalar;

use super::{Provider, TEXT, Ty};
use crate::result::text;

pub(super) const SCHEMATA: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "schemata",
    columns: &[
        ("CATALOG_NAME", Ty::Text(512)),
        ("SCHEMA_NAME", Ty::Text(32)),
        ("DEFAULT_CHARACTER_SET_NAME", Ty::Text(32)),
        ("DEFAULT_COLLATION_NAME", Ty::Text(32)),
        ("SQL_PATH", TEXT),
    ],
    rows: |cx| {
        let row = |name: &str| vec![text("def"), text(name), text("utf8"), text("utf8_general_ci"), Scalar::Null];
        cx.databases().iter().filter(|d| cx.wants("SCHEMA_NAME", &d.name)).map(|d| row(&d.name)).collect()
    },
};
