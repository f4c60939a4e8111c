//! The whole state as bytes and back: a magic, a format version, the MessagePack body, a checksum.

use common_base::{Result, bail, bytes::crc32c, err};

use crate::{Op, state::CatalogState};

/// First bytes of an image.
const MAGIC: &[u8; 8] = b"MSHIMAGE";
/// Version 1: the first. A later version says here what it changed and how version 1 is still read.
const VERSION: u32 = 1;

/// The state as an image.
pub fn encode(state: &CatalogState) -> Result<Vec<u8>> {
    let body = rmp_serde::to_vec_named(state).map_err(|e| err!(Internal, "cannot encode the catalog image: {e}"))?;
    let mut out = Vec::with_capacity(body.len() + 16);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&crc32c(&body).to_le_bytes());
    out.extend_from_slice(&body);
    Ok(out)
}

/// The state of an image; damage and unknown versions are errors.
pub fn decode(bytes: &[u8]) -> Result<CatalogState> {
    let body = check(bytes)?;
    rmp_serde::from_slice(body).map_err(|e| err!(Corruption, "catalog image does not parse: {e}"))
}

/// Whether an image is whole and of a version that is read here: its body. Much faster than [`decode`].
pub fn check(bytes: &[u8]) -> Result<&[u8]> {
    let Some((head, body)) = bytes.split_at_checked(16) else { bail!(Corruption, "catalog image is cut off: {} bytes", bytes.len()) };
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if &head[..8] != MAGIC {
        bail!(Corruption, "not a catalog image");
    }
    if word(8) != VERSION {
        bail!(NotSupported, "catalog image has format version {}, this binary reads {VERSION}", word(8));
    }
    if word(12) != crc32c(body) {
        bail!(Corruption, "catalog image fails its checksum");
    }
    Ok(body)
}

/// An op as a log record.
pub fn encode_op(op: &Op) -> Result<Vec<u8>> {
    rmp_serde::to_vec_named(op).map_err(|e| err!(Internal, "cannot encode a catalog op: {e}"))
}

/// The op of a log record.
pub fn decode_op(bytes: &[u8]) -> Result<Op> {
    rmp_serde::from_slice(bytes).map_err(|e| err!(Corruption, "catalog op does not parse: {e}"))
}
