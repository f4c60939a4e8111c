//! Stream load, the FE's side: a backend holds the body and asks here to begin, plan, commit or abort.

use std::{collections::HashMap, sync::Arc, time::Duration};

use common_base::{Error, ErrorCode, Result, bail, err, ids::{DbId, NodeId, TxnId}};
use common_expr::scalar_fn::EvalContext;
use common_rpc::status;
use common_types::{LogicalType, Scalar};
use fe_analyzer::{AnalyzeContext, SessionFacts, statement::{AnalyzedLoad, LoadField, LoadRequest, analyze_load, fill_values}};
use fe_catalog::model::{Aggregation, Column, KeysModel, LoadSource, OlapTable, Table, TxnState};
use fe_parser::{ParseOptions, ast::VariableScope};
use fe_plan::ColumnFactory;
use proto_messages::{fragment::{ExecuteRequest, QueryOptions}, plan::FileFormat};
use proto_services::fe_service::{Auth, LoadAbortRequest, LoadBeginReply, LoadBeginRequest, LoadCommitRequest, LoadPlanRequest};

use super::{Begin, Committed, primary::{Shape, narrow}, sink};
use crate::{auth, engine::Engine, statement::{names, plan}, view::SnapshotView};

/// Begins a load; an occupied label says what its load has come to.
pub async fn begin(engine: &Arc<Engine>, request: LoadBeginRequest) -> LoadBeginReply {
    match try_begin(engine, &request).await {
        Ok((txn, db)) => LoadBeginReply { status: None, txn_id: txn.0, existing_job_status: String::new(), db_id: db.0, timeout_s: timeout_s(engine, &request) },
        Err(e) => LoadBeginReply { existing_job_status: existing_status(engine, &request, &e), status: Some(status::to_message(&e)), ..LoadBeginReply::default() },
    }
}

async fn try_begin(engine: &Arc<Engine>, request: &LoadBeginRequest) -> Result<(TxnId, DbId)> {
    authenticate(engine, request.auth.as_ref())?;
    let catalog = engine.meta.snapshot();
    let db = names::find_database(&catalog, &request.database)?;
    // A transaction over several tables names them with its loads.
    let tables = if request.table.is_empty() { Vec::new() } else { vec![names::find_table(&catalog, &request.database, &request.table)?.id] };
    let request_id = request.request_id.as_ref().map_or_else(|| engine.rng.uuid(), |id| be_exec::runtime::query::query_id(id).0);
    let begin = Begin {
        db: db.id,
        tables,
        label: request.label.clone(),
        request_id,
        source: LoadSource::StreamLoad,
        timeout: Duration::from_secs(timeout_s(engine, request)),
        coordinator: format!("BE: {}", request.coordinator),
        backend: (request.backend_id != 0).then_some((NodeId(request.backend_id), request.backend_start_ms)),
        delete_condition: String::new(),
    };
    Ok((engine.loads.begin(engine, begin).await?, db.id))
}

/// Seconds a load may take when it does not say.
fn default_timeout_s(engine: &Engine) -> u64 {
    engine.setting_count("stream_load_default_timeout_second") as u64
}

fn timeout_s(engine: &Engine, request: &LoadBeginRequest) -> u64 {
    if request.timeout_s == 0 { default_timeout_s(engine) } else { request.timeout_s }
}

fn existing_status(engine: &Engine, request: &LoadBeginRequest, e: &Error) -> String {
    if e.code() != ErrorCode::LabelExists {
        return String::new();
    }
    let catalog = engine.meta.snapshot();
    let txn = catalog.database(&request.database).and_then(|db| catalog.txn_by_label(db.id, &request.label));
    match txn.map(|t| &t.state) {
        Some(TxnState::Committed | TxnState::Visible) => "FINISHED",
        _ => "RUNNING",
    }
    .to_owned()
}

