//! Clients that run over the simulated network: just enough of each protocol for scenarios.

pub mod http;
pub mod mysql;

use std::time::Duration;

use common_base::net::{BoxedStream, Net};

use crate::net::SimNet;

/// A client that waits longer than this (simulated) has met a hang.
const PATIENCE: Duration = Duration::from_secs(400);

/// A machine without power does not even refuse a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Opens a connection.
pub async fn dial(net: &SimNet, address: &str) -> Result<BoxedStream, String> {
    match tokio::time::timeout(CONNECT_PATIENCE, net.connect(address)).await {
        Ok(connected) => connected.map_err(|e| e.to_string()),
        Err(_) => Err(format!("{address} does not answer")),
    }
}

/// Waits for an answer; a server that never gives one is an error that says so.
pub async fn patiently<T>(what: &str, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("{what}: no answer within {PATIENCE:?}"),
    }
}
