//! A tablet: one bucket of one index of one partition, with its versions.

pub mod manager;
pub mod report;
pub mod schema;
#[allow(clippy::module_inception)]
mod tablet;
pub mod versions;

pub use report::TabletReport;
pub use schema::{TabletColumn, TabletSchema};
pub use tablet::Tablet;