/// Checks a load's user and password.
pub(crate) fn authenticate(engine: &Engine, auth: Option<&Auth>) -> Result<()> {
    let auth = auth.ok_or_else(|| err!(AccessDenied, "no user and password were given"))?;
    let denied = || err!(AccessDenied, "Access denied for {}@{}", auth.user, auth.client_host);
    let catalog = engine.meta.snapshot();
    let account = catalog.user(&auth.user, &auth.client_host).ok_or_else(denied)?;
    if auth::check_plain(&account.password_hash, &auth.password) { Ok(()) } else { Err(denied()) }
}

/// Plans a begun load from its headers.
pub async fn plan(engine: &Arc<Engine>, request: LoadPlanRequest) -> Result<ExecuteRequest> {
    authenticate(engine, request.auth.as_ref())?;
    let catalog = engine.meta.snapshot();
    let txn = TxnId(request.txn_id);
    let entry = catalog.txns.get(&txn).cloned().ok_or_else(|| err!(NotFound, "transaction not found: {txn}"))?;
    let headers = Headers(&request.headers);
    headers.check(engine.setting_count("max_stream_load_timeout_second") as u64)?;
    let id = request.query_id.as_ref().map_or_else(|| engine.new_query_id(), be_exec::runtime::query::query_id);
    let facts = LoadFacts::new(engine, &request, &headers)?;
    let view = SnapshotView { engine, catalog: catalog.clone() };
    let ctx = AnalyzeContext { view: &view, registry: &engine.registry, session: &facts, columns: ColumnFactory::default(), parameters: &[] };
    let options = ParseOptions::default();
    let columns = headers.get("columns").map(|text| fe_parser::parse_columns_header(text, &options)).transpose()?;
    let selection = headers.get("where").map(|text| fe_parser::parse_where_header(text, &options)).transpose()?;
    let partial_update = headers.flag("partial_update")?;
    let held = held_fields(&request)?;
    let analyzed = analyze_load(
        &ctx,
        &LoadRequest {
            db: &request.database,
            table: &request.table,
            columns: columns.as_deref(),
            selection: selection.as_ref(),
            partitions: None,
            partial_update,
            negative: headers.flag("negative")?,
            fields: held.as_deref(),
        },
    )?;
    let partitions = headers.list("partitions").or_else(|| headers.list("temporary_partitions"));
    let timeout_s = headers.number("timeout")?.unwrap_or_else(|| default_timeout_s(engine));
    let mut sink = sink::table_sink(engine, &catalog, &analyzed.table, txn, &entry.label, partitions.as_deref().into(), timeout_s * 1000)?;
    sink.strict_mode = headers.flag("strict_mode")?;
    sink.max_filter_ratio = headers.ratio("max_filter_ratio")?;
    sink.numbered_column = analyzed.auto_increment.map_or(0, |uid| uid.0);
    let primary = analyzed.table.as_olap().is_some_and(|o| o.keys == KeysModel::Primary);
    if let Some(shape) = primary_shape(&ctx, &headers, &analyzed, partial_update, primary)? {
        narrow(&mut sink, &analyzed.table, &shape, &engine.registry)?;
    }
    let format = file_format(&headers, &analyzed, held.as_deref())?;
    sink.source_separator.clone_from(&format.column_separator);
    sink.source_json = format.kind == "json";
    let options = QueryOptions {
        memory_limit: headers.number("load_mem_limit")?.unwrap_or(0),
        // Where the last row of a key counts, one parser keeps the order of the file.
        parallelism: u32::from(analyzed.table.as_olap().is_some_and(|o| keeps_last(o, &analyzed.table))),
        timeout_ms: timeout_s * 1000,
        time_zone: facts.eval.time_zone.clone(),
        now_us: facts.eval.now_us,
        sql_mode: facts.eval.sql_mode,
        user: facts.eval.user.clone(),
        database: request.database.clone(),
        ..QueryOptions::default()
    };
    plan::file_load(plan::FileLoad { analyzed: &analyzed, format, source: &request.source, sink, options, id })
}

