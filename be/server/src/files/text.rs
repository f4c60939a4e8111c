//! CSV and JSON files: one reader of bytes that several parsers share, and text turned into values.

use std::{collections::VecDeque, io::Read, path::{Path, PathBuf}, sync::Arc};

use be_formats::{Block, BlockParser, Format, Splitter, decompress};
use common_base::{Result, bail, err, fs::{ReadableFile, SharedFs}};
use common_expr::{eval::CompiledExprs, expr::Expr, scalar_fn::EvalContext};
use common_types::{Chunk, LogicalType, wire};
use parking_lot::Mutex;
use proto_messages::plan::FileFormat;

use super::codec_of;

/// Bytes read at a time.
const PIECE_BYTES: usize = 1 << 20;
/// Bytes of a row shown in an error.
const ROW_SHOWN: usize = 200;

/// A file's bytes in order.
struct Bytes {
    file: Arc<dyn ReadableFile>,
    at: u64,
}

impl Read for Bytes {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read_at(self.at, buf).map_err(std::io::Error::other)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// Opens a text file; what its name says is compressed comes out plain.
pub fn open(fs: &SharedFs, path: &Path, codec: &str) -> Result<Box<dyn Read + Send>> {
    let codec = if codec.is_empty() { codec_of(path) } else { codec };
    decompress::reader(codec, Bytes { file: fs.open_read(path)?, at: 0 })
}

/// The first bytes of a text file, and whether they are all.
pub fn head(fs: &SharedFs, path: &Path, codec: &str, limit: usize) -> Result<(Vec<u8>, bool)> {
    let mut out = Vec::new();
    open(fs, path, codec)?.take(limit as u64).read_to_end(&mut out).map_err(|e| unreadable(path, e))?;
    let complete = out.len() < limit;
    Ok((out, complete))
}

fn unreadable(path: &Path, e: std::io::Error) -> common_base::Error {
    match e.downcast::<common_base::Error>() {
        Ok(own) => own,
        Err(e) => err!(InvalidArgument, "file '{}' cannot be read: {e}", path.display()),
    }
}

/// A text file that several threads parse.
pub struct TextFile {
    path: PathBuf,
    input: Mutex<Input>,
}

struct Input {
    fs: SharedFs,
    /// Opened with the first read.
    reader: Option<Box<dyn Read + Send>>,
    splitter: Box<dyn Splitter>,
    blocks: VecDeque<Block>,
    ended: bool,
    codec: String,
}

impl TextFile {
    /// A file that is opened when it is read first.
    pub fn new(fs: SharedFs, path: PathBuf, format: &Format, codec: &str) -> Self {
        let input = Input { fs, reader: None, splitter: format.splitter(), blocks: VecDeque::new(), ended: false, codec: codec.to_owned() };
        Self { path, input: Mutex::new(input) }
    }

