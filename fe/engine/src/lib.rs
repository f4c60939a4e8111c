//! One SQL statement, start to end, without a protocol: sessions, dispatch, coordination of queries and loads, and the leader's
//! standing work (heartbeats, publishing, statistics).
//!
//! Flow of a SELECT: [`session::Session::execute`] parses and dispatches; `statement::query` analyzes over a catalog snapshot,
//! optimizes, splits into fragments; [`coordinator`] runs them; the caller pulls chunks out of [`result::Rows`].

pub mod auth;
pub mod cluster;
pub mod coordinator;
mod dispatch;
pub mod engine;
mod files;
pub mod info_schema;
pub mod load;
mod metrics;
pub mod result;
pub mod session;
pub mod settings;
pub mod show;
mod statement;
mod statistics;
#[cfg(test)]
mod test_engine;
pub mod view;

pub use engine::{Engine, EngineOptions};
pub use metrics::EngineMetrics;
pub use result::{ResultColumn, Rows, StatementResult, TableField};
pub use session::Session;
