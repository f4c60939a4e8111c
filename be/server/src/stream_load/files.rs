//! File sources of loads, by name: several parsers share one splitter over the body's pipe.

use std::{
    collections::{HashMap, VecDeque},
    io::Read,
    sync::{Arc, Weak, atomic::{AtomicBool, Ordering}},
    task::{Context, Poll},
};

use be_exec::sink::{FileReader, FileSource, FileSourceProvider, FileTarget};
use be_formats::{Block, BlockParser, Format, Splitter, arrow_in::ToLocal, decompress, parquet::ParquetFile};
use bytes::{Buf, Bytes};
use common_base::{Error, MemTracker, Result, bail, err, fs::SharedFs};
use common_types::Chunk;
use parking_lot::Mutex;
use proto_messages::{fragment::{FileSink, QueryId}, plan::FileScanNode};

use super::{bad_rows::ErrorLog, pipe::{Pipe, Pipes}, spool::ParquetSource};
use crate::files::{access::FileAccess, sink};

/// A JSON body larger than this needs `ignore_json_size`.
const JSON_BYTES_MAX: usize = 100 << 20;
/// Bytes a decompressor hands on at a time.
const PIECE_BYTES: usize = 1 << 20;

struct Entry {
    body: LoadBody,
    log: Arc<ErrorLog>,
}

/// Where the bytes of a load are.
pub enum LoadBody {
    /// They flow in while they are parsed.
    Pipe(Arc<Pipe>),
    /// They are all here, and read from their end. The zone is that of its local times.
    Parquet(Arc<ParquetFile>, ToLocal),
}

/// Bodies that wait to be read, and files that queries write.
pub struct FileSources {
    pub pipes: Arc<Pipes>,
    open: Mutex<HashMap<String, Entry>>,
    fs: SharedFs,
    access: Arc<FileAccess>,
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
    /// No bodies; `memory` is that of loads.
    pub fn new(memory: Arc<MemTracker>, fs: SharedFs, access: Arc<FileAccess>) -> Self {
        Self { pipes: Pipes::new(memory), open: Mutex::default(), fs, access }
    }

    /// Offers a body under a name.
    pub fn register(self: &Arc<Self>, name: &str, body: LoadBody, log: Arc<ErrorLog>) -> Registered {
        self.open.lock().insert(name.to_owned(), Entry { body, log });
        Registered { sources: Arc::downgrade(self), name: name.to_owned() }
    }
}

impl FileSourceProvider for FileSources {
    fn open(&self, _query: QueryId, node: &FileScanNode, parallelism: usize) -> Result<Box<dyn FileSource>> {
        let description = node.format.as_ref().ok_or_else(|| err!(Internal, "file scan without a format"))?;
        let (pipe, log) = {
            let open = self.open.lock();
            let entry = open.get(&node.source).ok_or_else(|| err!(NotFound, "file source '{}' is not here", node.source))?;
            match &entry.body {
                LoadBody::Pipe(pipe) => (pipe.clone(), entry.log.clone()),
                LoadBody::Parquet(file, local) => {
                    let source = ParquetSource::new(file.clone(), description, local.clone(), entry.log.clone(), parallelism)?;
                    return Ok(Box::new(source));
                }
            }
        };
        let format = Format::from_proto(description)?;
        let pipe = match description.compression.as_str() {
            "" => pipe,
            codec => decompressed(pipe, self.pipes.open(), codec.to_owned()),
        };
        let limit = match format {
            Format::Json(_) if !description.ignore_json_size => JSON_BYTES_MAX,
            _ => usize::MAX,
        };
        let input = Mutex::new(Input { splitter: format.splitter(), blocks: VecDeque::new(), bytes: 0, ended: false });
        Ok(Box::new(Source { shared: Arc::new(Shared { pipe, log, format, input, limit }), readers: parallelism }))
    }

    fn target(&self, _query: QueryId, sink: &FileSink) -> Result<Arc<dyn FileTarget>> {
        Ok(Arc::new(sink::Handle(sink::open(&self.fs, &self.access, sink)?)))
    }
}

/// A pipe of the plain bytes of a compressed one; a thread of its own decodes, since decoders pull. Where there is no other
/// thread to wait for, the body is gathered first.
fn decompressed(compressed: Arc<Pipe>, plain: Arc<Pipe>, codec: String) -> Arc<Pipe> {
    let out = plain.clone();
    let end = move |decoded: Result<()>, out: &Pipe| match decoded {
        Ok(()) => out.end(),
        Err(e) => out.fail(e),
    };
    if common_base::runtime::single_threaded() {
        common_base::runtime::spawn("decompress", async move { end(decode_gathered(&compressed, &codec, &out).await, &out) });
    } else {
        tokio::task::spawn_blocking(move || {
            end(decode_bodies(&compressed, &codec, &out), &out);
        });
    }
    plain
}

async fn decode_gathered(compressed: &Pipe, codec: &str, out: &Pipe) -> Result<()> {
    let mut body = Vec::new();
    loop {
        let piece = std::future::poll_fn(|cx| compressed.poll_next(cx)).await?;
        if let Some(piece) = piece.as_ref().filter(|p| !p.is_empty()) {
            body.extend_from_slice(piece);
            continue;
        }
        let mut plain = Vec::new();
        if !body.is_empty() {
            decode(std::io::Cursor::new(std::mem::take(&mut body)), codec, |piece| {
                plain.push(piece);
                true
            })?;
        }
        for piece in plain {
            if !out.push(piece).await {
                return Ok(());
            }
        }
        if piece.is_none() {
            return Ok(());
        }
        out.next_body();
    }
}

