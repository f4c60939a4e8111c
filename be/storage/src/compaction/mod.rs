//! Merging rowsets of a tablet, so that reading a version opens few files. The choice is a pure function of a view of the
//! tablet; the worker reads a snapshot, and readers notice nothing.

pub mod choice;
mod state;
mod vertical;
pub mod view;
mod worker;

pub use choice::choose;
pub(crate) use state::Compactions;
pub use state::{CompactionKind, CompactionState, CompactionTimes, CompactionType, Workload};
pub use view::{RowsetView, TabletView};
