//! Whole clusters on one thread: frontends and backends over a simulated network, disk and clock. Same seed, same trace.
//!
//! Flow: [`cluster::simulate`] starts the hosts on turmoil, each with the seams of `common_base` simulated, and plays a scenario
//! that speaks MySQL and HTTP with them, cuts links and crashes machines. `SIM_SEED=n` plays another seed, `SIM_TRACE=file` keeps the
//! trace, `SIM_LOG=debug` shows the logs.

pub mod client;
pub mod cluster;
pub mod net;
pub mod os;
pub mod trace;

#[cfg(test)]
mod tests;
