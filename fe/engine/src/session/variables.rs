//! System variables: one table of names, types, defaults and rules; a session's values over the cluster's global ones.
//!
//! A row is all a variable needs. Variables that only exist so that clients may set them are in `tuning_variables.rs`.

use std::{collections::BTreeMap, sync::Arc};

use common_base::{Result, bail, err};
use common_types::{LogicalType, Scalar};

use crate::engine::Engine;

/// What values a variable takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    /// Integer within bounds.
    Int(i64, i64),
    Double,
    Text,
    SqlMode,
    TimeZone,
}

/// Who may set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Both,
    GlobalOnly,
    SessionOnly,
    ReadOnly,
}

/// One variable.
pub struct Definition {
    pub name: &'static str,
    pub kind: Kind,
    pub scope: Scope,
    pub default: &'static str,
}

pub(super) const fn row(name: &'static str, kind: Kind, scope: Scope, default: &'static str) -> Definition {
    Definition { name, kind, scope, default }
}

use Kind::{Bool, Double, Int, SqlMode, Text, TimeZone};
use Scope::{Both, GlobalOnly, ReadOnly, SessionOnly};

const ANY: Kind = Int(i64::MIN, i64::MAX);
const COUNT: Kind = Int(0, i64::MAX);

/// Variables, alphabetical, lower-case look-ups.
static VARIABLES: &[Definition] = &[
    row("auto_increment_increment", COUNT, Both, "1"),
    row("authentication_policy", Text, ReadOnly, "*,,"),
    row("autocommit", Bool, Both, "true"),
    row("broadcast_row_limit", COUNT, Both, "15000000"),
    row("big_query_profile_threshold", Text, Both, "30s"),
    row("cbo_decimal_cast_string_strict", Bool, Both, "true"),
    row("cbo_enable_low_cardinality_optimize", Bool, Both, "true"),
    row("cbo_eq_base_type", Text, Both, "decimal"),
    row("cbo_max_reorder_node_use_dp", COUNT, Both, "10"),
    row("cbo_max_reorder_node_use_greedy", COUNT, Both, "16"),
    row("character_set_client", Text, Both, "utf8"),
    row("character_set_connection", Text, Both, "utf8"),
    row("character_set_database", Text, Both, "utf8"),
    row("character_set_results", Text, Both, "utf8"),
    row("character_set_server", Text, Both, "utf8"),
    row("chunk_size", Int(1, 65535), Both, "4096"),
    row("collation_connection", Text, Both, "utf8_general_ci"),
    row("collation_database", Text, Both, "utf8_general_ci"),
    row("collation_server", Text, Both, "utf8_general_ci"),
    row("connector_io_tasks_per_scan_operator", COUNT, Both, "16"),
    row("count_distinct_implementation", Text, Both, "default"),
    row("custom_query_id", Text, SessionOnly, ""),
    row("decimal_overflow_to_double", Bool, Both, "false"),
    row("default_authentication_plugin", Text, ReadOnly, "mysql_native_password"),
    row("default_rowset_type", Text, GlobalOnly, "alpha"),
    row("default_storage_engine", Text, Both, "InnoDB"),
    row("default_tmp_storage_engine", Text, Both, "InnoDB"),
    row("default_table_compression", Text, Both, "lz4_frame"),
    row("disable_colocate_join", Bool, Both, "false"),
    row("disable_function_fold_constants", Bool, Both, "false"),
    row("disable_join_reorder", Bool, Both, "false"),
    row("div_precision_increment", COUNT, Both, "4"),
    row("dynamic_overwrite", Bool, Both, "false"),
    row("enable_adaptive_sink_dop", Bool, Both, "true"),
    row("enable_connector_adaptive_io_tasks", Bool, Both, "true"),
    row("enable_datacache_async_populate_mode", Bool, Both, "true"),
    row("enable_global_runtime_filter", Bool, Both, "true"),
    row("enable_groupby_use_output_alias", Bool, Both, "false"),
    row("enable_hive_column_stats", Bool, Both, "true"),
    row("enable_insert_strict", Bool, Both, "true"),
    row("enable_load_profile", Bool, Both, "false"),
    row("enable_local_shuffle_agg", Bool, Both, "true"),
    row("enable_materialized_view_rewrite", Bool, Both, "true"),
    row("enable_mv_planner", Bool, Both, "false"),
    row("enable_pipeline_engine", Bool, Both, "true"),
    row("enable_prepare_stmt", Bool, Both, "true"),
    row("enable_profile", Bool, Both, "false"),
    row("enable_query_cache", Bool, Both, "false"),
    row("enable_rewrite_groupingsets_to_union_all", Bool, Both, "false"),
    row("enable_rewrite_simple_agg_to_meta_scan", Bool, Both, "false"),
    row("enable_short_circuit", Bool, Both, "false"),
    row("enable_sort_aggregate", Bool, Both, "false"),
    row("enable_spill", Bool, Both, "false"),
    row("enable_strict_type", Bool, Both, "false"),
    row("enable_tablet_internal_parallel", Bool, Both, "true"),
    row("event_scheduler", Text, Both, "OFF"),
    row("exec_mem_limit", COUNT, Both, "2147483648"),
    row("forward_to_leader", Bool, Both, "false"),
    row("foreign_key_checks", Bool, Both, "true"),
    row("global_runtime_filter_build_max_size", COUNT, Both, "67108864"),
    row("global_runtime_filter_build_min_size", COUNT, Both, "131072"),
    row("global_runtime_filter_probe_min_selectivity", Double, Both, "0.5"),
    row("global_runtime_filter_probe_min_size", COUNT, Both, "102400"),
    row("group_concat_max_len", Int(4, i64::MAX), Both, "1024"),
    row("hash_join_push_down_right_table", Bool, Both, "true"),
    row("init_connect", Text, GlobalOnly, ""),
    row("innodb_read_only", Bool, Both, "true"),
    row("insert_max_filter_ratio", Double, Both, "0"),
    row("insert_timeout", COUNT, Both, "14400"),
    row("interactive_timeout", COUNT, Both, "3600"),
    row("io_tasks_per_scan_operator", COUNT, Both, "4"),
    row("join_implementation_mode_v2", Text, Both, "auto"),
    row("language", Text, ReadOnly, "/starrocks/share/english/"),
    row("large_in_predicate_threshold", COUNT, Both, "100000"),
    row("license", Text, ReadOnly, "Apache License 2.0"),
    row("load_mem_limit", COUNT, Both, "0"),
    row("load_transmission_compression_type", Text, Both, "NO_COMPRESSION"),
    row("log_rejected_record_num", ANY, Both, "0"),
    row("low_cardinality_optimize_v2", Bool, Both, "true"),
    row("lower_case_table_names", COUNT, ReadOnly, "0"),
    row("lower_upper_support_utf8", Bool, Both, "false"),
    row("max_allowed_packet", COUNT, Both, "33554432"),
    row("max_parallel_scan_instance_num", ANY, Both, "-1"),
    row("max_pushdown_conditions_per_column", ANY, Both, "-1"),
    row("max_scan_key_num", ANY, Both, "-1"),
    row("max_unknown_string_meta_length", COUNT, Both, "64"),
    row("net_buffer_length", COUNT, ReadOnly, "16384"),
    row("net_read_timeout", COUNT, Both, "60"),
    row("net_write_timeout", COUNT, Both, "60"),
    row("new_planner_agg_stage", Int(0, 4), Both, "0"),
    row("new_planner_optimize_timeout", COUNT, Both, "3000"),
    row("parallel_exchange_instance_num", ANY, Both, "-1"),
    row("parallel_fragment_exec_instance_num", COUNT, Both, "1"),
    row("parse_tokens_limit", COUNT, Both, "3500000"),
    row("performance_schema", Bool, ReadOnly, "false"),
    row("pipeline_dop", COUNT, Both, "0"),
    row("pipeline_profile_level", COUNT, Both, "1"),
    row("prefer_compute_node", Bool, Both, "false"),
    row("profiling", Bool, Both, "false"),
    row("query_cache_size", COUNT, Both, "1048576"),
    row("query_cache_type", COUNT, Both, "0"),
    row("query_debug_options", Text, Both, ""),
    row("query_delivery_timeout", COUNT, Both, "300"),
    row("query_mem_limit", COUNT, Both, "0"),
    row("query_queue_timeout", COUNT, GlobalOnly, "300"),
    row("query_timeout", Int(1, 259_200), Both, "300"),
    row("resource_group", Text, SessionOnly, ""),
    row("runtime_filter_on_exchange_node", Bool, Both, "false"),
    row("runtime_filter_scan_wait_time", COUNT, Both, "20"),
    row("runtime_join_filter_push_down_limit", COUNT, Both, "1024000"),
    row("spill_mode", Text, Both, "auto"),
    row("sql_auto_is_null", Bool, Both, "false"),
    row("sql_dialect", Text, Both, "StarRocks"),
    row("sql_mode", SqlMode, Both, "ONLY_FULL_GROUP_BY"),
    row("sql_quote_show_create", Bool, Both, "true"),
    row("sql_safe_updates", COUNT, Both, "0"),
    row("sql_select_limit", COUNT, Both, "9223372036854775807"),
    row("statistic_collect_parallel", COUNT, Both, "1"),
    row("storage_engine", Text, Both, "olap"),
    row("streaming_preaggregation_mode", Text, Both, "auto"),
    row("system_time_zone", Text, ReadOnly, "UTC"),
    row("tablet_internal_parallel_mode", Text, Both, "auto"),
    row("time_zone", TimeZone, Both, "UTC"),
    row("transaction_isolation", Text, Both, "REPEATABLE-READ"),
    row("transaction_read_only", Bool, Both, "false"),
    row("transmission_compression_type", Text, Both, "AUTO"),
    row("tx_isolation", Text, Both, "REPEATABLE-READ"),
    row("tx_read_only", Bool, Both, "false"),
    row("tx_visible_wait_timeout", COUNT, Both, "10"),
    row("unique_checks", Bool, Both, "true"),
    row("use_compute_nodes", ANY, Both, "-1"),
    row("version", Text, ReadOnly, "8.0.33"),
    row("version_comment", Text, ReadOnly, concat!("mirrorship-", env!("CARGO_PKG_VERSION"))),
    row("wait_timeout", COUNT, Both, "28800"),
    row("warehouse", Text, Both, "default_warehouse"),
];

