//! Scenarios.

mod chaos;
mod crashes;
mod disks;
mod partitions;
mod same_trace;

/// Seeds a scenario is played with; `SIM_SEED` names another one.
fn seeds() -> Vec<u64> {
    match std::env::var("SIM_SEED").ok().and_then(|s| s.parse().ok()) {
        Some(seed) => vec![seed],
        None => vec![1, 2, 3],
    }
}
