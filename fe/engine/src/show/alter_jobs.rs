//! SHOW ALTER TABLE: schema changes. There are none yet, so the tables are empty.

use fe_parser::ast::AlterJobKind;

use super::Table;

/// The jobs of a kind.
pub fn jobs(kind: AlterJobKind) -> Table {
    match kind {
        AlterJobKind::Column => Table::empty(&[
            "JobId",
            "TableName",
            "CreateTime",
            "FinishTime",
            "IndexName",
            "IndexId",
            "OriginIndexId",
            "SchemaVersion",
            "TransactionId",
            "State",
            "Msg",
            "Progress",
            "Timeout",
        ]),
        AlterJobKind::Rollup | AlterJobKind::MaterializedView => Table::empty(&[
            "JobId",
            "TableName",
            "CreateTime",
            "FinishedTime",
            "BaseIndexName",
            "RollupIndexName",
            "RollupId",
            "TransactionId",
            "State",
            "Msg",
            "Progress",
            "Timeout",
        ]),
        AlterJobKind::Optimize => Table::empty(&[
            "JobId",
            "TableName",
            "CreateTime",
            "FinishTime",
            "Operation",
            "TransactionId",
            "State",
            "Msg",
            "Progress",
            "Timeout",
        ]),
    }
}