/// Variables that kernels read on backends.
const FOR_FUNCTIONS: &[&str] = &["group_concat_max_len", "lower_upper_support_utf8", "decimal_overflow_to_double", "cbo_decimal_cast_string_strict"];

/// sql_mode names and bits (mysql_protocol.md §7).
const SQL_MODES: &[(&str, u64)] = &[
    ("REAL_AS_FLOAT", 1),
    ("PIPES_AS_CONCAT", 2),
    ("ANSI_QUOTES", 4),
    ("IGNORE_SPACE", 8),
    ("ONLY_FULL_GROUP_BY", 32),
    ("NO_UNSIGNED_SUBTRACTION", 64),
    ("NO_DIR_IN_CREATE", 128),
    ("FORBID_INVALID_DATE", 256),
    ("ALLOW_THROW_EXCEPTION", 512),
    ("MODE_DOUBLE_LITERAL", 1 << 17),
    ("ANSI", 1 << 18),
    ("NO_AUTO_VALUE_ON_ZERO", 1 << 19),
    ("NO_BACKSLASH_ESCAPES", 1 << 20),
    ("STRICT_TRANS_TABLES", 1 << 21),
    ("STRICT_ALL_TABLES", 1 << 22),
    ("NO_ZERO_IN_DATE", 1 << 23),
    ("NO_ZERO_DATE", 1 << 24),
    ("ALLOW_INVALID_DATES", 1 << 25),
    ("ERROR_FOR_DIVISION_BY_ZERO", 1 << 26),
    ("TRADITIONAL", 1 << 27),
    ("NO_AUTO_CREATE_USER", 1 << 28),
    ("HIGH_NOT_PRECEDENCE", 1 << 29),
    ("NO_ENGINE_SUBSTITUTION", 1 << 30),
    ("PAD_CHAR_TO_FULL_LENGTH", 1 << 31),
    ("TIME_TRUNCATE_FRACTIONAL", 1 << 32),
    ("SORT_NULLS_LAST", 1 << 33),
    ("ERROR_IF_OVERFLOW", 1 << 35),
    ("GROUP_CONCAT_LEGACY", 1 << 36),
];

