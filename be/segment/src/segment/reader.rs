//! An open segment: metadata in memory, dictionaries loaded on first use, pages through the cache.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::{AsArray, BinaryViewArray};
use arrow::buffer::Buffer;
use common_base::fs::{FileSystem, ReadableFile};
use common_base::{Result, ResultExt, ensure, err};
use common_types::{Bounds, Column, Dict, LogicalType, Repr};
use proto_messages::{Message, segment as pb};

use crate::column::ColumnMeta;
use crate::column::flat_json::{Access, Choice, Leaf, Parts, join};
use crate::column::meta::Kind;
use crate::column::reader::{decode_dict, decode_page};
use crate::index::short_key::ShortKeys;
use crate::page::cache::{PageCache, PageKey};
use crate::page::{open_page, read_buffer};
use crate::version::{CURRENT, MAGIC, OLDEST};

const TAIL: usize = 16;
/// Most metadata fits in one read of this size from the end.
const FIRST_READ: u64 = 64 << 10;
static NEXT_FILE: AtomicU64 = AtomicU64::new(1);

/// What an open segment shares with others.
#[derive(Clone, Debug)]
pub struct SegmentOptions {
    pub cache: Arc<PageCache>,
}

/// An open segment file; immutable, shared by all scans.
#[derive(Debug)]
pub struct Segment {
    file: Arc<dyn ReadableFile>,
    path: PathBuf,
    id: u64,
    version: u32,
    rows: u32,
    page_rows: usize,
    /// The columns of the table, then the parts of those that are taken apart.
    columns: Vec<ColumnMeta>,
    /// How many are columns of the table.
    width: usize,
    /// The paths of columns that are taken apart, by column.
    paths: Vec<Option<Choice>>,
    sort_columns: Vec<u32>,
    short_key: Option<pb::ShortKeyIndex>,
    short_keys: OnceLock<Arc<ShortKeys>>,
    dicts: Vec<OnceLock<Arc<Dict>>>,
    min_key: Vec<u8>,
    max_key: Vec<u8>,
    file_len: u64,
    cache: Arc<PageCache>,
}

impl Segment {
    /// Opens a file: one read of its end, two when the footer is large.
    pub fn open(fs: &dyn FileSystem, path: &Path, options: &SegmentOptions) -> Result<Arc<Self>> {
        let file = fs.open_read(path)?;
        Self::open_file(file, path, options).with_context(|| format!("opening segment {}", path.display())).map(Arc::new)
    }

