//! A file of the [`FileSystem`](common_base::fs::FileSystem) as the Parquet reader wants it.

use std::{io::{BufReader, Read}, sync::Arc};

use bytes::Bytes;
use common_base::fs::ReadableFile;
use parquet::{errors::{ParquetError, Result}, file::reader::{ChunkReader, Length}};

/// Bytes read ahead where the length is not known.
const AHEAD_BYTES: usize = 64 << 10;

/// A file of known length.
#[derive(Clone, Debug)]
pub struct Input {
    pub file: Arc<dyn ReadableFile>,
    pub len: u64,
}

impl Length for Input {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Input {
    type T = BufReader<Tail>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::with_capacity(AHEAD_BYTES, Tail { file: self.file.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        // A damaged footer must not make the process ask for more memory than the file has bytes.
        if start.checked_add(length as u64).is_none_or(|end| end > self.len) {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} of a file of {} bytes", self.len)));
        }
        let bytes = self.file.read_vec_at(start, length).map_err(|e| ParquetError::External(Box::new(e)))?;
        Ok(Bytes::from(bytes))
    }
}

/// The rest of a file from a position on.
#[derive(Debug)]
pub struct Tail {
    file: Arc<dyn ReadableFile>,
    at: u64,
}

impl Read for Tail {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read_at(self.at, buf).map_err(std::io::Error::other)?;
        self.at += n as u64;
        Ok(n)
    }
}
