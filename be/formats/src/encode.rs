//! Chunks → files: one encoder per file, over a file that nobody sees yet.

use common_base::{Result, bail, ensure, fs::WritableFile};
use common_types::{Chunk, LogicalType, display::TextEncoder, wire};
use proto_messages::fragment::FileSink;

use crate::{orc::OrcEncoder, parquet::ParquetEncoder};

/// Writes one file.
pub trait FileEncoder: Send {
    /// Adds rows.
    fn write(&mut self, chunk: &Chunk) -> Result<()>;
    /// Bytes the file has by now, about.
    fn bytes(&self) -> u64;
    /// Bytes of rows that are not written yet.
    fn buffered(&self) -> u64;
    /// Writes them.
    fn flush(&mut self) -> Result<()>;
    /// Completes the file and makes its content durable; its size.
    fn finish(self: Box<Self>) -> Result<u64>;
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Parquet,
    Orc,
    Csv,
}

/// How files of a sink are written: only what can be written.
#[derive(Clone, Debug)]
pub struct FileLayout {
    kind: Kind,
    compression: String,
    pub names: Vec<String>,
    pub types: Vec<LogicalType>,
    column_separator: Vec<u8>,
    row_delimiter: Vec<u8>,
    header: bool,
}

impl FileLayout {
    /// From the plan's description; `columns` of what arrives are in the files. What a format cannot hold is refused here, before there is a file.
    pub fn new(sink: &FileSink, columns: &[usize]) -> Result<Self> {
        let format = sink.format.clone().unwrap_or_default();
        let types = format.types.iter().map(wire::type_from_proto).collect::<Result<Vec<_>>>()?;
        ensure!(columns.iter().all(|c| *c < types.len() && *c < format.columns.len()), Internal, "a file sink names columns that do not arrive");
        let layout = Self {
            names: columns.iter().map(|c| format.columns[*c].clone()).collect(),
            types: columns.iter().map(|c| types[*c].clone()).collect(),
            kind: match format.kind.as_str() {
                "parquet" => Kind::Parquet,
                "orc" => Kind::Orc,
                "csv" => Kind::Csv,
                other => bail!(NotSupported, "writing files of format '{other}' is not supported"),
            },
            compression: sink.compression.clone(),
            column_separator: if format.column_separator.is_empty() { b"\t".to_vec() } else { format.column_separator.to_vec() },
            row_delimiter: if format.row_delimiter.is_empty() { b"\n".to_vec() } else { format.row_delimiter.to_vec() },
            header: sink.header,
        };
        match layout.kind {
            Kind::Parquet => ParquetEncoder::check(&layout.names, &layout.types, &layout.compression)?,
            Kind::Orc => OrcEncoder::check(&layout.names, &layout.types, &layout.compression)?,
            Kind::Csv => {
                if let Some(i) = layout.types.iter().position(LogicalType::is_metric) {
                    bail!(NotSupported, "column '{}': columns of type {} cannot be written to files", layout.names[i], layout.types[i]);
                }
            }
        }
        Ok(layout)
    }

    /// The end of the files' names.
    pub fn extension(&self) -> &str {
        match self.kind {
            Kind::Parquet => "parquet",
            Kind::Orc => "orc",
            Kind::Csv => "csv",
        }
    }

    /// An encoder for one file.
    pub fn encoder(&self, file: Box<dyn WritableFile>) -> Result<Box<dyn FileEncoder>> {
        Ok(match self.kind {
            Kind::Parquet => Box::new(ParquetEncoder::new(file, &self.names, &self.types, &self.compression)?),
            Kind::Orc => Box::new(OrcEncoder::new(file, &self.names, &self.types, &self.compression)?),
            Kind::Csv => Box::new(CsvEncoder::new(file, self)),
        })
    }
}

/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 1 << 20;

/// Text with separators; NULL is `\N`.
struct CsvEncoder {
    file: Box<dyn WritableFile>,
    buffer: Vec<u8>,
    column_separator: Vec<u8>,
    row_delimiter: Vec<u8>,
}

impl CsvEncoder {
    fn new(file: Box<dyn WritableFile>, layout: &FileLayout) -> Self {
        let mut buffer = Vec::with_capacity(WRITE_BYTES + WRITE_BYTES / 4);
        if layout.header {
            for (i, name) in layout.names.iter().enumerate() {
                if i > 0 {
                    buffer.extend_from_slice(&layout.column_separator);
                }
                buffer.extend_from_slice(name.as_bytes());
            }
            buffer.extend_from_slice(&layout.row_delimiter);
        }
        Self { file, buffer, column_separator: layout.column_separator.clone(), row_delimiter: layout.row_delimiter.clone() }
    }
}

impl FileEncoder for CsvEncoder {
    fn write(&mut self, chunk: &Chunk) -> Result<()> {
        let texts: Vec<TextEncoder<'_>> = chunk.columns().iter().map(TextEncoder::new).collect();
        for row in 0..chunk.rows() {
            for (i, text) in texts.iter().enumerate() {
                if i > 0 {
                    self.buffer.extend_from_slice(&self.column_separator);
                }
                if !text.append(row, &mut self.buffer) {
                    self.buffer.extend_from_slice(b"\\N");
                }
            }
            self.buffer.extend_from_slice(&self.row_delimiter);
            if self.buffer.len() >= WRITE_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.file.len() + self.buffer.len() as u64
    }

    fn buffered(&self) -> u64 {
        self.buffer.len() as u64
    }

    fn flush(&mut self) -> Result<()> {
        self.file.append(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<u64> {
        self.flush()?;
        self.file.sync()?;
        Ok(self.file.len())
    }
}