    fn open_file(file: Arc<dyn ReadableFile>, path: &Path, options: &SegmentOptions) -> Result<Self> {
        let file_len = file.len()?;
        let (footer, version) = read_footer(&*file, file_len)?;
        ensure!((OLDEST..=CURRENT).contains(&version), NotSupported, "segment format {version}; this build reads {OLDEST} to {CURRENT}");
        let page_rows = footer.page_rows as usize;
        ensure!(page_rows > 0, Corruption, "segment says pages of 0 rows");
        let rows = u32::try_from(footer.rows).map_err(|_| err!(Corruption, "segment says {} rows", footer.rows))?;
        let mut columns = footer
            .columns
            .iter()
            .map(|c| ColumnMeta::from_proto(c, footer.rows, page_rows, file_len))
            .collect::<Result<Vec<_>>>()?;
        let width = columns.len();
        for (at, meta) in footer.columns.iter().enumerate().filter(|(_, c)| !c.parts.is_empty()) {
            let parts = parts_of(meta, &mut columns, footer.rows, page_rows, file_len)?;
            columns[at].parts = Some(parts);
        }
        let whole = columns[..width].iter().find(|c| c.kind == Kind::FlatJson && c.parts.is_none());
        ensure!(whole.is_none(), Corruption, "column {} lacks its parts", whole.map_or("", |c| c.spec.name.as_str()));
        let tree = |c: &ColumnMeta| c.parts.as_ref().map(|p| Choice::from_paths(p.leaves.iter().map(|l| l.path.as_slice())));
        let paths = columns[..width].iter().map(tree).collect();
        Ok(Self {
            id: NEXT_FILE.fetch_add(1, Ordering::Relaxed),
            path: path.to_owned(),
            version,
            rows,
            page_rows,
            sort_columns: footer.sort_columns,
            short_key: footer.short_key,
            short_keys: OnceLock::new(),
            dicts: columns.iter().map(|_| OnceLock::new()).collect(),
            columns,
            width,
            paths,
            min_key: footer.min_key.to_vec(),
            max_key: footer.max_key.to_vec(),
            file,
            file_len,
            cache: options.cache.clone(),
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// The format version it was written in.
    pub fn version(&self) -> u32 {
        self.version
    }
    pub(super) fn file(&self) -> &dyn ReadableFile {
        &*self.file
    }
    /// Number of rows.
    pub fn rows(&self) -> u32 {
        self.rows
    }
    /// Bytes of the file.
    pub fn file_len(&self) -> u64 {
        self.file_len
    }
    /// Rows of every page but the last; a good multiple for splitting work.
    pub fn page_rows(&self) -> usize {
        self.page_rows
    }
    /// Number of pages of every column.
    pub fn pages(&self) -> usize {
        (self.rows as usize).div_ceil(self.page_rows)
    }
    /// Rows of one page.
    pub fn rows_of_page(&self, page: usize) -> usize {
        (self.rows as usize - page * self.page_rows).min(self.page_rows)
    }
    /// The columns, in file order.
    pub fn columns(&self) -> &[ColumnMeta] {
        &self.columns[..self.width]
    }
    /// The columns and behind them the parts of JSON columns: what positions of scans count.
    pub fn stored(&self) -> &[ColumnMeta] {
        &self.columns
    }
    /// Position of a column by its number.
    pub fn position_of(&self, uid: u64) -> Option<usize> {
        self.columns().iter().position(|c| c.spec.uid == uid)
    }
    /// Exact bounds of an integer-like column; `None` when it has no value or is not one.
    pub fn bounds(&self, column: usize) -> Option<Bounds> {
        self.columns[column].bounds
    }
    /// Ordinals of the columns the rows are sorted by.
    pub fn sort_columns(&self) -> &[u32] {
        &self.sort_columns
    }
    /// Encoded key of the first row and of the last; empty when unsorted.
    pub fn key_range(&self) -> (&[u8], &[u8]) {
        (&self.min_key, &self.max_key)
    }
    /// Bytes of memory its metadata takes, about.
    pub fn memory_size(&self) -> usize {
        size_of::<Self>() + self.columns.iter().map(ColumnMeta::memory_size).sum::<usize>()
    }
    /// Who answers for a path of keys in a JSON column.
    pub fn json_access(&self, column: usize, path: &[String]) -> Access {
        self.columns[column].parts.as_ref().map_or(Access::Whole, |parts| parts.access(path))
    }

    /// Stored bytes of a page, those of its parts if it is made of such.
    pub(super) fn stored_bytes_of(&self, column: usize, page: usize) -> u64 {
        let len = |at: usize| self.columns[at].page_len(page) as u64;
        let parts = self.columns[column].parts.as_ref();
        parts.map_or_else(|| len(column), |p| len(p.rest) + p.leaves.iter().map(|l| len(l.column) + l.nulls.map_or(0, len)).sum::<u64>())
    }

    /// Drops its pages from the cache: the file will not be read again.
    pub fn forget(&self) {
        self.cache.forget_file(self.id);
    }

    /// The short-key index with its number of key columns, loaded on first use.
    pub fn short_keys(&self) -> Result<Option<(Arc<ShortKeys>, u32)>> {
        let Some(at) = &self.short_key else { return Ok(None) };
        if let Some(index) = self.short_keys.get() {
            return Ok(Some((index.clone(), at.columns)));
        }
        let load = || ShortKeys::parse(open_page(&read_buffer(&*self.file, at.offset, at.len as usize)?, false)?, at.rows_per_entry);
        let index = load().with_context(|| format!("reading the short-key index of {} at offset {}", self.path.display(), at.offset))?;
        Ok(Some((self.short_keys.get_or_init(|| Arc::new(index)).clone(), at.columns)))
    }

    /// The dictionary of a dictionary column, loaded on first use; `None` for other columns.
    pub fn dict(&self, column: usize) -> Result<Option<Arc<Dict>>> {
        let meta = &self.columns[column];
        let (Kind::Dictionary, Some(at)) = (meta.kind, meta.dict) else { return Ok(None) };
        if let Some(dict) = self.dicts[column].get() {
            return Ok(Some(dict.clone()));
        }
        let load = || decode_dict(&open_page(&read_buffer(&*self.file, at.offset, at.len as usize)?, false)?, at.entries);
        let dict = load().with_context(|| {
            format!("reading the dictionary of column {} of {} at offset {}", meta.spec.name, self.path.display(), at.offset)
        })?;
        // Two first readers may both decode; one dictionary wins, so that its id is the same for all.
        Ok(Some(self.dicts[column].get_or_init(|| dict).clone()))
    }

    /// A decoded page, from the cache or the file.
    pub fn page(&self, column: usize, page: usize) -> Result<Column> {
        self.page_ahead(column, page, page + 1, &mut ReadAhead::default())
    }

    /// The same; when the file must be read, later pages up to `end` come along in one read and wait in `ahead`.
    pub(crate) fn page_ahead(&self, column: usize, page: usize, end: usize, ahead: &mut ReadAhead) -> Result<Column> {
        let key = PageKey { file: self.id, column: column as u32, page: page as u32 };
        if let Some(found) = self.cache.get(&key) {
            return Ok(found);
        }
        let decoded = self.read_uncached(column, page, end, ahead)?;
        self.cache.insert(key, decoded.clone(), decoded.memory_size());
        Ok(decoded)
    }

    /// The body of a page of an index, which lies at `offset`; the cache keeps it as a constant.
    pub(super) fn cached_bytes(&self, column: usize, slot: usize, page: usize, offset: u64, len: usize) -> Result<Buffer> {
        // Columns come first in the numbers of the cache.
        let number = (slot + 1) * self.columns.len() + column;
        let key = PageKey { file: self.id, column: number as u32, page: page as u32 };
        if let Some(found) = self.cache.get(&key)
            && let Repr::Flat(array) = found.repr()
            && let Some(bytes) = array.as_binary_view_opt()
        {
            return Ok(bytes.data_buffers()[0].clone());
        }
        let body = open_page(&read_buffer(&*self.file, offset, len)?, false)?;
        let held = BinaryViewArray::try_new(Vec::new().into(), vec![body.clone()], None).map_err(|e| err!(Internal, "an index page: {e}"))?;
        self.cache.insert(key, Column::flat(Arc::new(held), LogicalType::Varbinary(None)), body.len());
        Ok(body)
    }

    /// A page from the file, whatever the cache holds.
    pub(super) fn read_uncached(&self, column: usize, page: usize, end: usize, ahead: &mut ReadAhead) -> Result<Column> {
        self.read_page(column, page, end, ahead).with_context(|| {
            let meta = &self.columns[column];
            format!("reading page {page} of column {} of {} at offset {}", meta.spec.name, self.path.display(), meta.page_offsets[page])
        })
    }

    /// Documents from their parts.
    fn join_page(&self, paths: &Choice, parts: &Parts, page: usize, end: usize) -> Result<Column> {
        let read = |column: usize| self.page_ahead(column, page, end.min(page + 1), &mut ReadAhead::default());
        let leaves = parts.leaves.iter().map(|l| Ok((read(l.column)?, l.nulls.map(read).transpose()?))).collect::<Result<Vec<_>>>()?;
        join(&read(parts.rest)?, &leaves, paths)
    }

    fn read_page(&self, column: usize, page: usize, end: usize, ahead: &mut ReadAhead) -> Result<Column> {
        let meta = &self.columns[column];
        if let (Some(parts), Some(Some(paths))) = (&meta.parts, self.paths.get(column)) {
            return self.join_page(paths, parts, page, end);
        }
        let (offset, len) = (meta.page_offsets[page], meta.page_len(page));
        if !ahead.covers(offset, len) {
            // Read as many of the wanted pages as fit one bounded read.
            let stop = (page + 1..=end.min(self.pages()).max(page + 1))
                .take_while(|p| meta.page_offsets[*p] - offset <= ReadAhead::BYTES)
                .last()
                .unwrap_or(page + 1);
            let total = (meta.page_offsets[stop] - offset) as usize;
            *ahead = ReadAhead { offset, bytes: read_buffer(&*self.file, offset, total)? };
        }
        let at = (offset - ahead.offset) as usize;
        let shared = ahead.bytes.len() > len;
        let body = open_page(&ahead.bytes.slice_with_length(at, len), shared)?;
        if at + len == ahead.bytes.len() {
            *ahead = ReadAhead::default();
        }
        let dict = self.dict(column)?;
        decode_page(meta, dict.as_ref(), &body, self.rows_of_page(page))
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.cache.forget_file(self.id);
    }
}

/// Bytes of a column read ahead of the scan.
#[derive(Debug)]
pub(crate) struct ReadAhead {
    offset: u64,
    bytes: Buffer,
}

impl Default for ReadAhead {
    fn default() -> Self {
        Self { offset: 0, bytes: Buffer::from_vec(Vec::<u8>::new()) }
    }
}

impl ReadAhead {
    /// Most bytes of one read; a larger page is read alone.
    const BYTES: u64 = 256 << 10;

    fn covers(&self, offset: u64, len: usize) -> bool {
        offset >= self.offset && offset + len as u64 <= self.offset + self.bytes.len() as u64
    }
}

/// The parts of a JSON column, whose entries go behind `all`.
fn parts_of(meta: &pb::ColumnMeta, all: &mut Vec<ColumnMeta>, rows: u64, page_rows: usize, file_len: u64) -> Result<Parts> {
    let name = &meta.name;
    let mut add = |part: &pb::ColumnMeta| -> Result<usize> {
        let part = ColumnMeta::from_proto(part, rows, page_rows, file_len)?;
        ensure!(part.kind != Kind::FlatJson, Corruption, "a part of column {name} has parts");
        all.push(part);
        Ok(all.len() - 1)
    };
    let missing = || err!(Corruption, "column {name} lacks a part");
    let (rest, leaves) = meta.parts.split_first().ok_or_else(missing)?;
    let rest = add(rest.column.as_ref().ok_or_else(missing)?)?;
    let leaves = leaves
        .iter()
        .map(|part| {
            ensure!(!part.path.is_empty(), Corruption, "a part of column {name} has no path");
            let column = add(part.column.as_ref().ok_or_else(missing)?)?;
            let nulls = part.nulls.as_ref().map(&mut add).transpose()?;
            Ok(Leaf { path: part.path.clone(), column, nulls })
        })
        .collect::<Result<_>>()?;
    Ok(Parts { rest, leaves })
}

fn read_footer(file: &dyn ReadableFile, file_len: u64) -> Result<(pb::Footer, u32)> {
    ensure!(file_len >= 2 * TAIL as u64, Corruption, "file of {file_len} bytes is no segment");
    let first = file_len.min(FIRST_READ);
    let mut bytes = file.read_vec_at(file_len - first, first as usize)?;
    let tail: [u8; TAIL] = bytes[bytes.len() - TAIL..].try_into().expect("the read is longer than a tail");
    let u32_at = |i: usize| u32::from_le_bytes(tail[i..i + 4].try_into().expect("four bytes"));
    ensure!(tail[12..] == MAGIC, Corruption, "file does not end with the magic number of a segment");
    let (len, crc, version) = (u32_at(0) as usize, u32_at(4), u32_at(8));
    let whole = (len + TAIL) as u64;
    ensure!(whole <= file_len, Corruption, "footer of {len} bytes in a file of {file_len}");
    if whole > first {
        bytes = file.read_vec_at(file_len - whole, whole as usize)?;
    }
    let footer = &bytes[bytes.len() - whole as usize..bytes.len() - TAIL];
    let found = crc32c::crc32c(footer);
    ensure!(found == crc, Corruption, "checksum mismatch at offset {}: tail says {crc:08x}, footer is {found:08x}", file_len - whole);
    let footer = pb::Footer::decode(footer).map_err(|e| err!(Corruption, "footer does not parse: {e}"))?;
    Ok((footer, version))
}
