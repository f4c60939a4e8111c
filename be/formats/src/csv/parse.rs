//! Blocks of CSV records into chunks of VARCHAR columns.

use arrow::buffer::Buffer;
use common_base::Result;
use common_types::Chunk;

use super::{CsvOptions, build::{ChunkBuilder, view}, marks::Marks, record::{RawField, decode, scan}};
use crate::reader::{Block, BlockParser, Report};

/// Rows of a chunk.
const CHUNK_ROWS: usize = 4096;
/// Rows that are turned into columns together; divides `CHUNK_ROWS`.
const TILE_ROWS: usize = 128;

/// Parses blocks of one dialect.
pub struct CsvParser {
    options: CsvOptions,
    builder: ChunkBuilder,
    fields: Vec<RawField>,
    marks: Marks,
    /// First mark and first byte of the rows of a tile.
    good: Vec<(u32, u32)>,
}

impl CsvParser {
    /// A parser.
    pub fn new(options: CsvOptions) -> Self {
        Self { builder: ChunkBuilder::new(options.columns, CHUNK_ROWS), options, fields: Vec::new(), marks: Marks::default(), good: Vec::new() }
    }

    fn wrong_count(expected: usize, got: usize, row: &[u8], bad: Report<'_>) {
        bad(&format!("Value count does not match column count. Expect {expected}, but got {got}"), row);
    }

    fn flush_full(&mut self, buffer: &Buffer, out: &mut Vec<Chunk>) -> Result<()> {
        if self.builder.rows() >= CHUNK_ROWS {
            out.push(self.builder.finish(buffer)?);
        }
        Ok(())
    }

    /// Single-byte separators, nothing enclosed: all marks first, then column by column for a few rows at a time, so that
    /// marks, bytes and views stay in the cache.
    fn parse_bytes(&mut self, data: &[u8], buffer: &Buffer, out: &mut Vec<Chunk>, bad: Report<'_>) -> Result<()> {
        let columns = self.options.columns;
        let mut marks = std::mem::take(&mut self.marks);
        marks.find(data, self.options.column_separator[0], self.options.row_delimiter[0]);
        let mut good = std::mem::take(&mut self.good);
        let (mut first, mut start) = (0, 0);
        for after in &marks.rows {
            let (fields, end) = ((after - first) as usize, marks.fields[*after as usize - 1]);
            // An empty line is no row.
            if end > start {
                if fields == columns {
                    good.push((first, start));
                } else {
                    Self::wrong_count(columns, fields, &data[start as usize..end as usize], bad);
                }
            }
            if good.len() == TILE_ROWS {
                self.tile(data, &marks.fields, &good);
                good.clear();
                self.flush_full(buffer, out)?;
            }
            (first, start) = (*after, end + 1);
        }
        self.tile(data, &marks.fields, &good);
        good.clear();
        (self.marks, self.good) = (marks, good);
        Ok(())
    }

    /// Adds rows given by their first mark and first byte.
    fn tile(&mut self, data: &[u8], ends: &[u32], rows: &[(u32, u32)]) {
        let trim = self.options.trim_space;
        for column in 0..self.options.columns {
            self.builder.extend(column, rows.iter().map(|(first, start)| {
                let at = *first as usize + column;
                let mut start = if column == 0 { *start as usize } else { ends[at - 1] as usize + 1 };
                let mut end = ends[at] as usize;
                if trim {
                    (start, end) = trimmed(data, start, end);
                }
                // The mark of NULL is two bytes, which makes the test cheap.
                let is_null = end - start == 2 && data[start] == b'\\' && data[start + 1] == b'N';
                (!is_null).then(|| view(data, start, end - start, 0))
            }));
        }
        self.builder.end_rows(rows.len());
    }

    #[inline]
    fn set_plain(&mut self, data: &[u8], field: usize, mut start: usize, mut end: usize, trim: bool) {
        if trim {
            (start, end) = trimmed(data, start, end);
        }
        if end - start == 2 && data[start] == b'\\' && data[start + 1] == b'N' {
            self.builder.set_null(field);
        } else {
            self.builder.set(field, view(data, start, end - start, 0));
        }
    }

