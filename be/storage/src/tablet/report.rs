//! What the FE is told of a tablet.

use crate::rowset::RowsetStatistics;

/// State of one tablet.
#[derive(Clone, Debug, Default)]
pub struct TabletReport {
    pub tablet_id: u64,
    pub version: i64,
    pub rows: u64,
    pub bytes: u64,
    pub rowsets: u32,
    pub bad: bool,
    /// Why: the file and the place in it, when it is damaged.
    pub bad_reason: String,
    /// Its history is still to come.
    pub converting: bool,
    pub schema_version: u32,
    /// Root of its data directory.
    pub dir: String,
    /// Merged from the segments' sketches; absent unless asked for.
    pub statistics: Option<RowsetStatistics>,
}
