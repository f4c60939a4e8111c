//! ORC files. Not read yet: the reader there is speaks another release of Arrow than this build.

use common_base::{Result, bail, fs::WritableFile};
use common_types::LogicalType;

use crate::encode::FileEncoder;

/// An encoder of ORC files.
pub fn encoder(_file: Box<dyn WritableFile>, _names: &[String], _types: &[LogicalType], _compression: &str) -> Result<Box<dyn FileEncoder>> {
    bail!(NotSupported, "writing files of format 'orc' is not supported yet")
}
