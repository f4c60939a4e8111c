//! Settings of the frontends that ADMIN SET FRONTEND CONFIG changes while they run.
//!
//! A changed value is a catalog entry: every FE has it at once and it survives restarts, with or without WITH PERSISTENT. What was
//! never changed comes from `fe.conf` where this FE reads the key there, else from the table below.

use common_base::{Result, bail, err};
use fe_catalog::CatalogState;

use crate::engine::Engine;

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int,
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
}

const fn row(name: &'static str, kind: Kind, default: &'static str, comment: &'static str) -> Setting {
    Setting { name, kind, default, comment }
}

use Kind::{Bool, Double, Int, List, Text};

/// Comment of a setting that is kept and shown, and changes nothing here.
const KEPT: &str = "Accepted for compatibility, no effect";

/// Every setting that can be changed, alphabetical.
pub static SETTINGS: &[Setting] = &[
    row("access_control", Text, "native", KEPT),
    row("alter_scheduler_interval_millisecond", Int, "10000", KEPT),
    row("audit_log_json_format", Bool, "false", KEPT),
    row("authentication_chain", List, "native", KEPT),
    row("auto_increment_cache_size", Int, "100000", "Values of AUTO_INCREMENT columns taken at once"),
    row("catalog_trash_expire_second", Int, "86400", "How long dropped objects can be recovered"),
    row("consistency_tablet_meta_check_interval_ms", Int, "7200000", KEPT),
    row("default_automatic_bucket_size", Int, "1073741824", KEPT),
    row("default_mv_partition_refresh_number", Int, "1", KEPT),
    row("default_replication_num", Int, "3", "Replicas of tables that do not say"),
    row("desired_max_waiting_jobs", Int, "1024", KEPT),
    row("disable_load_job", Bool, "false", KEPT),
    row("dynamic_partition_check_interval_seconds", Int, "600", "Time between two looks at dynamic partitions"),
    row("dynamic_partition_enable", Bool, "true", "Whether dynamic partitions are made and dropped"),
    row("empty_load_as_error", Bool, "true", "Whether a load without rows is an error"),
    row("enable_auto_tablet_distribution", Bool, "true", KEPT),
    row("enable_automatic_bucket", Bool, "true", KEPT),
    row("enable_collect_query_detail_info", Bool, "false", KEPT),
    row("enable_display_shadow_partitions", Bool, "false", KEPT),
    row("enable_experimental_gin", Bool, "false", "Whether GIN indexes may be made"),
    row("enable_experimental_rowstore", Bool, "false", "Whether tables with row storage may be made"),
    row("enable_experimental_temporary_table", Bool, "true", "Whether temporary tables may be made"),
    row("enable_experimental_vector", Bool, "false", "Whether vector indexes may be made"),
    row("enable_fast_schema_evolution", Bool, "true", KEPT),
    row("enable_manual_collect_array_ndv", Bool, "false", "Whether ANALYZE counts distinct arrays"),
    row("enable_materialized_view", Bool, "true", KEPT),
    row("enable_online_optimize_table", Bool, "true", KEPT),
    row("enable_password_reuse", Bool, "true", KEPT),
    row("enable_qe_slow_log", Bool, "true", KEPT),
    row("enable_replicated_storage_as_default_engine", Bool, "true", KEPT),
    row("enable_sql_blacklist", Bool, "false", "Whether statements that match the SQL blacklist are refused"),
    row("enable_sql_digest", Bool, "false", KEPT),
    row("enable_statistic_collect", Bool, "true", KEPT),
    row("enable_statistic_collect_on_first_load", Bool, "true", KEPT),
    row("enable_strict_storage_medium_check", Bool, "false", KEPT),
    row("enable_sync_publish", Bool, "true", KEPT),
    row("enable_sync_statistics_load", Bool, "false", KEPT),
    row("enable_validate_password", Bool, "false", KEPT),
    row("expr_children_limit", Int, "10000", KEPT),
    row("group_provider", List, "", "Group providers that are asked for a user's groups"),
    row("heartbeat_retry_times", Int, "3", KEPT),
    row("histogram_buckets_size", Int, "64", "Buckets of a histogram"),
    row("histogram_mcv_size", Int, "100", "Most common values of a histogram"),
    row("histogram_sample_ratio", Double, "0.1", KEPT),
    row("history_job_keep_max_second", Int, "604800", KEPT),
    row("label_keep_max_num", Int, "1000", KEPT),
    row("label_keep_max_second", Int, "259200", "How long finished loads and their labels are kept"),
    row("materialized_view_min_refresh_interval", Int, "60", KEPT),
    row("max_backend_down_time_second", Int, "3600", KEPT),
    row("max_broker_load_job_concurrency", Int, "5", KEPT),
    row("max_bucket_number_per_partition", Int, "1024", "Most buckets of a partition"),
    row("max_column_number_per_table", Int, "10000", "Most columns of a table"),
    row("max_create_table_timeout_second", Int, "600", KEPT),
    row("max_dynamic_partition_num", Int, "500", KEPT),
    row("max_get_partitions_meta_result_count", Int, "100000", KEPT),
    row("max_load_timeout_second", Int, "259200", KEPT),
    row("max_partition_number_per_table", Int, "100000", KEPT),
    row("max_planner_scalar_rewrite_num", Int, "100000", KEPT),
    row("max_query_retry_time", Int, "2", KEPT),
    row("max_routine_load_task_concurrent_num", Int, "5", KEPT),
    row("max_routine_load_task_num_per_be", Int, "16", KEPT),
    row("max_running_txn_num_per_db", Int, "1000", KEPT),
    row("max_stream_load_timeout_second", Int, "259200", KEPT),
    row("max_task_consecutive_fail_count", Int, "10", KEPT),
    row("max_varchar_length", Int, "1048576", KEPT),
    row("min_bytes_per_broker_scanner", Int, "67108864", KEPT),
    row("mv_plan_cache_max_size", Int, "1000", KEPT),
    row("mysql_server_version", Text, "8.0.33", KEPT),
    row("partition_recycle_retention_period_secs", Int, "1800", KEPT),
    row("prepared_transaction_default_timeout_second", Int, "86400", "How long a prepared load waits for its commit when it does not say"),
    row("profile_info_reserved_num", Int, "500", KEPT),
    row("qe_slow_log_ms", Int, "5000", KEPT),
    row("query_queue_v2_concurrency_level", Int, "4", KEPT),
    row("routine_load_task_consume_second", Int, "15", KEPT),
    row("routine_load_task_timeout_second", Int, "60", KEPT),
    row("slow_lock_threshold_ms", Int, "3000", KEPT),
    row("slow_query_analyze_threshold", Int, "5000", KEPT),
    row("statistic_auto_collect_ratio", Double, "0.8", KEPT),
    row("statistic_collect_interval_sec", Int, "600", KEPT),
    row("statistic_sample_collect_rows", Int, "200000", KEPT),
    row("statistic_update_interval_sec", Int, "86400", KEPT),
    row("storage_usage_soft_limit_percent", Int, "90", "Disks used to this share (percent), with less left than the next setting says, get no new tablets"),
    row("storage_usage_soft_limit_reserve_bytes", Int, "214748364800", "See storage_usage_soft_limit_percent"),
    row("stream_load_default_timeout_second", Int, "600", KEPT),
    row("tablet_create_timeout_second", Int, "10", KEPT),
    row("tablet_sched_disable_balance", Bool, "false", KEPT),
    row("tablet_sched_max_balancing_tablets", Int, "500", KEPT),
    row("tablet_sched_max_scheduling_tablets", Int, "10000", KEPT),
    row("tablet_sched_slot_num_per_path", Int, "8", KEPT),
    row("task_runs_concurrency", Int, "4", KEPT),
    row("task_runs_queue_length", Int, "500", KEPT),
    row("task_runs_ttl_second", Int, "604800", KEPT),
    row("task_ttl_second", Int, "86400", "How long a task that runs once is kept"),
    row("thrift_max_message_size", Int, "1073741824", KEPT),
    row("thrift_server_max_worker_threads", Int, "4096", KEPT),
];