    /// The next whole records.
    pub fn next_block(&self) -> Result<Option<Block>> {
        let mut input = self.input.lock();
        let input = &mut *input;
        let mut piece = Vec::new();
        loop {
            if let Some(block) = input.blocks.pop_front() {
                return Ok(Some(block));
            }
            if input.ended {
                return Ok(None);
            }
            let reader = match &mut input.reader {
                Some(reader) => reader,
                None => input.reader.insert(open(&input.fs, &self.path, &input.codec)?),
            };
            piece.resize(PIECE_BYTES, 0);
            let n = reader.read(&mut piece).map_err(|e| unreadable(&self.path, e))?;
            let mut made = Vec::new();
            if n == 0 {
                input.ended = true;
                input.reader = None;
                input.splitter.finish(&mut made)?;
            } else {
                input.splitter.push(&piece[..n], &mut made)?;
            }
            input.blocks.extend(made);
        }
    }
}

/// Which text becomes which value.
pub struct TextPlan {
    pub format: Format,
    /// Per column that is read: its position in what the parser makes, and its type.
    columns: Vec<(u32, LogicalType, LogicalType)>,
    eval: Arc<EvalContext>,
    separator: Vec<u8>,
    width: usize,
    fill_missing: bool,
}

impl TextPlan {
    /// For columns of files: CSV has all columns of the format, JSON those that are asked for.
    pub fn new(format: &FileFormat, columns: &[(String, LogicalType)], eval: Arc<EvalContext>, fill_missing: bool) -> Result<Self> {
        let mut read = format.clone();
        let text = |ty: &LogicalType| if *ty == LogicalType::Json { LogicalType::Json } else { LogicalType::varchar() };
        let columns = if format.kind == "json" {
            read.columns = columns.iter().map(|(name, _)| name.clone()).collect();
            read.types = columns.iter().map(|(_, ty)| wire::type_to_proto(&text(ty))).collect();
            if !format.jsonpaths.is_empty() {
                let path = |name: &String| format.columns.iter().position(|c| c == name).and_then(|at| format.jsonpaths.get(at)).cloned();
                read.jsonpaths = read.columns.iter().map(|c| path(c).ok_or_else(|| err!(InvalidArgument, "column '{c}' has no path in jsonpaths"))).collect::<Result<_>>()?;
            }
            columns.iter().enumerate().map(|(i, (_, ty))| (i as u32, text(ty), ty.clone())).collect()
        } else {
            let at = |name: &str| format.columns.iter().position(|c| c == name).ok_or_else(|| err!(Internal, "CSV has no column '{name}'"));
            columns.iter().map(|(name, ty)| Ok((at(name)? as u32, LogicalType::varchar(), ty.clone()))).collect::<Result<_>>()?
        };
        let separator = if format.column_separator.is_empty() { b"\t".to_vec() } else { format.column_separator.to_vec() };
        Ok(Self { format: Format::from_proto(&read)?, columns, eval, separator, width: format.columns.len(), fill_missing })
    }
}

/// Parses blocks of one or more files.
pub struct TextReader {
    plan: Arc<TextPlan>,
    parser: Box<dyn BlockParser>,
    values: CompiledExprs,
    ready: VecDeque<Chunk>,
    pub rows: u64,
    pub bytes: u64,
}

impl TextReader {
    /// A parser of its own.
    pub fn new(plan: Arc<TextPlan>) -> Self {
        let values: Vec<Expr> = plan.columns.iter().map(|(at, text, ty)| Expr::column(*at, text.clone(), true).cast_to(ty)).collect();
        Self { parser: plan.format.parser(), values: CompiledExprs::compile(&values), plan, ready: VecDeque::new(), rows: 0, bytes: 0 }
    }

    /// The next rows of a file, in the order of the columns read.
    pub fn next_chunk(&mut self, file: &TextFile) -> Result<Option<Chunk>> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                self.rows += chunk.rows() as u64;
                return self.values.eval_chunk(&self.plan.eval, &chunk).map(Some);
            }
            let Some(block) = file.next_block()? else { return Ok(None) };
            self.bytes += block.data.len() as u64;
            self.parse(block, file)?;
        }
    }

    fn parse(&mut self, block: Block, file: &TextFile) -> Result<()> {
        let mut bad: Option<String> = None;
        let mut short: Vec<u8> = Vec::new();
        let plan = &self.plan;
        let chunks = self.parser.parse(block, &mut |reason, row| {
            if plan.fill_missing && pad(plan, row, &mut short) {
                return;
            }
            let shown = String::from_utf8_lossy(&row[..row.len().min(ROW_SHOWN)]);
            bad.get_or_insert_with(|| format!("file '{}': {reason}. Row: {shown}", file.path.display()));
        })?;
        if let Some(bad) = bad {
            bail!(InvalidArgument, "{bad}");
        }
        self.ready.extend(chunks);
        if !short.is_empty() {
            let mut again: Option<String> = None;
            let chunks = self.parser.parse(Block { data: short.into() }, &mut |reason, _| {
                again.get_or_insert_with(|| reason.to_owned());
            })?;
            if let Some(reason) = again {
                bail!(InvalidArgument, "file '{}': {reason}", file.path.display());
            }
            self.ready.extend(chunks);
        }
        self.ready.retain(|c| c.rows() > 0);
        Ok(())
    }
}

/// Gives a CSV row with too few fields NULLs for the rest; false when that is not what it lacks.
fn pad(plan: &TextPlan, row: &[u8], out: &mut Vec<u8>) -> bool {
    let Format::Csv(options) = &plan.format else { return false };
    let Some(fields) = be_formats::csv::count_fields(row, options) else { return false };
    if fields >= plan.width {
        return false;
    }
    out.extend_from_slice(row);
    for _ in fields..plan.width {
        out.extend_from_slice(&plan.separator);
        out.extend_from_slice(b"\\N");
    }
    out.extend_from_slice(&options.row_delimiter);
    true
}
