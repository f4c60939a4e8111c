//! Keys of `be.conf`.

use std::{path::PathBuf, time::Duration};

use common_base::{Result, bail, config::{ByteSize, ConfigValue, KeyDef, SizeOrPercent}, config_keys, ensure, net_address::Networks};

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
    /// No decoded pages of tables are kept, whatever the key above says.
    pub DISABLE_PAGE_CACHE: bool = "disable_storage_page_cache", "false", fixed;
    /// Bytes of a load that are gathered in memory before they are sorted and written.
    pub WRITE_BUFFER_SIZE: WriteBuffer = "write_buffer_size", "201326592", fixed;
    /// Share of the memory that all loads together may take (percent).
    pub LOAD_MEMORY_PERCENT: Percent = "load_process_max_memory_limit_percent", "30", fixed;
    /// See above (bytes): the smaller one counts.
    pub LOAD_MEMORY_BYTES: ByteSize = "load_process_max_memory_limit_bytes", "2147483648", fixed;
    /// Share of the memory that one query may take (percent).
    pub QUERY_MEMORY_PERCENT: Percent = "query_max_memory_limit_percent", "80", fixed;
    /// Versions a tablet may have that compaction has not merged yet; loads beyond it are refused.
    pub TABLET_MAX_VERSIONS: usize = "tablet_max_versions", "1000", fixed;
    /// Bytes of the longest key a load may bring to a table with a primary key.
    pub PRIMARY_KEY_LIMIT_SIZE: usize = "primary_key_limit_size", "128", fixed;
    /// Seconds that rowsets replaced by a compaction stay readable.
    pub STALE_SWEEP: Duration = "tablet_rowset_stale_sweep_time_sec", "1800", fixed;
    /// Rowsets of a tablet that make a compaction worthwhile.
    pub COMPACTION_MIN_ROWSETS: usize = "min_cumulative_compaction_num_singleton_deltas", "5", fixed;
    /// Whether JSON columns are stored in parts: frequent paths as columns of their own. Tables may say otherwise (`flat_json.enable`).
    pub ENABLE_JSON_FLAT: bool = "enable_json_flat", "true", fixed;
    /// A JSON column with a greater share of NULLs stays whole.
    pub JSON_FLAT_NULL_FACTOR: f64 = "json_flat_null_factor", "0.3", fixed;
    /// A path in a smaller share of the documents stays in them.
    pub JSON_FLAT_SPARSITY_FACTOR: f64 = "json_flat_sparsity_factor", "0.3", fixed;
    /// Paths of one column that are stored apart.
    pub JSON_FLAT_COLUMN_MAX: usize = "json_flat_column_max", "100", fixed;
    /// Threads that run queries; 0 = one a core.
    pub EXEC_THREADS: usize = "pipeline_exec_thread_pool_thread_num", "0", fixed;
    /// Seconds between reports of tablets and disks to the frontend.
    pub REPORT_INTERVAL: Duration = "report_tablet_interval_seconds", "60", fixed;
    /// Directories whose files queries may read and write (`FILES(...)`, `INTO OUTFILE`), separated by `;`. Empty: none.
    pub FILES_ALLOWED_PATH: Vec<String> = "files_allowed_path", "", fixed;
    /// Largest body of a stream load in MB.
    pub STREAMING_LOAD_MAX_MB: u64 = "streaming_load_max_mb", "102400", mutable;
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

/// Every list: what acts, and what `be.conf` may hold besides.
pub const ALL: &[&[KeyDef]] = &[KEYS, FOREIGN];

