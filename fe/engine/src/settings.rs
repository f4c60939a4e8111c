//! Settings of the frontends that ADMIN SET FRONTEND CONFIG changes while they run.
//!
//! A changed value is a catalog entry: every FE has it at once and it survives restarts, with or without WITH PERSISTENT. What was
//! never changed comes from this FE's `fe.conf`, else from the table below.

use common_base::{Result, bail, config::{Effect, KeyDef}, err};
use fe_catalog::CatalogState;

use crate::engine::Engine;

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int,
    /// An integer above 0.
    Count,
    /// The same, no more than a table can have replicas.
    Replicas,
    /// The same, no longer than any VARCHAR.
    Length,
    Double,
    Text,
    List,
}

/// One setting.
pub struct Setting {
    pub name: &'static str,
    pub kind: Kind,
    pub default: &'static str,
    pub comment: &'static str,
    /// Changing it changes something.
    acts: bool,
}

impl Setting {
    const fn key(&self) -> KeyDef {
        let check: fn(&str) -> Result<()> = match self.kind {
            Bool => |text| of_file(Bool, text),
            Int => |text| of_file(Int, text),
            Count => |text| of_file(Count, text),
            Replicas => |text| of_file(Replicas, text),
            Length => |text| of_file(Length, text),
            Double => |text| of_file(Double, text),
            Text | List => |_| Ok(()),
        };
        let effect = if self.acts { Effect::Acts } else { Effect::None("it is kept and shown, and changes nothing") };
        KeyDef { name: self.name, default: self.default, doc: self.comment, mutable: true, type_name: self.kind.name(), aliases: &[], check, effect }
    }
}

const fn row(name: &'static str, kind: Kind, default: &'static str, comment: &'static str) -> Setting {
    Setting { name, kind, default, comment, acts: true }
}

/// Whether a value of `fe.conf` is one.
fn of_file(kind: Kind, text: &str) -> Result<()> {
    normalize(kind, text).map(drop).map_err(|wrong| err!(InvalidArgument, "{} is not a valid {} value", wrong.message(), kind.name()))
}

/// One that is kept and shown, and changes nothing here.
const fn kept(name: &'static str, kind: Kind, default: &'static str) -> Setting {
    Setting { name, kind, default, comment: "Accepted for compatibility, no effect", acts: false }
}

use Kind::{Bool, Count, Double, Int, Length, List, Replicas, Text};

