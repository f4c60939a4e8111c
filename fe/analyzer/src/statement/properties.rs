//! PROPERTIES of CREATE TABLE: known keys, legal values, defaults.

use common_base::{Result, bail};
use fe_catalog::model::{Column, KeysModel};
use fe_parser::ast::Property;

use super::create_table::DdlDefaults;

/// Keys a table may have; a key that ends in a dot is a prefix.
const KNOWN: &[&str] = &[
    "replication_num",
    "storage_medium",
    "storage_cooldown_time",
    "storage_cooldown_ttl",
    "default.replication_num",
    "default.storage_medium",
    "bloom_filter_columns",
    "bloom_filter_fpp",
    "colocate_with",
    "dynamic_partition.",
    "compression",
    "write_quorum",
    "replicated_storage",
    "enable_persistent_index",
    "persistent_index_type",
    "primary_index_cache_expire_sec",
    "fast_schema_evolution",
    "storage_type",
    "bucket_size",
    "mutable_bucket_num",
    "unique_constraints",
    "foreign_key_constraints",
    "partition_live_number",
    "partition_ttl",
    "partition_retention_condition",
    "base_compaction_forbidden_time_ranges",
    "enable_load_profile",
    "enable_statistic_collect_on_first_load",
    "table_query_timeout",
    "labels.location",
    "time_drift_constraint",
    "flat_json.",
    "binlog_enable",
    "binlog_ttl_second",
    "binlog_max_size",
    "short_key",
    "in_memory",
    "compaction_strategy",
    "file_bundling",
    "datacache.",
    "storage_format",
    "storage_volume",
    "light_schema_change",
];

/// The properties of a table to be made.
pub(super) struct TableProperties {
    pub replication_num: u16,
    pub colocate_group: Option<String>,
    pub normalised: Vec<(String, String)>,
}

fn known(key: &str) -> bool {
    KNOWN.iter().any(|k| if k.ends_with('.') { key.starts_with(k) } else { key == *k })
}

fn boolean(key: &str, value: &str) -> Result<()> {
    if !value.eq_ignore_ascii_case("true") && !value.eq_ignore_ascii_case("false") {
        bail!(User, "The value of {key} must be true or false: {value}");
    }
    Ok(())
}

/// What is said of JSON columns stored in parts.
pub fn check_flat_json(properties: &[(String, String)]) -> Result<()> {
    for (key, value) in properties.iter().filter(|(k, _)| k.starts_with("flat_json.")) {
        match key.as_str() {
            "flat_json.enable" => boolean(key, value)?,
            "flat_json.null.factor" | "flat_json.sparsity.factor" => {
                if !value.parse::<f64>().is_ok_and(|v| (0.0..=1.0).contains(&v)) {
                    bail!(User, "The value of {key} must be between 0 and 1: {value}");
                }
            }
            "flat_json.column.max" => {
                if !value.parse::<u32>().is_ok_and(|v| v > 0) {
                    bail!(User, "The value of {key} must be a positive number: {value}");
                }
            }
            _ => bail!(User, "Unknown properties: {{{key}={value}}}"),
        }
    }
    let enabled = properties.iter().any(|(k, v)| k == "flat_json.enable" && v.eq_ignore_ascii_case("true"));
    if !enabled && properties.iter().any(|(k, _)| k.starts_with("flat_json.") && k != "flat_json.enable") {
        bail!(User, "flat_json.enable must be true to set other flat_json properties");
    }
    Ok(())
}

/// A replication number.
pub(super) fn replication_num(value: &str) -> Result<u16> {
    match value.trim().parse::<i64>() {
        Ok(n) if (1..=i64::from(u16::MAX)).contains(&n) => Ok(n as u16),
        Ok(_) => bail!(User, "Replication num should larger than 0"),
        Err(_) => bail!(User, "Invalid replication num: {value}"),
    }
}