/// The columns of a body that says what it holds.
fn held_fields(request: &LoadPlanRequest) -> Result<Option<Vec<(String, LogicalType)>>> {
    if request.fields.is_empty() {
        return Ok(None);
    }
    let field = |f: &proto_messages::types::Field| {
        let ty = f.r#type.as_ref().ok_or_else(|| err!(InvalidArgument, "column {} of the body has no type", f.name))?;
        Ok((f.name.clone(), common_types::wire::type_from_proto(ty)?))
    };
    request.fields.iter().map(field).collect::<Result<_>>().map(Some)
}

/// Whether of several rows of a key the order decides what stays.
fn keeps_last(olap: &OlapTable, table: &Table) -> bool {
    let replaces = |c: &Column| matches!(c.aggregation, Some(Aggregation::Replace | Aggregation::ReplaceIfNotNull));
    match olap.keys {
        KeysModel::Duplicate => false,
        KeysModel::Unique | KeysModel::Primary => true,
        KeysModel::Aggregate => table.columns.iter().any(|c| replaces(c)),
    }
}

/// What the rows of a load are, when they are not whole rows to upsert.
fn primary_shape(ctx: &AnalyzeContext<'_>, headers: &Headers<'_>, analyzed: &AnalyzedLoad, partial: bool, primary: bool) -> Result<Option<Shape>> {
    let merge = headers.get("merge_condition").map(str::trim);
    if !primary {
        if partial {
            bail!(InvalidArgument, "Only primary key table support partial update");
        }
        if merge.is_some() {
            bail!(InvalidArgument, "Conditional update only support primary key table {}", analyzed.table.name);
        }
        return Ok(None);
    }
    let merge = merge
        .map(|name| {
            let column = analyzed.table.column(name).ok_or_else(|| err!(InvalidArgument, "Merge condition column {name} does not exist"))?;
            if column.key {
                bail!(InvalidArgument, "Merge condition column {name} should not be primary key!");
            }
            if !analyzed.columns.iter().any(|(uid, _)| *uid == column.uid) {
                bail!(InvalidArgument, "Merge condition column {name} is not among the columns of the load");
            }
            Ok(column.uid)
        })
        .transpose()?;
    let kept = analyzed.kept.clone();
    if !partial && merge.is_none() && analyzed.op.is_none() && kept.is_empty() {
        return Ok(None);
    }
    let written: Vec<_> = analyzed.columns.iter().map(|(uid, _)| *uid).collect();
    let sort_key = analyzed.table.as_olap().map(|o| o.sort_key.clone()).unwrap_or_default();
    if partial && sort_key.iter().any(|uid| !written.contains(uid)) {
        bail!(InvalidArgument, "partial update on table with sort key must provide all sort key columns");
    }
    let fills = if partial { fill_values(ctx, &analyzed.table, &written)? } else { Vec::new() };
    Ok(Some(Shape { written, op: analyzed.op.is_some(), merge, update_only: false, kept, fills }))
}

/// Commits; true when the load is already visible.
pub async fn commit(engine: &Arc<Engine>, request: LoadCommitRequest) -> Result<bool> {
    let counters = request.counters.unwrap_or_default();
    if request.prepare_only {
        let timeout = match request.prepared_timeout_s {
            0 => engine.setting_int("prepared_transaction_default_timeout_second").max(1) as u64,
            seconds => seconds,
        };
        engine.loads.prepare(engine, TxnId(request.txn_id), &request.tablets, &counters, Duration::from_secs(timeout)).await?;
        return Ok(false);
    }
    let wait = Duration::from_millis(request.publish_timeout_ms.max(1));
    let committed = engine.loads.commit(engine, TxnId(request.txn_id), &request.tablets, &counters, wait).await?;
    Ok(committed == Committed::Visible)
}

/// Aborts.
pub async fn abort(engine: &Arc<Engine>, request: LoadAbortRequest) -> Result<()> {
    engine.loads.abort(engine, TxnId(request.txn_id), &request.reason).await
}

/// Headers of the request, lower-case names.
struct Headers<'a>(&'a HashMap<String, String>);

