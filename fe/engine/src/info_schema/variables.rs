//! information_schema.session_variables, global_variables and verbose_session_variables. A provider knows no session: all three show
//! what a new session starts with; SHOW VARIABLES shows a session's own.

use common_types::Scalar;

use super::{Context, Provider, Ty};
use crate::{
    result::text,
    session::variables::{self, Variables},
};

fn values(cx: &Context<'_>, verbose: bool) -> Vec<Vec<Scalar>> {
    let values = Variables::of_session(cx.engine);
    let wanted = variables::all().filter(|d| cx.wants("VARIABLE_NAME", d.name));
    wanted
        .map(|d| {
            let value = values.text_of(d);
            let mut row = vec![text(d.name), text(value.clone())];
            if verbose {
                row.extend([text(d.default), text(if value == d.default { "0" } else { "1" })]);
            }
            row
        })
        .collect()
}

pub(super) const SESSION_VARIABLES: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "session_variables",
    columns: &[("VARIABLE_NAME", Ty::Text(64)), ("VARIABLE_VALUE", Ty::Text(1024))],
    rows: |cx| values(cx, false),
};

pub(super) const GLOBAL_VARIABLES: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "global_variables",
    columns: &[("VARIABLE_NAME", Ty::Text(64)), ("VARIABLE_VALUE", Ty::Text(1024))],
    rows: |cx| values(cx, false),
};

pub(super) const VERBOSE_SESSION_VARIABLES: Provider = Provider {
    asks_backends: false,
    db: "information_schema",
    name: "verbose_session_variables",
    columns: &[
        ("VARIABLE_NAME", Ty::Text(64)),
        ("VARIABLE_VALUE", Ty::Text(1024)),
        ("DEFAULT_VALUE", Ty::Text(1024)),
        ("IS_CHANGED", Ty::Text(16)),
    ],
    rows: |cx| values(cx, true),
};