/// Keys of the compatible surface that do not act here.
#[rustfmt::skip]
pub const FOREIGN: &[KeyDef] = &[
    KeyDef::without_effect("be_http_num_workers", OWN_THREADS),
    KeyDef::without_effect("brpc_num_threads", OWN_THREADS),
    KeyDef::without_effect("create_tablet_worker_count", OWN_THREADS),
    KeyDef::without_effect("clone_worker_count", OWN_THREADS),
    KeyDef::without_effect("alter_tablet_worker_count", OWN_THREADS),
    KeyDef::without_effect("transaction_publish_version_worker_count", OWN_THREADS),
    KeyDef::without_effect("number_tablet_writer_threads", OWN_THREADS),
    KeyDef::without_effect("flush_thread_num_per_store", OWN_THREADS),
    KeyDef::without_effect("scanner_thread_pool_thread_num", OWN_THREADS),
    KeyDef::without_effect("pipeline_scan_thread_pool_thread_num", OWN_THREADS),
    KeyDef::without_effect("io_tasks_per_scan_operator", OWN_THREADS),
    KeyDef::without_effect("max_load_dop", OWN_THREADS),
    KeyDef::without_effect("report_task_interval_seconds", REPORTS),
    KeyDef::without_effect("report_disk_state_interval_seconds", REPORTS),
    KeyDef::without_effect("report_resource_usage_interval_ms", REPORTS),
    KeyDef::without_effect("cumulative_compaction_num_threads_per_disk", COMPACTION),
    KeyDef::without_effect("base_compaction_num_threads_per_disk", COMPACTION),
    KeyDef::without_effect("base_compaction_check_interval_seconds", COMPACTION),
    KeyDef::without_effect("cumulative_compaction_check_interval_seconds", COMPACTION),
    KeyDef::without_effect("enable_size_tiered_compaction_strategy", COMPACTION),
    KeyDef::without_effect("storage_format_version", "there is one format"),
    KeyDef::without_effect("default_num_rows_per_data_block", "the format decides"),
    KeyDef::without_effect("data_page_size", "the format decides"),
    KeyDef::without_effect("dictionary_encoding_ratio", "the encoding is chosen from the values"),
    KeyDef::without_effect("max_scan_key_num", "key ranges are read from the index without a limit"),
    KeyDef::without_effect("ignore_broken_disk", "a broken disk is left out while others work"),
    KeyDef::without_effect("max_percentage_of_error_disk", "a broken disk is left out while others work"),
    KeyDef::without_effect("tc_use_memory_min", ALLOCATOR),
    KeyDef::without_effect("chunk_reserved_bytes_limit", ALLOCATOR),
    KeyDef::without_effect("thrift_port", "backends speak gRPC"),
    KeyDef::without_effect("thrift_rpc_timeout_ms", "backends speak gRPC"),
    KeyDef::not_supported("starlet_port", SHARED_DATA),
    KeyDef::not_supported("datacache_enable", SHARED_DATA),
    KeyDef::not_supported("datacache_mem_size", SHARED_DATA),
    KeyDef::not_supported("datacache_disk_size", SHARED_DATA),
    KeyDef::not_supported("max_compaction_concurrency", "one compaction runs on each disk"),
    KeyDef::not_supported("max_cumulative_compaction_num_singleton_deltas", "compactions take what fits their memory"),
    KeyDef::not_supported("compaction_max_memory_limit_percent", "a compaction gets a tenth of the memory"),
    KeyDef::not_supported("update_memory_limit_percent", "primary indexes get a fifth of the memory"),
    KeyDef::not_supported("metadata_cache_memory_limit_percent", "metadata of tablets stays in memory"),
    KeyDef::not_supported("consistency_max_memory_limit_percent", "files are verified in small parts"),
    KeyDef::not_supported("query_cache_capacity", "there is no query cache"),
    KeyDef::not_supported("max_segment_file_size", "segments end by their rows"),
    KeyDef::not_supported("tablet_max_pending_versions", "pending versions are not limited"),
    KeyDef::not_supported("snapshot_expire_time_sec", "there are no snapshots"),
    KeyDef::not_supported("l0_max_mem_usage", "primary indexes are in memory"),
    KeyDef::not_supported("enable_pindex_minor_compaction", "primary indexes are in memory"),
    KeyDef::not_supported("spill_local_storage_dir", "queries do not spill"),
    KeyDef::not_supported("olap_string_max_length", "the length of strings is limited by the frontend (max_varchar_length)"),
    KeyDef::not_supported("streaming_load_max_batch_size_mb", "a JSON body over 100 MB needs the header ignore_json_size"),
    KeyDef::not_supported("enable_https", "HTTPS is not there yet"),
    KeyDef::not_supported("sys_log_verbose_modules", "the level counts for all modules"),
];

const OWN_THREADS: &str = "work shares one pool of threads";
const REPORTS: &str = "heartbeats and reports of tablets carry it";
const COMPACTION: &str = "one compaction a disk runs, of what gains most";
const ALLOCATOR: &str = "the allocator has no such limit";
const SHARED_DATA: &str = "data is on the backends' own disks";

/// A share of the memory: 1 to 100.
#[derive(Clone, Copy, Debug)]
pub struct Percent(pub u64);

impl ConfigValue for Percent {
    const TYPE_NAME: &'static str = "int";
    fn parse(text: &str) -> Result<Self> {
        match text.parse() {
            Ok(n @ 1..=100) => Ok(Self(n)),
            _ => bail!(InvalidArgument, "'{text}' is not a percentage between 1 and 100"),
        }
    }
}

/// Bytes of a memtable: at least 1 MB.
#[derive(Clone, Copy, Debug)]
pub struct WriteBuffer(pub usize);

impl ConfigValue for WriteBuffer {
    const TYPE_NAME: &'static str = "long";
    fn parse(text: &str) -> Result<Self> {
        let bytes = ByteSize::parse(text)?.0;
        ensure!(bytes >= 1 << 20, InvalidArgument, "'{text}' is less than 1 MB");
        Ok(Self(bytes as usize))
    }
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
