//! `INDEX i (c) USING KIND (…)`: which are legal, and how the catalog and SHOW print them.

use common_base::{Result, bail, err};
use common_types::LogicalType;
use fe_catalog::model::{Column, KeysModel, Table};
use fe_parser::ast::{IndexDef, IndexKind};

use crate::AnalyzeContext;

/// The clause of an index that is added to a table.
pub fn index_clause(_ctx: &AnalyzeContext<'_>, table: &Table, index: &IndexDef) -> Result<String> {
    let olap = super::stored_only(table, "ADD INDEX")?;
    let clause = clause(index, &table.columns, olap.keys)?;
    let name = format!("INDEX {} (", index.name.value).to_lowercase();
    if olap.indexes_ddl.iter().any(|ddl| ddl.to_lowercase().starts_with(&name)) {
        bail!(User, "index `{}` already exist.", index.name.value);
    }
    let mut all = olap.indexes_ddl.clone();
    all.push(clause.clone());
    check_together(&all, olap.property("bloom_filter_columns").unwrap_or(""))?;
    Ok(clause)
}

/// The clause as SHOW CREATE TABLE prints it.
pub(super) fn clause(index: &IndexDef, columns: &[Column], keys: KeysModel) -> Result<String> {
    let kind = match index.kind {
        IndexKind::Bitmap => "BITMAP",
        IndexKind::NgramBf => "NGRAMBF",
        IndexKind::Gin => "GIN",
        IndexKind::Vector => "VECTOR",
    };
    if index.kind == IndexKind::Vector {
        bail!(NotSupported, "{kind} index is not supported yet");
    }
    let [name] = index.columns.as_slice() else { bail!(User, "{} index can only be built on one column", kind.to_lowercase()) };
    let column = columns.iter().find(|c| c.name.eq_ignore_ascii_case(&name.value));
    let column = column.ok_or_else(|| err!(User, "{kind} column does not exist in table. invalid column: {}", name.value))?;
    if matches!(keys, KeysModel::Aggregate | KeysModel::Unique) && !column.key {
        bail!(
            User,
            "{kind} index only used in columns of DUP_KEYS/PRIMARY_KEYS table or key columns of UNIQUE_KEYS/AGG_KEYS table. invalid column: {}",
            column.name
        );
    }
    check_type(index.kind, column)?;
    let mut properties: Vec<(String, String)> = index.properties.iter().map(|p| (p.key.trim().to_ascii_lowercase(), p.value.clone())).collect();
    let defaults: &[(&str, &str)] = match index.kind {
        IndexKind::NgramBf => &[("bloom_filter_fpp", "0.05"), ("case_sensitive", "true"), ("gram_num", "2")],
        IndexKind::Gin => &[("imp_lib", "clucene"), ("parser", "none")],
        IndexKind::Bitmap | IndexKind::Vector => &[],
    };
    for (key, value) in defaults {
        if !properties.iter().any(|(k, _)| k == key) {
            properties.push(((*key).to_owned(), (*value).to_owned()));
        }
    }
    check_properties(index.kind, &properties)?;
    properties.sort();
    let properties: Vec<String> = properties.iter().map(|(k, v)| format!("\"{k}\" = \"{v}\"")).collect();
    let properties = if properties.is_empty() { String::new() } else { format!("({})", properties.join(", ")) };
    let comment = index.comment.as_deref().unwrap_or("");
    Ok(format!("INDEX {} (`{}`) USING {kind}{properties} COMMENT '{comment}'", index.name.value, column.name))
}

fn check_type(kind: IndexKind, column: &Column) -> Result<()> {
    let ty = &column.ty;
    match kind {
        IndexKind::NgramBf if !ty.is_string() => {
            bail!(Analysis, "Invalid ngram bloom filter column '{}': unsupported type", column.name)
        }
        IndexKind::Gin if !ty.is_string() => {
            bail!(Analysis, "The inverted index can only be build on column with type of CHAR/STRING/VARCHAR type.")
        }
        IndexKind::Bitmap if ty.is_nested() || ty.is_metric() || matches!(ty, LogicalType::Json | LogicalType::Float | LogicalType::Double) => {
            bail!(User, "{ty} is not supported in bitmap index. invalid column: {}", column.name)
        }
        _ => Ok(()),
    }
}

