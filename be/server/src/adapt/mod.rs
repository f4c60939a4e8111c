//! The executor's traits over storage, peers and files.

pub mod exchange_over_grpc;
pub mod filters_over_grpc;
pub mod scan_from_storage;
pub mod numbers;
pub mod sink_to_peers;
pub mod tablet_writers;
