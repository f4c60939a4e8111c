//! Query-class statements: SELECT with its optional export clause, EXPLAIN, TRACE, DESCRIBE.

use super::{Properties, Statement, sql};

/// A query with the file it is written to, if any.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryStatement {
    pub query: Box<sql::Query>,
    pub into_outfile: Option<OutFile>,
}

/// `INTO OUTFILE "uri" [FORMAT AS f] [PROPERTIES(..)]`.
#[derive(Clone, Debug, PartialEq)]
pub struct OutFile {
    pub path: String,
    pub format: Option<String>,
    pub properties: Properties,
}

/// How much EXPLAIN prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExplainMode {
    Normal,
    Logical,
    Verbose,
    Costs,
    /// Executes the statement and prints its profile.
    Analyze,
    Scheduler,
}

/// `EXPLAIN [mode] statement`.
#[derive(Clone, Debug, PartialEq)]
pub struct Explain {
    pub mode: ExplainMode,
    pub inner: Box<Statement>,
}

/// `TRACE mode [module] statement`.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// `ALL`, `LOGS`, `TIMES`, `VALUES` or `REASON`, upper case.
    pub mode: String,
    pub module: Option<String>,
    pub inner: Box<Statement>,
}

/// What DESCRIBE is asked about.
#[derive(Clone, Debug, PartialEq)]
pub enum DescribeTarget {
    Table(sql::ObjectName),
    /// `DESC FILES(..)`.
    Files(Properties),
    Pipe(sql::ObjectName),
    StorageVolume(sql::Ident),
}

/// `DESC[RIBE] t [ALL]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Describe {
    pub target: DescribeTarget,
    pub all: bool,
}
