//! Keys of `fe.conf`.

use std::time::Duration;

use common_base::{config::Interval, config_keys, net_address::Networks};

config_keys! {
    pub KEYS;
    /// Port of the MySQL service.
    pub QUERY_PORT: u16 = "query_port", "9030", fixed;
    /// Port of the HTTP service.
    pub HTTP_PORT: u16 = "http_port", "8030", fixed;
    /// Port that backends call.
    pub RPC_PORT: u16 = "rpc_port", "9020", fixed;
    /// Port of the replicated catalog log.
    pub EDIT_LOG_PORT: u16 = "edit_log_port", "9010", fixed;
    /// Directory of the catalog: log and images. Relative paths are under the home directory.
    pub META_DIR: String = "meta_dir", "meta", fixed;
    /// Networks (CIDR) whose address this frontend takes; the first match wins. Empty: the first address that is not loopback.
    pub PRIORITY_NETWORKS: Networks = "priority_networks", "", fixed;
    /// Seconds between heartbeats.
    pub HEARTBEAT_INTERVAL: Interval = "heartbeat_interval_second", "5", fixed;
    /// How long a heartbeat's answer is waited for.
    pub HEARTBEAT_TIMEOUT: Interval = "heartbeat_timeout_second", "5", fixed;
    /// Finished loads and their labels are remembered this long (seconds).
    pub LABEL_KEEP: Duration = "label_keep_max_second", "259200", fixed;
    /// Replicas of a table that does not say.
    pub DEFAULT_REPLICATION_NUM: u16 = "default_replication_num", "3", fixed;
    /// Changes of the catalog between two images.
    pub EDIT_LOG_ROLL_NUM: u64 = "edit_log_roll_num", "50000", fixed;
    /// A graceful stop waits this long for running statements (seconds).
    pub MAX_GRACEFUL_EXIT_TIME: Duration = "max_graceful_exit_time_second", "60", fixed;
    /// Most clients at once.
    pub QE_MAX_CONNECTION: u32 = "qe_max_connection", "4096", mutable;
}

#[cfg(test)]
mod tests {
    use common_base::config::render_conf;

    /// With REWRITE=1 the file is written instead.
    #[test]
    fn the_shipped_conf_file_lists_every_key() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conf/fe.conf");
        let text = render_conf("Settings of the frontend. Commented lines show the defaults.", &[("Keys", super::KEYS), ("Logs", common_base::process::LOG_KEYS)]);
        if std::env::var_os("REWRITE").is_some_and(|v| v == "1") {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);
    }
}
