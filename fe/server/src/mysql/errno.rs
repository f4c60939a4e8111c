//! [`Error`] → MySQL number and SQLSTATE: the only place.

use common_base::{Error, ErrorCode};

/// Number and SQLSTATE of an error.
pub fn number_of(error: &Error) -> (u16, &'static str) {
    match error.code() {
        ErrorCode::UnknownDatabase => (5501, "3F000"),
        ErrorCode::DatabaseExists => (1007, "HY000"),
        ErrorCode::BadDatabaseDrop => (1008, "HY000"),
        ErrorCode::UnknownTable => (5502, "42602"),
        ErrorCode::TableExists => (1050, "42S01"),
        ErrorCode::UnknownColumn => (5509, "42S22"),
        ErrorCode::DuplicateColumn => (1060, "42S21"),
        ErrorCode::AmbiguousColumn => (1052, "23000"),
        ErrorCode::UnknownPartition => (5505, "42000"),
        ErrorCode::UnknownVariable => (1193, "HY000"),
        ErrorCode::WrongVariableValue => (1231, "42000"),
        ErrorCode::WrongVariableType => (1232, "42000"),
        ErrorCode::ReadOnlyVariable => (1621, "HY000"),
        ErrorCode::GlobalOnlyVariable => (1229, "HY000"),
        ErrorCode::SessionOnlyVariable => (1228, "HY000"),
        ErrorCode::UnknownThread => (1094, "HY000"),
        ErrorCode::UnknownQueryId => (1365, "HY000"),
        ErrorCode::NoDatabaseSelected => (1046, "3D000"),
        ErrorCode::NotUniqueTableOrAlias => (1066, "42000"),
        ErrorCode::DerivedTableAlias => (1248, "42000"),
        ErrorCode::NoTablesUsed => (1096, "HY000"),
        ErrorCode::UnknownCommand => (1047, "08S01"),
        ErrorCode::PreparedUnsupported => (1295, "HY000"),
        ErrorCode::BadTimeZone => (1298, "HY000"),
        ErrorCode::NoDefaultForColumn => (1364, "HY000"),
        ErrorCode::InsertColumnCount => (5604, "42601"),
        ErrorCode::AccessDenied | ErrorCode::Unauthenticated => (1045, "28000"),
        ErrorCode::AccessDeniedPrivilege => (5203, "42000"),
        ErrorCode::Timeout => (5024, "53400"),
        ErrorCode::TooManyFilteredRows => (5606, "22000"),
        ErrorCode::TooLarge => (1153, "08S01"),
        ErrorCode::TxnSameTable => (5303, "25P01"),
        ErrorCode::TxnStatement => (5305, "25P01"),
        ErrorCode::TxnOtherDatabase => (5306, "25P01"),
        ErrorCode::TxnReadModified => (5307, "25P01"),
        ErrorCode::User => (5064, "42000"),
        ErrorCode::KilledByUser | ErrorCode::Cancelled => (1317, "70100"),
        ErrorCode::Internal => (1105, "HY000"),
        _ => (1064, "HY000"),
    }
}
