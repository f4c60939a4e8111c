//! Keys of `be.conf`.

use std::{path::PathBuf, time::Duration};

use common_base::{Result, bail, config::{ConfigValue, SizeOrPercent}, config_keys, ensure, net_address::Networks};

config_keys! {
    pub KEYS;
    /// Port that frontends call.
    pub BE_PORT: u16 = "be_port", "9060", fixed;
    /// Port of the HTTP service: loads, health, metrics.
    pub HTTP_PORT: u16 = "be_http_port", "8040", fixed, alias "webserver_port";
    /// Port of heartbeats.
    pub HEARTBEAT_PORT: u16 = "heartbeat_service_port", "9050", fixed;
    /// Port that other backends call: exchanges and loads.
    pub BRPC_PORT: u16 = "brpc_port", "8060", fixed;
    /// Directories of tablets, separated by `;`, each with options: `/disk1,medium:SSD;/disk2`. Relative paths are under the home directory.
    pub STORAGE_ROOT_PATH: StorageRoots = "storage_root_path", "storage", fixed;
    /// Networks (CIDR) whose address this backend goes by: a heartbeat that calls it by another one is refused. Empty: any.
    pub PRIORITY_NETWORKS: Networks = "priority_networks", "", fixed;
    /// Memory of the process: bytes, or a share of the machine's (`90%`).
    pub MEM_LIMIT: SizeOrPercent = "mem_limit", "90%", fixed;
    /// Share of the memory for decoded pages of tables.
    pub PAGE_CACHE_LIMIT: SizeOrPercent = "storage_page_cache_limit", "20%", fixed;
    /// Threads that run queries; 0 = one a core.
    pub EXEC_THREADS: usize = "pipeline_exec_thread_pool_thread_num", "0", fixed;
    /// Seconds between reports of tablets and disks to the frontend.
    pub REPORT_INTERVAL: Duration = "report_tablet_interval_seconds", "60", fixed;
    /// Directories whose files queries may read and write (`FILES(...)`, `INTO OUTFILE`), separated by `;`. Empty: none.
    pub FILES_ALLOWED_PATH: Vec<String> = "files_allowed_path", "", fixed;
    /// Largest body in MB of a stream load that is kept on disk until it is loaded (Parquet).
    pub STREAMING_LOAD_MAX_MB: u64 = "streaming_load_max_mb", "102400", fixed;
    /// Seconds between two looks at the health of disks.
    pub DISK_INTERVAL: Duration = "disk_stat_monitor_interval", "5", mutable;
    /// Loads to a disk are refused from this share used on (percent), when less is left than the key below says too. Compactions and copies stop 5 percent earlier.
    pub FLOOD_PERCENT: u64 = "storage_flood_stage_usage_percent", "95", mutable;
    /// See above (bytes); compactions and copies stop at twice as much.
    pub FLOOD_LEFT: u64 = "storage_flood_stage_left_capacity_bytes", "107374182400", mutable;
    /// Every file is verified against its checksums once in this time.
    pub SCRUB_INTERVAL: Duration = "scrub_interval_seconds", "7d", mutable;
    /// Bytes verified a second; 0 = none.
    pub SCRUB_RATE: u64 = "scrub_bytes_per_second", "20971520", mutable;
    /// Seconds that files of dropped tablets rest in the trash.
    pub TRASH_EXPIRE: Duration = "trash_file_expire_time_sec", "86400", fixed;
    /// Load error logs are kept this long (hours).
    pub ERROR_LOG_HOURS: u64 = "load_error_log_reserve_hours", "48", mutable;
}

/// `storage_root_path`: directories and their media.
pub struct StorageRoots(pub Vec<(PathBuf, String)>);

impl ConfigValue for StorageRoots {
    const TYPE_NAME: &'static str = "String";
    fn parse(text: &str) -> Result<Self> {
        let mut roots = Vec::new();
        for entry in text.split(';').map(str::trim).filter(|e| !e.is_empty()) {
            let mut parts = entry.split(',').map(str::trim);
            let path = PathBuf::from(parts.next().unwrap_or_default());
            let mut medium = "HDD".to_owned();
            for option in parts {
                medium = match option.split_once(':').map(|(k, v)| (k.trim().to_ascii_lowercase(), v.trim().to_ascii_uppercase())) {
                    Some((key, medium)) if key == "medium" && matches!(medium.as_str(), "HDD" | "SSD") => medium,
                    Some((key, medium)) if key == "medium" => bail!(InvalidArgument, "'{medium}' is no medium (HDD, SSD)"),
                    _ => bail!(InvalidArgument, "unknown option '{option}' (known: medium:HDD, medium:SSD)"),
                };
            }
            roots.push((path, medium));
        }
        ensure!(!roots.is_empty(), InvalidArgument, "it names no directory");
        Ok(Self(roots))
    }
}

#[cfg(test)]
mod tests {
    use common_base::config::render_conf;

    /// With REWRITE=1 the file is written instead.
    #[test]
    fn the_shipped_conf_file_lists_every_key() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conf/be.conf");
        let text = render_conf("Settings of the backend. Commented lines show the defaults.", &[("Keys", super::KEYS), ("Logs", common_base::process::LOG_KEYS)]);
        if std::env::var_os("REWRITE").is_some_and(|v| v == "1") {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);
    }
}