/// Values of one session.
#[derive(Clone, Debug)]
pub struct Variables {
    /// Only what differs from the defaults; shared until changed.
    changed: Arc<BTreeMap<&'static str, String>>,
}

/// The definition of a variable.
pub fn definition(name: &str) -> Option<&'static Definition> {
    all().find(|d| d.name.eq_ignore_ascii_case(name))
}

/// Every variable: those with an effect here, then those that are only kept.
pub fn all() -> impl Iterator<Item = &'static Definition> {
    VARIABLES.iter().chain(super::tuning_variables::VARIABLES)
}

impl Variables {
    /// What a new session starts with: defaults, then the cluster's global values.
    pub fn of_session(engine: &Engine) -> Self {
        let catalog = engine.meta.snapshot();
        let globals = catalog.variables.iter().filter_map(|(name, value)| Some((definition(name)?.name, value.clone())));
        let mut changed: BTreeMap<&'static str, String> = globals.collect();
        if let Some(version) = definition("version") {
            changed.insert(version.name, engine.setting_in(&catalog, "mysql_server_version"));
        }
        Self { changed: Arc::new(changed) }
    }

    /// Values of a session of another frontend.
    pub fn of_changed<'a>(changed: impl Iterator<Item = (&'a str, String)>) -> Self {
        Self { changed: Arc::new(changed.filter_map(|(name, value)| Some((definition(name)?.name, value))).collect()) }
    }

    /// What differs from the defaults.
    pub fn changed(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.changed.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// A value as text; empty for an unknown name.
    pub fn get_text(&self, name: &str) -> String {
        definition(name).map(|d| self.text_of(d)).unwrap_or_default()
    }

    /// The value of a defined variable, as text.
    pub fn text_of(&self, definition: &Definition) -> String {
        self.changed.get(definition.name).map_or_else(|| definition.default.to_owned(), Clone::clone)
    }

    /// A value with its SQL type.
    pub fn get(&self, name: &str) -> Option<(Scalar, LogicalType)> {
        let definition = definition(name)?;
        let text = self.text_of(definition);
        Some(match definition.kind {
            Bool => (Scalar::Boolean(text == "true"), LogicalType::Boolean),
            Int(..) => (Scalar::BigInt(text.parse().unwrap_or_default()), LogicalType::BigInt),
            Double => (Scalar::Double(text.parse().unwrap_or_default()), LogicalType::Double),
            Text | SqlMode | TimeZone => (Scalar::string(text), LogicalType::varchar()),
        })
    }

    /// An integer variable.
    pub fn get_int(&self, name: &str) -> i64 {
        self.get_text(name).parse().unwrap_or_default()
    }

    /// A boolean variable.
    pub fn get_bool(&self, name: &str) -> bool {
        self.get_text(name) == "true"
    }

    /// The bits of sql_mode.
    pub fn sql_mode(&self) -> u64 {
        self.changed.get("sql_mode").map_or(32, |text| mode_bits(text).unwrap_or(32))
    }

    /// Checks and normalizes a value without setting it.
    pub fn check(name: &str, value: &str, global: bool) -> Result<(&'static Definition, String)> {
        let definition = definition(name).ok_or_else(|| err!(UnknownVariable, "Unknown system variable '{name}'"))?;
        match definition.scope {
            ReadOnly => bail!(ReadOnlyVariable, "Variable '{name}' is a read only variable"),
            GlobalOnly if !global => bail!(GlobalOnlyVariable, "Variable '{name}' is a GLOBAL variable and should be set with SET GLOBAL"),
            SessionOnly if global => bail!(SessionOnlyVariable, "Variable '{name}' is a SESSION variable and can't be used with SET GLOBAL"),
            _ => {}
        }
        Ok((definition, normalize(definition, value)?))
    }

    /// Sets a session value that `check` has passed.
    pub fn set(&mut self, definition: &'static Definition, value: String) {
        Arc::make_mut(&mut self.changed).insert(definition.name, value);
    }

    /// Back to the default.
    pub fn set_default(&mut self, definition: &'static Definition) {
        Arc::make_mut(&mut self.changed).remove(definition.name);
    }

    /// What kernels on backends may read.
    pub fn for_functions(&self) -> Vec<(String, String)> {
        FOR_FUNCTIONS.iter().map(|name| ((*name).to_owned(), self.get_text(name))).collect()
    }

    /// The three names closest to a misspelt one, quoted.
    pub fn most_similar(&self, name: &str) -> String {
        let name = name.to_ascii_lowercase();
        let mut scored: Vec<(usize, &str)> = all().map(|d| (distance(&name, d.name), d.name)).collect();
        scored.sort_unstable();
        scored.iter().take(3).map(|(_, n)| format!("'{n}'")).collect::<Vec<_>>().join(", ")
    }
}

