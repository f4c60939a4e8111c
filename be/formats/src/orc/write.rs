//! Chunks → ORC files.
//!
//! ```text
//! "ORC" | stripe … | stripes' statistics | footer | postscript | its length (1 byte)
//! stripe: streams of column 0, of column 1, … | footer
//! ```
//!
//! The library that reads is not used here: its writer has no decimals, no nested types and no statistics, panics on runs of integers with
//! outliers, and its first values of runs of INT and SMALLINT are wrong for readers that take 64 bits.

use arrow::datatypes::DataType;
use common_base::{Result, bail, err, fs::WritableFile};
use common_types::{Chunk, LogicalType};
use orc_rust::proto::{CalendarKind, CompressionKind};

use super::{
    codec::{BLOCK_BYTES, Codec},
    column::{ColumnWriter, Statistics, StripeContent},
    message::Message,
};
use crate::{arrow_out, encode::FileEncoder};

const MAGIC: &[u8] = b"ORC";
/// Version 0.12 of the format, which every reader knows.
const VERSION: [u32; 2] = [0, 12];
/// "Not a known writer" and "later than any known version" for readers that work around faults of some.
const UNKNOWN: u64 = i32::MAX as u64;
/// A stripe ends when it holds about this many bytes before compression, or this many rows.
const STRIPE_BYTES: usize = 64 << 20;
const STRIPE_ROWS: u64 = 1 << 20;

/// Writes one ORC file.
pub struct OrcEncoder {
    file: Box<dyn WritableFile>,
    codec: Codec,
    root: ColumnWriter,
    /// Rows of the stripe that is gathered, and of those written.
    pending_rows: u64,
    written_rows: u64,
    stripes: Vec<Message>,
    stripe_statistics: Vec<Message>,
    /// Of the whole file, by column.
    statistics: Vec<Statistics>,
}

impl OrcEncoder {
    /// A file with these columns. `compression`: uncompressed, gzip, snappy, lz4, zstd.
    pub fn new(mut file: Box<dyn WritableFile>, names: &[String], types: &[LogicalType], compression: &str) -> Result<Self> {
        let (root, codec) = (root(names, types)?, Codec::named(compression)?);
        file.append(MAGIC)?;
        Ok(Self {
            file,
            codec,
            root,
            pending_rows: 0,
            written_rows: 0,
            stripes: Vec::new(),
            stripe_statistics: Vec::new(),
            statistics: Vec::new(),
        })
    }

    /// Whether such files can be written.
    pub fn check(names: &[String], types: &[LogicalType], compression: &str) -> Result<()> {
        root(names, types)?;
        Codec::named(compression)?;
        Ok(())
    }

    /// Writes a part of the file; its length there.
    fn put(&mut self, bytes: Vec<u8>) -> Result<u64> {
        let bytes = self.codec.packed(bytes)?;
        self.file.append(&bytes)?;
        Ok(bytes.len() as u64)
    }
}

/// The column all others are fields of.
fn root(names: &[String], types: &[LogicalType]) -> Result<ColumnWriter> {
    let schema = arrow_out::schema(names, types)?;
    if let Some(i) = schema.fields().iter().position(|f| ColumnWriter::new(f.data_type()).is_none()) {
        bail!(NotSupported, "column '{}' of type {} cannot be written to an ORC file: parquet files can hold it", names[i], types[i]);
    }
    ColumnWriter::new(&DataType::Struct(schema.fields().clone())).ok_or_else(|| err!(Internal, "a struct of columns that can be written"))
}

impl FileEncoder for OrcEncoder {
    fn write(&mut self, chunk: &Chunk) -> Result<()> {
        let arrays = chunk.columns().iter().map(arrow_out::array).collect::<Result<Vec<_>>>()?;
        self.root.append_fields(&arrays, chunk.rows())?;
        self.pending_rows += chunk.rows() as u64;
        if self.root.bytes() >= STRIPE_BYTES || self.pending_rows >= STRIPE_ROWS { self.flush() } else { Ok(()) }
    }

    fn bytes(&self) -> u64 {
        self.file.len() + self.buffered()
    }

    fn buffered(&self) -> u64 {
        self.root.bytes() as u64
    }

    fn flush(&mut self) -> Result<()> {
        if self.pending_rows == 0 {
            return Ok(());
        }
        let start = self.file.len();
        let mut content = StripeContent::default();
        self.root.finish(&mut content);
        let mut footer = Message::default();
        let mut data_length = 0;
        for (column, kind, bytes) in content.streams {
            let length = self.put(bytes)?;
            data_length += length;
            footer = footer.message(1, &Message::default().number(1, kind as u64).number(2, column.into()).number(3, length));
        }
        // Times without a zone are times in this one.
        let footer_length = self.put(footer.messages(2, &content.encodings).bytes(3, b"UTC").into_bytes())?;
        let stripe = Message::default().number(1, start).number(2, 0).number(3, data_length).number(4, footer_length).number(5, self.pending_rows);
        self.stripes.push(stripe);
        let messages: Vec<Message> = content.statistics.iter().map(Statistics::message).collect();
        self.stripe_statistics.push(Message::default().messages(1, &messages));
        self.statistics.resize_with(content.statistics.len(), Statistics::default);
        self.statistics.iter_mut().zip(&content.statistics).for_each(|(all, stripe)| all.merge(stripe));
        self.written_rows += self.pending_rows;
        self.pending_rows = 0;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<u64> {
        self.flush()?;
        let content_length = self.file.len();
        let mut types = Vec::new();
        self.root.describe(&mut types);
        // A file without rows has counts too.
        self.statistics.resize_with(types.len(), Statistics::default);
        let statistics: Vec<Message> = self.statistics.iter().map(Statistics::message).collect();
        let metadata = Message::default().messages(1, &self.stripe_statistics);
        let metadata_length = self.put(metadata.into_bytes())?;
        let footer = Message::default()
            .number(1, MAGIC.len() as u64)
            .number(2, content_length)
            .messages(3, &self.stripes)
            .messages(4, &types)
            .number(6, self.written_rows)
            .messages(7, &statistics)
            .number(8, 0)
            .number(9, UNKNOWN)
            .number(11, CalendarKind::ProlepticGregorian as u64);
        let footer_length = self.put(footer.into_bytes())?;
        let mut postscript = Message::default().number(1, footer_length).number(2, self.codec.kind() as u64);
        if self.codec.kind() != CompressionKind::None {
            postscript = postscript.number(3, BLOCK_BYTES as u64);
        }
        let postscript = postscript.numbers(4, &VERSION).number(5, metadata_length).number(6, UNKNOWN).bytes(8000, MAGIC).into_bytes();
        let Ok(length) = u8::try_from(postscript.len()) else { bail!(Internal, "a postscript of {} bytes", postscript.len()) };
        self.file.append(&postscript)?;
        self.file.append(&[length])?;
        self.file.sync()?;
        Ok(self.file.len())
    }
}
