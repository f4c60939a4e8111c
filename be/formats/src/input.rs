//! A file of the [`FileSystem`](common_base::fs::FileSystem) as the readers of columnar formats want it.

use std::{io::{BufReader, Error, ErrorKind, Read, Result}, sync::Arc};

use bytes::Bytes;
use common_base::fs::ReadableFile;

/// Bytes read ahead where the length is not known.
const AHEAD_BYTES: usize = 64 << 10;

/// A file of known length.
#[derive(Clone, Debug)]
pub struct Input {
    pub file: Arc<dyn ReadableFile>,
    pub len: u64,
}

impl Input {
    /// The file from a position on.
    pub fn tail(&self, start: u64) -> BufReader<Tail> {
        BufReader::with_capacity(AHEAD_BYTES, Tail { file: self.file.clone(), at: start })
    }

    /// A piece of the file.
    pub fn bytes(&self, start: u64, length: u64) -> Result<Bytes> {
        // A damaged footer must not make the process ask for more memory than the file has bytes.
        if start.checked_add(length).is_none_or(|end| end > self.len) {
            return Err(Error::new(ErrorKind::UnexpectedEof, format!("{length} bytes at {start} of a file of {} bytes", self.len)));
        }
        Ok(Bytes::from(self.file.read_vec_at(start, length as usize).map_err(Error::other)?))
    }
}

/// The rest of a file from a position on.
#[derive(Debug)]
pub struct Tail {
    file: Arc<dyn ReadableFile>,
    at: u64,
}

impl Read for Tail {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let n = self.file.read_at(self.at, buf).map_err(Error::other)?;
        self.at += n as u64;
        Ok(n)
    }
}
