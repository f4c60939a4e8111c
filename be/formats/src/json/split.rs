//! Cuts JSON bytes between documents (or between the elements of the outer array), by nesting depth outside strings.

use bytes::Bytes;
use common_base::{Result, ensure};

use crate::reader::{BLOCK_BYTES, Block, Splitter};

/// Longest document.
const DOCUMENT_BYTES_MAX: usize = 1 << 31;

/// Splits one file.
pub struct JsonSplitter {
    /// Elements of an outer array are documents of their own.
    outer_array: bool,
    buffer: Vec<u8>,
    scanned: usize,
    /// End of the last whole document.
    whole: usize,
    depth: i32,
    in_string: bool,
    escaped: bool,
    block_bytes: usize,
}

impl JsonSplitter {
    /// A splitter at the start of a file.
    pub fn new(outer_array: bool) -> Self {
        Self::with_block_bytes(outer_array, BLOCK_BYTES)
    }

    pub(crate) fn with_block_bytes(outer_array: bool, block_bytes: usize) -> Self {
        Self { outer_array, buffer: Vec::new(), scanned: 0, whole: 0, depth: 0, in_string: false, escaped: false, block_bytes }
    }

    fn scan(&mut self) {
        let base = i32::from(self.outer_array);
        while let Some(byte) = self.buffer.get(self.scanned).copied() {
            self.scanned += 1;
            if self.in_string {
                if self.escaped {
                    self.escaped = false;
                    continue;
                }
                match byte {
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => match memchr::memchr2(b'"', b'\\', &self.buffer[self.scanned..]) {
                        Some(at) => self.scanned += at,
                        None => self.scanned = self.buffer.len(),
                    },
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = (self.depth - 1).max(0);
                    if self.depth <= base {
                        self.whole = self.scanned;
                    }
                }
                // Between elements, and between scalar documents.
                b',' if self.outer_array && self.depth == 1 => self.whole = self.scanned,
                b'\n' if self.depth == 0 => self.whole = self.scanned,
                _ => {}
            }
        }
    }

    fn cut(&mut self, at: usize, out: &mut Vec<Block>) {
        let next = self.buffer[at..].to_vec();
        let mut block = std::mem::replace(&mut self.buffer, next);
        block.truncate(at);
        self.scanned -= at;
        self.whole = 0;
        if !block.is_empty() {
            out.push(Block { data: Bytes::from(block) });
        }
    }
}

impl Splitter for JsonSplitter {
    fn push(&mut self, data: &[u8], out: &mut Vec<Block>) -> Result<()> {
        self.buffer.extend_from_slice(data);
        if self.buffer.len() >= self.block_bytes {
            self.scan();
            if self.whole > 0 {
                self.cut(self.whole, out);
            }
            ensure!(self.buffer.len() < DOCUMENT_BYTES_MAX, TooLarge, "a JSON document is longer than {DOCUMENT_BYTES_MAX} bytes");
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Block>) -> Result<()> {
        self.scan();
        let all = self.buffer.len();
        self.cut(all, out);
        Ok(())
    }
}
