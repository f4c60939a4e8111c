//! The edges of a backend: gRPC, HTTP, configuration, and the composition of storage and executor.
//!
//! Flow: [`app`] makes every part; `rpc` answers FEs and peers; `adapt` gives the executor its tables, exchanges and sinks over the
//! concrete crates; `files` reads and writes files of this machine as tables; `stream_load` turns an HTTP body into a load.

mod adapt;
pub mod app;
pub mod config;
mod cpu;
mod disks;
mod files;
mod http;
mod identity;
mod inspect;
mod leader;
mod memory_watch;
mod metrics;
mod report;
mod rpc;
mod stream_load;
mod tablet_copy;
pub mod tool;
#[cfg(test)]
mod tests;
