//! The formats a load may have, as one table: how to cut bytes into blocks, how to parse a block.

use bytes::Bytes;
use common_base::{Result, bail};
use common_types::{Chunk, wire};
use proto_messages::plan::FileFormat;

use crate::{csv, json};

/// Bytes of a block, unless one record is longer.
pub const BLOCK_BYTES: usize = 2 << 20;

/// Whole records that one parser takes.
#[derive(Clone, Debug)]
pub struct Block {
    pub data: Bytes,
}

/// Told of a row that cannot be parsed: why, and its bytes.
pub type Report<'a> = &'a mut dyn FnMut(&str, &[u8]);

/// Cuts a stream of bytes into blocks of whole records.
pub trait Splitter: Send {
    /// Takes bytes; complete blocks are added to `out`.
    fn push(&mut self, data: &[u8], out: &mut Vec<Block>) -> Result<()>;
    /// The end of the stream: what is left is the last block.
    fn finish(&mut self, out: &mut Vec<Block>) -> Result<()>;
}

/// Turns blocks into chunks; one per thread.
pub trait BlockParser: Send {
    /// The rows of a block.
    fn parse(&mut self, block: Block, bad: Report<'_>) -> Result<Vec<Chunk>>;
}

/// A format with its options.
#[derive(Clone, Debug)]
pub enum Format {
    Csv(csv::CsvOptions),
    Json(json::JsonOptions),
}

impl Format {
    /// From the plan's description.
    pub fn from_proto(format: &FileFormat) -> Result<Self> {
        let types = format.types.iter().map(wire::type_from_proto).collect::<Result<Vec<_>>>()?;
        Ok(match format.kind.as_str() {
            "csv" => Self::Csv(csv::CsvOptions::from_proto(format)?),
            "json" => Self::Json(json::JsonOptions::from_proto(format, types)?),
            other => bail!(NotSupported, "loading files of format '{other}' is not supported yet"),
        })
    }

    /// Cuts the bytes of one file.
    pub fn splitter(&self) -> Box<dyn Splitter> {
        match self {
            Self::Csv(options) => Box::new(csv::CsvSplitter::new(options.clone())),
            Self::Json(options) => Box::new(json::JsonSplitter::new(options.strip_outer_array)),
        }
    }

    /// Parses blocks.
    pub fn parser(&self) -> Box<dyn BlockParser> {
        match self {
            Self::Csv(options) => Box::new(csv::CsvParser::new(options.clone())),
            Self::Json(options) => Box::new(json::JsonParser::new(options.clone())),
        }
    }
}