impl Headers<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.trim().is_empty())
    }

    fn flag(&self, name: &str) -> Result<bool> {
        match self.get(name).map(|v| v.trim().to_ascii_lowercase()).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => bail!(InvalidArgument, "Invalid {name} format. Must be bool type: {other}"),
        }
    }

    fn number(&self, name: &str) -> Result<Option<u64>> {
        self.get(name).map(|v| v.trim().parse().map_err(|_| err!(InvalidArgument, "Invalid {name} format: {v}"))).transpose()
    }

    fn ratio(&self, name: &str) -> Result<f64> {
        let Some(text) = self.get(name) else { return Ok(0.0) };
        let ratio: f64 = text.trim().parse().map_err(|_| err!(InvalidArgument, "Invalid {name} format: {text}"))?;
        if !(0.0..=1.0).contains(&ratio) {
            bail!(InvalidArgument, "Invalid {name} format, must be between 0 and 1: {text}");
        }
        Ok(ratio)
    }

    fn list(&self, name: &str) -> Option<Vec<String>> {
        self.get(name).map(|v| v.split(',').map(|p| p.trim().to_owned()).filter(|p| !p.is_empty()).collect())
    }

    /// Refuses what contradicts itself, is out of its range, or is not there yet: a header that is passed over in silence loads
    /// other rows than its sender means.
    fn check(&self, timeout_max_s: u64) -> Result<()> {
        for (one, other) in [("partitions", "temporary_partitions"), ("compression", "content-encoding")] {
            if self.get(one).is_some() && self.get(other).is_some() {
                bail!(InvalidArgument, "Can't specify both {one} and {other}");
            }
        }
        if self.number("timeout")?.is_some_and(|s| !(1..=timeout_max_s).contains(&s)) {
            bail!(InvalidArgument, "Invalid timeout, must be between 1 and {timeout_max_s} seconds: {}", self.get("timeout").unwrap_or(""));
        }
        if self.number("exec_mem_limit")? == Some(0) {
            bail!(InvalidArgument, "exec_mem_limit must be greater than 0");
        }
        if let Some(rows) = self.get("log_rejected_record_num")
            && !rows.trim().parse::<i64>().is_ok_and(|n| n >= -1)
        {
            bail!(InvalidArgument, "Invalid log_rejected_record_num format: {rows}");
        }
        for name in ["column_separator", "row_delimiter"] {
            if self.0.get(name).is_some_and(String::is_empty) {
                bail!(InvalidArgument, "{name} must have 1 to 50 bytes");
            }
        }
        Ok(())
    }

    /// A separator: as written, or `\x` and hex digits.
    fn separator(&self, name: &str, default: &str) -> Result<Vec<u8>> {
        let text = self.get_raw(name).unwrap_or(default);
        decode_separator(name, text)
    }

    /// A value whose blanks matter.
    fn get_raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    fn single_byte(&self, name: &str) -> Result<Vec<u8>> {
        let bytes = self.get_raw(name).unwrap_or("").as_bytes().to_vec();
        if bytes.len() > 1 {
            bail!(InvalidArgument, "{name} must be one byte");
        }
        Ok(bytes)
    }
}

/// A separator: as written, with `\t`, `\n`, `\r`, or `\x` and hex digits.
pub(crate) fn decode_separator(name: &str, text: &str) -> Result<Vec<u8>> {
    let hex = text.strip_prefix("\\x").or_else(|| text.strip_prefix("0x"));
    let bytes = match hex {
        Some(hex) => decode_hex(hex).ok_or_else(|| err!(InvalidArgument, "{name}: '{text}' is not hexadecimal"))?,
        None => text.replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r").into_bytes(),
    };
    if bytes.is_empty() || bytes.len() > 50 {
        bail!(InvalidArgument, "{name} must have 1 to 50 bytes");
    }
    Ok(bytes)
}

fn decode_hex(hex: &str) -> Option<Vec<u8>> {
    if hex.is_empty() || hex.len() % 2 != 0 || !hex.is_ascii() {
        return None;
    }
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[i * 2..i * 2 + 2], 16).ok()).collect()
}

