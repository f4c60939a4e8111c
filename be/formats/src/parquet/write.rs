//! Chunks → Parquet files.

use std::io::Write;

use arrow::{datatypes::SchemaRef, record_batch::{RecordBatch, RecordBatchOptions}};
use common_base::{Error, Result, bail, err, fs::WritableFile};
use common_types::{Chunk, LogicalType};
use parquet::{
    arrow::{ArrowWriter, arrow_writer::ArrowWriterOptions},
    basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};

use crate::{arrow_out, encode::FileEncoder};

/// Rows of a row group.
const GROUP_ROWS: usize = 1 << 20;
/// A row group ends when it holds about this many bytes.
const GROUP_BYTES: usize = 64 << 20;

/// Writes one Parquet file.
pub struct ParquetEncoder {
    writer: ArrowWriter<Out>,
    schema: SchemaRef,
}

/// A file of ours as a sink of bytes.
struct Out(Box<dyn WritableFile>);

impl Write for Out {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.append(buf).map_err(std::io::Error::other)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl ParquetEncoder {
    /// A file with these columns. `compression`: uncompressed, snappy, gzip, lz4, zstd, brotli.
    pub fn new(file: Box<dyn WritableFile>, names: &[String], types: &[LogicalType], compression: &str) -> Result<Self> {
        let schema = arrow_out::schema(names, types)?;
        let properties = WriterProperties::builder()
            .set_compression(codec(compression)?)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_created_by("mirrorship".to_owned())
            .build();
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Out(file), schema.clone(), options).map_err(failed)?;
        Ok(Self { writer, schema })
    }

    /// Whether such files can be written.
    pub fn check(names: &[String], types: &[LogicalType], compression: &str) -> Result<()> {
        arrow_out::schema(names, types)?;
        codec(compression)?;
        Ok(())
    }
}

fn codec(name: &str) -> Result<Compression> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "" | "uncompressed" | "none" => Compression::UNCOMPRESSED,
        "snappy" => Compression::SNAPPY,
        "gzip" => Compression::GZIP(GzipLevel::default()),
        "lz4" => Compression::LZ4_RAW,
        "zstd" => Compression::ZSTD(ZstdLevel::default()),
        "brotli" => Compression::BROTLI(BrotliLevel::default()),
        other => bail!(InvalidArgument, "unsupported compression codec '{other}': it is one of uncompressed, gzip, snappy, zstd, lz4"),
    })
}

/// The error of the file system, if it is one.
fn failed(e: ParquetError) -> Error {
    match e {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => io.downcast::<Error>().unwrap_or_else(|io| err!(IoError, "writing a Parquet file: {io}")),
            Err(inner) => err!(IoError, "writing a Parquet file: {inner}"),
        },
        e => err!(IoError, "writing a Parquet file: {e}"),
    }
}

impl FileEncoder for ParquetEncoder {
    fn write(&mut self, chunk: &Chunk) -> Result<()> {
        let arrays = chunk.columns().iter().map(arrow_out::array).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(chunk.rows()));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options).map_err(|e| err!(Internal, "rows of a Parquet file: {e}"))?;
        self.writer.write(&batch).map_err(failed)?;
        if self.writer.in_progress_size() >= GROUP_BYTES {
            self.writer.flush().map_err(failed)?;
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    fn buffered(&self) -> u64 {
        self.writer.in_progress_size() as u64
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.flush().map_err(failed)
    }

    fn finish(mut self: Box<Self>) -> Result<u64> {
        self.writer.finish().map_err(failed)?;
        let file = &mut self.writer.inner_mut().0;
        file.sync()?;
        Ok(file.len())
    }
}