/// Every setting that can be changed, alphabetical.
pub static SETTINGS: &[Setting] = &[
    kept("access_control", Text, "native"),
    kept("alter_scheduler_interval_millisecond", Int, "10000"),
    kept("audit_log_json_format", Bool, "false"),
    kept("authentication_chain", List, "native"),
    row("auto_increment_cache_size", Int, "100000", "Values of AUTO_INCREMENT columns taken at once"),
    row("catalog_trash_expire_second", Int, "86400", "How long dropped objects can be recovered"),
    kept("consistency_tablet_meta_check_interval_ms", Int, "7200000"),
    kept("default_automatic_bucket_size", Int, "1073741824"),
    kept("default_mv_partition_refresh_number", Int, "1"),
    row("default_replication_num", Replicas, "3", "Replicas of tables that do not say"),
    kept("desired_max_waiting_jobs", Int, "1024"),
    kept("disable_load_job", Bool, "false"),
    row("drop_backend_after_decommission", Bool, "true", "Whether a backend leaves the cluster when it was to be emptied and is empty"),
    row("dynamic_partition_check_interval_seconds", Int, "600", "Time between two looks at dynamic partitions"),
    row("dynamic_partition_enable", Bool, "true", "Whether dynamic partitions are made and dropped"),
    row("empty_load_as_error", Bool, "true", "Whether a load without rows is an error"),
    kept("enable_auto_tablet_distribution", Bool, "true"),
    kept("enable_automatic_bucket", Bool, "true"),
    kept("enable_collect_query_detail_info", Bool, "false"),
    kept("enable_display_shadow_partitions", Bool, "false"),
    row("enable_experimental_gin", Bool, "false", "Whether GIN indexes may be made"),
    row("enable_experimental_rowstore", Bool, "false", "Whether tables with row storage may be made"),
    row("enable_experimental_temporary_table", Bool, "true", "Whether temporary tables may be made"),
    row("enable_experimental_vector", Bool, "false", "Whether vector indexes may be made"),
    kept("enable_fast_schema_evolution", Bool, "true"),
    row("enable_manual_collect_array_ndv", Bool, "false", "Whether ANALYZE counts distinct arrays"),
    kept("enable_materialized_view", Bool, "true"),
    kept("enable_online_optimize_table", Bool, "true"),
    kept("enable_password_reuse", Bool, "true"),
    kept("enable_qe_slow_log", Bool, "true"),
    kept("enable_replicated_storage_as_default_engine", Bool, "true"),
    row("enable_sql_blacklist", Bool, "false", "Whether statements that match the SQL blacklist are refused"),
    kept("enable_sql_digest", Bool, "false"),
    kept("enable_statistic_collect", Bool, "true"),
    kept("enable_statistic_collect_on_first_load", Bool, "true"),
    kept("enable_strict_storage_medium_check", Bool, "false"),
    kept("enable_sync_publish", Bool, "true"),
    kept("enable_sync_statistics_load", Bool, "false"),
    kept("enable_validate_password", Bool, "false"),
    row("expr_children_limit", Count, "10000", "Most operands of a chain of operators"),
    row("group_provider", List, "", "Group providers that are asked for a user's groups"),
    row("heartbeat_retry_times", Count, "3", "Heartbeats a backend misses until it counts as dead"),
    row("histogram_buckets_size", Int, "64", "Buckets of a histogram"),
    row("histogram_mcv_size", Int, "100", "Most common values of a histogram"),
    kept("histogram_sample_ratio", Double, "0.1"),
    kept("history_job_keep_max_second", Int, "604800"),
    row("label_keep_max_num", Int, "1000", "Finished loads of a database that are kept with their labels"),
    row("label_keep_max_second", Int, "259200", "How long finished loads and their labels are kept"),
    kept("materialized_view_min_refresh_interval", Int, "60"),
    kept("max_backend_down_time_second", Int, "3600"),
    kept("max_broker_load_job_concurrency", Int, "5"),
    row("max_bucket_number_per_partition", Int, "1024", "Most buckets of a partition"),
    row("max_column_number_per_table", Int, "10000", "Most columns of a table"),
    kept("max_create_table_timeout_second", Int, "600"),
    kept("max_dynamic_partition_num", Int, "500"),
    kept("max_get_partitions_meta_result_count", Int, "100000"),
    kept("max_load_timeout_second", Int, "259200"),
    kept("max_partition_number_per_table", Int, "100000"),
    kept("max_planner_scalar_rewrite_num", Int, "100000"),
    kept("max_query_retry_time", Int, "2"),
    kept("max_routine_load_task_concurrent_num", Int, "5"),
    kept("max_routine_load_task_num_per_be", Int, "16"),
    row("max_running_txn_num_per_db", Count, "1000", "Most loads of a database at once"),
    row("max_stream_load_timeout_second", Count, "259200", "The longest timeout a stream load may ask for"),
    kept("max_task_consecutive_fail_count", Int, "10"),
    row("max_varchar_length", Length, "1048576", "Longest VARCHAR a column may have"),
    kept("min_bytes_per_broker_scanner", Int, "67108864"),
    kept("mv_plan_cache_max_size", Int, "1000"),
    row("mysql_server_version", Text, "8.0.33", "What version() and the greeting of clients say"),
    kept("partition_recycle_retention_period_secs", Int, "1800"),
    row("prepared_transaction_default_timeout_second", Int, "86400", "How long a prepared load waits for its commit when it does not say"),
    kept("profile_info_reserved_num", Int, "500"),
    kept("qe_slow_log_ms", Int, "5000"),
    row("qe_max_connection", Count, "4096", "Most clients at once"),
    kept("query_queue_v2_concurrency_level", Int, "4"),
    kept("routine_load_task_consume_second", Int, "15"),
    kept("routine_load_task_timeout_second", Int, "60"),
    kept("slow_lock_threshold_ms", Int, "3000"),
    kept("slow_query_analyze_threshold", Int, "5000"),
    kept("statistic_auto_collect_ratio", Double, "0.8"),
    kept("statistic_collect_interval_sec", Int, "600"),
    kept("statistic_sample_collect_rows", Int, "200000"),
    kept("statistic_update_interval_sec", Int, "86400"),
    row("storage_usage_soft_limit_percent", Int, "90", "Disks used to this share (percent), with less left than the next setting says, get no new tablets"),
    row("storage_usage_soft_limit_reserve_bytes", Int, "214748364800", "See storage_usage_soft_limit_percent"),
    row("stream_load_default_timeout_second", Count, "600", "How long a stream load may take that does not say"),
    kept("tablet_create_timeout_second", Int, "10"),
    row("tablet_report_drop_tablet_delay_sec", Int, "120", "How long replicas that the cluster has dropped stay on their disks"),
    row("tablet_sched_be_down_tolerate_time_s", Int, "600", "How long a backend may be away until its replicas are made again elsewhere"),
    row("tablet_sched_checker_interval_seconds", Int, "20", "Time between two looks at all tablets of a large cluster"),
    row("tablet_sched_disable_balance", Bool, "false", "Whether replicas stay where they are, however unevenly backends are loaded"),
    row("tablet_sched_disable_colocate_balance", Bool, "false", "The same for the buckets of colocate groups"),
    row("tablet_sched_max_balancing_tablets", Int, "500", "Most replicas moved at once for balance"),
    row("tablet_sched_max_clone_task_timeout_sec", Count, "7200", "The longest a copy of a replica may take"),
    row("tablet_sched_max_scheduling_tablets", Int, "10000", "Most replicas copied at once"),
    row("tablet_sched_min_clone_task_timeout_sec", Count, "180", "How long a copy of a small replica may take"),
    row("tablet_sched_slot_num_per_path", Count, "8", "Copies at once to or from one disk"),
    kept("task_runs_concurrency", Int, "4"),
    kept("task_runs_queue_length", Int, "500"),
    kept("task_runs_ttl_second", Int, "604800"),
    row("task_ttl_second", Int, "86400", "How long a task that runs once is kept"),
    kept("thrift_max_message_size", Int, "1073741824"),
    kept("thrift_server_max_worker_threads", Int, "4096"),
];