pub(super) fn table_properties(
    given: &[Property],
    keys: KeysModel,
    columns: &[Column],
    defaults: &DdlDefaults,
) -> Result<TableProperties> {
    let mut normalised: Vec<(String, String)> = Vec::with_capacity(given.len() + 4);
    let mut unknown: Vec<String> = Vec::new();
    for p in given {
        let key = p.key.trim().to_ascii_lowercase();
        if !known(&key) {
            unknown.push(format!("{}={}", p.key, p.value));
            continue;
        }
        normalised.retain(|(k, _)| *k != key);
        normalised.push((key, p.value.trim().to_owned()));
    }
    if !unknown.is_empty() {
        bail!(User, "Unknown properties: {{{}}}", unknown.join(", "));
    }
    let get = |key: &str| normalised.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
    let replication =
        get("replication_num").map(|v| replication_num(&v)).transpose()?.unwrap_or(defaults.replication_num);
    if let Some(columns_text) = get("bloom_filter_columns") {
        check_bloom_filter(&columns_text, keys, columns)?;
    }
    if let Some(fpp) = get("bloom_filter_fpp") {
        match fpp.parse::<f64>() {
            Ok(v) if (0.0001..=0.05).contains(&v) => {}
            Ok(_) => bail!(User, "Bloom filter fpp should in [0.0001, 0.05]"),
            Err(_) => bail!(User, "Bloom filter fpp is not Double"),
        }
    }
    let compression = get("compression").map(|v| compression(&v)).transpose()?;
    for key in
        ["replicated_storage", "enable_persistent_index", "fast_schema_evolution", "enable_load_profile", "in_memory"]
    {
        if let Some(v) = get(key) {
            boolean(key, &v)?;
        }
    }
    check_flat_json(&normalised)?;
    if let Some(v) = get("write_quorum") {
        if !["majority", "one", "all"].iter().any(|q| v.eq_ignore_ascii_case(q)) {
            bail!(User, "write_quorum must be one of MAJORITY, ONE, ALL: {v}");
        }
    }
    if let Some(v) = get("storage_medium") {
        if !v.eq_ignore_ascii_case("ssd") && !v.eq_ignore_ascii_case("hdd") {
            bail!(User, "Invalid storage medium: {v}");
        }
    }
    if let Some(v) = get("bucket_size") {
        match v.parse::<i64>() {
            Ok(n) if n >= 0 => {}
            Ok(n) => bail!(Analysis, "Illegal bucket size: {n}"),
            Err(_) => bail!(Analysis, "Bucket size: For input string: \"{v}\""),
        }
    }
    if let Some(v) = get("mutable_bucket_num") {
        match v.parse::<i64>() {
            Ok(n) if n >= 0 => {}
            Ok(n) => bail!(Analysis, "Illegal mutable bucket num: {n}"),
            Err(_) => bail!(Analysis, "Mutable bucket num: For input string: \"{v}\""),
        }
    }
    if let Some(v) = get("primary_index_cache_expire_sec") {
        match v.parse::<i64>() {
            Ok(n) if n >= 0 => {}
            Ok(_) => bail!(User, "Property primary_index_cache_expire_sec must not be less than 0"),
            Err(_) => bail!(User, "Property primary_index_cache_expire_sec must be integer: {v}"),
        }
    }
    for (key, value) in normalised.iter().filter(|(k, _)| k.starts_with("dynamic_partition.")) {
        check_dynamic_partition(key, value)?;
    }
    let colocate_group = get("colocate_with").filter(|g| !g.is_empty());
    let mut set = |key: &str, value: String| match normalised.iter_mut().find(|(k, _)| k == key) {
        Some((_, v)) => *v = value,
        None => normalised.push((key.to_owned(), value)),
    };
    set("replication_num", replication.to_string());
    set("compression", compression.unwrap_or_else(|| "LZ4".to_owned()));
    if get_missing(&set_keys(given), "fast_schema_evolution") {
        set("fast_schema_evolution", "true".to_owned());
    }
    if get_missing(&set_keys(given), "replicated_storage") {
        set("replicated_storage", "true".to_owned());
    }
    if keys == KeysModel::Primary && get_missing(&set_keys(given), "enable_persistent_index") {
        set("enable_persistent_index", "true".to_owned());
    }
    Ok(TableProperties { replication_num: replication, colocate_group, normalised })
}