fn normalize(definition: &Definition, value: &str) -> Result<String> {
    let name = definition.name;
    let wrong_value = || err!(WrongVariableValue, "Variable '{name}' can't be set to the value of '{value}'");
    match definition.kind {
        Bool => match value.to_ascii_lowercase().as_str() {
            "1" | "on" | "true" => Ok("true".to_owned()),
            "0" | "off" | "false" => Ok("false".to_owned()),
            _ => Err(wrong_value()),
        },
        Int(min, max) => {
            let parsed: i64 = value.trim().parse().map_err(|_| err!(WrongVariableType, "Incorrect argument type to variable '{name}'"))?;
            if parsed < min || parsed > max { Err(wrong_value()) } else { Ok(parsed.to_string()) }
        }
        Double => value.trim().parse::<f64>().map(|v| v.to_string()).map_err(|_| err!(WrongVariableType, "Incorrect argument type to variable '{name}'")),
        Text => Ok(value.to_owned()),
        SqlMode => {
            let bits = match value.trim().parse::<u64>() {
                Ok(bits) => bits,
                Err(_) => mode_bits(value).map_err(|part| err!(WrongVariableValue, "Variable 'sql_mode' can't be set to the value of '{part}'"))?,
            };
            Ok(mode_text(bits))
        }
        TimeZone => normalize_zone(value).ok_or_else(|| err!(BadTimeZone, "Unknown or incorrect time zone: '{value}'")),
    }
}

