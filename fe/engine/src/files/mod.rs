//! `FILES(...)`: the frontend asks a backend which files a path stands for and what columns they have.
//!
//! Flow: analysis meets FILES, finds nothing known of it in [`FileTables`] and leaves its arguments there; the dispatcher resolves
//! them and runs the statement again from its start. Analysis has no effects, so that nothing happens twice.

pub mod properties;

use std::sync::Arc;

use common_base::{Error, ErrorCode, Result, bail, err};
use common_rpc::status;
use common_types::{LogicalType, Scalar, wire};
use fe_analyzer::{FilesRows, FilesTable};
use fe_parser::ast::Properties;
use fe_plan::files::FilesScan;
use parking_lot::Mutex;
use proto_messages::plan::FileTable;
use proto_services::be_service::{DescribeFilesReply, DescribeFilesRequest};

use self::properties::FilesProperties;
use crate::{
    engine::Engine,
    result::{ResultColumn, StatementResult, rows_to_chunk, text, text_columns},
    session::Session,
    show::{columns::column_type_text, time},
};

/// Bytes of a row of text nobody has counted.
const TEXT_ROW_BYTES: f64 = 100.0;

/// What the statement of a session knows of files.
#[derive(Default)]
pub struct FileTables {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: Vec<(Properties, Arc<FilesTable>)>,
    wanted: Option<Properties>,
}

impl FileTables {
    /// The files of these arguments; an error leaves them to be resolved.
    pub fn get(&self, properties: &Properties) -> Result<Arc<FilesTable>> {
        let mut state = self.state.lock();
        if let Some((_, found)) = state.known.iter().find(|(p, _)| p == properties) {
            return Ok(found.clone());
        }
        state.wanted = Some(properties.clone());
        Err(err!(NotSupported, "FILES() is not supported here"))
    }

    /// The arguments analysis has missed.
    pub fn take_wanted(&self) -> Option<Properties> {
        self.state.lock().wanted.take()
    }

    /// Keeps an answer for the rest of the statement.
    pub fn keep(&self, properties: Properties, found: FilesTable) {
        self.state.lock().known.push((properties, Arc::new(found)));
    }

    /// The statement is over: files may change before the next.
    pub fn forget(&self) {
        *self.state.lock() = State::default();
    }
}

/// Finds the files of `FILES(...)` and their columns.
pub async fn resolve(session: &Session, properties: &Properties) -> Result<FilesTable> {
    let wanted = FilesProperties::parse(properties)?;
    let reply = ask(&session.engine, &wanted.request).await?;
    if wanted.request.list_only {
        return listing(&reply, session.variables.get_text("time_zone").as_str());
    }
    let schema = reply.schema.unwrap_or_default();
    let mut columns = Vec::with_capacity(schema.fields.len() + wanted.path_columns.len());
    for field in &schema.fields {
        let ty = wire::type_from_proto(field.r#type.as_ref().ok_or_else(|| err!(Internal, "column {} of a file has no type", field.name))?)?;
        columns.push((field.name.clone(), ty));
    }
    for name in &wanted.path_columns {
        if columns.iter().any(|(c, _)| c.eq_ignore_ascii_case(name)) {
            bail!(Analysis, "column '{name}' of columns_from_path is in the files too");
        }
        columns.push((name.clone(), LogicalType::Varchar(Some(common_types::MAX_VARCHAR_LENGTH))));
    }
    if let Some(twice) = columns.iter().enumerate().find_map(|(i, (c, _))| columns[..i].iter().any(|(d, _)| d.eq_ignore_ascii_case(c)).then_some(c)) {
        bail!(DuplicateColumn, "the files have two columns named '{twice}'");
    }
    let mut format = wanted.request.format.clone().unwrap_or_default();
    if format.kind == "csv" || format.jsonpaths.is_empty() {
        format.columns = schema.fields.iter().map(|f| f.name.clone()).collect();
        format.types = schema.fields.iter().filter_map(|f| f.r#type.clone()).collect();
    }
    let bytes: u64 = reply.files.iter().map(|f| f.size).sum();
    let rows = match (reply.sampled_rows, reply.sampled_bytes) {
        (0, _) | (_, 0) => bytes as f64 / TEXT_ROW_BYTES,
        (rows, of) => rows as f64 * (bytes as f64 / of as f64),
    };
    let scan = FilesScan {
        table: FileTable { format: Some(format), path_columns: wanted.path_columns, fill_missing: wanted.fill_missing },
        files: reply.files.into_iter().map(|f| (f.path, f.size)).collect(),
        rows: rows.max(1.0),
    };
    Ok(FilesTable { columns, rows: FilesRows::Scan(Arc::new(scan)) })
}

/// Asks one backend after the other until one answers: all see the same files.
async fn ask(engine: &Arc<Engine>, request: &DescribeFilesRequest) -> Result<DescribeFilesReply> {
    let mut failure: Option<Error> = None;
    for backend in engine.nodes.alive(&engine.meta.snapshot()) {
        let address = backend.be_address();
        let answer = match engine.pool.be(&address) {
            Ok(mut client) => client.describe_files(request.clone()).await.map_err(|e| status::from_grpc(&e, &address)),
            Err(e) => Err(e),
        };
        match answer.map(tonic::Response::into_inner) {
            Ok(reply) => {
                status::from_message(reply.status.clone())?;
                return Ok(reply);
            }
            Err(e) if matches!(e.code(), ErrorCode::Unavailable | ErrorCode::NetworkError) => failure = Some(e),
            Err(e) => return Err(e),
        }
    }
    Err(failure.unwrap_or_else(|| err!(Unavailable, "Backend node not found. Check if any backend node is down.")))
}

/// The rows of `list_files_only`.
fn listing(reply: &DescribeFilesReply, zone: &str) -> Result<FilesTable> {
    let column = |name: &str, ty| ResultColumn { name: name.to_owned(), ty };
    let columns = [
        column("PATH", LogicalType::Varchar(Some(common_types::MAX_VARCHAR_LENGTH))),
        column("SIZE", LogicalType::BigInt),
        column("IS_DIR", LogicalType::Boolean),
        column("MODIFICATION_TIME", LogicalType::Datetime),
    ];
    let rows: Vec<Vec<Scalar>> = reply
        .files
        .iter()
        .map(|f| vec![text(f.path.clone()), Scalar::BigInt(f.size as i64), Scalar::Boolean(f.is_dir), time::local_datetime(f.modified_ms, zone)])
        .collect();
    let chunk = rows_to_chunk(&columns, &rows)?;
    let chunks = if rows.is_empty() { Vec::new() } else { vec![chunk] };
    Ok(FilesTable { columns: columns.into_iter().map(|c| (c.name, c.ty)).collect(), rows: FilesRows::Made(Arc::new(chunks)) })
}

/// DESC FILES(...).
pub async fn describe(session: &Session, properties: &Properties) -> Result<StatementResult> {
    let found = resolve(session, properties).await?;
    let rows: Vec<Vec<Scalar>> = found.columns.iter().map(|(name, ty)| vec![text(name.clone()), text(column_type_text(ty)), text("YES")]).collect();
    StatementResult::table(text_columns(&["Field", "Type", "Null"]), &rows)
}
