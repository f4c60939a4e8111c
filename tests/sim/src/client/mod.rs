//! Clients that run over the simulated network: just enough of each protocol for scenarios.

pub mod http;
pub mod mysql;

use std::time::Duration;

/// A client that waits longer than this (simulated) has met a hang.
const PATIENCE: Duration = Duration::from_secs(400);

/// Waits for an answer; a server that never gives one is an error that says so.
pub async fn patiently<T>(what: &str, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("{what}: no answer within {PATIENCE:?}"),
    }
}
