//! Files of this machine as tables: which ones may be touched, what they hold, reading and writing them.
//!
//! Flow: a frontend asks [`describe`] for files and columns; scans of them come back as [`scan`]; rows that become files go to
//! [`sink`]. All three ask [`access`] first.

pub mod access;
pub mod describe;
pub mod scan;
pub mod sink;
mod text;

use std::path::Path;

/// The codec that the end of a text file's name tells.
fn codec_of(path: &Path) -> &'static str {
    match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => "gzip",
        Some("bz2") => "bzip2",
        Some("lz4") => "lz4_frame",
        Some("deflate") => "deflate",
        Some("zst") => "zstd",
        _ => "",
    }
}
