//! ORC: stripes in. Writing is left to [`crate::parquet`]: the library writes no nested types, decimals or statistics.

mod read;
#[cfg(test)]
mod tests;

use common_base::{Result, bail, fs::WritableFile};
use common_types::LogicalType;

use crate::encode::FileEncoder;

pub use read::OrcFile;

/// An encoder of ORC files.
pub fn encoder(_file: Box<dyn WritableFile>, _names: &[String], _types: &[LogicalType], _compression: &str) -> Result<Box<dyn FileEncoder>> {
    bail!(NotSupported, "writing files of format 'orc' is not supported yet")
}
