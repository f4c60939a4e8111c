//! ANALYZE and its relatives. Figures of columns come with the segments that loads write and are merged as loads publish, so ANALYZE
//! only asks the backends for the newest ones and records that it did. Histograms and what several columns have together are
//! counted by queries, of a sample when the table is large.

use std::{collections::BTreeMap, sync::Arc};

use common_base::{Result, bail, ids::QueryId};
use common_types::Scalar;
use fe_catalog::{
    Op,
    model::{AnalyzeJob, AnalyzeStatus, Collected, CollectedKind, CommonValue, Histogram, HistogramBucket, Table},
};
use fe_parser::ast::{AnalyzeColumns, AnalyzeHistogram, AnalyzeScope, AnalyzeTable, CreateAnalyzeJob, KillAnalyze, Properties, sql};
use proto_services::be_service::TabletStatsRequest;

use super::names;
use crate::{
    dispatch,
    result::{StatementResult, text, text_columns},
    session::Session,
};

/// Rows a histogram is made of at most.
const HISTOGRAM_ROWS: f64 = 10_000_000.0;
/// Prefix of errors of statements that do not make sense.
const ANALYSIS: &str = "Getting analyzing error. Detail message:";

/// What is analyzed.
struct Target {
    db: String,
    table: Arc<Table>,
}

/// ANALYZE TABLE.
pub async fn table(session: &mut Session, statement: &AnalyzeTable, id: QueryId) -> Result<StatementResult> {
    let target = find(session, &statement.table).await?;
    let how = if statement.sample { "SAMPLE" } else { "FULL" };
    let together = matches!(statement.columns, AnalyzeColumns::Multiple(_));
    let columns = chosen(&target.table, &statement.columns)?;
    let all = columns.len() == target.table.columns.len() && !together;
    let shown = if all { "ALL".to_owned() } else { columns.join(",") };
    let kind = if together { CollectedKind::Together } else { CollectedKind::Columns };
    let run = begin(session, &target, how, shown, &statement.properties).await?;
    let outcome = gather(session, &target, kind, &columns, id).await;
    finish(session, &target, run, outcome).await?;
    answer(&target, if statement.sample { "sample" } else { "analyze" })
}

/// ANALYZE TABLE … UPDATE HISTOGRAM, DROP HISTOGRAM.
pub async fn histogram(session: &mut Session, statement: &AnalyzeHistogram, id: QueryId) -> Result<StatementResult> {
    let target = find(session, &statement.table).await?;
    let columns = chosen(&target.table, &statement.columns)?;
    if statement.drop {
        return session.change(Op::DropCollected { table: target.table.id, kind: CollectedKind::Histogram, names: Some(columns) }).await;
    }
    let property = |key: &str| statement.properties.iter().find(|p| p.key.eq_ignore_ascii_case(key)).map(|p| p.value.clone());
    let setting = |key: &str, default: i64| property(key).and_then(|v| v.parse::<i64>().ok()).unwrap_or(default).max(1);
    let engine = session.engine.clone();
    let buckets = statement.buckets.map_or_else(|| setting("histogram_bucket_num", engine.setting_int("histogram_buckets_size")), |n| n.max(1));
    let common = setting("histogram_mcv_size", engine.setting_int("histogram_mcv_size"));
    let run = begin(session, &target, "HISTOGRAM", columns.join(","), &statement.properties).await?;
    let outcome = histograms(session, &target, &columns, (buckets, common), id).await;
    finish(session, &target, run, outcome).await?;
    answer(&target, "histogram")
}

