//! ADMIN SHOW FRONTEND CONFIG: the settings this FE runs with.

use super::Table;
use crate::{result::text, session::Session, settings::SETTINGS};

/// ADMIN SHOW FRONTEND CONFIG.
pub fn frontend_config(session: &Session) -> Table {
    let engine = &session.engine;
    let options = &engine.options;
    let fixed = [
        ("heartbeat_interval_second", options.heartbeat_interval.as_secs().to_string(), "Time between heartbeats"),
        ("heartbeat_timeout_second", options.heartbeat_timeout.as_secs().to_string(), "How long a heartbeat may take"),
        ("http_port", options.http_port.to_string(), "HTTP port"),
        ("query_port", options.query_port.to_string(), "MySQL protocol port"),
    ];
    let row = |key: &str, value: String, ty: &str, mutable: bool, comment: &str| {
        vec![text(key), text("[]"), text(value), text(ty), text(if mutable { "true" } else { "false" }), text(comment)]
    };
    let mut rows: Vec<_> = fixed.into_iter().map(|(key, value, comment)| row(key, value, "int", false, comment)).collect();
    let catalog = engine.meta.snapshot();
    rows.extend(SETTINGS.iter().map(|s| row(s.name, engine.setting_in(&catalog, s.name), s.kind.name(), true, s.comment)));
    rows.sort_by(|a, b| a[0].as_str().cmp(&b[0].as_str()));
    Table::new(&["Key", "AliasNames", "Value", "Type", "IsMutable", "Comment"], rows)
}
