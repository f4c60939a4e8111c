//! Keys of `fe.conf`.

use std::time::Duration;

use common_base::{Result, bail, config::{ConfigValue, Interval, KeyDef}, config_keys, err, net_address::Networks};

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
    /// Address that the services above listen on; 0.0.0.0 = all of this machine.
    pub FRONTEND_ADDRESS: BindAddress = "frontend_address", "0.0.0.0", fixed;
    /// Where data is: shared_nothing = on the backends' own disks.
    pub RUN_MODE: RunMode = "run_mode", "shared_nothing", fixed;
    /// Directory of the catalog: log and images. Relative paths are under the home directory.
    pub META_DIR: String = "meta_dir", "meta", fixed;
    /// Networks (CIDR) whose address this frontend takes; the first match wins. Empty: the first address that is not loopback.
    pub PRIORITY_NETWORKS: Networks = "priority_networks", "", fixed;
    /// Seconds between heartbeats.
    pub HEARTBEAT_INTERVAL: Interval = "heartbeat_interval_second", "5", fixed;
    /// How long a heartbeat's answer is waited for.
    pub HEARTBEAT_TIMEOUT: Interval = "heartbeat_timeout_second", "5", fixed;
    /// Changes of the catalog between two images.
    pub EDIT_LOG_ROLL_NUM: u64 = "edit_log_roll_num", "50000", fixed;
    /// Images of the catalog kept.
    pub IMAGES_KEPT: usize = "image_keep_num", "3", fixed;
    /// The cluster this frontend belongs to; -1: the one it has joined. With metadata_failure_recovery the catalog becomes that of a new cluster.
    pub CLUSTER_ID: i64 = "cluster_id", "-1", fixed;
    /// This frontend goes on alone with its copy of the catalog: the other frontends are lost. For one start only.
    pub METADATA_FAILURE_RECOVERY: bool = "metadata_failure_recovery", "false", fixed, alias "bdbje_reset_election_group";
    /// A frontend that has not heard from the leader for so long answers no queries (seconds).
    pub META_DELAY_TOLERATION: Duration = "meta_delay_toleration_second", "300", fixed;
    /// Whether a frontend answers queries however long it has not heard from the leader.
    pub IGNORE_META_CHECK: bool = "ignore_meta_check", "false", fixed;
    /// Clocks of frontends may differ by this much (milliseconds); one that differs more may not join.
    pub CLOCK_DELTA_MAX: u64 = "max_bdbje_clock_delta_ms", "5000", fixed;
    /// A graceful stop says so long that it is under way (`/api/health` is 500, no new connections), while clients are connected (seconds).
    pub MIN_GRACEFUL_EXIT_TIME: Duration = "min_graceful_exit_time_second", "15", fixed;
    /// A graceful stop waits this long for running statements (seconds).
    pub MAX_GRACEFUL_EXIT_TIME: Duration = "max_graceful_exit_time_second", "60", fixed;
}

/// Every list: what acts, and what `fe.conf` may hold besides.
pub const ALL: &[&[KeyDef]] = &[KEYS, fe_engine::settings::KEYS, FOREIGN];