/// Figures of columns, or of several together.
async fn gather(session: &mut Session, target: &Target, kind: CollectedKind, columns: &[String], id: QueryId) -> Result<Vec<Collected>> {
    refresh(session, &target.table).await?;
    if kind == CollectedKind::Columns {
        return Ok(columns.iter().map(|name| Collected { name: name.clone(), ..Collected::of(kind) }).collect());
    }
    let list: Vec<String> = columns.iter().map(|c| quoted(c)).collect();
    let counted = query(session, &format!("SELECT COUNT(*) FROM (SELECT DISTINCT {} FROM {}) x", list.join(", "), name_of(target)), id).await?;
    let distinct = counted.first().and_then(|r| r.first()).and_then(Scalar::as_i64).unwrap_or_default() as u64;
    Ok(vec![Collected { name: columns.join(","), distinct, ..Collected::of(kind) }])
}

async fn histograms(session: &mut Session, target: &Target, columns: &[String], sizes: (i64, i64), id: QueryId) -> Result<Vec<Collected>> {
    refresh(session, &target.table).await?;
    let mut made = Vec::with_capacity(columns.len());
    for name in columns {
        let histogram = Arc::new(count(session, target, name, sizes, id).await?);
        made.push(Collected { name: name.clone(), histogram: Some(histogram), ..Collected::of(CollectedKind::Histogram) });
    }
    Ok(made)
}

/// Counts the values of one column: the most common ones, and buckets of about equal height.
async fn count(session: &mut Session, target: &Target, column: &str, (buckets, common): (i64, i64), id: QueryId) -> Result<Histogram> {
    let (table, c) = (name_of(target), quoted(column));
    let catalog = session.engine.meta.snapshot();
    let rows = catalog.statistics_of(target.table.id).map_or(0, |s| s.rows()) as f64;
    let share = if rows > HISTOGRAM_ROWS { HISTOGRAM_ROWS / rows } else { 1.0 };
    let sample = if share < 1.0 { format!(" AND rand() < {share}") } else { String::new() };
    let from = format!("FROM {table} WHERE {c} IS NOT NULL{sample}");
    let scaled = |s: Option<&Scalar>| (s.and_then(Scalar::as_i64).unwrap_or_default() as f64 / share) as u64;
    let frequent = query(session, &format!("SELECT {c}, COUNT(*) n {from} GROUP BY {c} HAVING COUNT(*) > 1 ORDER BY n DESC, {c} LIMIT {common}"), id).await?;
    let frequent = frequent.into_iter().map(|row| CommonValue { rows: scaled(row.get(1)), value: row.into_iter().next().unwrap_or_default() }).collect();
    let tiles = format!("SELECT {c} v, NTILE({buckets}) OVER (ORDER BY {c}) b {from}");
    let tiles = query(session, &format!("SELECT MIN(v), MAX(v), COUNT(*), COUNT(DISTINCT v) FROM ({tiles}) x GROUP BY b ORDER BY b"), id).await?;
    let bucket = |row: Vec<Scalar>| {
        let (rows, distinct) = (scaled(row.get(2)), row.get(3).and_then(Scalar::as_i64).unwrap_or_default() as u64);
        let mut ends = row.into_iter();
        HistogramBucket { lower: ends.next().unwrap_or_default(), upper: ends.next().unwrap_or_default(), rows, distinct }
    };
    Ok(Histogram { buckets: tiles.into_iter().map(bucket).collect(), common: frequent })
}

/// DROP STATS.
pub async fn drop_stats(session: &mut Session, name: &sql::ObjectName, multi_columns: bool) -> Result<StatementResult> {
    let target = find(session, name).await?;
    let kinds: &[CollectedKind] = if multi_columns { &[CollectedKind::Together] } else { &[CollectedKind::Columns, CollectedKind::Together] };
    for kind in kinds {
        session.change(Op::DropCollected { table: target.table.id, kind: *kind, names: None }).await?;
    }
    Ok(StatementResult::ok())
}

