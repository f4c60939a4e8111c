//! INSERT INTO FILES and SELECT … INTO OUTFILE: the rows of a query become files of a backend.

use common_base::{Result, bail, ids::QueryId};
use common_types::{LogicalType, Scalar, wire};
use fe_analyzer::{OutputColumn, analyze_query};
use fe_parser::ast::{Insert, InsertSource, OutFile, Properties, sql};
use proto_messages::fragment::FileSink;

use super::plan::{self, Planned};
use crate::{
    files::properties,
    result::{ResultColumn, StatementResult, text},
    session::Session,
};

/// Runs INSERT INTO FILES.
pub async fn insert(session: &mut Session, insert: &Insert, target: &Properties, parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let planned = plan_insert(session, insert, target, parameters, id)?;
    let summary = plan::start(session, &planned, id)?.drain().await?;
    Ok(StatementResult::Done { affected_rows: summary.load.loaded_rows, info: String::new() })
}

/// Plans INSERT INTO FILES.
pub fn plan_insert(session: &Session, insert: &Insert, target: &Properties, parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<Planned> {
    let InsertSource::Query(query) = &insert.source else {
        bail!(NotSupported, "INSERT INTO FILES takes a query, not VALUES");
    };
    if insert.overwrite || insert.partitions.is_some() || insert.columns.is_some() || insert.by_name {
        bail!(Analysis, "INSERT INTO FILES takes neither OVERWRITE nor partitions nor a list of columns");
    }
    let mut query = query.clone();
    if query.with.is_none() {
        query.with.clone_from(&insert.with);
    } else if insert.with.is_some() {
        bail!(NotSupported, "INSERT INTO FILES with WITH before it and in its query");
    }
    let (sink, partition_by) = properties::sink(target)?;
    planned(session, &query, sink, &partition_by, parameters, id)
}

/// Runs SELECT … INTO OUTFILE.
pub async fn outfile(session: &mut Session, query: &sql::Query, file: &OutFile, parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<StatementResult> {
    session.wait_for_own_changes().await?;
    let planned = planned(session, query, properties::outfile(file)?, &[], parameters, id)?;
    let summary = plan::start(session, &planned, id)?.drain().await?;
    let column = |name: &str, ty| ResultColumn { name: name.to_owned(), ty };
    let columns = vec![
        column("FileNumber", LogicalType::Int),
        column("TotalRows", LogicalType::BigInt),
        column("FileSize", LogicalType::BigInt),
        column("URL", LogicalType::varchar()),
    ];
    let load = &summary.load;
    let row = vec![
        Scalar::Int(i32::try_from(load.files).unwrap_or(i32::MAX)),
        Scalar::BigInt(load.loaded_rows as i64),
        Scalar::BigInt(load.bytes as i64),
        text(format!("{}*", file.path)),
    ];
    StatementResult::table(columns, &[row])
}

fn planned(session: &Session, query: &sql::Query, mut sink: FileSink, partition_by: &[String], parameters: &[(Scalar, LogicalType)], id: QueryId) -> Result<Planned> {
    let analyzed = super::table::analyze(session, parameters, |ctx| analyze_query(ctx, query))?;
    let format = sink.format.get_or_insert_default();
    format.columns = names(&analyzed.output)?;
    format.types = analyzed.output.iter().map(|c| wire::type_to_proto(&c.ty)).collect();
    for name in partition_by {
        let Some(at) = format.columns.iter().position(|c| c.eq_ignore_ascii_case(name)) else {
            bail!(Analysis, "partition_by column '{name}' is not a column of the query");
        };
        if !partitions(&analyzed.output[at].ty) {
            bail!(Analysis, "partition_by column '{name}' has type {}, which directories cannot be named by", analyzed.output[at].ty);
        }
        sink.partition_columns.push(at as u32);
    }
    sink.prefix = format!("{}{id}_0", if sink.prefix.is_empty() { "data_" } else { &sink.prefix });
    plan::unload(session, analyzed, sink)
}

/// Names of the files' columns.
fn names(output: &[OutputColumn]) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::with_capacity(output.len());
    for column in output {
        if names.iter().any(|n| n.eq_ignore_ascii_case(&column.name)) {
            bail!(DuplicateColumn, "Duplicate column name '{}' in the files: give each column of the query its own name", column.name);
        }
        names.push(column.name.clone());
    }
    Ok(names)
}

fn partitions(ty: &LogicalType) -> bool {
    matches!(
        ty,
        LogicalType::Boolean
            | LogicalType::TinyInt
            | LogicalType::SmallInt
            | LogicalType::Int
            | LogicalType::BigInt
            | LogicalType::LargeInt
            | LogicalType::Date
            | LogicalType::Datetime
            | LogicalType::Char(_)
            | LogicalType::Varchar(_)
    )
}
