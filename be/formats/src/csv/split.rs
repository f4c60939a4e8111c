//! Cuts CSV bytes at row delimiters. Plain dialects look for the last delimiter only; with enclosure or escape every byte counts.

use bytes::Bytes;
use common_base::{Result, ensure};

use super::{CsvOptions, record::{RawField, scan}};
use crate::reader::{BLOCK_BYTES, Block, Splitter};

/// Longest record.
const RECORD_BYTES_MAX: usize = 1 << 30;

/// Splits one file.
pub struct CsvSplitter {
    options: CsvOptions,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that hold whole records (enclosed dialects).
    whole: usize,
    /// An incomplete record is looked at again when the buffer has this many bytes.
    retry_at: usize,
    skip: u64,
    fields: Vec<RawField>,
    block_bytes: usize,
}

impl CsvSplitter {
    /// A splitter at the start of a file.
    pub fn new(options: CsvOptions) -> Self {
        Self::with_block_bytes(options, BLOCK_BYTES)
    }

    pub(crate) fn with_block_bytes(options: CsvOptions, block_bytes: usize) -> Self {
        let skip = options.skip_header;
        Self { options, buffer: Vec::with_capacity(block_bytes + block_bytes / 4), whole: 0, retry_at: 0, skip, fields: Vec::new(), block_bytes }
    }

    /// Drops header rows from the front; false while they are not complete.
    fn skip_header(&mut self) -> bool {
        let mut at = 0;
        while self.skip > 0 {
            match scan(&self.buffer, at, &self.options, false, &mut self.fields) {
                Some((_, next)) => {
                    at = next;
                    self.skip -= 1;
                }
                None => break,
            }
        }
        self.buffer.drain(..at);
        self.skip == 0
    }

    /// Where the last whole record in the buffer ends.
    fn boundary(&mut self) -> usize {
        if self.options.is_plain() {
            let delimiter = &self.options.row_delimiter;
            let found = match delimiter.len() {
                1 => memchr::memrchr(delimiter[0], &self.buffer),
                // Forward, because overlapping delimiters pair up from the left.
                _ => memchr::memmem::find_iter(&self.buffer, &delimiter[..]).last(),
            };
            return found.map_or(0, |at| at + delimiter.len());
        }
        if self.buffer.len() >= self.retry_at {
            while let Some((_, next)) = scan(&self.buffer, self.whole, &self.options, false, &mut self.fields) {
                self.whole = next;
            }
            self.retry_at = self.buffer.len() + (self.buffer.len() - self.whole);
        }
        self.whole
    }

    fn cut(&mut self, at: usize, out: &mut Vec<Block>) {
        let mut next = Vec::with_capacity(self.block_bytes + self.block_bytes / 4);
        next.extend_from_slice(&self.buffer[at..]);
        let mut block = std::mem::replace(&mut self.buffer, next);
        block.truncate(at);
        (self.whole, self.retry_at) = (0, 0);
        if !block.is_empty() {
            out.push(Block { data: Bytes::from(block) });
        }
    }
}

impl Splitter for CsvSplitter {
    fn push(&mut self, mut data: &[u8], out: &mut Vec<Block>) -> Result<()> {
        while !data.is_empty() {
            let room = self.block_bytes.saturating_sub(self.buffer.len()).max(self.block_bytes / 16 + 1).min(data.len());
            self.buffer.extend_from_slice(&data[..room]);
            data = &data[room..];
            if self.skip > 0 && !self.skip_header() {
                continue;
            }
            if self.buffer.len() >= self.block_bytes {
                let at = self.boundary();
                if at > 0 {
                    self.cut(at, out);
                }
                ensure!(self.buffer.len() < RECORD_BYTES_MAX, InvalidArgument, "a row is longer than {RECORD_BYTES_MAX} bytes: row delimiter not found");
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Block>) -> Result<()> {
        if self.skip > 0 && !self.skip_header() {
            self.buffer.clear();
        }
        let all = self.buffer.len();
        self.cut(all, out);
        Ok(())
    }
}
