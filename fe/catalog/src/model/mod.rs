//! What the catalog holds. Plain values: cloning is cheap where readers need it (`Arc`), and nothing here does I/O.

pub mod alter;
pub mod account;
pub mod admin;
pub mod column;
pub mod distribution;
pub mod index;
pub mod node;
pub mod partition;
pub mod recycle;
pub mod statistics;
pub mod table;
pub mod txn;

pub use alter::{AlterChange, AlterJob, AlterKind, AlterState};
pub use account::{DefaultRoles, Grant, GrantedObject, Grantee, Role};
pub use admin::{AnalyzeJob, AnalyzeStatus, Classifier, Collected, CollectedKind, CommonValue, Histogram, HistogramBucket, ResourceGroup, Task, TaskRun, TaskSchedule, TemporaryTable};
pub use column::{Aggregation, Column, DefaultValue};
pub use distribution::Distribution;
pub use index::{ColumnSource, IndexColumn, IndexState, TableIndex};
pub use node::{Backend, Frontend, FrontendRole, User};
pub use partition::{ExpressionKey, Partition, PartitionBound, PartitionInfo, PartitionItem, Replica, Tablet, TabletIndex, WriteQuorum};
pub use recycle::{Recycled, RecycledObject};
pub use statistics::{ColumnStatistics, PartitionStatistics, TableStatistics};
pub use table::{Database, KeysModel, OlapTable, Table, TableKind, View};
pub use txn::{LoadSource, Transaction, TxnState};
