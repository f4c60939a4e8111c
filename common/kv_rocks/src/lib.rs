//! The key-value store on disk: RocksDB behind the `common_base::kv` seam. The only crate that names rocksdb; linked into
//! the servers, never into other tests.
//!
//! Invariants: the write-ahead log is always on, so a synced write covers every write before it; a torn tail of the log is
//! cut off at open, any other damage refuses to open.

#![forbid(unsafe_code)]

mod batch;
mod iter;
mod options;
mod store;

pub use options::RocksOptions;
pub use store::RocksStore;
