//! The one error value: a code a caller can branch on, a message a user can act on, and the chain of what was being done.
//! MySQL numbers and SQLSTATEs are not here; they belong to the protocol edge of the FE.

use std::fmt;

/// The result type used everywhere in the product.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure this is; callers branch on it, edges map it to protocol codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// A broken invariant of ours: a bug.
    Internal,
    NotSupported,
    InvalidArgument,
    Syntax,
    Analysis,
    UnknownDatabase,
    DatabaseExists,
    /// DROP of a database that does not exist.
    BadDatabaseDrop,
    UnknownTable,
    TableExists,
    UnknownColumn,
    DuplicateColumn,
    AmbiguousColumn,
    UnknownPartition,
    UnknownFunction,
    UnknownVariable,
    WrongVariableValue,
    WrongVariableType,
    ReadOnlyVariable,
    GlobalOnlyVariable,
    SessionOnlyVariable,
    UnknownThread,
    UnknownQueryId,
    NoDatabaseSelected,
    NotUniqueTableOrAlias,
    DerivedTableAlias,
    NoTablesUsed,
    UnknownCommand,
    PreparedUnsupported,
    BadTimeZone,
    /// A text is no date where sql_mode asks for dates.
    InvalidDate,
    /// A statement for tables names a view, or the other way round.
    WrongObject,
    NoDefaultForColumn,
    InsertColumnCount,
    AccessDenied,
    AccessDeniedPrivilege,
    Unauthenticated,
    MemoryLimit,
    Timeout,
    Cancelled,
    KilledByUser,
    NotLeader,
    Unavailable,
    NetworkError,
    IoError,
    Corruption,
    DiskFull,
    NotFound,
    AlreadyExists,
    LabelExists,
    TooManyFilteredRows,
    TooManyVersions,
    TooManyConnections,
    TooLarge,
    /// A second load into a table within one explicit transaction.
    TxnSameTable,
    /// A statement that an explicit transaction does not allow.
    TxnStatement,
    /// An explicit transaction over several databases.
    TxnOtherDatabase,
    /// A read of a table that the same transaction has changed.
    TxnReadModified,
    /// Generic user error of DDL statements (5064 in the reference).
    User,
}

/// A failure with its code, its message, and what was being done when it happened (innermost first).
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: ErrorCode,
    message: String,
    context: Vec<String>,
}

impl Error {
    /// A new error; the message starts with what is wrong and names the thing it is wrong with.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { code, message: message.into(), context: Vec::new() }))
    }

    /// A broken invariant of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, message)
    }

    /// A thing the product does not do (yet).
    pub fn not_supported(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotSupported, message)
    }

    /// The kind of failure.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// The message alone, without the context chain: the text a client sees.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Adds what was being done; shown in logs, outermost last.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.0.context.push(what.to_string());
        self
    }

    /// The same failure with a rewritten message (an edge that adds a prefix the reference system has).
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// The context chain, innermost first.
    pub fn context_chain(&self) -> &[String] {
        &self.0.context
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for what in &self.0.context {
            write!(f, "; while {what}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.code)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Self {
        let code = match e.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
            std::io::ErrorKind::NotFound => ErrorCode::NotFound,
            std::io::ErrorKind::TimedOut => ErrorCode::Timeout,
            _ => ErrorCode::IoError,
        };
        Self::new(code, e.to_string())
    }
}

/// Adds context to a failing result without building the text on the good path.
pub trait ResultExt<T> {
    /// Adds what was being done.
    fn context(self, what: impl fmt::Display) -> Result<T>;
    /// Adds what was being done, built only on failure.
    fn with_context<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T>;
}

impl<T, E: Into<Error>> ResultExt<T> for std::result::Result<T, E> {
    fn context(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|e| e.into().context(what))
    }
    fn with_context<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|e| e.into().context(what()))
    }
}

/// Builds an [`Error`]: `err!(UnknownTable, "Unknown table '{name}'")`.
#[macro_export]
macro_rules! err {
    ($code:ident, $($arg:tt)+) => {
        $crate::Error::new($crate::ErrorCode::$code, format!($($arg)+))
    };
}

/// Returns early with an [`Error`].
#[macro_export]
macro_rules! bail {
    ($code:ident, $($arg:tt)+) => { return Err($crate::err!($code, $($arg)+)) };
}

/// Returns early with an [`Error`] unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($cond:expr, $code:ident, $($arg:tt)+) => { if !$cond { $crate::bail!($code, $($arg)+) } };
}