fn set_keys(given: &[Property]) -> Vec<String> {
    given.iter().map(|p| p.key.trim().to_ascii_lowercase()).collect()
}

fn get_missing(keys: &[String], key: &str) -> bool {
    !keys.iter().any(|k| k == key)
}

/// The compression of a table as it is shown.
pub fn compression(value: &str) -> Result<String> {
    let upper: String = value.to_ascii_uppercase().chars().filter(|c| !c.is_whitespace()).collect();
    if matches!(
        upper.as_str(),
        "LZ4" | "ZSTD" | "ZLIB" | "SNAPPY" | "NO_COMPRESSION" | "LZ4_FRAME" | "DEFAULT_COMPRESSION"
    ) {
        return Ok(upper);
    }
    // Spaces may stand around the brackets.
    if let Some(level) = upper.strip_prefix("ZSTD").and_then(|l| l.trim().strip_prefix('(')).and_then(|l| l.strip_suffix(')')) {
        match level.trim().parse::<u32>() {
            Ok(n) if (1..=22).contains(&n) => return Ok(format!("ZSTD({n})")),
            Ok(_) => bail!(User, "Invalid level for zstd compression type"),
            Err(_) => {}
        }
    }
    bail!(User, "unknown compression type: {value}")
}

fn check_bloom_filter(text: &str, keys: KeysModel, columns: &[Column]) -> Result<()> {
    use common_types::LogicalType as T;
    let mut seen: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim).filter(|n| !n.is_empty()) {
        let Some(column) = columns.iter().find(|c| c.name.eq_ignore_ascii_case(name)) else {
            bail!(User, "Bloom filter column does not exist in table. invalid column: {name}");
        };
        let fits = matches!(
            column.ty,
            T::SmallInt | T::Int | T::BigInt | T::LargeInt | T::Char(_) | T::Varchar(_) | T::Date | T::Datetime
        ) || column.ty.is_decimal();
        if !fits {
            bail!(
                User,
                "Invalid bloom filter column '{}': unsupported type {}",
                column.name,
                column.ty.to_string().to_uppercase()
            );
        }
        if matches!(keys, KeysModel::Aggregate | KeysModel::Unique) && !column.key {
            bail!(
                User,
                "Bloom filter index only used in columns of DUP_KEYS/PRIMARY table or key columns of UNIQUE_KEYS/AGG_KEYS table. invalid column: {}",
                column.name
            );
        }
        if seen.iter().any(|s| s.eq_ignore_ascii_case(name)) {
            bail!(User, "Duplicate bloom filter column '{name}'");
        }
        seen.push(name.to_owned());
    }
    Ok(())
}

fn check_dynamic_partition(key: &str, value: &str) -> Result<()> {
    let integer = || value.parse::<i64>();
    match key.trim_start_matches("dynamic_partition.") {
        "enable" => boolean(key, value)?,
        "time_unit" => {
            if !["hour", "day", "week", "month", "year"].iter().any(|u| value.eq_ignore_ascii_case(u)) {
                bail!(User, "Unsupported time unit {value}. Expect HOUR, DAY, WEEK, MONTH, YEAR.");
            }
        }
        "start" => match integer() {
            Ok(n) if n < 0 => {}
            _ => bail!(User, "Dynamic partition start must less than 0"),
        },
        "end" => match integer() {
            Ok(n) if n > 0 => {}
            _ => bail!(User, "Dynamic partition end must greater than 0"),
        },
        "buckets" | "history_partition_num" | "replication_num" | "start_day_of_week" | "start_day_of_month" => {
            if integer().is_err() {
                bail!(User, "Invalid {key}: {value}");
            }
        }
        "prefix" | "time_zone" => {}
        _ => bail!(User, "Invalid dynamic partition properties: {key}"),
    }
    Ok(())
}
