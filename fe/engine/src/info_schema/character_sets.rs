//! information_schema.character_sets, collations and engines: fixed rows.

use super::{Provider, Ty, number};
use crate::{result::text, show::charset};

pub(super) const CHARACTER_SETS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "character_sets",
    columns: &[
        ("CHARACTER_SET_NAME", Ty::Text(512)),
        ("DEFAULT_COLLATE_NAME", Ty::Text(64)),
        ("DESCRIPTION", Ty::Text(64)),
        ("MAXLEN", Ty::BigInt),
    ],
    rows: |_| vec![vec![text("utf8"), text("utf8_general_ci"), text("UTF-8 Unicode"), number(3)]],
};

pub(super) const COLLATIONS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "collations",
    columns: &[
        ("COLLATION_NAME", Ty::Text(512)),
        ("CHARACTER_SET_NAME", Ty::Text(64)),
        ("ID", Ty::BigInt),
        ("IS_DEFAULT", Ty::Text(64)),
        ("IS_COMPILED", Ty::Text(64)),
        ("SORTLEN", Ty::BigInt),
    ],
    rows: |_| vec![vec![text("utf8_general_ci"), text("utf8"), number(33), text("Yes"), text("Yes"), number(1)]],
};

pub(super) const ENGINES: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "engines",
    columns: &[
        ("ENGINE", Ty::Text(64)),
        ("SUPPORT", Ty::Text(8)),
        ("COMMENT", Ty::Text(80)),
        ("TRANSACTIONS", Ty::Text(3)),
        ("XA", Ty::Text(3)),
        ("SAVEPOINTS", Ty::Text(3)),
    ],
    rows: |_| charset::ENGINES.iter().map(|row| row.iter().map(|v| text(*v)).collect()).collect(),
};
