//! Running pipelines: the worker pool, drivers, queries, and what the drivers of a query share.

pub mod cancel;
pub mod context;
pub mod driver;
pub mod filter_hub;
pub mod fragment;
pub mod pool;
pub mod query;
pub mod top_n_bound;

pub use context::{ExecEnv, QueryContext};