/// CREATE ANALYZE: what is to be collected from time to time. Statistics follow loads by themselves, so there is nothing to start.
pub async fn create_job(session: &mut Session, statement: &CreateAnalyzeJob) -> Result<StatementResult> {
    let mut job = AnalyzeJob { sample: statement.sample, properties: properties_text(&statement.properties), columns: "ALL".to_owned(), ..AnalyzeJob::default() };
    match &statement.scope {
        AnalyzeScope::All => {}
        AnalyzeScope::Database(name) => {
            job.database = names::database_name(name)?;
            names::find_database(&session.engine.meta.snapshot(), &job.database)?;
        }
        AnalyzeScope::Table { table, columns } => {
            let target = find(session, table).await?;
            if let AnalyzeColumns::List(_) = columns {
                job.columns = chosen(&target.table, columns)?.join(",");
            }
            job.table = target.table.name.clone();
            job.database = target.db;
        }
    }
    job.id = session.engine.meta.next_id().await?;
    session.change(Op::PutAnalyzeJob(job)).await
}

/// DROP ANALYZE id, DROP ALL ANALYZE JOB.
pub async fn drop_job(session: &mut Session, id: Option<i64>) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let known: Vec<u64> = session.engine.meta.snapshot().analyze_jobs.keys().copied().collect();
    let gone: Vec<u64> = match id {
        None => known,
        Some(id) if known.contains(&(id as u64)) => vec![id as u64],
        Some(id) => bail!(Analysis, "There is no analyze job {id}"),
    };
    for id in gone {
        session.change(Op::DropAnalyzeJob { id }).await?;
    }
    Ok(StatementResult::ok())
}

/// KILL ANALYZE: ends the statement that runs the analysis.
pub fn kill(session: &Session, statement: &KillAnalyze) -> Result<StatementResult> {
    let id = match statement {
        // A run begins as soon as it is asked for: none is ever pending.
        KillAnalyze::AllPending => return Ok(StatementResult::ok()),
        KillAnalyze::Id(id) => *id as u64,
        KillAnalyze::Variable(name) => match session.user_variable(name).and_then(|(value, _)| value.as_i64()) {
            Some(id) => id as u64,
            None => bail!(Analysis, "{ANALYSIS} user variable @{name} holds no id of an analysis."),
        },
    };
    let Some(owner) = session.engine.analyses.lock().get(&id).copied() else { bail!(Analysis, "There is no running analyze with id {id}") };
    if let Some(info) = session.engine.sessions.all().into_iter().find(|s| s.id == owner) {
        info.kill_query(common_base::err!(Cancelled, "killed by KILL ANALYZE"));
    }
    Ok(StatementResult::ok())
}

async fn find(session: &mut Session, name: &sql::ObjectName) -> Result<Target> {
    session.wait_for_own_changes().await?;
    let (db, name) = names::qualified(session, name)?;
    let table = names::find_table(&session.engine.meta.snapshot(), &db, &name)?;
    names::olap(&table)?;
    Ok(Target { db, table })
}

/// Names of the columns a statement is about.
fn chosen(table: &Table, columns: &AnalyzeColumns) -> Result<Vec<String>> {
    let (AnalyzeColumns::List(list) | AnalyzeColumns::Multiple(list)) = columns else {
        return Ok(table.columns.iter().map(|c| c.name.clone()).collect());
    };
    let name = |e: &sql::Expr| match e {
        sql::Expr::Identifier(i) => i.value.clone(),
        other => other.to_string(),
    };
    let find = |n: String| match table.column(&n) {
        Some(column) => Ok(column.name.clone()),
        None => bail!(Analysis, "{ANALYSIS} Unknown column '{n}'."),
    };
    list.iter().map(name).map(find).collect()
}

