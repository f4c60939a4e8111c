//! Compression of an ORC file's streams and messages: blocks, each with its length and whether it is compressed at all.

use std::io::Write;

use common_base::{Result, bail, err};
use orc_rust::proto::CompressionKind;

/// Most bytes of a block before compression.
pub const BLOCK_BYTES: usize = 256 << 10;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec(CompressionKind);

impl Codec {
    /// uncompressed, gzip (the format's ZLIB), snappy, lz4 or zstd.
    pub fn named(name: &str) -> Result<Self> {
        Ok(Self(match name.to_ascii_lowercase().as_str() {
            "" | "uncompressed" | "none" => CompressionKind::None,
            "gzip" => CompressionKind::Zlib,
            "snappy" => CompressionKind::Snappy,
            "lz4" => CompressionKind::Lz4,
            "zstd" => CompressionKind::Zstd,
            other => bail!(InvalidArgument, "unsupported compression codec '{other}': it is one of uncompressed, gzip, snappy, zstd, lz4"),
        }))
    }

    /// The format's name of it.
    pub fn kind(self) -> CompressionKind {
        self.0
    }

    /// Bytes as they are in the file.
    pub fn packed(self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        if self.0 == CompressionKind::None {
            return Ok(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len() / 2 + 16);
        for block in bytes.chunks(BLOCK_BYTES) {
            let smaller = self.block(block)?;
            // What does not get smaller stays as it is.
            let (content, original) = if smaller.len() < block.len() { (smaller.as_slice(), 0) } else { (block, 1) };
            let header = ((content.len() as u32) << 1) | original;
            out.extend_from_slice(&header.to_le_bytes()[..3]);
            out.extend_from_slice(content);
        }
        Ok(out)
    }

    fn block(self, block: &[u8]) -> Result<Vec<u8>> {
        let failed = |e: String| err!(Internal, "compressing a block of an ORC file: {e}");
        Ok(match self.0 {
            CompressionKind::Zlib => {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::with_capacity(block.len() / 2), flate2::Compression::default());
                encoder.write_all(block).and_then(|()| encoder.finish()).map_err(|e| failed(e.to_string()))?
            }
            CompressionKind::Snappy => snap::raw::Encoder::new().compress_vec(block).map_err(|e| failed(e.to_string()))?,
            CompressionKind::Lz4 => lz4_flex::block::compress(block),
            CompressionKind::Zstd => zstd::bulk::compress(block, 0).map_err(|e| failed(e.to_string()))?,
            other => bail!(Internal, "ORC files are not written with {other:?}"),
        })
    }
}
