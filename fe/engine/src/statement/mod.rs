//! Statements, one file each (or one per small family). A file has a `run`-like function that takes the session and the parsed
//! statement.

pub mod admin;
pub mod alter;
pub mod analyze;
pub mod backends;
pub mod alter_columns;
pub mod cancel_load;
pub mod cluster;
pub mod database;
pub mod delete;
pub mod describe;
pub mod explain;
pub mod insert;
pub mod kill;
pub mod medium;
pub mod name_locks;
pub mod names;
pub mod node_config;
pub mod optimize;
pub mod partition_filter;
pub mod plan;
pub mod prepared;
pub mod primary_dml;
pub mod query;
pub mod recover;
pub mod replace_partition;
pub mod replication;
pub mod rollup;
mod secondary_index;
pub mod set;
pub mod table;
pub mod temporary;
pub mod transaction;
pub mod truncate;
pub mod unload;
pub mod user;
pub mod view;

#[cfg(test)]
mod ddl_tests;
#[cfg(test)]
mod session_tests;
