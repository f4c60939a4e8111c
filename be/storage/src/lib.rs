//! Tablets on disks: loads in, versions out. Knows no query plan and no network.
//!
//! Flow: [`DeltaWriter`] collects and sorts the rows of a load and writes segment files → [`StorageEngine::commit`] records them
//! durably → [`StorageEngine::publish`] makes them the next version → [`Tablet::read`] gives [`read::Morsel`]s of a version.
//! Invariants: files are durable before the metadata that names them, and metadata before the answer; a version once visible
//! never changes; readers hold a snapshot and wait for nobody.

pub mod compaction;
pub mod convert;
pub mod copy;
pub mod data_dir;
pub mod engine;
pub mod ingest;
pub mod memtable;
pub mod merge;
mod disks;
mod meta_store;
pub mod metrics;
pub mod offline;
pub mod options;
pub mod path_gc;
pub mod primary;
pub mod read;
mod room;
pub mod rowset;
pub mod scrub;
pub mod tablet;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

pub use engine::StorageEngine;
pub use ingest::{DeltaWriter, LoadMemory, PublishItem, PublishOutcome, RoomWait, TabletLoad};
pub use options::{DirConfig, KvFactory, StorageOptions, StorageSettings};
pub use room::{Purpose, Watermarks};
pub use read::{Morsel, MorselScan, ReadColumn, ReadSpec, TabletRead};
pub use tablet::{Tablet, TabletReport};