/// Asks the backends for the newest figures of a table.
async fn refresh(session: &Session, table: &Table) -> Result<()> {
    let engine = session.engine.clone();
    let catalog = engine.meta.snapshot();
    let mut per_node: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for tablet in table.as_olap().iter().flat_map(|o| o.partitions.values()).flat_map(|p| p.indexes.first()).flat_map(|i| &i.tablets) {
        let best = tablet.replicas.iter().filter(|r| !r.bad && engine.nodes.is_alive(r.node)).max_by_key(|r| r.version);
        if let Some(replica) = best {
            per_node.entry(replica.node).or_default().push(tablet.id.0);
        }
    }
    let mut reports = Vec::new();
    for (node, tablet_ids) in per_node {
        let Some(backend) = catalog.backends.get(&node) else { continue };
        let address = format!("{}:{}", backend.host, backend.be_port);
        let reply = engine.pool.be(&address)?.tablet_stats(TabletStatsRequest { tablet_ids }).await;
        let reply = reply.map_err(|e| common_rpc::status::from_grpc(&e, &address))?.into_inner();
        reports.extend(reply.tablets.into_iter().map(|t| (node, t)));
    }
    engine.statistics.take_in(&catalog, reports);
    engine.statistics.publish(&engine, table.id).await;
    Ok(())
}

/// The rows of a query, all of them.
async fn query(session: &mut Session, text: &str, id: QueryId) -> Result<Vec<Vec<Scalar>>> {
    let parsed = fe_parser::parse_one(text, &session.parse_options())?;
    let StatementResult::Rows(mut result) = Box::pin(dispatch::run_statement(session, &parsed.stmt, text, &[], id)).await? else {
        bail!(Internal, "a query without rows: {text}");
    };
    let mut rows = Vec::new();
    while let Some(chunk) = result.next().await? {
        rows.extend((0..chunk.rows()).map(|row| chunk.columns().iter().map(|c| c.scalar(row)).collect()));
    }
    Ok(rows)
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn name_of(target: &Target) -> String {
    format!("{}.{}", quoted(&target.db), quoted(&target.table.name))
}

fn properties_text(properties: &Properties) -> String {
    let pairs: Vec<String> = properties.iter().map(|p| format!("{}={}", p.key, p.value)).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// Records that an analysis runs.
async fn begin(session: &mut Session, target: &Target, how: &str, columns: String, properties: &Properties) -> Result<AnalyzeStatus> {
    let engine = session.engine.clone();
    let run = AnalyzeStatus {
        id: engine.meta.next_id().await?,
        database: target.db.clone(),
        table: target.table.name.clone(),
        columns,
        kind: how.to_owned(),
        schedule: "ONCE".to_owned(),
        state: "RUNNING".to_owned(),
        start_ms: engine.clock.now_ms(),
        properties: properties_text(properties),
        ..AnalyzeStatus::default()
    };
    session.change(Op::PutAnalyzeStatus(run.clone())).await?;
    engine.analyses.lock().insert(run.id, session.info.id);
    Ok(run)
}

/// Records what an analysis found, or why it failed.
async fn finish(session: &mut Session, target: &Target, mut run: AnalyzeStatus, outcome: Result<Vec<Collected>>) -> Result<()> {
    let engine = session.engine.clone();
    engine.analyses.lock().remove(&run.id);
    run.end_ms = engine.clock.now_ms();
    let outcome = match outcome {
        Ok(entries) => {
            let stamp = |c: Collected| Collected { how: run.kind.clone(), updated_ms: run.end_ms, properties: run.properties.clone(), ..c };
            let entries = entries.into_iter().map(stamp).collect();
            session.change(Op::PutCollected { table: target.table.id, entries }).await.map(|_| ())
        }
        Err(e) => Err(e),
    };
    run.state = if outcome.is_ok() { "SUCCESS" } else { "FAILED" }.to_owned();
    if let Err(e) = &outcome {
        run.reason = e.message().to_owned();
    }
    session.change(Op::PutAnalyzeStatus(run)).await?;
    session.wait_for_own_changes().await?;
    outcome
}

fn answer(target: &Target, op: &str) -> Result<StatementResult> {
    let row = vec![text(format!("{}.{}", target.db, target.table.name)), text(op), text("status"), text("OK")];
    StatementResult::table(text_columns(&["Table", "Op", "Msg_type", "Msg_text"]), &[row])
}