/// Decodes each body by itself.
fn decode_bodies(compressed: &Arc<Pipe>, codec: &str, out: &Pipe) -> Result<()> {
    let next = || futures::executor::block_on(std::future::poll_fn(|cx| compressed.poll_next(cx)));
    loop {
        match next()? {
            None => return Ok(()),
            Some(piece) if piece.is_empty() => out.next_body(),
            Some(piece) => {
                let ended = Arc::new(AtomicBool::new(false));
                let reader = PipeReader { pipe: compressed.clone(), piece, ended: ended.clone() };
                decode(reader, codec, |piece| futures::executor::block_on(out.push(piece)))?;
                // A decoder may stop before it has read that its body has ended.
                while !ended.load(Ordering::Relaxed) {
                    match next()? {
                        None => return Ok(()),
                        Some(piece) if piece.is_empty() => break,
                        Some(_) if out.is_abandoned() => return Ok(()),
                        Some(_) => {}
                    }
                }
                out.next_body();
            }
        }
    }
}

fn decode(input: impl Read + Send + 'static, codec: &str, mut push: impl FnMut(Bytes) -> bool) -> Result<()> {
    let broken = |e: std::io::Error| match e.downcast::<Error>() {
        Ok(inner) => inner,
        Err(e) => err!(InvalidArgument, "the compressed body does not decode: {e}"),
    };
    let mut reader = decompress::reader(codec, input)?;
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let read = reader.read(&mut piece).map_err(broken)?;
        if read == 0 {
            return Ok(());
        }
        piece.truncate(read);
        if !push(Bytes::from(piece)) {
            return Ok(());
        }
    }
}

/// One body of a pipe.
struct PipeReader {
    pipe: Arc<Pipe>,
    piece: Bytes,
    ended: Arc<AtomicBool>,
}

impl Read for PipeReader {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.ended.load(Ordering::Relaxed) {
            return Ok(0);
        }
        if self.piece.is_empty() {
            let next = futures::executor::block_on(std::future::poll_fn(|cx| self.pipe.poll_next(cx)));
            match next.map_err(std::io::Error::other)? {
                Some(piece) if !piece.is_empty() => self.piece = piece,
                _ => {
                    self.ended.store(true, Ordering::Relaxed);
                    return Ok(0);
                }
            }
        }
        let len = buf.len().min(self.piece.len());
        buf[..len].copy_from_slice(&self.piece[..len]);
        self.piece.advance(len);
        Ok(len)
    }
}

/// The stream side, used by one reader at a time.
struct Input {
    splitter: Box<dyn Splitter>,
    blocks: VecDeque<Block>,
    bytes: usize,
    ended: bool,
}

struct Shared {
    pipe: Arc<Pipe>,
    log: Arc<ErrorLog>,
    format: Format,
    input: Mutex<Input>,
    limit: usize,
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
        Ok(Box::new(Reader { parser: self.shared.format.parser(), shared: self.shared.clone(), ready: VecDeque::new() }))
    }
}

struct Reader {
    shared: Arc<Shared>,
    parser: Box<dyn BlockParser>,
    ready: VecDeque<Chunk>,
}

impl Reader {
    /// The next block of whole records; `None` at the end of the body.
    fn poll_block(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Block>>> {
        let mut input = self.shared.input.lock();
        let input = &mut *input;
        loop {
            if let Some(block) = input.blocks.pop_front() {
                return Poll::Ready(Ok(Some(block)));
            }
            if input.ended {
                return Poll::Ready(Ok(None));
            }
            let mut made = Vec::new();
            match self.shared.pipe.poll_next(cx)? {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(piece)) if piece.is_empty() => {
                    // Records do not go on from one body to the next.
                    input.splitter.finish(&mut made)?;
                    input.splitter = self.shared.format.splitter();
                    input.bytes = 0;
                }
                Poll::Ready(Some(piece)) => {
                    input.bytes += piece.len();
                    if input.bytes > self.shared.limit {
                        return Poll::Ready(too_large());
                    }
                    input.splitter.push(&piece, &mut made)?;
                }
                Poll::Ready(None) => {
                    input.ended = true;
                    input.splitter.finish(&mut made)?;
                }
            }
            input.blocks.extend(made);
        }
    }
}

fn too_large<T>() -> Result<T> {
    bail!(TooLarge, "The size of this batch exceed the max size [{JSON_BYTES_MAX}] of json type data. Set ignore_json_size to skip the check, although it may lead to huge memory consuming.")
}

impl FileReader for Reader {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Poll::Ready(Ok(Some(chunk)));
            }
            let Some(block) = std::task::ready!(self.poll_block(cx))? else { return Poll::Ready(Ok(None)) };
            let log = &self.shared.log;
            let mut bad = 0;
            let chunks = self.parser.parse(block, &mut |reason, row| {
                bad += 1;
                log.keep(reason, row);
            })?;
            log.add_seen(bad + chunks.iter().map(|c| c.rows() as u64).sum::<u64>());
            self.ready.extend(chunks.into_iter().filter(|c| c.rows() > 0));
        }
    }
}