fn mode_bits(text: &str) -> std::result::Result<u64, String> {
    let mut bits = 0;
    for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let found = SQL_MODES.iter().find(|(name, _)| name.eq_ignore_ascii_case(part));
        bits |= found.ok_or_else(|| part.to_owned())?.1;
    }
    Ok(bits)
}

fn mode_text(bits: u64) -> String {
    SQL_MODES.iter().filter(|(_, bit)| bits & bit != 0).map(|(name, _)| *name).collect::<Vec<_>>().join(",")
}

/// A zone as it is kept: a tz database name, or `±HH:MM`.
fn normalize_zone(value: &str) -> Option<String> {
    if value.eq_ignore_ascii_case("CST") {
        return Some("Asia/Shanghai".to_owned());
    }
    if value.eq_ignore_ascii_case("SYSTEM") {
        return Some("UTC".to_owned());
    }
    if let Some(rest) = value.strip_prefix(['+', '-']) {
        let (hours, minutes) = rest.split_once(':')?;
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        let sign = if value.starts_with('-') { -1 } else { 1 };
        let total = sign * (hours * 60 + minutes);
        return ((-12 * 60..=14 * 60).contains(&total) && minutes < 60).then(|| format!("{}{hours:02}:{minutes:02}", &value[..1]));
    }
    jiff::tz::TimeZone::get(value).ok().and_then(|tz| tz.iana_name().map(str::to_owned))
}

/// Edit distance, for suggestions.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