/// The definition of a setting.
pub fn definition(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|s| s.name == name)
}

/// Checks and normalizes a new value.
pub fn check(name: &str, value: &str) -> Result<(&'static Setting, String)> {
    let setting = definition(name).ok_or_else(|| err!(Analysis, "Config '{name}' does not exist or is not mutable"))?;
    let wrong = || err!(Analysis, "Config '{name}' is invalid: '{value}'");
    let value = value.trim();
    let value = match setting.kind {
        Bool => match value.to_ascii_lowercase().as_str() {
            "true" | "on" | "1" => "true".to_owned(),
            "false" | "off" | "0" => "false".to_owned(),
            _ => return Err(wrong()),
        },
        Int => value.parse::<i64>().map_err(|_| wrong())?.to_string(),
        Double => value.parse::<f64>().map_err(|_| wrong())?.to_string(),
        Text | List => value.to_owned(),
    };
    if name == "default_replication_num" && !value.parse::<u16>().is_ok_and(|n| n > 0) {
        bail!(Analysis, "Config '{name}' is invalid: '{value}'");
    }
    Ok((setting, value))
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
        match name {
            "default_replication_num" => self.options.default_replication_num.to_string(),
            "label_keep_max_second" => self.options.label_keep.as_secs().to_string(),
            _ => definition(name).map_or_else(String::new, |s| s.default.to_owned()),
        }
    }

    /// A boolean setting.
    pub fn setting_bool(&self, name: &str) -> bool {
        self.setting(name) == "true"
    }

    /// An integer setting.
    pub fn setting_int(&self, name: &str) -> i64 {
        self.setting(name).parse().unwrap_or_default()
    }
}

impl Kind {
    /// The type's name as ADMIN SHOW FRONTEND CONFIG prints it.
    pub fn name(self) -> &'static str {
        match self {
            Bool => "boolean",
            Int => "int",
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
        assert!(check("query_port", "1").is_err());
    }
}
