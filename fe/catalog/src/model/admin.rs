//! Objects of administration: resource groups, tasks and their runs, statistics jobs; and temporary tables' places.

use std::sync::Arc;

use common_base::ids::{NodeId, TableId};
use common_types::Scalar;
use serde::{Deserialize, Serialize};

/// A resource group: what it promises, and which queries belong to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceGroup {
    pub id: u64,
    pub name: String,
    /// In the order they are shown.
    pub properties: Vec<(String, String)>,
    pub classifiers: Vec<Classifier>,
}

/// Which queries belong to a resource group: all conditions hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classifier {
    pub id: u64,
    /// `user`, `role`, `query_type`, `source_ip`, `db`, …, with the value's text.
    pub conditions: Vec<(String, String)>,
}

/// A statement to run later or again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub id: u64,
    pub name: String,
    pub database: String,
    pub definition: String,
    pub properties: Vec<(String, String)>,
    /// First start and period of a scheduled task.
    pub schedule: Option<TaskSchedule>,
    /// As SHOW prints it.
    pub schedule_text: String,
    pub creator: (String, String),
    pub created_ms: i64,
    /// A manual task and its runs are forgotten then; 0 = never.
    pub expire_ms: i64,
}

/// When a scheduled task runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSchedule {
    pub start_ms: i64,
    pub period_ms: i64,
}

/// One run of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRun {
    pub id: u64,
    pub query_id: String,
    pub task: String,
    pub database: String,
    pub definition: String,
    pub properties: Vec<(String, String)>,
    /// PENDING, RUNNING, SUCCESS, FAILED.
    pub state: String,
    pub created_ms: i64,
    pub finished_ms: i64,
    pub expire_ms: i64,
    pub error_code: i64,
    pub error: String,
}

/// One run of ANALYZE.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalyzeStatus {
    pub id: u64,
    pub database: String,
    pub table: String,
    pub columns: String,
    /// FULL, SAMPLE, HISTOGRAM.
    pub kind: String,
    /// ONCE or SCHEDULE.
    pub schedule: String,
    pub state: String,
    pub start_ms: i64,
    pub end_ms: i64,
    pub properties: String,
    pub reason: String,
}

/// What statistics an ANALYZE was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CollectedKind {
    Columns,
    Histogram,
    /// Several columns seen as one.
    Together,
}

/// What ANALYZE found of a column (or several).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collected {
    pub kind: CollectedKind,
    /// The column, or columns joined by commas.
    pub name: String,
    /// FULL, SAMPLE, HISTOGRAM.
    pub how: String,
    pub updated_ms: i64,
    pub properties: String,
    /// Distinct tuples of several columns.
    #[serde(default)]
    pub distinct: u64,
    #[serde(default)]
    pub histogram: Option<Arc<Histogram>>,
}

impl Collected {
    /// Nothing yet.
    pub fn of(kind: CollectedKind) -> Self {
        Self { kind, name: String::new(), how: String::new(), updated_ms: 0, properties: String::new(), distinct: 0, histogram: None }
    }
}

/// How often values of a column occur. NULLs are not in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// In ascending order, all rows in one of them.
    pub buckets: Vec<HistogramBucket>,
    /// The most common values, the most common first; their rows are in the buckets too.
    pub common: Vec<CommonValue>,
}

/// A range of values and the rows in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistogramBucket {
    #[serde(with = "crate::wire::scalar")]
    pub lower: Scalar,
    #[serde(with = "crate::wire::scalar")]
    pub upper: Scalar,
    pub rows: u64,
    pub distinct: u64,
}

/// A common value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommonValue {
    #[serde(with = "crate::wire::scalar")]
    pub value: Scalar,
    pub rows: u64,
}

/// A standing order to collect statistics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalyzeJob {
    pub id: u64,
    /// `ALL`, a database, a table, columns joined by commas.
    pub database: String,
    pub table: String,
    pub columns: String,
    pub sample: bool,
    pub properties: String,
}

/// A table of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemporaryTable {
    pub table: TableId,
    /// The frontend the session is on: when that starts again, the session is gone.
    pub frontend: NodeId,
}