    /// Separators of several bytes, nothing enclosed.
    fn parse_texts(&mut self, data: &[u8], buffer: &Buffer, out: &mut Vec<Chunk>, bad: Report<'_>) -> Result<()> {
        let (separator, delimiter) = (self.options.column_separator.clone(), self.options.row_delimiter.clone());
        let separators = memchr::memmem::Finder::new(&separator[..]);
        let delimiters = memchr::memmem::Finder::new(&delimiter[..]);
        let (columns, trim) = (self.options.columns, self.options.trim_space);
        let mut row_start = 0;
        while row_start < data.len() {
            let end = delimiters.find(&data[row_start..]).map_or(data.len(), |at| row_start + at);
            let next = (end + delimiter.len()).min(data.len());
            if end > row_start {
                let (mut start, mut field) = (row_start, 0);
                loop {
                    let found = separators.find(&data[start..end]).map(|at| start + at);
                    if field < columns {
                        self.set_plain(data, field, start, found.unwrap_or(end), trim);
                    }
                    field += 1;
                    match found {
                        Some(at) => start = at + separator.len(),
                        None => break,
                    }
                }
                if field == columns {
                    self.builder.end_row();
                    self.flush_full(buffer, out)?;
                } else {
                    self.builder.drop_row(field.min(columns));
                    Self::wrong_count(columns, field, &data[row_start..end], bad);
                }
            }
            row_start = next;
        }
        Ok(())
    }

    /// Enclosed or escaped fields.
    fn parse_records(&mut self, data: &[u8], buffer: &Buffer, out: &mut Vec<Chunk>, bad: Report<'_>) -> Result<()> {
        let columns = self.options.columns;
        let mut at = 0;
        let mut fields = std::mem::take(&mut self.fields);
        let mut value = Vec::new();
        while at < data.len() {
            let Some((end, next)) = scan(data, at, &self.options, true, &mut fields) else { break };
            let start = at;
            at = next.max(at + 1);
            if end == start {
                continue;
            }
            if fields.len() != columns {
                Self::wrong_count(columns, fields.len(), &data[start..end], bad);
                continue;
            }
            for (i, field) in fields.iter().enumerate() {
                let mut field = *field;
                if !field.enclosed && self.options.trim_space {
                    (field.start, field.end) = trimmed(data, field.start, field.end);
                }
                let raw = &data[field.start..field.end];
                if !field.enclosed && raw == b"\\N" {
                    self.builder.set_null(i);
                } else if field.coded {
                    value.clear();
                    decode(data, field, &self.options, &mut value);
                    let from = self.builder.side.len();
                    self.builder.side.extend_from_slice(&value);
                    let coded = view(&self.builder.side, from, value.len(), 1);
                    self.builder.set(i, coded);
                } else {
                    self.builder.set(i, view(data, field.start, raw.len(), 0));
                }
            }
            self.builder.end_row();
            self.flush_full(buffer, out)?;
        }
        self.fields = fields;
        Ok(())
    }
}

fn trimmed(data: &[u8], mut start: usize, mut end: usize) -> (usize, usize) {
    while start < end && data[start] == b' ' {
        start += 1;
    }
    while end > start && data[end - 1] == b' ' {
        end -= 1;
    }
    (start, end)
}

impl BlockParser for CsvParser {
    fn parse(&mut self, block: Block, bad: Report<'_>) -> Result<Vec<Chunk>> {
        let buffer = Buffer::from(block.data.clone());
        let mut out = Vec::new();
        let data = &block.data[..];
        if !self.options.is_plain() {
            self.parse_records(data, &buffer, &mut out, bad)?;
        } else if self.options.column_separator.len() == 1 && self.options.row_delimiter.len() == 1 {
            self.parse_bytes(data, &buffer, &mut out, bad)?;
        } else {
            self.parse_texts(data, &buffer, &mut out, bad)?;
        }
        if self.builder.rows() > 0 {
            out.push(self.builder.finish(&buffer)?);
        }
        Ok(out)
    }
}
