//! Pages on disk: a 16-byte head, the body (perhaps compressed), a CRC-32C over both. The body is one encoding node.
//!
//! ```text
//! compression u8 │ 0 u8×3 │ body bytes u32 │ stored bytes u32 │ 0 u32 │ stored bytes… │ crc32c u32
//! ```

use arrow::buffer::{Buffer, MutableBuffer};
use common_base::{Result, ensure, err};

pub mod cache;

/// Bytes before the body; keeps the body 16-byte aligned within the buffer it is read into.
pub const HEAD: usize = 16;
const CRC: usize = 4;

/// Block compression of page bodies, a property of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Compression {
    None,
    #[default]
    Lz4,
    /// With its level.
    Zstd(i32),
}

/// What ZSTD means without a level.
const ZSTD_LEVEL: i32 = 3;

impl Compression {
    /// From the text of the table property; empty is the default.
    pub fn parse(name: &str) -> Result<Self> {
        let upper = name.to_ascii_uppercase();
        if let Some(level) = upper.strip_prefix("ZSTD(").and_then(|l| l.strip_suffix(')')) {
            let level = level.trim().parse().map_err(|_| err!(InvalidArgument, "unknown compression type: {name}"))?;
            return Ok(Self::Zstd(level));
        }
        match upper.as_str() {
            "" | "LZ4" | "LZ4_FRAME" => Ok(Self::Lz4),
            "ZSTD" => Ok(Self::Zstd(ZSTD_LEVEL)),
            "NONE" | "NO_COMPRESSION" => Ok(Self::None),
            // The reference also has these; they decide size only, so the nearest of ours serves.
            "ZLIB" | "SNAPPY" => Ok(Self::Lz4),
            other => Err(err!(InvalidArgument, "unknown compression type: {other}")),
        }
    }
}

/// Appends a page; returns its length. The body is compressed only when that saves more than a tenth.
pub fn write_page(body: &[u8], compression: Compression, out: &mut Vec<u8>) -> Result<u32> {
    let at = out.len();
    out.resize(at + HEAD, 0);
    let mut used = Compression::None;
    match compression {
        Compression::None => {}
        Compression::Lz4 => {
            let bound = lz4_flex::block::get_maximum_output_size(body.len());
            out.resize(at + HEAD + bound, 0);
            let len = lz4_flex::block::compress_into(body, &mut out[at + HEAD..]).map_err(|e| err!(Internal, "compressing a page: {e}"))?;
            out.truncate(at + HEAD + len);
            used = Compression::Lz4;
        }
        Compression::Zstd(level) => {
            let stored = zstd::bulk::compress(body, level).map_err(|e| err!(Internal, "compressing a page: {e}"))?;
            out.extend_from_slice(&stored);
            used = compression;
        }
    }
    let mut stored = out.len() - at - HEAD;
    if used == Compression::None || stored * 10 > body.len() * 9 {
        used = Compression::None;
        out.truncate(at + HEAD);
        out.extend_from_slice(body);
        stored = body.len();
    }
    let len = HEAD + stored + CRC;
    ensure!(len < u32::MAX as usize, TooLarge, "page of {len} bytes is too large");
    out[at] = match used {
        Compression::None => 0,
        Compression::Lz4 => 1,
        Compression::Zstd(_) => 2,
    };
    out[at + 4..at + 8].copy_from_slice(&(body.len() as u32).to_le_bytes());
    out[at + 8..at + 12].copy_from_slice(&(stored as u32).to_le_bytes());
    let crc = crc32c::crc32c(&out[at..]);
    out.extend_from_slice(&crc.to_le_bytes());
    Ok(len as u32)
}

/// Checks a page and gives its body. An uncompressed body is used in place, unless `shared` says that the buffer holds more
/// than this page (a body kept in the cache must not pin its neighbours).
pub fn open_page(page: &Buffer, shared: bool) -> Result<Buffer> {
    let bytes = page.as_slice();
    ensure!(bytes.len() >= HEAD + CRC, Corruption, "page of {} bytes", bytes.len());
    let (content, crc) = bytes.split_at(bytes.len() - CRC);
    let wanted = u32::from_le_bytes(crc.try_into().expect("four bytes"));
    let found = crc32c::crc32c(content);
    ensure!(found == wanted, Corruption, "checksum mismatch: page says {wanted:08x}, content is {found:08x}");
    let u32_at = |i: usize| u32::from_le_bytes(bytes[i..i + 4].try_into().expect("four bytes")) as usize;
    let (raw_len, stored) = (u32_at(4), u32_at(8));
    ensure!(HEAD + stored + CRC == bytes.len(), Corruption, "page of {} bytes says {stored}", bytes.len());
    let body = &content[HEAD..];
    match bytes[0] {
        0 => {
            // A page cut out of a larger read need not lie at an aligned address either.
            if !shared && (page.as_ptr() as usize).is_multiple_of(HEAD) {
                Ok(page.slice_with_length(HEAD, stored))
            } else {
                Ok(Buffer::from_slice_ref(body))
            }
        }
        1 => {
            let mut out = MutableBuffer::from_len_zeroed(raw_len);
            let len = lz4_flex::block::decompress_into(body, out.as_slice_mut()).map_err(|e| err!(Corruption, "decompressing a page: {e}"))?;
            ensure!(len == raw_len, Corruption, "page decompressed to {len} bytes, not {raw_len}");
            Ok(out.into())
        }
        2 => {
            let mut out = MutableBuffer::from_len_zeroed(raw_len);
            let len = zstd::bulk::decompress_to_buffer(body, out.as_slice_mut()).map_err(|e| err!(Corruption, "decompressing a page: {e}"))?;
            ensure!(len == raw_len, Corruption, "page decompressed to {len} bytes, not {raw_len}");
            Ok(out.into())
        }
        other => Err(err!(Corruption, "unknown page compression {other}")),
    }
}

/// Reads bytes of a file into an aligned buffer.
pub fn read_buffer(file: &dyn common_base::fs::ReadableFile, offset: u64, len: usize) -> Result<Buffer> {
    let mut out = MutableBuffer::from_len_zeroed(len);
    file.read_exact_at(offset, out.as_slice_mut())?;
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_round_trip_and_notice_damage() {
        let noise: Vec<u8> = (0..1000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for (body, compression) in [(vec![7u8; 4096], Compression::Lz4), (vec![7; 4096], Compression::Zstd(ZSTD_LEVEL)), (noise, Compression::Lz4)] {
            let mut out = Vec::new();
            let len = write_page(&body, compression, &mut out).unwrap();
            assert_eq!(len as usize, out.len());
            assert_eq!(open_page(&Buffer::from_slice_ref(&out), false).unwrap().as_slice(), body);
            for i in 0..out.len().min(64) {
                let mut bad = out.clone();
                bad[i] ^= 1;
                assert!(open_page(&Buffer::from_slice_ref(&bad), true).is_err(), "byte {i}");
            }
        }
    }
}
