//! File sources of loads, by name: several parsers share one splitter over the body's pipe.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use be_exec::sink::{FileReader, FileSource, FileSourceProvider};
use be_formats::{csv::{Block, CsvOptions, Parser, Splitter}, decompress::Decompressor, json::{self, JsonOptions}};
use common_base::{Result, bail, err};
use common_types::{Chunk, LogicalType, chunk::CHUNK_ROWS, wire};
use parking_lot::Mutex;
use proto_messages::{fragment::QueryId, plan::{FileFormat, FileScanNode}};

use super::{bad_rows::ErrorLog, pipe::Pipe};

/// A JSON body larger than this needs `ignore_json_size`.
const JSON_BYTES_MAX: usize = 100 << 20;

struct Entry {
    pipe: Arc<Pipe>,
    log: Arc<ErrorLog>,
}

/// Bodies that wait to be read.
#[derive(Default)]
pub struct FileSources {
    open: Mutex<HashMap<String, Entry>>,
}

/// Forgets a source when its load ends.
pub struct Registered {
    sources: Weak<FileSources>,
    name: String,
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Some(sources) = self.sources.upgrade() {
            sources.open.lock().remove(&self.name);
        }
    }
}

impl FileSources {
    /// Offers a body under a name.
    pub fn register(self: &Arc<Self>, name: &str, pipe: Arc<Pipe>, log: Arc<ErrorLog>) -> Registered {
        self.open.lock().insert(name.to_owned(), Entry { pipe, log });
        Registered { sources: Arc::downgrade(self), name: name.to_owned() }
    }
}

impl FileSourceProvider for FileSources {
    fn open(&self, _query: QueryId, node: &FileScanNode, parallelism: usize) -> Result<Box<dyn FileSource>> {
        let (pipe, log) = {
            let open = self.open.lock();
            let entry = open.get(&node.source).ok_or_else(|| err!(NotFound, "file source '{}' is not here", node.source))?;
            (entry.pipe.clone(), entry.log.clone())
        };
        let format = node.format.clone().ok_or_else(|| err!(Internal, "file scan without a format"))?;
        let types = format.types.iter().map(wire::type_from_proto).collect::<Result<Vec<_>>>()?;
        let input = Mutex::new(Input { decompressor: Decompressor::new(&format.compression)?, splitter: None, whole: Vec::new(), ended: false });
        match format.kind.as_str() {
            "csv" => {
                let options = csv_options(&format);
                input.lock().splitter = Some(Splitter::new(options.clone()));
                let shared = Arc::new(Shared { pipe, log, input, types, csv: Some(options), json: None, json_limit: 0 });
                Ok(Box::new(Source { shared, readers: parallelism }))
            }
            "json" => {
                let options = JsonOptions {
                    columns: format.columns.clone(),
                    types: types.clone(),
                    paths: format.jsonpaths.clone(),
                    root: format.json_root.clone(),
                    strip_outer_array: format.strip_outer_array,
                };
                let json_limit = if format.ignore_json_size { usize::MAX } else { JSON_BYTES_MAX };
                let shared = Arc::new(Shared { pipe, log, input, types, csv: None, json: Some(options), json_limit });
                Ok(Box::new(Source { shared, readers: 1 }))
            }
            other => bail!(NotSupported, "format {other} is not supported yet"),
        }
    }
}

fn csv_options(format: &FileFormat) -> CsvOptions {
    CsvOptions {
        column_separator: format.column_separator.to_vec(),
        row_delimiter: format.row_delimiter.to_vec(),
        enclose: format.enclose.first().copied(),
        escape: format.escape.first().copied(),
        skip_header: format.skip_header,
        trim_space: format.trim_space,
        columns: format.columns.len(),
    }
}

/// The stream side, used by one reader at a time.
struct Input {
    decompressor: Decompressor,
    splitter: Option<Splitter>,
    /// JSON: the whole body.
    whole: Vec<u8>,
    ended: bool,
}

struct Shared {
    pipe: Arc<Pipe>,
    log: Arc<ErrorLog>,
    input: Mutex<Input>,
    types: Vec<LogicalType>,
    csv: Option<CsvOptions>,
    json: Option<JsonOptions>,
    json_limit: usize,
}

struct Source {
    shared: Arc<Shared>,
    readers: usize,
}

impl FileSource for Source {
    fn readers(&self) -> usize {
        self.readers
    }

    fn reader(&self, _driver: usize) -> Result<Box<dyn FileReader>> {
        let shared = self.shared.clone();
        Ok(match &shared.csv {
            Some(options) => Box::new(CsvReader { parser: Parser::new(options.clone(), shared.types.clone()), shared, block: None }),
            None => Box::new(JsonReader { shared, done: false }),
        })
    }
}

struct CsvReader {
    shared: Arc<Shared>,
    parser: Parser,
    block: Option<Block>,
}

impl CsvReader {
    /// The next block of whole records; `None` at the end of the body.
    fn poll_block(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>>> {
        let mut input = self.shared.input.lock();
        let Input { decompressor, splitter, ended, .. } = &mut *input;
        let Some(splitter) = splitter else { return Poll::Ready(Ok(None)) };
        loop {
            if *ended {
                return Poll::Ready(splitter.take(true));
            }
            if splitter.is_full() {
                if let Some(block) = splitter.take(false)? {
                    return Poll::Ready(Ok(Some(block)));
                }
            }
            match self.shared.pipe.poll_next(cx)? {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(piece)) => decompressor.push(&piece, splitter.buffer())?,
                Poll::Ready(None) => {
                    *ended = true;
                    decompressor.finish(splitter.buffer())?;
                }
            }
        }
    }
}

impl FileReader for CsvReader {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        loop {
            if self.block.is_none() {
                match std::task::ready!(self.poll_block(cx))? {
                    Some(bytes) => self.block = Some(Block::new(bytes)),
                    None => return Poll::Ready(Ok(None)),
                }
            }
            let Some(block) = &mut self.block else { continue };
            let mut seen = 0;
            let parsed = self.parser.parse(block, CHUNK_ROWS, &*self.shared.log, &mut seen)?;
            self.shared.log.add_seen(seen);
            match parsed {
                Some(chunk) if chunk.rows() == 0 => {}
                Some(chunk) => return Poll::Ready(Ok(Some(chunk))),
                None => self.block = None,
            }
        }
    }
}

struct JsonReader {
    shared: Arc<Shared>,
    done: bool,
}

impl FileReader for JsonReader {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        if self.done {
            return Poll::Ready(Ok(None));
        }
        let mut input = self.shared.input.lock();
        let Input { decompressor, whole, .. } = &mut *input;
        while let Some(piece) = std::task::ready!(self.shared.pipe.poll_next(cx))? {
            decompressor.push(&piece, whole)?;
            if whole.len() > self.shared.json_limit {
                return Poll::Ready(Err(err!(TooLarge, "The size of this batch exceed the max size [{JSON_BYTES_MAX}] of json type data. Set ignore_json_size to skip the check, although it may lead to huge memory consuming.")));
            }
        }
        decompressor.finish(whole)?;
        self.done = true;
        let Some(options) = &self.shared.json else { return Poll::Ready(Ok(None)) };
        let mut seen = 0;
        let chunk = json::parse(options, whole, &*self.shared.log, &mut seen)?;
        self.shared.log.add_seen(seen);
        Poll::Ready(Ok((chunk.rows() > 0).then_some(chunk)))
    }
}
