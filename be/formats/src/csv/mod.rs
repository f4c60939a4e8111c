//! CSV as loads define it: separators of any bytes, optional enclosure and escape, `\N` for NULL.

mod build;
mod marks;
mod parse;
pub(crate) mod record;
mod split;
#[cfg(test)]
mod tests;

pub use parse::CsvParser;
pub use split::CsvSplitter;

use bytes::Bytes;
use common_base::{Result, ensure};
use proto_messages::plan::FileFormat;

/// The dialect.
#[derive(Clone, Debug)]
pub struct CsvOptions {
    pub column_separator: Bytes,
    pub row_delimiter: Bytes,
    pub enclose: Option<u8>,
    pub escape: Option<u8>,
    pub skip_header: u64,
    pub trim_space: bool,
    /// Fields of a row.
    pub columns: usize,
}

impl CsvOptions {
    /// From the plan's description.
    pub fn from_proto(format: &FileFormat) -> Result<Self> {
        let or = |given: &Bytes, default: &'static [u8]| if given.is_empty() { Bytes::from_static(default) } else { given.clone() };
        ensure!(format.enclose.len() <= 1 && format.escape.len() <= 1, InvalidArgument, "enclose and escape are single bytes");
        Ok(Self {
            column_separator: or(&format.column_separator, b"\t"),
            row_delimiter: or(&format.row_delimiter, b"\n"),
            enclose: format.enclose.first().copied(),
            escape: format.escape.first().copied(),
            skip_header: format.skip_header,
            trim_space: format.trim_space,
            columns: format.columns.len(),
        })
    }

    /// Neither enclosure nor escape: separators are separators wherever they are.
    pub fn is_plain(&self) -> bool {
        self.enclose.is_none() && self.escape.is_none()
    }
}

/// Fields of one row; `None` when it is none.
pub fn count_fields(row: &[u8], options: &CsvOptions) -> Option<usize> {
    let mut fields = Vec::new();
    record::scan(row, 0, options, true, &mut fields)?;
    Some(fields.len())
}