/// Keys of the compatible surface that do not act here.
#[rustfmt::skip]
pub const FOREIGN: &[KeyDef] = &[
    KeyDef::without_effect("cluster_name", "the cluster goes by its id"),
    KeyDef::without_effect("max_mysql_service_task_threads_num", TASKS),
    KeyDef::without_effect("mysql_service_io_threads_num", TASKS),
    KeyDef::without_effect("mysql_service_nio_enabled", TASKS),
    KeyDef::without_effect("mysql_nio_backlog_num", TASKS),
    KeyDef::without_effect("http_worker_threads_num", TASKS),
    KeyDef::without_effect("http_backlog_num", TASKS),
    KeyDef::without_effect("thrift_server_type", GRPC),
    KeyDef::without_effect("thrift_backlog_num", GRPC),
    KeyDef::without_effect("thrift_client_timeout_ms", GRPC),
    KeyDef::without_effect("brpc_connection_pool_size", GRPC),
    KeyDef::without_effect("publish_version_interval_ms", "versions are published as they are committed"),
    KeyDef::without_effect("metadata_journal_queue_size", RAFT),
    KeyDef::without_effect("metadata_journal_max_batch_size_mb", RAFT),
    KeyDef::without_effect("metadata_journal_max_batch_cnt", RAFT),
    KeyDef::without_effect("master_sync_policy", RAFT),
    KeyDef::without_effect("replica_sync_policy", RAFT),
    KeyDef::without_effect("replica_ack_policy", RAFT),
    KeyDef::without_effect("edit_log_type", RAFT),
    KeyDef::without_effect("bdbje_lock_timeout_second", RAFT),
    KeyDef::without_effect("bdbje_heartbeat_timeout_second", RAFT),
    KeyDef::without_effect("bdbje_replay_cost_percent", RAFT),
    KeyDef::without_effect("bdbje_reserved_disk_bytes", RAFT),
    KeyDef::without_effect("ignore_unknown_log_id", RAFT),
    KeyDef::without_effect("checkpoint_timeout_seconds", "images are written while the frontend works"),
    KeyDef::without_effect("checkpoint_only_on_leader", "every frontend writes its own images"),
    KeyDef::without_effect("enable_auth_check", "passwords are always checked"),
    KeyDef::without_effect("enable_token_check", "the cluster's token is always checked"),
    KeyDef::without_effect("query_detail_cache_time_nanosecond", "details of queries are not kept"),
    KeyDef::not_supported("enable_table_name_case_insensitive", "names of tables are case-sensitive"),
    KeyDef::not_supported("https_port", "HTTPS is not there yet"),
    KeyDef::not_supported("enable_https", "HTTPS is not there yet"),
    KeyDef::not_supported("arrow_flight_port", "Arrow Flight is not there yet"),
    KeyDef::not_supported("audit_log_dir", AUDIT),
    KeyDef::not_supported("audit_log_modules", AUDIT),
    KeyDef::not_supported("audit_log_roll_num", AUDIT),
    KeyDef::not_supported("audit_log_roll_interval", AUDIT),
    KeyDef::not_supported("audit_log_delete_age", AUDIT),
    KeyDef::not_supported("internal_log_dir", LOGS),
    KeyDef::not_supported("internal_log_roll_num", LOGS),
    KeyDef::not_supported("big_query_log_dir", LOGS),
    KeyDef::not_supported("big_query_log_roll_num", LOGS),
    KeyDef::not_supported("big_query_log_delete_age", LOGS),
    KeyDef::not_supported("dump_log_dir", LOGS),
    KeyDef::not_supported("dump_log_roll_num", LOGS),
    KeyDef::not_supported("dump_log_delete_age", LOGS),
    KeyDef::not_supported("profile_log_dir", LOGS),
    KeyDef::not_supported("enable_profile_log", LOGS),
    KeyDef::not_supported("sys_log_verbose_modules", "the level counts for all modules"),
    KeyDef::not_supported("enable_udf", "functions of users are not there yet"),
    KeyDef::not_supported("enable_query_queue_v2", "queries do not queue"),
    KeyDef::not_supported("low_cardinality_threshold", "dictionaries are used whatever their size"),
    KeyDef::not_supported("broker_load_default_timeout_second", "there is no broker load yet"),
    KeyDef::not_supported("insert_load_default_timeout_second", "the variable insert_timeout counts"),
    KeyDef::not_supported("auth_token", "the cluster makes its own token"),
    KeyDef::not_supported("ssl_keystore_location", TLS),
    KeyDef::not_supported("ssl_keystore_password", TLS),
    KeyDef::not_supported("ssl_key_password", TLS),
    KeyDef::not_supported("ssl_truststore_location", TLS),
    KeyDef::not_supported("ssl_truststore_password", TLS),
    KeyDef::not_supported("ssl_force_secure_transport", TLS),
    KeyDef::not_supported("authentication_ldap_simple_server_host", LDAP),
    KeyDef::not_supported("authentication_ldap_simple_server_port", LDAP),
    KeyDef::not_supported("authentication_ldap_simple_bind_base_dn", LDAP),
    KeyDef::not_supported("privilege_max_role_depth", "roles are not there yet"),
    KeyDef::not_supported("privilege_max_total_roles_per_user", "roles are not there yet"),
    KeyDef::not_supported("authorization_enable_column_level_privilege", "privileges of columns are not there yet"),
    KeyDef::not_supported("metadata_enable_recovery_mode", RECOVERY),
    KeyDef::not_supported("metadata_journal_skip_bad_journal_ids", RECOVERY),
    KeyDef::not_supported("metadata_journal_ignore_replay_failure", RECOVERY),
    KeyDef::not_supported("metadata_ignore_unknown_operation_type", RECOVERY),
    KeyDef::not_supported("start_with_incomplete_meta", RECOVERY),
    KeyDef::not_supported("cloud_native_meta_port", SHARED_DATA),
    KeyDef::not_supported("enable_load_volume_from_conf", SHARED_DATA),
];

