//! information_schema.views.

use fe_catalog::model::TableKind;

use super::{Provider, Ty};
use crate::result::text;

pub(super) const VIEWS: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "views",
    columns: &[
        ("TABLE_CATALOG", Ty::Text(512)),
        ("TABLE_SCHEMA", Ty::Text(64)),
        ("TABLE_NAME", Ty::Text(64)),
        ("VIEW_DEFINITION", Ty::Text(65533)),
        ("CHECK_OPTION", Ty::Text(8)),
        ("IS_UPDATABLE", Ty::Text(3)),
        ("DEFINER", Ty::Text(77)),
        ("SECURITY_TYPE", Ty::Text(7)),
        ("CHARACTER_SET_CLIENT", Ty::Text(32)),
        ("COLLATION_CONNECTION", Ty::Text(32)),
    ],
    rows: |cx| {
        let mut rows = Vec::new();
        for (db, table) in cx.tables("TABLE_SCHEMA", "TABLE_NAME") {
            let TableKind::View(view) = &table.kind else { continue };
            rows.push(vec![
                text("def"),
                text(db.name.clone()),
                text(table.name.clone()),
                text(view.definition.clone()),
                text("NONE"),
                text("NO"),
                text(""),
                text(""),
                text("utf8"),
                text("utf8_general_ci"),
            ]);
        }
        rows
    },
};
