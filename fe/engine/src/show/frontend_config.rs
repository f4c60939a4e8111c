//! ADMIN SHOW FRONTEND CONFIG: the settings this FE runs with.

use super::Table;
use crate::{result::text, session::Session};

/// ADMIN SHOW FRONTEND CONFIG.
pub fn frontend_config(session: &Session) -> Table {
    let o = &session.engine.options;
    let rows = [
        ("default_replication_num", o.default_replication_num.to_string(), "short", "Replicas of tables that do not say"),
        ("heartbeat_interval_second", o.heartbeat_interval.as_secs().to_string(), "int", "Time between heartbeats"),
        ("heartbeat_timeout_second", o.heartbeat_timeout.as_secs().to_string(), "int", "How long a heartbeat may take"),
        ("http_port", o.http_port.to_string(), "int", "HTTP port"),
        ("label_keep_max_second", o.label_keep.as_secs().to_string(), "int", "How long finished loads and their labels are kept"),
        ("query_port", o.query_port.to_string(), "int", "MySQL protocol port"),
    ];
    let row = |(key, value, ty, comment): &(&str, String, &str, &str)| {
        vec![text(*key), text("[]"), text(value.clone()), text(*ty), text("false"), text(*comment)]
    };
    Table::new(&["Key", "AliasNames", "Value", "Type", "IsMutable", "Comment"], rows.iter().map(row).collect())
}
