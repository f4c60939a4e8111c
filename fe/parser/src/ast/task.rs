//! Tasks and pipes.

use super::{IntervalUnit, Properties, Statement, sql};

/// `SUBMIT TASK …`.
#[derive(Clone, Debug, PartialEq)]
pub struct SubmitTask {
    pub name: Option<sql::ObjectName>,
    pub schedule: Option<TaskSchedule>,
    pub properties: Properties,
    pub statement: Box<Statement>,
    /// The text of the statement to run.
    pub text: String,
}

/// `SCHEDULE [START('ts')] EVERY(INTERVAL n unit)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSchedule {
    pub start: Option<String>,
    pub every: i64,
    pub unit: IntervalUnit,
}

/// `DROP TASK [IF EXISTS] name [FORCE]`.
#[derive(Clone, Debug, PartialEq)]
pub struct DropTask {
    pub name: sql::ObjectName,
    pub if_exists: bool,
    pub force: bool,
}

/// `CREATE PIPE … AS INSERT …`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreatePipe {
    pub name: sql::ObjectName,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub properties: Properties,
    pub statement: Box<Statement>,
    pub text: String,
}

/// `ALTER PIPE p action`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterPipe {
    pub name: sql::ObjectName,
    pub action: AlterPipeAction,
}

/// What ALTER PIPE does.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterPipeAction {
    SetProperties(Properties),
    Suspend,
    Resume,
    RetryAll,
    RetryFile(String),
}
