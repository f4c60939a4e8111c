//! Files read as one table (`FILES(...)`).

use proto_messages::plan::FileTable;

/// What is read.
#[derive(Clone, Debug, PartialEq)]
pub struct FilesScan {
    pub table: FileTable,
    /// (path, bytes), by path.
    pub files: Vec<(String, u64)>,
    /// Rows in all, as far as is known.
    pub rows: f64,
}

impl FilesScan {
    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, bytes)| *bytes).sum()
    }
}