/// The settings as keys of `fe.conf`.
pub static KEYS: &[KeyDef] = &{
    let mut keys = [SETTINGS[0].key(); SETTINGS.len()];
    let mut i = 0;
    while i < keys.len() {
        keys[i] = SETTINGS[i].key();
        i += 1;
    }
    keys
};

/// The definition of a setting.
pub fn definition(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|s| s.name == name)
}

/// Checks and normalizes a new value.
pub fn check(name: &str, value: &str) -> Result<(&'static Setting, String)> {
    let setting = definition(name).ok_or_else(|| err!(Analysis, "Config '{name}' does not exist or is not mutable"))?;
    let value = normalize(setting.kind, value).map_err(|wrong| err!(Analysis, "Config '{name}' is invalid: {}", wrong.message()))?;
    Ok((setting, value))
}

/// A value as it is kept; the error names the value, and the bound it is above.
fn normalize(kind: Kind, value: &str) -> Result<String> {
    let wrong = || err!(InvalidArgument, "'{value}'");
    let value = value.trim();
    Ok(match kind {
        Bool => match value.to_ascii_lowercase().as_str() {
            "true" | "on" | "1" => "true".to_owned(),
            "false" | "off" | "0" => "false".to_owned(),
            _ => return Err(wrong()),
        },
        Int => value.parse::<i64>().map_err(|_| wrong())?.to_string(),
        Count | Replicas | Length => {
            let n = value.parse::<i64>().ok().filter(|n| *n > 0).ok_or_else(wrong)?;
            if n > kind.most() {
                bail!(InvalidArgument, "'{value}' (at most {})", kind.most());
            }
            n.to_string()
        }
        Double => value.parse::<f64>().map_err(|_| wrong())?.to_string(),
        Text | List => value.to_owned(),
    })
}