const TASKS: &str = "clients are served by tasks, not by threads";
const GRPC: &str = "nodes speak gRPC";
const RAFT: &str = "the catalog is replicated by Raft";
const AUDIT: &str = "there is no audit log yet";
const LOGS: &str = "it goes to fe.log";
const TLS: &str = "TLS is not there yet";
const LDAP: &str = "users log in with passwords of this cluster";
const RECOVERY: &str = "there is no such recovery yet";
const SHARED_DATA: &str = "data is on the backends' own disks";

/// `run_mode`: there is one.
pub struct RunMode;

impl ConfigValue for RunMode {
    const TYPE_NAME: &'static str = "String";
    fn parse(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "shared_nothing" => Ok(Self),
            "shared_data" => bail!(NotSupported, "shared_data is not supported: data is on the backends' own disks (shared_nothing)"),
            _ => bail!(InvalidArgument, "'{text}' is no run mode (shared_nothing)"),
        }
    }
}

/// An address to listen on.
pub struct BindAddress(pub std::net::IpAddr);

impl ConfigValue for BindAddress {
    const TYPE_NAME: &'static str = "String";
    fn parse(text: &str) -> Result<Self> {
        text.parse().map(Self).map_err(|_| err!(InvalidArgument, "'{text}' is not an address (example: 0.0.0.0)"))
    }
}

#[cfg(test)]
mod tests {
    use common_base::config::{ConfigSet, render_conf};

    #[test]
    fn keys_that_do_not_act_say_so() {
        let set = ConfigSet::new(&[super::ALL, &[common_base::process::LOG_KEYS]].concat()).unwrap();
        let load = |text: &str| set.load(text, "fe.conf", &|_| None);
        let warnings = load("audit_log_dir = /a\nreplica_ack_policy = ALL\nrun_mode = shared_nothing\nqe_max_connection = 5").unwrap();
        let expected = ["fe.conf:1: 'audit_log_dir' is not supported: there is no audit log yet", "fe.conf:2: 'replica_ack_policy' has no effect here: the catalog is replicated by Raft"];
        assert_eq!(warnings, expected);
        assert!(load("run_mode = shared_data").is_err() && load("frontend_address = here").is_err());
    }

    /// With REWRITE=1 the file is written instead.
    #[test]
    fn the_shipped_conf_file_lists_every_key() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conf/fe.conf");
        let text = render_conf("Settings of the frontend. Commented lines show the defaults.", &[("Keys", super::KEYS), ("Settings of the cluster", fe_engine::settings::KEYS), ("Logs", common_base::process::LOG_KEYS)]);
        if std::env::var_os("REWRITE").is_some_and(|v| v == "1") {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);
    }
}
