//! Bodies that are read from their end (Parquet): a file of their own until the load is over.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::{AtomicUsize, Ordering}},
    task::{Context, Poll},
};

use axum::body::Body;
use be_exec::sink::{FileReader, FileSource};
use be_formats::{arrow_in::{FileField, ToLocal}, columnar::{ColumnarFile, GroupReader}, parquet::ParquetFile};
use common_base::{Result, bail, ensure, fs::SharedFs, runtime::blocking};
use common_types::{Chunk, wire};
use http_body_util::BodyExt;
use proto_messages::plan::FileFormat;

use super::bad_rows::ErrorLog;

/// Bytes gathered before they are written.
const PIECE_BYTES: usize = 4 << 20;

/// A body on disk; gone when this is dropped.
#[derive(Debug)]
pub struct Spooled {
    fs: SharedFs,
    path: PathBuf,
    /// Bytes of the body.
    pub bytes: u64,
}

/// Whether a body of this size may be loaded.
pub fn check_size(bytes: u64, limit: u64) -> Result<()> {
    ensure!(bytes <= limit, TooLarge, "The size of this body exceeds the max size [{limit}] (streaming_load_max_mb)");
    Ok(())
}

impl Drop for Spooled {
    fn drop(&mut self) {
        if let Err(e) = self.fs.remove(&self.path) {
            tracing::warn!("the spooled body of a load stays behind: {e}");
        }
    }
}

impl Spooled {
    /// Takes a body in. `expected`: its length, when the client told.
    pub async fn receive(fs: &SharedFs, dir: &Path, name: &str, body: &mut Body, expected: Option<u64>, limit: u64) -> Result<Self> {
        check_size(expected.unwrap_or(0), limit)?;
        let path = dir.join(name);
        let (making, at, dir) = (fs.clone(), path.clone(), dir.to_owned());
        let mut file = blocking("spool a load", move || {
            making.mkdir_all(&dir)?;
            making.create(&at)
        })
        .await?;
        let mut spooled = Self { fs: fs.clone(), path, bytes: 0 };
        let mut piece: Vec<u8> = Vec::with_capacity(PIECE_BYTES);
        loop {
            let data = match body.frame().await {
                None => None,
                Some(Err(e)) => bail!(NetworkError, "the body was cut off after {} bytes: {e}", spooled.bytes),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => Some(data),
                    Err(_) => continue,
                },
            };
            let ended = data.is_none();
            if let Some(data) = data {
                spooled.bytes += data.len() as u64;
                check_size(spooled.bytes, limit)?;
                piece.extend_from_slice(&data);
            }
            if piece.len() >= PIECE_BYTES || (ended && !piece.is_empty()) {
                let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE_BYTES));
                file = blocking("spool a load", move || file.append(&full).map(|()| file)).await?;
            }
            if ended {
                break;
            }
        }
        if let Some(expected) = expected.filter(|e| *e != spooled.bytes) {
            bail!(NetworkError, "receive body don't equal with body bytes, body bytes: {expected}, received: {}", spooled.bytes);
        }
        Ok(spooled)
    }

    /// The body as a Parquet file.
    pub fn parquet(&self) -> Result<ParquetFile> {
        ParquetFile::open(self.fs.open_read(&self.path)?, "body")
    }
}

/// The rows of a Parquet body: drivers take row groups.
pub struct ParquetSource {
    shared: Arc<Shared>,
    readers: usize,
}

struct Shared {
    file: Arc<ParquetFile>,
    columns: Vec<FileField>,
    local: ToLocal,
    next: AtomicUsize,
    log: Arc<ErrorLog>,
}

impl ParquetSource {
    /// A source of the format's columns.
    pub fn new(file: Arc<ParquetFile>, format: &FileFormat, local: ToLocal, log: Arc<ErrorLog>, parallelism: usize) -> Result<Self> {
        let field = |(name, ty): (&String, &proto_messages::types::LogicalType)| Ok(FileField { name: name.clone(), ty: wire::type_from_proto(ty)? });
        let columns = format.columns.iter().zip(&format.types).map(field).collect::<Result<Vec<_>>>()?;
        let readers = parallelism.min(file.groups()).max(1);
        Ok(Self { shared: Arc::new(Shared { file, columns, local, next: AtomicUsize::new(0), log }), readers })
    }
}

impl FileSource for ParquetSource {
    fn readers(&self) -> usize {
        self.readers
    }

    fn reader(&self, _driver: usize) -> Result<Box<dyn FileReader>> {
        Ok(Box::new(Reader { shared: self.shared.clone(), group: None }))
    }
}

struct Reader {
    shared: Arc<Shared>,
    group: Option<GroupReader>,
}

impl FileReader for Reader {
    fn poll_next(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        Poll::Ready(self.next())
    }
}

impl Reader {
    fn next(&mut self) -> Result<Option<Chunk>> {
        loop {
            let shared = &self.shared;
            let group = match &mut self.group {
                Some(group) => group,
                None => {
                    let at = shared.next.fetch_add(1, Ordering::Relaxed);
                    if at >= shared.file.groups() {
                        return Ok(None);
                    }
                    self.group.insert(shared.file.read(at, &shared.columns, &shared.local)?)
                }
            };
            match group.next_chunk()? {
                Some(chunk) if chunk.rows() > 0 => {
                    shared.log.add_seen(chunk.rows() as u64);
                    return Ok(Some(chunk));
                }
                Some(_) => {}
                None => self.group = None,
            }
        }
    }
}