fn file_format(headers: &Headers<'_>, analyzed: &AnalyzedLoad, held: Option<&[(String, LogicalType)]>) -> Result<FileFormat> {
    let named = headers.get("format").unwrap_or("csv").trim().to_ascii_lowercase();
    let (kind, implied) = match named.as_str() {
        "csv" => ("csv", ""),
        "json" => ("json", ""),
        "parquet" if held.is_some() => ("parquet", ""),
        "gzip" | "bzip2" | "deflate" | "zstd" => ("csv", named.as_str()),
        "lz4" => ("csv", "lz4_frame"),
        other => bail!(InvalidArgument, "unknown data format, format={other}"),
    };
    let asked = headers.get("compression").or_else(|| headers.get("content-encoding"));
    let compression = match asked.map(|c| c.trim().to_ascii_lowercase()).as_deref() {
        None | Some("none" | "no_compression" | "identity") => implied.to_owned(),
        Some("lz4") => "lz4_frame".to_owned(),
        Some(known @ ("gzip" | "bzip2" | "lz4_frame" | "zstd" | "deflate")) => known.to_owned(),
        Some(other) => bail!(InvalidArgument, "compression '{other}' is not supported"),
    };
    let jsonpaths = match headers.get("jsonpaths") {
        None => Vec::new(),
        Some(text) => serde_json::from_str(text).map_err(|e| err!(InvalidArgument, "jsonpaths is not a JSON array of paths: {e}"))?,
    };
    Ok(FileFormat {
        kind: kind.to_owned(),
        compression,
        columns: analyzed.fields.iter().map(|f| f.name.clone()).collect(),
        types: analyzed.fields.iter().map(|f| common_types::wire::type_to_proto(&raw_type(kind, f, held))).collect(),
        column_separator: headers.separator("column_separator", "\t")?.into(),
        row_delimiter: headers.separator("row_delimiter", "\n")?.into(),
        enclose: headers.single_byte("enclose")?.into(),
        escape: headers.single_byte("escape")?.into(),
        skip_header: headers.number("skip_header")?.unwrap_or(0),
        trim_space: headers.flag("trim_space")?,
        jsonpaths,
        json_root: headers.get("json_root").unwrap_or("").to_owned(),
        strip_outer_array: headers.flag("strip_outer_array")?,
        ignore_json_size: headers.flag("ignore_json_size")?,
    })
}

/// What the reader makes of a field: text, or a JSON document where the column keeps one.
fn raw_type(kind: &str, field: &LoadField, held: Option<&[(String, LogicalType)]>) -> LogicalType {
    if let Some((_, own)) = held.and_then(|held| fe_analyzer::statement::field_of(held, &field.name)) {
        return own.clone();
    }
    if kind == "json" && field.ty == LogicalType::Json { LogicalType::Json } else { LogicalType::varchar() }
}

/// A load has no session: what expressions in its headers may know.
struct LoadFacts {
    database: String,
    eval: EvalContext,
}

impl LoadFacts {
    fn new(engine: &Engine, request: &LoadPlanRequest, headers: &Headers<'_>) -> Result<Self> {
        let zone = headers.get("timezone").unwrap_or("Asia/Shanghai");
        let (_, time_zone) = crate::session::variables::Variables::check("time_zone", zone, false)?;
        let user = request.auth.as_ref().map(|a| a.user.clone()).unwrap_or_default();
        Ok(Self {
            database: request.database.clone(),
            eval: EvalContext { now_us: engine.clock.now_us(), time_zone, user, database: request.database.clone(), ..EvalContext::default() },
        })
    }
}

impl SessionFacts for LoadFacts {
    fn current_database(&self) -> Option<String> {
        Some(self.database.clone())
    }

    fn variable(&self, _scope: Option<VariableScope>, name: &str) -> Option<(Scalar, LogicalType)> {
        let definition = crate::session::variables::definition(name)?;
        Some((Scalar::string(definition.default), LogicalType::varchar()))
    }

    fn user_variable(&self, _name: &str) -> Option<(Scalar, LogicalType)> {
        None
    }

    fn eval(&self) -> &EvalContext {
        &self.eval
    }

    fn user(&self) -> String {
        self.eval.user.clone()
    }
}