impl Engine {
    /// A setting's value now.
    pub fn setting(&self, name: &str) -> String {
        self.setting_in(&self.meta.snapshot(), name)
    }

    /// A setting's value in a catalog snapshot.
    pub fn setting_in(&self, catalog: &CatalogState, name: &str) -> String {
        if let Some(changed) = catalog.frontend_config.get(name) {
            return changed.clone();
        }
        let Some(setting) = definition(name) else { return String::new() };
        let text = self.options.conf.get_text(name).unwrap_or_else(|| setting.default.to_owned());
        // It was checked when the file was read.
        normalize(setting.kind, &text).unwrap_or(text)
    }

    /// A boolean setting.
    pub fn setting_bool(&self, name: &str) -> bool {
        self.setting(name) == "true"
    }

    /// How many heartbeats a node misses until it counts as dead.
    pub fn heartbeats_until_dead(&self) -> u32 {
        u32::try_from(self.setting_count("heartbeat_retry_times")).unwrap_or(u32::MAX)
    }

    /// A setting that is a number of things.
    pub fn setting_count(&self, name: &str) -> usize {
        usize::try_from(self.setting_int(name)).unwrap_or(0)
    }

    /// An integer setting.
    pub fn setting_int(&self, name: &str) -> i64 {
        self.setting(name).parse().unwrap_or_default()
    }
}

impl Kind {
    /// The largest value.
    const fn most(self) -> i64 {
        match self {
            Replicas => u16::MAX as i64,
            Length => common_types::MAX_VARCHAR_LENGTH as i64,
            Bool | Int | Count | Double | Text | List => i64::MAX,
        }
    }

    /// The type's name as ADMIN SHOW FRONTEND CONFIG prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Bool => "boolean",
            Int | Count | Replicas | Length => "int",
            Double => "double",
            Text => "String",
            List => "String[]",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked() {
        assert_eq!(check("enable_sql_blacklist", "ON").map(|(_, v)| v).ok().as_deref(), Some("true"));
        assert!(check("enable_sql_blacklist", "2").is_err());
        assert!(check("default_replication_num", "0").is_err());
        assert_eq!(check("default_replication_num", "65536").map(drop).unwrap_err().message(), "Config 'default_replication_num' is invalid: '65536' (at most 65535)");
        assert!(check("max_varchar_length", "1048577").is_err());
        assert!(check("query_port", "1").is_err());
    }

    #[test]
    fn every_setting_is_a_key_of_the_conf_file() {
        let set = common_base::config::ConfigSet::new(&[KEYS]).unwrap();
        let warnings = set.load("qe_max_connection = 7\nauto_increment_cache_size = 5\nslow_lock_threshold_ms = 1\n", "fe.conf", &|_| None).unwrap();
        assert_eq!(warnings, ["fe.conf:3: 'slow_lock_threshold_ms' has no effect here: it is kept and shown, and changes nothing"]);
        assert_eq!(set.get_text("qe_max_connection").as_deref(), Some("7"));
        let e = set.load("qe_max_connection = 0", "fe.conf", &|_| None).unwrap_err();
        assert_eq!(e.message(), "fe.conf:1: bad value of qe_max_connection: '0' is not a valid int value");
        assert!(set.load("max_varchar_length = 1048577", "fe.conf", &|_| None).is_err());
    }
}
