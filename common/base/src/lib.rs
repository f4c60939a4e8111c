//! What every crate of the product stands on: errors, ids, and the seams to the outside world (clock, randomness, files,
//! sockets, key-value store). No arrow, no tonic, no sqlparser, no rocksdb here.

pub mod bounded;
pub mod bytes;
pub mod clock;
pub mod config;
pub mod datadriven;
pub mod error;
pub mod failpoint;
pub mod fs;
pub mod hll;
pub mod ids;
pub mod invariant;
pub mod kv;
pub mod limits;
pub mod machine;
pub mod mem;
pub mod metrics;
pub mod net;
pub mod net_address;
pub mod process;
pub mod retry;
pub mod rng;
pub mod runtime;
pub mod telemetry;
pub mod tree_print;

pub use clock::{Clock, ManualClock, SharedClock, SystemClock};
pub use error::{Error, ErrorCode, Result, ResultExt};
pub use mem::{MemGuard, MemTracker};
pub use rng::{Rng, SharedRng};
