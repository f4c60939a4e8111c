//! The vectorized executor: fragment → pipelines → drivers → workers.
//!
//! Flow: [`runtime::query`] takes an `ExecuteRequest`; [`pipeline::builder`] turns each plan node into a source, transforms or a
//! sink through the table in [`operators`]; a pipeline runs as `parallelism` drivers, each a small state machine that moves
//! chunks from source to sink; [`runtime::pool`] runs drivers on a fixed set of threads and parks blocked ones on wakers.
//!
//! Invariants: no driver blocks its thread on another driver or the network; memory that grows with data is reserved first;
//! nothing here knows storage, gRPC or HTTP — `scan`, `exchange` and `sink` define what the server adapts.

pub mod exchange;
pub mod hash_table;
pub mod operator;
pub mod operators;
pub mod pipeline;
pub mod profile;
pub mod runtime;
pub mod scan;
pub mod sink;
pub mod util;
