//! [`Error`] ⇄ the wire: the only place. An error a handler means for its caller travels inside the reply as a message; an error of
//! the call itself (refused, unreachable, token) is a gRPC status.

use common_base::{Error, ErrorCode};
use proto_messages::status as pb;
use tonic::{Code, Status};

/// Every code with its name on the wire. A name, once released, stays.
const NAMES: &[(ErrorCode, &str)] = &[
    (ErrorCode::Internal, "Internal"),
    (ErrorCode::NotSupported, "NotSupported"),
    (ErrorCode::InvalidArgument, "InvalidArgument"),
    (ErrorCode::Syntax, "Syntax"),
    (ErrorCode::Analysis, "Analysis"),
    (ErrorCode::UnknownDatabase, "UnknownDatabase"),
    (ErrorCode::DatabaseExists, "DatabaseExists"),
    (ErrorCode::BadDatabaseDrop, "BadDatabaseDrop"),
    (ErrorCode::UnknownTable, "UnknownTable"),
    (ErrorCode::TableExists, "TableExists"),
    (ErrorCode::UnknownColumn, "UnknownColumn"),
    (ErrorCode::DuplicateColumn, "DuplicateColumn"),
    (ErrorCode::AmbiguousColumn, "AmbiguousColumn"),
    (ErrorCode::UnknownPartition, "UnknownPartition"),
    (ErrorCode::UnknownFunction, "UnknownFunction"),
    (ErrorCode::InvalidDate, "InvalidDate"),
    (ErrorCode::WrongObject, "WrongObject"),
    (ErrorCode::NoDatabaseSelected, "NoDatabaseSelected"),
    (ErrorCode::AccessDenied, "AccessDenied"),
    (ErrorCode::AccessDeniedPrivilege, "AccessDeniedPrivilege"),
    (ErrorCode::Unauthenticated, "Unauthenticated"),
    (ErrorCode::MemoryLimit, "MemoryLimit"),
    (ErrorCode::Timeout, "Timeout"),
    (ErrorCode::Cancelled, "Cancelled"),
    (ErrorCode::KilledByUser, "KilledByUser"),
    (ErrorCode::NotLeader, "NotLeader"),
    (ErrorCode::Unavailable, "Unavailable"),
    (ErrorCode::NetworkError, "NetworkError"),
    (ErrorCode::IoError, "IoError"),
    (ErrorCode::Corruption, "Corruption"),
    (ErrorCode::DiskFull, "DiskFull"),
    (ErrorCode::NotFound, "NotFound"),
    (ErrorCode::AlreadyExists, "AlreadyExists"),
    (ErrorCode::LabelExists, "LabelExists"),
    (ErrorCode::TooManyFilteredRows, "TooManyFilteredRows"),
    (ErrorCode::TooManyVersions, "TooManyVersions"),
    (ErrorCode::TooManyConnections, "TooManyConnections"),
    (ErrorCode::TooLarge, "TooLarge"),
    (ErrorCode::User, "User"),
    (ErrorCode::UnknownVariable, "UnknownVariable"),
    (ErrorCode::WrongVariableValue, "WrongVariableValue"),
    (ErrorCode::WrongVariableType, "WrongVariableType"),
    (ErrorCode::ReadOnlyVariable, "ReadOnlyVariable"),
    (ErrorCode::GlobalOnlyVariable, "GlobalOnlyVariable"),
    (ErrorCode::SessionOnlyVariable, "SessionOnlyVariable"),
    (ErrorCode::UnknownThread, "UnknownThread"),
    (ErrorCode::UnknownQueryId, "UnknownQueryId"),
    (ErrorCode::NotUniqueTableOrAlias, "NotUniqueTableOrAlias"),
    (ErrorCode::DerivedTableAlias, "DerivedTableAlias"),
    (ErrorCode::NoTablesUsed, "NoTablesUsed"),
    (ErrorCode::UnknownCommand, "UnknownCommand"),
    (ErrorCode::PreparedUnsupported, "PreparedUnsupported"),
    (ErrorCode::BadTimeZone, "BadTimeZone"),
    (ErrorCode::NoDefaultForColumn, "NoDefaultForColumn"),
    (ErrorCode::InsertColumnCount, "InsertColumnCount"),
    (ErrorCode::TxnSameTable, "TxnSameTable"),
    (ErrorCode::TxnStatement, "TxnStatement"),
    (ErrorCode::TxnOtherDatabase, "TxnOtherDatabase"),
    (ErrorCode::TxnReadModified, "TxnReadModified"),
];

/// The error as a message inside a reply.
pub fn to_message(error: &Error) -> pb::Status {
    let name = NAMES.iter().find(|(code, _)| *code == error.code()).map_or("Internal", |(_, name)| *name);
    pb::Status { code: name.to_owned(), message: error.message().to_owned(), context: error.context_chain().to_vec() }
}

/// Success as a message.
pub fn ok() -> Option<pb::Status> {
    None
}

/// A result's status as a message; success is absence.
pub fn of<T>(result: &common_base::Result<T>) -> Option<pb::Status> {
    result.as_ref().err().map(to_message)
}

/// The error of a reply, if it carries one. An unknown code (a newer peer) counts as internal.
pub fn from_message(status: Option<pb::Status>) -> common_base::Result<()> {
    let Some(status) = status.filter(|s| !s.code.is_empty()) else { return Ok(()) };
    let code = NAMES.iter().find(|(_, name)| *name == status.code).map_or(ErrorCode::Internal, |(code, _)| *code);
    Err(status.context.into_iter().fold(Error::new(code, status.message), Error::context))
}

/// A failed call as an error that names the peer.
pub fn from_grpc(status: &Status, peer: &str) -> Error {
    let code = match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => ErrorCode::Unauthenticated,
        Code::DeadlineExceeded => ErrorCode::Timeout,
        Code::Cancelled => ErrorCode::Cancelled,
        Code::Unimplemented => ErrorCode::NotSupported,
        Code::ResourceExhausted | Code::OutOfRange => ErrorCode::TooLarge,
        Code::Unavailable | Code::Unknown => ErrorCode::Unavailable,
        _ => ErrorCode::NetworkError,
    };
    let mut text = status.message().to_owned();
    let mut cause = std::error::Error::source(status);
    // "transport error" alone helps nobody: the last cause says what happened to the connection.
    while let Some(e) = cause {
        cause = e.source();
        if cause.is_none() && !text.contains(&e.to_string()) {
            text = format!("{text}: {e}");
        }
    }
    Error::new(code, format!("rpc to {peer} failed: {text}"))
}

/// Whether a call failed before anything was sent: no connection was made, so that nothing can have happened there.
pub fn was_not_sent(status: &Status) -> bool {
    let mut cause = std::error::Error::source(status);
    while let Some(e) = cause {
        // What the network seam says when it cannot connect.
        if e.downcast_ref::<Error>().is_some_and(|e| e.message().starts_with("cannot connect to ")) {
            return true;
        }
        cause = e.source();
    }
    false
}

/// An error of a handler that cannot answer with a reply (streams that never open).
pub fn to_grpc(error: &Error) -> Status {
    let code = match error.code() {
        ErrorCode::Unauthenticated => Code::Unauthenticated,
        ErrorCode::Timeout => Code::DeadlineExceeded,
        ErrorCode::Cancelled => Code::Cancelled,
        ErrorCode::NotSupported => Code::Unimplemented,
        ErrorCode::Unavailable | ErrorCode::NotLeader => Code::Unavailable,
        _ => Code::Internal,
    };
    Status::new(code, error.to_string())
}