fn check_properties(kind: IndexKind, properties: &[(String, String)]) -> Result<()> {
    let known: &[&str] = match kind {
        IndexKind::NgramBf => &["bloom_filter_fpp", "case_sensitive", "gram_num"],
        IndexKind::Gin => &["imp_lib", "parser", "omit_term_freq_and_position", "gram_num", "dict_gram_num", "enable_phrase_query_sequential_opt", "compound_format"],
        IndexKind::Bitmap | IndexKind::Vector => &[],
    };
    if let Some((key, value)) = properties.iter().find(|(k, _)| !known.contains(&k.as_str())) {
        bail!(Analysis, "Invalid index properties: {{{key}={value}}}");
    }
    let value = |key: &str| properties.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v.trim());
    match kind {
        IndexKind::NgramBf => {
            let fpp: f64 = value("bloom_filter_fpp").parse().map_err(|_| err!(Analysis, "Bloom filter fpp is not Double"))?;
            if !(0.0001..=0.05).contains(&fpp) {
                bail!(Analysis, "Bloom filter fpp should in [1.0E-4, 0.05]");
            }
            if value("gram_num").parse::<u32>().map_or(true, |n| n == 0) {
                bail!(Analysis, "Ngram Bloom filter's gram_num should be positive number");
            }
        }
        IndexKind::Gin => {
            if !["none", "english", "chinese", "standard"].contains(&value("parser").to_ascii_lowercase().as_str()) {
                bail!(Analysis, "INVERTED index parser: {} is invalid", value("parser"));
            }
        }
        IndexKind::Bitmap | IndexKind::Vector => {}
    }
    Ok(())
}

/// Properties that follow from the indexes: with GIN each replica is written by itself.
pub fn adjust_properties(indexes_ddl: &[String], properties: &mut [(String, String)]) {
    if indexes_ddl.iter().any(|ddl| ddl.contains(") USING GIN")) {
        for (_, value) in properties.iter_mut().filter(|(key, _)| key == "replicated_storage") {
            "false".clone_into(value);
        }
    }
}

/// The value of `bloom_filter_columns`: columns that exist, may have one, and have no ngram bloom filter.
pub fn check_bloom_filter_columns(columns: &[Column], keys: KeysModel, indexes_ddl: &[String], value: &str) -> Result<()> {
    let mut seen: Vec<String> = Vec::new();
    for name in value.split(',').map(str::trim).filter(|n| !n.is_empty()) {
        let column = columns.iter().find(|c| c.name.eq_ignore_ascii_case(name));
        let column = column.ok_or_else(|| err!(User, "Invalid bloom filter column '{name}': not exists"))?;
        let ty = &column.ty;
        if matches!(ty, LogicalType::TinyInt | LogicalType::Float | LogicalType::Double | LogicalType::Json) || ty.is_nested() || ty.is_metric() {
            bail!(User, "Invalid bloom filter column '{name}': unsupported type {ty}");
        }
        if matches!(keys, KeysModel::Aggregate | KeysModel::Unique) && !column.key {
            bail!(User, "Bloom filter index only used in columns of DUP_KEYS/PRIMARY table or key columns of UNIQUE_KEYS/AGG_KEYS table. invalid column: {name}");
        }
        if seen.contains(&column.name) {
            bail!(User, "Duplicate bloom filter column '{name}'");
        }
        seen.push(column.name.clone());
    }
    check_together(indexes_ddl, value)
}

/// One index per column, and no ngram bloom filter on a column with a bloom filter.
pub(super) fn check_together(clauses: &[String], bloom_filter_columns: &str) -> Result<()> {
    let column_of = |ddl: &str| ddl.split_once("(`").and_then(|(_, rest)| rest.split_once("`)")).map(|(c, _)| c.to_ascii_lowercase());
    let mut seen: Vec<String> = Vec::new();
    for ddl in clauses {
        let Some(column) = column_of(ddl) else { continue };
        if ddl.contains(") USING NGRAMBF") && bloom_filter_columns.split(',').any(|c| c.trim().eq_ignore_ascii_case(&column)) {
            bail!(Analysis, "column {column} should only have one bloom filter index or ngram bloom filter index");
        }
        if seen.contains(&column) {
            bail!(User, "{column} index column already has an index");
        }
        seen.push(column);
    }
    Ok(())
}
