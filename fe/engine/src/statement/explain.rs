//! EXPLAIN: the plan as text, one row per line; EXPLAIN ANALYZE runs the query and prints what its operators counted.

use std::fmt::Write;

use common_base::{Result, bail, ids::{QueryId, TxnId}};
use common_types::{LogicalType, Scalar};
use fe_analyzer::statement::{DeleteForm, analyze_delete, analyze_insert};
use fe_optimizer::fragment::explain::{Level, explain};
use fe_parser::ast::{Delete, Explain, ExplainMode, Insert, InsertTarget, QueryStatement, Statement};
use proto_messages::profile::{OperatorProfile, QueryProfile};

use super::{insert, plan, primary_dml, table::analyze, unload};
use crate::{
    load::sink,
    result::{StatementResult, text, text_columns},
    session::{Session, variables},
};

/// Runs EXPLAIN.
pub async fn run(session: &mut Session, statement: &Explain, parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let printed = match statement.inner.as_ref() {
        Statement::Query(query) if statement.mode == ExplainMode::Analyze => analyze_query(session, query, parameters, id).await?,
        _ if statement.mode == ExplainMode::Analyze => bail!(NotSupported, "EXPLAIN ANALYZE of anything but a query is not supported yet"),
        Statement::Query(query) => plan::explain_text(session, query, statement.mode, parameters)?,
        Statement::Insert(insert) => explain_insert(session, insert, statement.mode, parameters)?,
        Statement::Update(update) => explain_rows(session, primary_dml::update_rows(session, update, parameters, QueryId(0))?, statement.mode)?,
        Statement::Delete(delete) => explain_delete(session, delete, statement.mode, parameters)?,
        Statement::CreateTableAsSelect(ctas) => {
            let query = QueryStatement { query: ctas.query.clone(), into_outfile: None };
            plan::explain_text(session, &query, statement.mode, parameters)?
        }
        _ => bail!(NotSupported, "EXPLAIN of this statement is not supported yet"),
    };
    let rows: Vec<Vec<Scalar>> = printed.lines().map(|line| vec![text(line)]).collect();
    StatementResult::table(text_columns(&["Explain String"]), &rows)
}

/// The plan an INSERT would run; no transaction begins.
fn explain_insert(session: &Session, insert: &Insert, mode: ExplainMode, parameters: &[(Scalar, LogicalType)]) -> Result<String> {
    if let InsertTarget::Files(target) = &insert.target {
        let planned = unload::plan_insert(session, insert, target, parameters, QueryId(0))?;
        return Ok(explain(&planned.fragments, level_of(mode)).join("\n"));
    }
    let analyzed = analyze(session, parameters, |ctx| analyze_insert(ctx, insert))?;
    let rows = insert::rows(session, analyzed, QueryId(0))?;
    explain_rows(session, rows, mode)
}

/// The plan of a DELETE; one that only writes a predicate has none.
fn explain_delete(session: &Session, delete: &Delete, mode: ExplainMode, parameters: &[(Scalar, LogicalType)]) -> Result<String> {
    let analyzed = analyze(session, parameters, |ctx| analyze_delete(ctx, delete))?;
    match analyzed.form {
        DeleteForm::Keys { .. } => explain_rows(session, primary_dml::delete_rows(analyzed, String::new(), QueryId(0))?, mode),
        DeleteForm::Predicates { .. } => bail!(NotSupported, "EXPLAIN of DELETE is supported on PRIMARY KEY tables only"),
    }
}

/// The plan of a statement that writes rows.
fn explain_rows(session: &Session, mut rows: insert::Rows, mode: ExplainMode) -> Result<String> {
    // There is no load to name: the sink goes by its table.
    rows.label.clone_from(&rows.table.name);
    let planned = rows.plan(session, TxnId(0), std::time::Duration::ZERO, sink::Into::All)?;
    Ok(explain(&planned.fragments, level_of(mode)).join("\n"))
}

fn level_of(mode: ExplainMode) -> Level {
    match mode {
        ExplainMode::Verbose => Level::Verbose,
        ExplainMode::Costs => Level::Costs,
        _ => Level::Normal,
    }
}

async fn analyze_query(session: &mut Session, query: &QueryStatement, parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<String> {
    let before = session.variables.clone();
    if let Some(definition) = variables::definition("enable_profile") {
        session.variables.set(definition, "true".to_owned());
    }
    let planned = plan::query(session, &query.query, parameters);
    session.variables = before;
    let planned = planned?;
    let started = session.engine.clock.monotonic();
    let mut rows = 0;
    let mut stream = plan::start(session, &planned, id)?;
    while let Some(chunk) = stream.next().await? {
        rows += chunk.rows() as u64;
    }
    let elapsed = session.engine.clock.monotonic().saturating_sub(started);
    let mut out = String::new();
    let _ = writeln!(out, "Summary");
    let _ = writeln!(out, "    QueryId: {id}");
    let _ = writeln!(out, "    TotalTime: {:.3}ms", elapsed.as_secs_f64() * 1000.0);
    let _ = writeln!(out, "    ReturnRows: {rows}");
    for profile in &stream.summary().profiles {
        print_profile(&mut out, profile);
    }
    Ok(out)
}

fn print_profile(out: &mut String, profile: &QueryProfile) {
    let _ = writeln!(out, "    CpuTime: {:.3}ms, PeakMemory: {}, ScanRows: {}, ScanBytes: {}", profile.cpu_ns as f64 / 1e6, profile.peak_memory, profile.scan_rows, profile.scan_bytes);
    for fragment in &profile.fragments {
        let _ = writeln!(out, "Fragment {} (instance {}{}{})", fragment.fragment_id, fragment.instance, if fragment.host.is_empty() { "" } else { " on " }, fragment.host);
        for operator in &fragment.operators {
            print_operator(out, operator, 1);
        }
    }
}

fn print_operator(out: &mut String, operator: &OperatorProfile, depth: usize) {
    let indent = "    ".repeat(depth);
    let _ = writeln!(out, "{indent}{} (plan_node_id={})", operator.operator, operator.plan_node_id);
    for counter in &operator.counters {
        let _ = match counter.unit.as_str() {
            "ns" => writeln!(out, "{indent}  - {}: {:.3}ms", counter.name, counter.value as f64 / 1e6),
            "" => writeln!(out, "{indent}  - {}: {}", counter.name, counter.value),
            unit => writeln!(out, "{indent}  - {}: {} {unit}", counter.name, counter.value),
        };
    }
    for child in &operator.children {
        print_operator(out, child, depth + 1);
    }
}
