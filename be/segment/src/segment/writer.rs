//! Writes a segment file column after column; what is encoded goes to the file at once.

use std::path::Path;

use common_base::fs::{FileSystem, WritableFile};
use common_base::{Result, ResultExt, ensure, fail_point};
use proto_messages::{Message, segment as pb};

use crate::column::writer::shift;
use crate::column::{ColumnSpec, EncodeOptions, EncodedColumn, encode_column};
use crate::index::short_key::ShortKeyBuilder;
use crate::page::{Compression, write_page};
use crate::version::{CURRENT, MAGIC};

/// Rows between two entries of the short-key index.
pub const SHORT_KEY_ROWS: usize = 1024;

/// How the rows are sorted, as the caller found it.
#[derive(Debug, Default)]
pub struct SortKeys {
    /// Ordinals of the sort columns; empty = unsorted, and nothing else matters.
    pub columns: Vec<u32>,
    /// Leading sort columns in an index entry.
    pub short_columns: u32,
    /// Key prefix of every [`SHORT_KEY_ROWS`]-th row.
    pub index: ShortKeyBuilder,
    /// Encoded key of the first row and of the last.
    pub min: Vec<u8>,
    pub max: Vec<u8>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentSummary {
    pub rows: u64,
    pub bytes: u64,
    pub min_key: Vec<u8>,
    pub max_key: Vec<u8>,
}

/// A segment file being written.
#[derive(Debug)]
pub struct SegmentWriter {
    file: Box<dyn WritableFile>,
    specs: Vec<ColumnSpec>,
    options: EncodeOptions,
    rows: Option<u64>,
    offset: u64,
    columns: Vec<pb::ColumnMeta>,
}

impl SegmentWriter {
    /// Creates the file; columns follow in the order of `specs`.
    pub fn create(fs: &dyn FileSystem, path: &Path, specs: Vec<ColumnSpec>, options: EncodeOptions) -> Result<Self> {
        let mut file = fs.create(path)?;
        let mut head = [0u8; 16];
        head[..4].copy_from_slice(&MAGIC);
        head[4..8].copy_from_slice(&CURRENT.to_le_bytes());
        file.append(&head)?;
        Ok(Self { file, specs, options, rows: None, offset: head.len() as u64, columns: Vec::new() })
    }

    /// How its columns are encoded.
    pub fn options(&self) -> EncodeOptions {
        self.options
    }

    /// Encodes and writes the next column, given page by page.
    pub fn write_column(&mut self, pages: &[common_types::Column]) -> Result<()> {
        let rows = pages.iter().map(common_types::Column::len).sum::<usize>();
        ensure!(self.columns.len() < self.specs.len(), Internal, "segment has only {} columns", self.specs.len());
        let encoded = encode_column(&self.specs[self.columns.len()], pages, self.options)?;
        self.append(encoded, rows as u64)
    }

    /// Writes the next column, encoded elsewhere (on another thread).
    pub fn append(&mut self, column: EncodedColumn, rows: u64) -> Result<()> {
        let EncodedColumn { bytes, mut meta } = column;
        ensure!(*self.rows.get_or_insert(rows) == rows, Internal, "column {} has {rows} rows, others {:?}", meta.name, self.rows);
        shift(&mut meta, self.offset);
        self.file.append(&bytes)?;
        self.offset += bytes.len() as u64;
        self.columns.push(meta);
        Ok(())
    }

    /// Writes the indexes and the footer and makes the file's content durable; the caller syncs its directory.
    pub fn finish(mut self, keys: SortKeys) -> Result<SegmentSummary> {
        ensure!(self.columns.len() == self.specs.len(), Internal, "{} of {} columns written", self.columns.len(), self.specs.len());
        let rows = self.rows.unwrap_or(0);
        ensure!(rows < u64::from(u32::MAX), TooLarge, "segment of {rows} rows is too large");
        let mut short_key = None;
        if !keys.columns.is_empty() && !keys.index.is_empty() {
            let mut page = Vec::new();
            let len = write_page(&keys.index.to_body(), Compression::Lz4, &mut page)?;
            self.file.append(&page)?;
            short_key = Some(pb::ShortKeyIndex {
                offset: self.offset,
                len,
                rows_per_entry: SHORT_KEY_ROWS as u32,
                columns: keys.short_columns,
            });
            self.offset += u64::from(len);
        }
        let footer = pb::Footer {
            rows,
            page_rows: self.options.page_rows as u32,
            columns: std::mem::take(&mut self.columns),
            sort_columns: keys.columns,
            short_key,
            min_key: keys.min.clone().into(),
            max_key: keys.max.clone().into(),
        };
        let mut tail = footer.encode_to_vec();
        let (len, crc) = (tail.len() as u32, crc32c::crc32c(&tail));
        tail.extend_from_slice(&len.to_le_bytes());
        tail.extend_from_slice(&crc.to_le_bytes());
        tail.extend_from_slice(&CURRENT.to_le_bytes());
        tail.extend_from_slice(&MAGIC);
        self.file.append(&tail)?;
        if fail_point!("planted.segment.unsynced")?.is_none() {
            self.file.sync().context("syncing a segment file")?;
        }
        Ok(SegmentSummary { rows, bytes: self.offset + tail.len() as u64, min_key: keys.min, max_key: keys.max })
    }
}
